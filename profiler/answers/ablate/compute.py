"""What is an ablation? A comparison of a model with its variants, and which of those have no figures, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from profiler import errors
from profiler.answers.ablate.variants import Variant
from profiler.answers.models.compute import Comparison, Entry, Layout, comparison
from profiler.answers.models.metrics import Metrics

_SHOWN = 3  # layers that cannot be left out


@dataclass(frozen=True, slots=True)
class Ablation(Comparison):
    """A model and its variants as a table with one row each, the model first; `print` it, or take it in a format.

    variants: of the rows behind the first.
    failures: what a user is told beside the table: why runs failed; where no variant has figures, why none has.
    """

    variants: tuple[Variant, ...] = ()
    failures: tuple[errors.ProfileError, ...] = ()


def ablation(
    rows: Sequence[Entry],
    layout: Layout,
    sources: Iterable[Metrics],
    variants: Sequence[Variant],
    reasons: Sequence[errors.ProfileError | None],
) -> Ablation:
    """Of the model's row and one for each variant.

    reasons: why a variant has no figures, for each; None where it has some.
    """
    compared = comparison(rows, layout, sources)
    values = {field.name: getattr(compared, field.name) for field in fields(compared)}
    return Ablation(**values, variants=tuple(variants), failures=_failures(variants, reasons))


def _failures(
    variants: Sequence[Variant], reasons: Sequence[errors.ProfileError | None]
) -> tuple[errors.ProfileError, ...]:
    """A layer that cannot be left out is no failure, but an answer, as long as there is another."""
    return tuple(
        _of_variant(variant, reason)
        for variant, reason in zip(variants, reasons, strict=True)
        if reason is not None and (None not in reasons or not isinstance(reason, CannotBeLeftOut))
    )


def _of_variant(variant: Variant, reason: errors.ProfileError) -> errors.ProfileError:
    told = errors.ProfileError(f"{variant.label}: {reason}")
    told.__cause__ = reason  # whose traceback --traceback shows
    return told


class CannotBeLeftOut(errors.ProfileError):
    """Layers whose output is not like their input."""

    def __init__(self, reasons: Sequence[str]) -> None:
        more = f"; and {len(reasons) - _SHOWN} more" * (len(reasons) > _SHOWN)
        super().__init__(f"cannot be left out: {'; '.join(reasons[:_SHOWN])}{more}")
