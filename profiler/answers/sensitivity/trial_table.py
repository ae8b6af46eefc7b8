"""How are layers that were changed alone shown? A row each, the least change first, beside what the change saves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from profiler.answers.common.notes import versions_note
from profiler.answers.layers.compute import View
from profiler.answers.layers.data import about
from profiler.answers.layers.table import viewed
from profiler.answers.sensitivity import table
from profiler.answers.sensitivity.compute import LayerTrial, Trials
from profiler.answers.sensitivity.request import Request
from profiler.answers.sensitivity.table import asked_data, asked_notes, words_of
from profiler.figures.tied import holders
from profiler.records.sensitivities import Effect
from profiler.records.times import Timer
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Explanation, Row, Table, Unit, chosen_columns

_CHANGE = "change"


def _effect(name: str) -> Any:
    def get(row: LayerTrial, _: Trials) -> float | None:
        return None if row.effect is None else getattr(row.effect, name)

    return get


TRIAL_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("layer", "Layer", Unit.TEXT, lambda row, trials: row.path or trials.profile.model, 0, 40),
        Column("kind", "Kind", Unit.TEXT, lambda row, _: words_of(row.layer), 3, 26),
        Column("params", "Parameters", Unit.EXACT, lambda row, _: row.layer.params, 2),
        Column("macs", "MACs", Unit.AMOUNT, lambda row, _: row.layer.macs, 2),
        Column("saved", "Saved", Unit.BYTES, lambda row, _: row.saved_bytes, 1),
        Column("saved_macs", "Saved MACs", Unit.AMOUNT, lambda row, _: row.saved_macs, 1),
        Column(_CHANGE, "Change", Unit.SCIENTIFIC, _effect("change"), 1),
        Column("divergence", "KL", Unit.SCIENTIFIC, _effect("divergence"), 1),
        Column("loss", "Δ loss", Unit.SCIENTIFIC, lambda row, trials: trials.loss(row), 1),
        Column("score", "Δ score", Unit.SCIENTIFIC, lambda row, trials: trials.score(row), 1),
    )
}
_WITH_LABELS = ("loss", "score")


def check(view: View, timer: Timer | None, request: Request) -> None:
    """Raise for columns that there are not, before anything is run."""
    if request.by is None:
        table.check(view, timer, request.hessian)
        return
    chosen_columns([*view.columns, *([view.sort] if view.sort else [])], TRIAL_COLUMNS)


def trial_table(trials: Trials) -> Table:
    view = trials.view
    columns = chosen_columns(view.columns or _usual(trials), TRIAL_COLUMNS)
    rows = tuple(_row(row, columns, trials) for row in _shown(trials))
    return Table(
        columns,
        rows,
        tuple(_facts(trials)),
        tuple(_notes(trials)),
        view.caption or f"Each layer of {trials.profile.model} alone: {trials.how}",
        view.anchor,
        bool(view.columns),
    )


def _usual(trials: Trials) -> tuple[str, ...]:
    left_out = {name for name in _WITH_LABELS if getattr(trials.before, name) is None}
    if trials.before.divergence is None:
        left_out.add("divergence")
    if all(row.saved_macs is None for row in trials.rows):
        left_out.add("saved_macs")
    return tuple(name for name in TRIAL_COLUMNS if name not in left_out)


def _row(row: LayerTrial, columns: Sequence[Column], trials: Trials) -> Row:
    values = tuple(column.get(row, trials) for column in columns)
    return Row(values, failure=row.trial.failure or None)


def _shown(trials: Trials) -> Sequence[LayerTrial]:
    """In the order of their changes, unless the user sorts them."""
    view = replace(trials.view, filter=trials.view.filter or "*")
    rows = viewed(trials.rows, replace(view, top=None), trials, TRIAL_COLUMNS, _CHANGE, trials.profile.model)  # type: ignore[arg-type]
    return rows[: view.top]  # type: ignore[return-value]


def _facts(trials: Trials) -> Iterator[tuple[str, Any, Unit, str]]:
    yield "Samples", trials.asked.number, Unit.EXACT, trials.asked.samples
    if trials.before.loss is not None:
        yield "Loss", trials.before.loss, Unit.SCIENTIFIC, "of the model as it is"
    if trials.before.score is not None:
        yield "Score", trials.before.score, Unit.SCIENTIFIC, "of the model as it is: the share of labels that it tells"


def _notes(trials: Trials) -> Iterator[str]:
    yield from asked_notes(trials.profile, trials.asked)
    if holders(trials.profile.trace):
        yield "A weight that several layers hold changes in all of them; where one is left out, the others keep it."
    yield Explanation(
        "Change: the 2-norm of what changes in the output, as a share of that of the output. KL: the divergence of the "
        "changed class probabilities from those before, in nats, the mean over the samples. Δ: how much more "
        "it is than that of the model as it is."
    )
    yield versions_note(trials.profile.trace.versions.items())


def _raw(trials: Trials) -> Table:
    columns = trials.view.columns or tuple(TRIAL_COLUMNS)
    return replace(trial_table(replace(trials, view=replace(trials.view, columns=columns))), caption="")


def _data(trials: Trials) -> dict[str, Any]:
    return {
        **about(trials.profile),
        "asked_of": asked_data(trials.asked),
        "by": trials.by,
        "before": _effect_data(trials.before),
        "layers": [
            {
                "path": row.path,
                "kind": row.kind,
                "params": row.layer.params,
                "macs": row.layer.macs,
                "saved_bytes": row.saved_bytes,
                "saved_macs": row.saved_macs,
                "after": None if row.effect is None else _effect_data(row.effect),
                "failure": row.trial.failure or None,
            }
            for row in trials.rows
        ],
    }


def _effect_data(effect: Effect) -> dict[str, Any]:
    return dataclasses.asdict(effect)


show(Trials, Shown(lambda trials: [trial_table(trials)], _raw, _data, about=lambda trials: about(trials.profile)))
