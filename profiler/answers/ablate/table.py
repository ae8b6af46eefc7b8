"""How is an ablation shown? As a comparison of the model with its variants, and as data that say what was changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from profiler.answers.ablate.compute import Ablation
from profiler.answers.ablate.variants import Variant
from profiler.answers.models.table import about, comparison_data, model_table, raw_model_table
from profiler.render.answer import Shown, show
from profiler.render.tables import Table

USUAL_COLUMNS = ("model", "params", "diff_params", "macs", "diff_macs", "flops", "size", "activations")


def ablation_table(ablation: Ablation) -> Table:
    """A row for the model, and one for each variant; under them, what was put in the place of what."""
    table = model_table(ablation)
    return replace(table, notes=(*_notes(ablation), *table.notes))


def _notes(ablation: Ablation) -> Iterator[str]:
    if any(variant.by is None for variant in ablation.variants):
        yield "Left out is a layer that returns what it takes in shape and dtype: an identity is in its place."


def _data(ablation: Ablation) -> list[dict[str, Any]]:
    """As of a comparison, each with what was changed: nothing in the first."""
    changes = [None, *map(_change, ablation.variants)]
    return [entry | {"variant": change} for entry, change in zip(comparison_data(ablation), changes, strict=True)]


def _change(variant: Variant) -> dict[str, Any]:
    return {"name": variant.label, "layers": list(variant.paths), "replaced_by": variant.by}


show(Ablation, Shown(lambda ablation: [ablation_table(ablation)], raw_model_table, data=_data, about=about))
