"""Which kinds of layers does the cost go to? A stacked bar a model; of one model, a bar a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from profiler import errors
from profiler.answers.models.compute import Entry
from profiler.answers.plot.axes import axis
from profiler.answers.plot.layer_costs import by_kind, costs
from profiler.answers.plot.request import Request
from profiler.figures.profile import Profile
from profiler.render.charts.data import OTHERS, Axis, Bar, Bars
from profiler.render.charts.look import FILLS
from profiler.render.tables import Unit

_LEAST = 0.01  # of some bar, for a kind to be one by itself
_OF_ONE = ("params", "macs", "activations")


def bars(entries: Sequence[Entry], request: Request) -> Bars:
    """Of one model shares, of several the amounts; raises `errors.ProfileError`."""
    profiles = [entry.profile for entry in entries if entry.profile is not None]
    if len(profiles) == 1:
        return _of_one(profiles[0], request)
    names = request.y or ("time" if request.device is not None else "macs",)
    if len(names) > 1:
        raise _one_figure(names)
    (column,) = costs(names, profiles)
    amounts = [by_kind(profile, column) for profile in profiles]
    kinds, parts = _stacked(amounts)
    labels = [entry.label for entry in entries if entry.profile is not None]
    drawn = tuple(Bar(label, column.unit, part) for label, part in zip(labels, parts, strict=True))
    return Bars(axis(column, profiles), kinds, drawn, is_share=False)


def _of_one(profile: Profile, request: Request) -> Bars:
    usual = _OF_ONE if profile.trace.was_run else ("params",)
    columns = costs(request.y or (*usual, *(("time",) if request.device is not None else ())), [profile])
    kinds, parts = _stacked([by_kind(profile, column) for column in columns])
    axes = [axis(column, [profile]) for column in columns]
    drawn = (
        Bar((of.remark and f"{of.heading}, {of.remark}") or of.heading, of.unit, part)
        for of, part in zip(axes, parts, strict=True)
    )
    return Bars(Axis("share", f"Share of {profile.model}", Unit.SHARE), kinds, tuple(drawn), is_share=True)


def _stacked(amounts: Sequence[Counter[str]]) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
    """The kinds that matter most, with all others as one behind them; and each bar's parts in that order."""
    shares: Counter[str] = Counter()
    for bar in amounts:
        whole = sum(bar.values())
        for kind, amount in bar.items():
            shares[kind] += amount / whole if whole else 0  # type: ignore[assignment]
    ranked = [kind for kind, share in shares.most_common() if share]
    shown = [kind for kind in ranked if any(bar[kind] >= _LEAST * sum(bar.values()) for bar in amounts)][: len(FILLS)]
    others = [kind for kind in ranked if kind not in shown]
    parts: list[tuple[float, ...]] = [
        tuple(bar[kind] for kind in shown) + ((sum(bar[kind] for kind in others),) if others else ()) for bar in amounts
    ]
    return (*shown, *([OTHERS] if others else [])), parts


# Error messages -------------------------------------------------------------------------------------------------------


def _one_figure(names: Sequence[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"--y {','.join(names)}: bars of several models show one figure; choose one, or one model"
    )
