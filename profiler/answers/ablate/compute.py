"""What is an ablation? A comparison of a model with its variants, and which of those have no figures, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from profiler import errors
from profiler.answers.ablate.named import is_layer
from profiler.answers.ablate.variants import Variant
from profiler.answers.models.compute import Comparison, Entry, Layout, comparison
from profiler.answers.models.metrics import Metrics
from profiler.records.patterns import is_in

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
    if isinstance(reason, errors.ModelFailed):
        told = _variant_fails(variant, reason)
    else:
        told = errors.ProfileError(f"{variant.label}: {reason}")
    told.__cause__ = reason  # whose traceback --traceback shows
    return told


def _is_for_attributes(variant: Variant, failed: errors.ModelFailed) -> bool:
    """Whether what is around the changed layers looks for something that a layer does not have."""
    cause = failed.__cause__
    path = failed.failed.path if failed.failed else ""
    is_inside = any(is_in(path, changed) for changed in variant.paths)
    asked_of = cause.obj if isinstance(cause, AttributeError) else None
    return not is_inside and is_layer(asked_of)


class CannotBeLeftOut(errors.ProfileError):
    """Layers whose output is not like their input."""

    def __init__(self, reasons: Sequence[str]) -> None:
        more = f"; and {len(reasons) - _SHOWN} more" * (len(reasons) > _SHOWN)
        super().__init__(f"cannot be left out: {'; '.join(reasons[:_SHOWN])}{more}")


# Error messages -------------------------------------------------------------------------------------------------------


def _variant_fails(variant: Variant, failed: errors.ModelFailed) -> errors.ProfileError:
    """Neither the model nor what it is fed is to blame: as it is, it has run."""
    is_left_out = variant.by is None
    if _is_for_attributes(variant, failed):
        remedy = "a layer around it reads its attributes: "
        remedy += "leave out another one, or --replace it by one that has them" * is_left_out
        remedy += "replace it by one that has them, or replace another one" * (not is_left_out)
    else:
        remedy = "leave out another one, or --replace it" if is_left_out else "replace it by one that fits in there"
    return errors.ProfileError(f"{variant.label}: fails where the model itself runs ({failed.reason}); {remedy}")
