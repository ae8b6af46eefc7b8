"""How are the values of a scan run? Each by itself, or as the phases of a language model where those are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from profiler.answers.common.series import point_at
from profiler.answers.common.shown import anchor
from profiler.answers.common.time_columns import check_device
from profiler.answers.common.varying import Varying
from profiler.answers.generate.generating import Request, check_forward
from profiler.answers.generate.scan import GenerationScan
from profiler.answers.generate.scan_table import columns_of_time, scan_columns
from profiler.answers.scan.compute import Scan, checked
from profiler.answers.scan.table import SCAN_COLUMNS, TIME_COLUMNS
from profiler.figures.profile import Profile
from profiler.records.times import Timer
from profiler.render.tables import chosen_columns


def scanned(
    varying: Varying[Profile],
    values: Sequence[Any],
    request: Request | None = None,
    columns: Sequence[str] = (),
    caption: str | None = "",
    tex_label: str | None = "",
    with_progress: Callable[[Sequence[Any], Sequence[str]], Iterable[Any]] = lambda values, names: values,
    timer: Timer | None = None,
) -> Scan | GenerationScan:
    """`request` says which phases; `with_progress` yields the values. Raises `errors.ProfileError`.

    timer: the device that all profiles are on.
    """
    values, label = checked(varying, tuple(values)), anchor(tex_label)
    chosen_columns(columns, SCAN_COLUMNS if request is None else scan_columns(request.phase, varying.name))
    check_device(columns, TIME_COLUMNS if request is None else columns_of_time(request.phase), timer)
    shown = {"columns": tuple(columns), "caption": caption or "", "anchor": label}
    names = [f"{varying.label}, {varying.name} {value}" for value in values]
    if request is None:
        return Scan.of(varying, [point_at(varying, value) for value in with_progress(values, names)], **shown)
    check_forward(varying.conditions)
    phases = replace(varying, run=request.run)  # type: ignore[arg-type]
    return GenerationScan.of(phases, [point_at(phases, value) for value in with_progress(values, names)], **shown)  # type: ignore[arg-type]
