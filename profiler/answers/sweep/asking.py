"""How is what the command, or a function in Python, asks of many models answered? By running them, or from a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from profiler import errors
from profiler.answers.common.models import NamedModel
from profiler.answers.models import metrics
from profiler.answers.models.metrics import Metrics
from profiler.answers.sweep.choice import Choice
from profiler.answers.sweep.choice import check as check_choice
from profiler.answers.sweep.columns import MODEL, SPEC, columns
from profiler.answers.sweep.compute import Execution, Progress, Sweep, blank, joined, sweep, swept
from profiler.answers.sweep.reading import is_finished, read
from profiler.answers.sweep.request import Request
from profiler.counters import conventions
from profiler.errors import printable
from profiler.records.conditions import Conditions
from profiler.records.files import writing
from profiler.render import FORMATS as OF_TABLES
from profiler.render import PARQUET, format_of, renderer
from profiler.render.tables import chosen_columns

FORMATS = (*OF_TABLES, PARQUET)


def requested(
    specs: Sequence[str],
    models: Sequence[NamedModel],
    convention_names: Sequence[str],
    devices: Sequence[str],
    under: Conditions,
    published: bool,
) -> Request:
    """What is asked for, checked as far as that goes without running a model; raises `errors.ProfileError`."""
    from profiler.devices.timing import timer  # which reads formulas that `--help` does not need

    several = tuple(conventions.named(name).name for name in dict.fromkeys(convention_names or (conventions.DEFAULT,)))
    timers = {name: timer(name) for name in dict.fromkeys(devices)}
    return Request(tuple(specs), tuple(models), several, timers, under, published)


def of_models(
    request: Request,
    sources: Sequence[Metrics],
    execution: Execution,
    choice: Choice,
    names: Sequence[str] = (),
    progress: Progress | None = None,
) -> Sweep:
    """Run them; raises `errors.ProfileError`, before that where it can be known."""
    own = [model.metrics for model in request.models]
    _check(request, metrics.names(sources, own), choice, names)
    wide, named = joined(swept(request, execution, progress), sources, own)
    return sweep(wide, named, choice, names, request.conventions[0], sources)


def of_file(
    specs: Sequence[str],
    sources: Callable[[Sequence[tuple[str, str]]], Sequence[Metrics]],
    choice: Choice,
    names: Sequence[str] = (),
) -> Sweep:
    """The rows of a finished sweep; raises `errors.ProfileError`.

    sources: the metrics of models, given as (spec, label).
    """
    if len(specs) > 1:
        raise _file_and_models(next(filter(is_finished, specs)))
    finished = read(specs[0])
    known = sources([(row[SPEC], row[MODEL]) for row in finished.rows])
    wide, named = joined(finished.rows, known)
    return sweep(wide, tuple(dict.fromkeys((*finished.metrics, *named))), choice, names, finished.convention, known)


def check_output(path: str | os.PathLike[str] | None) -> None:
    """Raise what `written` would raise, as far as that can be known before."""
    if path is not None:
        written_by = renderer(format_of(os.fspath(path), FORMATS))
        if hasattr(written_by, "check"):
            written_by.check()
        writing.check_writable(path)


def written(answer: Sweep, path: str | os.PathLike[str] | None) -> Sweep:
    """The same, in a file as well, where there is to be one; raises `errors.ProfileError`."""
    if path is not None:
        content = renderer(format_of(os.fspath(path), FORMATS)).answer(answer)
        writing.replace(path, content if isinstance(content, bytes) else f"{printable(content)}\n".encode())
    return answer


def _check(request: Request, metric_names: Sequence[str], choice: Choice, names: Sequence[str]) -> None:
    """Raise what `sweep` would raise of the rows of a request, before a model is run."""
    known = columns([blank(request)], metric_names)
    if not request.published:  # whose columns are known when the models are
        chosen_columns(names, known)
        check_choice(choice, known)


# Error messages -------------------------------------------------------------------------------------------------------


def _file_and_models(path: str) -> errors.ProfileError:
    return errors.ProfileError(f"{path} is a finished sweep, which is asked alone; name nothing besides")


def runs_nothing(path: str, given: Sequence[str]) -> errors.ProfileError:
    """given: what was said of how models are run, as it was written."""
    return errors.ProfileError(
        f"{path} is a finished sweep, of which nothing is run; leave out {', '.join(given)}, or name the models"
    )
