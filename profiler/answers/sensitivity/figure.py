"""What does a picture of sensitivity show? Images and which pixels matter; or what each change saves and changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from profiler import errors
from profiler.answers.sensitivity.request import METHODS, Request
from profiler.render.charts.data import Axis, Dot, Picture, Pictures, Scatter
from profiler.render.tables import Unit

if TYPE_CHECKING:
    from profiler.engine.gradients.held import Held
    from profiler.engine.gradients.samples import Batch
    from profiler.engine.gradients.targets import Target

_HEADINGS = dict(zip(METHODS, ("Saliency |gradient|", "Integrated gradients", "Occlusion"), strict=True))


def pictures(model: Held, batches: list[Batch], target: Target, request: Request) -> Pictures:
    """The first images; raises `errors.ProfileError`."""
    from profiler.engine.gradients.pictures import attributions

    assert request.method is not None
    pairs = attributions(model, batches, target, request.method, request.pictured)
    drawn = tuple(Picture(f"sample {i}", _pixels(image), _map(matters)) for i, (image, matters) in enumerate(pairs, 1))
    return Pictures(_HEADINGS[request.method], drawn)


def _pixels(image: Any) -> Any:
    """From its smallest value, 0, to its largest, 1."""
    low, high = image.amin(), image.amax()
    scaled = (image - low) / (high - low) if high > low else image * 0
    return scaled.permute(1, 2, 0).double().tolist()


def _map(matters: Any) -> Any:
    """Of each pixel the channel that matters most, as Simonyan et al. 2014 draw it."""
    return matters.amax(0).double().tolist()


class Saving(NamedTuple):
    """What a change of a layer saves, and the change of the output; None where that is not known."""

    path: str
    saved_bytes: int | None
    saved_macs: int | None
    change: float | None


def savings(by: str, changes: Sequence[Saving]) -> Scatter:
    """A point a layer that was changed; raises `errors.ProfileError` where there is none."""
    of_bytes = any(change.saved_bytes for change in changes)
    x = Axis("saved", "Saved", Unit.BYTES) if of_bytes else Axis("saved_macs", "Saved MACs", Unit.AMOUNT)
    points = [
        (path, (size if of_bytes else macs) or 0, change) for path, size, macs, change in changes if change is not None
    ]
    if not points:
        raise _nothing_changed(by)
    ends = [(saved, change) for _, saved, change in points]
    dots = tuple(
        Dot(path, saved, change, not any(s >= saved and c <= change and (s, c) != (saved, change) for s, c in ends))
        for path, saved, change in points
    )
    left_out = tuple(change.path for change in changes if change.change is None)
    return Scatter(x, Axis("change", "Change of the output", Unit.SHARE, remark=by), dots, ("max", "min"), left_out)


# Error messages -------------------------------------------------------------------------------------------------------


def _nothing_changed(by: str) -> errors.ProfileError:
    return errors.ProfileError(f"no layer could be changed by {by}, so there is nothing to draw; see why in the table")
