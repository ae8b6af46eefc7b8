"""What do the models of whole zoos cost, and which of them fits, in Python? `sweep`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from profiler import errors
from profiler.answers.check.compute import LimitValues
from profiler.answers.common.models import lists, named_models
from profiler.answers.common.options import InputOptions, names
from profiler.answers.common.run_options import Sizes
from profiler.answers.models.metrics import Metrics, MetricSources, metric_sources
from profiler.records import inputs as shapes
from profiler.records import quantities
from profiler.records.conditions import conditions
from profiler.sources.trace_cache import cache

if TYPE_CHECKING:
    from profiler.answers.sweep.choice import Choice
    from profiler.answers.sweep.compute import Execution, Sweep


T = TypeVar("T")


class SweepOptions(Sizes, LimitValues, total=False):
    """How large inputs are, how a sweep is run, and a budget.

    jobs: how many models run at once; by default one a core.
    on: a cluster, "dask://HOST:PORT" or "ray://HOST:PORT".
    timeout: seconds that a model may take; 300 by default.
    memory: what a model's process may take, bytes or "4GB"; 8 GB by default.
    resume: go on where an earlier sweep to the same output ended.
    retry: with `resume`, run what failed once more.
    """

    jobs: int | None
    on: str | None
    timeout: float | None
    memory: int | str | None
    resume: bool
    retry: bool


def sweep(
    models: str | Sequence[str],
    columns: str | Sequence[str] = (),
    *,
    output: str | os.PathLike[str] | None = None,
    inputs: str | Sequence[int] | Sequence[str | Sequence[int]] = (),
    dtype: str | None = None,
    convention: str | Sequence[str] = (),
    device: str | Sequence[str] = (),
    metrics: MetricSources = None,
    where: str | None = None,
    pareto: str | Sequence[str] = (),
    best: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    **options: Unpack[SweepOptions],
) -> Sweep:
    """Many models, each by itself, one row each; print what it returns, or take its `rows` or `to_pandas()`.

    models: specs, patterns such as "timm:*", and lists "FILE.toml"; or the file of a finished sweep, of which nothing
        is run: Parquet, CSV or its journal.
    columns: their names, in order, or one text, "model,macs"; by default the usual ones for people, and all of them for
        programs.
    output: a file that the rows are written to, in the format of its suffix; the journal beside it keeps each row.
    inputs: a shape, "1x3x224x224" or (1, 3, 224, 224), or several such, for models that say none.
    dtype: what weights and inputs are cast to.
    convention, device: whose FLOPs, and where times are: a name, or several.
    metrics: how good models are, as `compare` takes it.
    where: only rows of which it is true: "macs < 1G and acc@1 > 75".
    pareto: only rows that no other is better than in one of these columns, "acc@1,macs", and worse in none.
    best: the column that the best row is wanted of, and nine runners-up.
    sort, top: the column that rows are sorted by, the largest first; and how many there are at most.
    options: see `SweepOptions`; limits such as `max_macs` are a budget, and only rows within it are shown.

    Traces are looked up and kept as by the command, since models run in other processes; not where the variable
    PROFILE_MODEL_CACHE is "off". A model that fails has a row that says why. Raises `errors.ProfileError`.
    """
    choice = _choice(where, pareto, best, sort, top, options)
    asked = _Asked(models, inputs, dtype, convention, device, metrics, options)
    return _answered(asked, choice, _listed("columns", columns), output)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be run, or read."""

    models: Any
    inputs: Any
    dtype: str | None
    convention: str | Sequence[str]
    device: str | Sequence[str]
    metrics: MetricSources
    options: SweepOptions

    @property
    def specs(self) -> tuple[str, ...]:
        return tuple(_specs(self.models))

    @property
    def fed(self) -> InputOptions:
        sizes: Any = {name: value for name, value in self.options.items() if name in Sizes.__annotations__}
        for name in ("batch", "seq"):
            sizes[name] = _read(name, sizes.get(name), _whole)
        return InputOptions(input=tuple(_shapes(self.inputs)), **sizes)

    @property
    def sources(self) -> list[Any]:
        """Of metrics."""
        return list(self.metrics) if isinstance(self.metrics, (list, tuple)) else [self.metrics]

    @property
    def is_published(self) -> bool:
        return any(source is True for source in self.sources)

    @property
    def about_a_run(self) -> Iterator[str]:
        """What says how models are run."""
        own = {name: getattr(self, name) for name in ("inputs", "dtype", "convention", "device")}
        for name, value in (own | dict(self.options)).items():
            if not (name.startswith("max_") or value is None or value is False or value in ("", (), [])):
                yield name
        if self.is_published:
            yield "metrics=True"

    def known(self, pairs: Sequence[tuple[str, str]]) -> list[Metrics]:
        """The metrics of models, given as (spec, label), without what is published."""
        return metric_sources([source for source in self.sources if source is not True], (), pairs)


