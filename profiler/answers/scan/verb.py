"""What a model costs at several sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from profiler import errors
from profiler.answers.common.models import check_runs, varying, wanted
from profiler.answers.common.options import Captions, Columns, Counted, Fed, Generating, Model, Result, Strict, Ways
from profiler.answers.common.outcome import WHAT_IF, Context, Lent, Outcome
from profiler.answers.common.shown import anchor
from profiler.answers.common.varying import SEQ
from profiler.answers.generate.generating import at_length, of_rows, wished
from profiler.answers.generate.phases import BOTH
from profiler.answers.generate.table import length_columns
from profiler.answers.scan.compute import at, checked, of_points, read
from profiler.answers.scan.table import SCAN_COLUMNS
from profiler.engine.processes.foreign_code import at_work
from profiler.render.tables import chosen_columns

JOB = WHAT_IF


def run(
    model: Model,
    values: Annotated[
        str,
        Parameter(
            help="NAME=1,8..32: batch, size, seq, {n} of --input, or a keyword of the builder.", metavar="NAME=VALUES"
        ),
    ],
    /,
    *,
    context: Lent,
    fed: Fed = Fed(),
    ways: Ways = Ways(),
    language: Generating = Generating(),
    counted: Counted = Counted(),
    columns: Columns = Columns(),
    captions: Captions = Captions(),
    strict: Strict = Strict(),
    result: Result = Result(),
) -> Outcome:
    """A row for each value of what varies, and exact polynomials of it.

    Example: profile-model scan resnet34 size=160..320:32
    """
    name, several = read(values)
    if language.phase is not None or language.cache is not None:
        if captions != Captions():
            raise errors.OnlyWith("--caption or --tex-label", "a scan without --phase and --cache")
        return _lengths(context, model, name, several, fed, ways, language, counted, columns)
    check_runs(wanted([model], fed, varies=True), "scan")
    chosen_columns(columns.chosen, SCAN_COLUMNS)
    what = varying("scan", model, name, fed, context, ways.conditions, counted.name)
    several = checked(what, several)
    label = anchor(captions.tex_label)
    with at_work(what.label):
        points = [at(what, v) for v in context.one_by_one(several, [f"{what.label}, {name} {v}" for v in several])]
        found = of_points(what, points, columns.chosen, caption=captions.caption or "", anchor=label)
    return Outcome(found, found.failures, profiles=found.profiles[:1])


def _lengths(
    context: Context,
    spec: str,
    name: str,
    several: tuple[object, ...],
    fed: Fed,
    ways: Ways,
    language: Generating,
    counted: Counted,
    columns: Columns,
) -> Outcome:
    """A language model's phases at several lengths of the prompt; one that fails keeps its row."""
    ways.check_forward("--phase or --cache")
    if name != SEQ:
        raise _scans_seq_alone(name)
    (model,) = wanted([spec], fed)
    phase, dtype = language.phase or BOTH, ways.dtype
    wish = wished(phase=phase, new_tokens=None, cache=language.cache, dtype=dtype, convention=counted.name)
    chosen_columns(columns.chosen, length_columns(wish.phase))
    wish = replace(wish, columns=columns.chosen, profile=context.profile)
    lengths = checked(varying("scan", spec, name, fed, context, ways.conditions, counted.name), several)
    with at_work(model.label):
        names = [f"{model.label}, seq {value}" for value in lengths]
        rows = [at_length(model.spec, model.feed, value, wish) for value in context.one_by_one(lengths, names)]
        found = of_rows(model.spec, model.feed, rows, wish)
    return Outcome(found, found.failures, profiles=[phase.profile for phase in found.first.phases])


# What is said ---------------------------------------------------------------------------------------------------------


def _scans_seq_alone(name: str) -> errors.ProfileError:
    return errors.ProfileError(f"scan {name} has no table of phases; scan seq, or leave out --phase")
