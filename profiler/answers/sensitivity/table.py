"""How is it shown how much layers and inputs matter? A row a layer beside what it costs, and a row an input."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from profiler import errors
from profiler.answers.common.notes import run_note, uncounted, versions_note
from profiler.answers.common.time_columns import TIME, check_device, time_notes, worded
from profiler.answers.layers.compute import View
from profiler.answers.layers.data import about
from profiler.answers.layers.table import viewed
from profiler.answers.sensitivity.compute import CHEAP, Asked, LayerSensitivity, Sensitivity
from profiler.answers.sensitivity.running import SEED_WORDS
from profiler.figures.describe import describe
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.records.sensitivities import OfInput
from profiler.records.times import Timer
from profiler.render.answer import Shown, show
from profiler.render.tables import Caution, Column, Explanation, Row, Table, Unit, chosen_columns

IMPORTANCE, TRACE, TRACE_ERROR = "importance", "trace", "trace_error"


def words_of(layer: Layer) -> str:
    return describe(layer.module, layer.weights)


def _mac_share(row: LayerSensitivity, answer: Sensitivity) -> float | None:
    whole = answer.profile.totals.macs
    return None if row.macs is None or not whole else row.macs / whole


LAYER_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("layer", "Layer", Unit.TEXT, lambda row, answer: row.path or answer.profile.model, 0, 40),
        Column("kind", "Kind", Unit.TEXT, lambda row, _: words_of(row.layer), 2, 26),
        Column("params", "Parameters", Unit.EXACT, lambda row, _: row.params, 1),
        Column("macs", "MACs", Unit.AMOUNT, lambda row, _: row.macs, 1),
        Column("share", "MACs %", Unit.SHARE, _mac_share, 3),
        Column(TIME, "Time", Unit.SECONDS, lambda row, answer: answer.seconds(row), 1),
        Column("norm", "‖g‖", Unit.SCIENTIFIC, lambda row, _: row.norm, 2),
        Column("mean_absolute", "mean |g|", Unit.SCIENTIFIC, lambda row, _: row.mean_absolute, 3),
        Column(IMPORTANCE, "Σ|w·g|", Unit.SCIENTIFIC, lambda row, _: row.importance, 1),
        Column(
            "importance_share", "Σ|w·g| %", Unit.SHARE, lambda row, answer: answer.importance_share(row), 2,
            is_drawn=True,
        ),
        Column("per_param", "Σ|w·g|/param", Unit.SCIENTIFIC, lambda row, _: row.importance_per_param, 4),
        Column("per_mac", "Σ|w·g|/MAC", Unit.SCIENTIFIC, lambda row, _: row.importance_per_mac, 1),
        Column("fisher", "Fisher", Unit.SCIENTIFIC, lambda row, _: row.fisher, 2),
        Column(TRACE, "tr H", Unit.SCIENTIFIC, lambda row, _: row.trace, 1),
        Column(TRACE_ERROR, "± s.e.", Unit.SCIENTIFIC, lambda row, _: row.trace_error, 1),
        Column("mark", "Note", Unit.TEXT, lambda row, _: CHEAP if row.costs_much else "", 1),
    )
}  # fmt: skip
_USUAL = (
    "layer", "kind", "params", "macs", TIME, "norm", IMPORTANCE, "per_mac", "fisher", TRACE, TRACE_ERROR, "mark",
)  # fmt: skip


def check(view: View, timer: Timer | None, hessian: int) -> None:
    """Raise for columns that there are not, before anything is run."""
    named = [*view.columns, *([view.sort] if view.sort else [])]
    chosen_columns(named, LAYER_COLUMNS)
    check_device(named, (TIME,), timer)
    for name in named:
        if name in (TRACE, TRACE_ERROR) and not hessian:
            raise errors.only_with(f"--columns {name}", "--hessian")


def _columns(answer: Sensitivity) -> tuple[Column, ...]:
    left_out = {TIME} if answer.profile.times is None else set()
    if not answer.gradients.weights[0].curvatures:
        left_out |= {TRACE, TRACE_ERROR}
    if not any(row.costs_much for row in (*answer.own, *answer.layers)):
        left_out.add("mark")
    usual = [name for name in _USUAL if name not in left_out]
    return worded(chosen_columns(answer.view.columns or usual, LAYER_COLUMNS), [answer.profile])


def rows_of(answer: Sensitivity) -> Sequence[LayerSensitivity]:
    """Layers with their own weights, the most important first; or those that the user chooses, with all in them."""
    view, model = answer.view, answer.profile.model
    if view.filter is None and view.depth is None:
        every = replace(view, filter="*", sort=view.sort or IMPORTANCE)
        return viewed(answer.own, every, answer, LAYER_COLUMNS, IMPORTANCE, model)  # type: ignore[arg-type,return-value]
    usual = replace(view, sort=view.sort or (IMPORTANCE if view.depth is None else None))
    return viewed(answer.layers, usual, answer, LAYER_COLUMNS, IMPORTANCE, model)  # type: ignore[arg-type,return-value]


def layer_table(answer: Sensitivity) -> Table:
    columns, view = _columns(answer), answer.view
    rows = tuple(Row(tuple(column.get(row, answer) for column in columns)) for row in rows_of(answer))
    return Table(
        columns, rows, tuple(_facts(answer)), tuple(_notes(answer)), view.caption, view.anchor, bool(view.columns)
    )


def _facts(answer: Sensitivity) -> Iterator[tuple[str, Any, Unit, str]]:
    gradients = answer.gradients
    yield "Samples", answer.asked.number, Unit.EXACT, answer.asked.samples
    yield "Target", fmean(gradients.values), Unit.SCIENTIFIC, f"mean over the samples of {answer.asked.target}"
    whole = answer.layers[0]
    if whole.trace is not None:
        probes = len(whole.sums.curvatures)
        yield "tr H", whole.trace, Unit.SCIENTIFIC, f"of all weights, by {probes:,} probes"


def asked_notes(profile: Profile, asked: Asked) -> Iterator[str]:
    """What ran, on which weights, and whether that tells much."""
    if asked.is_random:
        what = " and ".join(asked.is_random)
        yield Caution(f"The {what} are random: how layers rank here says little about a trained model and real data.")
    yield f"Weights: {asked.weights}. {SEED_WORDS}"
    yield from uncounted(profile)
    yield f"MACs: {run_note(profile.trace)}"
    yield from time_notes({"": profile}, is_told=True)


def _notes(answer: Sensitivity) -> Iterator[str]:
    yield from asked_notes(answer.profile, answer.asked)
    yield from _without_gradient(answer.gradients.inputs)
    borrowing = sorted(row.path for row in answer.own if row.path in answer.borrowing)
    if borrowing:
        which = errors.some(borrowing)
        yield f"Tied weights count at the first layer that holds them, so whether {which} matters little is not told."
    yield Explanation(
        "g: the gradient of the target's mean over the samples with respect to a layer's weights. Σ|w·g|: how much "
        "the target changes, to first order, where a weight becomes 0, summed (SNIP, arXiv:1810.02340). Fisher: "
        "the mean over the samples of the squared gradient of one sample, summed; of a log-likelihood it is the trace "
        "of the empirical Fisher matrix. tr H: the trace of the layer's block of the Hessian, by Hutchinson's "
        "estimator."
    )
    yield Explanation(
        f"{CHEAP}: its share of the MACs is that of an average layer or more, and its share of Σ|w·g| less than a "
        "quarter of that."
    )
    yield versions_note(answer.profile.trace.versions.items())


# Inputs ---------------------------------------------------------------------------------------------------------------

INPUT_COLUMNS = (
    Column("input", "Input", Unit.TEXT, lambda row, _: row[0], 0, 26),
    Column("shape", "Shape", Unit.TEXT, lambda row, _: row[1], 2),
    Column("sample", "Sample", Unit.TEXT, lambda row, _: row[2]),
    Column("target", "Target", Unit.SCIENTIFIC, lambda row, _: row[3], 2),
    Column("norm", "‖g‖", Unit.SCIENTIFIC, lambda row, _: row[4]),
    Column("mean_absolute", "mean |g|", Unit.SCIENTIFIC, lambda row, _: row[5]),
)
_MEAN = "mean"


def input_table(answer: Sensitivity, per_sample: bool) -> Table:
    """For each input its mean over the samples, then the samples, where they are asked for."""
    gradients = answer.gradients
    rows = [row for tensor in gradients.inputs for row in _input_rows(tensor, gradients.values, per_sample)]
    notes = tuple(_without_gradient(gradients.inputs))
    table = Table(
        INPUT_COLUMNS, tuple(Row(tuple(c.get(row, answer) for c in INPUT_COLUMNS)) for row in rows), (), notes
    )
    if not per_sample:
        return replace(table, notes=(), caption="With respect to the inputs")
    own = tuple(asked_notes(answer.profile, answer.asked))
    return replace(table, facts=tuple(_facts(answer))[:2], notes=(*notes, *own), caption=answer.view.caption)


def _input_rows(tensor: OfInput, values: tuple[float, ...], per_sample: bool) -> Iterator[tuple[Any, ...]]:
    shape = "×".join(map(str, tensor.shape))
    if not tensor.norms:
        return
    yield tensor.name, f"{shape} {tensor.dtype}", _MEAN, fmean(values), fmean(tensor.norms), fmean(tensor.absolutes)
    are_aligned = len(values) == len(tensor.norms)
    for i, (norm, absolute) in enumerate(zip(tensor.norms, tensor.absolutes, strict=True) if per_sample else ()):
        yield tensor.name, "", str(i + 1), values[i] if are_aligned else None, norm, absolute


def _without_gradient(inputs: Sequence[OfInput]) -> Iterator[str]:
    for tensor in inputs:
        if not tensor.norms:
            yield f"{tensor.name} is of {tensor.dtype}, and has no gradient."


# For programs ---------------------------------------------------------------------------------------------------------

_RAW = (
    "layer", "kind", "params", "macs", TIME, "norm", "mean_absolute", IMPORTANCE, "importance_share", "per_param",
    "per_mac", "fisher", TRACE, TRACE_ERROR, "mark",
)  # fmt: skip


def _tables(answer: Sensitivity) -> list[Table]:
    if answer.per_sample:
        return [input_table(answer, per_sample=True)]
    inputs = input_table(answer, per_sample=False)
    return [layer_table(answer), *([inputs] if inputs.rows else [])]


def _raw(answer: Sensitivity) -> Table:
    if answer.per_sample:
        return replace(input_table(answer, per_sample=True), facts=(), notes=(), caption="")
    has_none = [TIME] * (answer.profile.times is None) + [TRACE, TRACE_ERROR] * (
        not answer.gradients.weights[0].curvatures
    )
    columns = answer.view.columns or tuple(name for name in _RAW if name not in has_none)
    return replace(layer_table(replace(answer, view=replace(answer.view, columns=columns))), caption="")


def asked_data(asked: Asked) -> dict[str, Any]:
    return {
        "target": asked.target,
        "samples": asked.samples,
        "number": asked.number,
        "weights": asked.weights,
        "is_random": list(asked.is_random),
    }


def _data(answer: Sensitivity) -> dict[str, Any]:
    gradients = answer.gradients
    return {
        **about(answer.profile),
        "asked_of": asked_data(answer.asked),
        "target": fmean(gradients.values),
        "targets": list(gradients.values),
        "layers": [_layer_data(answer, row) for row in answer.layers],
        "weights": [dataclasses.asdict(weight) for weight in gradients.weights],
        "sample_gradients": [dataclasses.asdict(tensor) for tensor in gradients.inputs],
    }


def _layer_data(answer: Sensitivity, row: LayerSensitivity) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "depth": row.depth,
        "params": row.params,
        "macs": row.macs,
        "time": answer.seconds(row),
        "norm": row.norm,
        "mean_absolute": row.mean_absolute,
        "importance": row.importance,
        "importance_share": answer.importance_share(row),
        "importance_per_param": row.importance_per_param,
        "importance_per_mac": row.importance_per_mac,
        "fisher": row.sums.fisher,
        "hessian_trace": row.trace,
        "hessian_trace_error": row.trace_error,
        "costs_much_matters_little": row.costs_much,
    }


show(
    Sensitivity,
    Shown(_tables, _raw, _data, lambda answer: _tables(answer)[:1], about=lambda answer: about(answer.profile)),
)
