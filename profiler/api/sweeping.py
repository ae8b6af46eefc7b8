"""What do the models of whole zoos cost, and which of them fits, in Python? `sweep`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from profiler.answers.common.models import lists, named_models
from profiler.answers.common.options import InputOptions
from profiler.answers.models.metrics import Metrics, MetricSources, metric_sources
from profiler.records import quantities
from profiler.records.conditions import conditions

if TYPE_CHECKING:
    from profiler.answers.check.compute import LimitValues
    from profiler.answers.sweep.choice import Choice
    from profiler.answers.sweep.compute import Execution, Sweep


def sweep(
    models: str | Sequence[str],
    columns: Sequence[str] = (),
    *,
    output: str | os.PathLike[str] | None = None,
    inputs: str | Sequence[str] = (),
    batch: int | None = None,
    seq: int | None = None,
    trust_remote_code: bool = False,
    dtype: str | None = None,
    convention: str | Sequence[str] = (),
    device: str | Sequence[str] = (),
    metrics: MetricSources = None,
    where: str | None = None,
    pareto: Sequence[str] = (),
    best: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    jobs: int | None = None,
    on: str | None = None,
    timeout: float | None = None,
    memory: int | str | None = None,
    resume: bool = False,
    retry: bool = False,
    **limits: Unpack[LimitValues],
) -> Sweep:
    """Many models, each by itself, one row each; print what it returns, or take its `rows` or `to_pandas()`.

    models: specs, patterns such as "timm:*", and lists "FILE.toml"; or the file of a finished sweep, of which nothing
        is run: Parquet, CSV or its journal.
    columns: their names, in order; by default the usual ones for people, and all of them for programs.
    output: a file that the rows are written to, in the format of its suffix; the journal beside it keeps each row.
    inputs: shapes such as "1x3x224x224", for models that say none.
    batch, seq, trust_remote_code, dtype: as `profile` takes them.
    convention: whose FLOPs, or those of several.
    device: of the catalogue or a file, or several: how long a run takes there.
    metrics: how good models are, as `compare` takes it.
    where: only rows of which it is true: "macs < 1G and acc@1 > 75".
    pareto: only rows that no other is better than in one of these columns and worse in none.
    best: the column that the best row is wanted of, and nine runners-up.
    sort, top: the column that rows are sorted by, the largest first; and how many there are at most.
    jobs: how many models at once; by default one a core.
    on: a cluster, "dask://HOST:PORT" or "ray://HOST:PORT".
    timeout: seconds that a model may take; 300 by default.
    memory: what a model's process may take, bytes or "4GB"; 8 GB by default.
    resume: go on where an earlier sweep to the same output ended.
    retry: with `resume`, run what failed once more.
    limits: a budget: only rows within these; see `LimitValues`.

    A model that fails has a row that says why. Raises `errors.ProfileError`.
    """
    from profiler.answers.sweep.asking import check_output, of_file, of_models, requested, runs_nothing, written
    from profiler.answers.sweep.reading import is_finished

    specs = [models] if isinstance(models, str) else [str(model) for model in models]
    check_output(output)
    choice = _choice(where, pareto, best, sort, top, limits)
    execution = _execution(output, jobs, on, timeout, memory, resume, retry)
    conventions = [convention] if isinstance(convention, str) else list(convention)
    devices = [device] if isinstance(device, str) else list(device)
    options = InputOptions(
        input=(inputs,) if isinstance(inputs, str) else tuple(inputs),
        batch=batch,
        seq=seq,
        trust_remote_code=trust_remote_code,
    )
    under, is_published, rest = conditions(dtype=dtype), _is_published(metrics), _without_published(metrics)
    finished = next(filter(is_finished, specs), None)
    if finished is not None:
        if conventions or devices or is_published or options != InputOptions() or dtype or jobs or on or resume:
            raise runs_nothing(finished)
        return written(of_file(specs, lambda pairs: metric_sources(rest, (), pairs), choice, columns), output)
    named = named_models(lists(specs), options)
    sources: list[Metrics] = metric_sources(rest, (), [(model.spec, model.label) for model in named])
    request = requested(specs, named, conventions, devices, under, is_published)
    return written(of_models(request, sources, execution, choice, columns), output)


def _choice(
    where: str | None, pareto: Sequence[str], best: str | None, sort: str | None, top: int | None, limits: Any
) -> Choice:
    from profiler.answers.check.compute import limits_of
    from profiler.answers.sweep.choice import Choice

    return Choice(where, tuple(limits_of(limits, "sweep()")), tuple(pareto), best, sort, top)


def _execution(
    output: str | os.PathLike[str] | None,
    jobs: int | None,
    on: str | None,
    timeout: float | None,
    memory: int | str | None,
    resume: bool,
    retry: bool,
) -> Execution:
    from profiler.answers.sweep.compute import execution

    size = quantities.read("memory", memory, quantities.size) if isinstance(memory, str) else memory
    path = None if output is None else os.fspath(output)
    return execution(path, jobs, on, timeout, size, resume, retry)


def _is_published(metrics: MetricSources) -> bool:
    return metrics is True or (isinstance(metrics, (list, tuple)) and any(source is True for source in metrics))


def _without_published(metrics: MetricSources) -> MetricSources:
    if isinstance(metrics, (list, tuple)):
        return [source for source in metrics if source is not True]
    return None if isinstance(metrics, bool) else metrics