def _answered(asked: _Asked, choice: Choice, columns: tuple[str, ...], output: str | os.PathLike[str] | None) -> Sweep:
    from profiler.answers.sweep.asking import check_output, of_file, of_models, requested, runs_nothing, written
    from profiler.answers.sweep.reading import is_finished

    if not (output is None or isinstance(output, (str, os.PathLike))):
        raise _no_text("output", output)
    check_output(output)
    finished = next(filter(is_finished, asked.specs), None)
    if finished is not None:
        given = list(asked.about_a_run)
        if given:
            raise runs_nothing(finished, given)
        return written(of_file(asked.specs, asked.known, choice, columns), output)
    execution = _execution(output, asked.options)
    conventions, devices = _listed("convention", asked.convention), _several("device", asked.device)
    models = named_models(lists(asked.specs), asked.fed)
    sources = asked.known([(model.spec, model.label) for model in models])
    under = conditions(dtype=asked.dtype)
    request = requested(asked.specs, models, conventions, devices, under, asked.is_published)
    return written(of_models(request, sources, execution, choice, columns), output)


def _choice(
    where: str | None,
    pareto: str | Sequence[str],
    best: str | None,
    sort: str | None,
    top: int | None,
    options: SweepOptions,
) -> Choice:
    """Raises `errors.ProfileError`, also for an option that there is not."""
    from profiler.answers.check.compute import limits_of
    from profiler.answers.sweep.choice import Choice, axes

    limits: Any = {
        name: value
        for name, value in options.items()
        if name not in SweepOptions.__annotations__ or name in LimitValues.__annotations__
    }
    for name, value in (("where", where), ("best", best), ("sort", sort), ("on", options.get("on"))):
        if not (value is None or isinstance(value, str)):
            raise _no_text(name, value)
    wanted = axes(pareto) if isinstance(pareto, str) else _several("pareto", pareto)
    return Choice(where, tuple(limits_of(limits, "sweep()")), wanted, best, sort, _read("top", top, _whole))


def _execution(output: str | os.PathLike[str] | None, options: SweepOptions) -> Execution:
    from profiler.answers.sweep.compute import execution

    memory = options.get("memory")
    size = _read("memory", memory, lambda text: quantities.size(text if text is memory else f"{text}B", least=1))
    jobs = _read("jobs", options.get("jobs"), _whole)
    timeout = _read("timeout", options.get("timeout"), quantities.seconds)
    path = None if output is None else os.fspath(output)
    rest = options.get("resume", False), options.get("retry", False), cache.here()
    return execution(path, jobs, options.get("on"), timeout, size, *rest)


# What is given, as the command reads it -------------------------------------------------------------------------------

_whole = partial(quantities.whole, least=1)


def _read(name: str, value: Any, reader: Callable[[str], T]) -> T | None:
    """A number, by the rule of the command's option."""
    try:
        return None if value is None else reader(value if isinstance(value, str) else str(value))
    except errors.Malformed as error:
        raise _malformed(name, value, error) from None


def _several(name: str, value: Any) -> tuple[str, ...]:
    """One text, or several."""
    several = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    for text in several:
        if not isinstance(text, str):
            raise _no_text(name, text)
    return several


def _listed(name: str, value: Any) -> tuple[str, ...]:
    """Several texts, or one that has them between commas."""
    return names(value) if isinstance(value, str) else _several(name, value)


def _specs(models: Any) -> Iterator[str]:
    is_one = isinstance(models, (str, os.PathLike)) or not isinstance(models, Iterable)
    for spec in (models,) if is_one else models:
        if not isinstance(spec, (str, os.PathLike)):
            raise _no_spec(spec)
        yield os.fspath(spec)


def _shapes(inputs: Any) -> Iterator[str]:
    """Each as the command takes it. A tuple of integers is one shape, as it is for `profile`."""
    is_one = isinstance(inputs, str) or _is_shape(inputs) or not isinstance(inputs, (list, tuple))
    for shape in () if inputs is None else (inputs,) if is_one else inputs:
        if not (isinstance(shape, str) or _is_shape(shape)):
            raise _no_shape(shape)
        yield shape if isinstance(shape, str) else shapes.written(shapes.TensorSpec(tuple(shape)))


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 0 and all(type(size) is int for size in value)


# Error messages -------------------------------------------------------------------------------------------------------


def _malformed(name: str, value: Any, why: errors.Malformed) -> errors.ProfileError:
    return errors.ProfileError(f"{name}={value!r}: {why}")


def _no_text(name: str, value: Any) -> errors.ProfileError:
    return errors.ProfileError(f"{name} has {type(value).__name__} in the place of a text; write it in quotes")


def _no_spec(model: Any) -> errors.ProfileError:
    return errors.ProfileError(
        f"sweep takes specs, texts such as 'resnet18' or 'timm:*', not {type(model).__name__}; "
        "profile(model, inputs) profiles a model that is there"
    )


def _no_shape(shape: Any) -> errors.ProfileError:
    return errors.ProfileError(
        f"inputs has {type(shape).__name__} in the place of a shape; write it like '1x3x224x224' or (1, 3, 224, 224)"
    )
