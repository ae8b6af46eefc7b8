"""What do the models of whole zoos cost, and which of them fits, in Python? `sweep`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from profiler.answers.check.compute import LimitValues
from profiler.answers.common.models import lists, named_models
from profiler.answers.common.options import InputOptions
from profiler.answers.common.run_options import Sizes
from profiler.answers.models.metrics import Metrics, MetricSources, metric_sources
from profiler.records import quantities
from profiler.records.conditions import conditions
from profiler.sources.trace_cache import cache

if TYPE_CHECKING:
    from profiler.answers.sweep.choice import Choice
    from profiler.answers.sweep.compute import Execution, Sweep


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
    columns: Sequence[str] = (),
    *,
    output: str | os.PathLike[str] | None = None,
    inputs: str | Sequence[str] = (),
    dtype: str | None = None,
    convention: str | Sequence[str] = (),
    device: str | Sequence[str] = (),
    metrics: MetricSources = None,
    where: str | None = None,
    pareto: Sequence[str] = (),
    best: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    **options: Unpack[SweepOptions],
) -> Sweep:
    """Many models, each by itself, one row each; print what it returns, or take its `rows` or `to_pandas()`.

    models: specs, patterns such as "timm:*", and lists "FILE.toml"; or the file of a finished sweep, of which nothing
        is run: Parquet, CSV or its journal.
    columns: their names, in order; by default the usual ones for people, and all of them for programs.
    output: a file that the rows are written to, in the format of its suffix; the journal beside it keeps each row.
    inputs: shapes such as "1x3x224x224", for models that say none.
    dtype: what weights and inputs are cast to.
    convention, device: whose FLOPs, and where times are: a name, or several.
    metrics: how good models are, as `compare` takes it.
    where: only rows of which it is true: "macs < 1G and acc@1 > 75".
    pareto: only rows that no other is better than in one of these columns and worse in none.
    best: the column that the best row is wanted of, and nine runners-up.
    sort, top: the column that rows are sorted by, the largest first; and how many there are at most.
    options: see `SweepOptions`; limits such as `max_macs` are a budget, and only rows within it are shown.

    Traces are looked up and kept as by the command, since models run in other processes; not where the variable
    PROFILE_MODEL_CACHE is "off". A model that fails has a row that says why. Raises `errors.ProfileError`.
    """
    choice = _choice(where, pareto, best, sort, top, options)
    asked = _Asked(models, inputs, dtype, convention, device, metrics, options)
    return _answered(asked, choice, columns, output)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be run, or read."""

    models: str | Sequence[str]
    inputs: str | Sequence[str]
    dtype: str | None
    convention: str | Sequence[str]
    device: str | Sequence[str]
    metrics: MetricSources
    options: SweepOptions

    @property
    def specs(self) -> tuple[str, ...]:
        return _several(self.models)

    @property
    def fed(self) -> InputOptions:
        sizes: Any = {name: value for name, value in self.options.items() if name in Sizes.__annotations__}
        return InputOptions(input=_several(self.inputs), **sizes)

    @property
    def sources(self) -> list[Any]:
        """Of metrics."""
        return list(self.metrics) if isinstance(self.metrics, (list, tuple)) else [self.metrics]

    @property
    def is_published(self) -> bool:
        return any(source is True for source in self.sources)

    @property
    def is_about_a_run(self) -> bool:
        """Whether there is anything that says how models are run."""
        is_run = any(value for name, value in self.options.items() if not name.startswith("max_"))
        return bool(is_run or self.inputs or self.dtype or self.convention or self.device or self.is_published)

    def known(self, pairs: Sequence[tuple[str, str]]) -> list[Metrics]:
        """The metrics of models, given as (spec, label), without what is published."""
        return metric_sources([source for source in self.sources if source is not True], (), pairs)


def _answered(asked: _Asked, choice: Choice, columns: Sequence[str], output: str | os.PathLike[str] | None) -> Sweep:
    from profiler.answers.sweep.asking import check_output, of_file, of_models, requested, runs_nothing, written
    from profiler.answers.sweep.reading import is_finished

    check_output(output)
    finished = next(filter(is_finished, asked.specs), None)
    if finished is not None:
        if asked.is_about_a_run:
            raise runs_nothing(finished)
        return written(of_file(asked.specs, asked.known, choice, columns), output)
    execution = _execution(output, asked.options)
    models = named_models(lists(asked.specs), asked.fed)
    sources = asked.known([(model.spec, model.label) for model in models])
    under, conventions, devices = conditions(dtype=asked.dtype), _several(asked.convention), _several(asked.device)
    request = requested(asked.specs, models, conventions, devices, under, asked.is_published)
    return written(of_models(request, sources, execution, choice, columns), output)


def _several(text: str | Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(map(str, text))


def _choice(
    where: str | None,
    pareto: Sequence[str],
    best: str | None,
    sort: str | None,
    top: int | None,
    options: SweepOptions,
) -> Choice:
    """Raises `errors.ProfileError`, also for an option that there is not."""
    from profiler.answers.check.compute import limits_of
    from profiler.answers.sweep.choice import Choice

    limits: Any = {
        name: value
        for name, value in options.items()
        if name not in SweepOptions.__annotations__ or name in LimitValues.__annotations__
    }
    return Choice(where, tuple(limits_of(limits, "sweep()")), tuple(pareto), best, sort, top)


def _execution(output: str | os.PathLike[str] | None, options: SweepOptions) -> Execution:
    from profiler.answers.sweep.compute import execution

    memory = options.get("memory")
    size = quantities.read("memory", memory, quantities.size) if isinstance(memory, str) else memory
    path = None if output is None else os.fspath(output)
    limits = options.get("jobs"), options.get("on"), options.get("timeout"), size
    return execution(path, *limits, options.get("resume", False), options.get("retry", False), cache.here())
