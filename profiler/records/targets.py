"""What of an output may be differentiated, by name? The loss of a sample, its largest output, or one entry of it."""

from __future__ import annotations

from profiler.errors import Malformed

LOSS, LARGEST = "loss", "largest"
LOSSES = ("cross_entropy", "nll", "mse", "l1", "bce")
PREDICTING = ("cross_entropy", "nll")  # of which a prediction may stand for a label
USUAL = LOSSES[0]


def target(text: str) -> str | tuple[int, ...]:
    """`loss`, `largest`, or an index such as 3 or 3,0,0; raises `errors.Malformed`."""
    if text in (LOSS, LARGEST):
        return text
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise Malformed(f"it is {LOSS}, {LARGEST}, or the index of an output, like 3") from None
