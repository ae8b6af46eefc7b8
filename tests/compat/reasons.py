"""Why a model differs on some versions: docs/compat.md says more of each."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import NamedTuple


class Reason(NamedTuple):
    """Of the models whose name matches, where torch is older than a version."""

    models: str
    before: tuple[int, int]
    text: str


# The versions are those that were tried: a change that came between two of them counts from the later one.
REASONS = (
    Reason(
        "attention",
        (2, 14),
        "nn.MultiheadAttention keeps tensors for longer, and copies its output by another operator",
    ),
    Reason("flex attention", (2, 10), "the operator returns no maxima of its rows"),
    Reason("training: vit_b_16", (2, 10), "x[:, 0] takes a slice of everything first, whose gradient has memory"),
    Reason("hf:MixtralConfig", (2, 10), "the CPU has no fused attention for heads that share their keys"),
    Reason("exported there", (2, 8), "torch.export.save writes an archive of an older kind, which is not read"),
)


def reason(model: str, versions: Mapping[str, str]) -> str | None:
    """The first that applies; None where a difference has no reason yet."""
    major, minor, *_ = map(int, versions["torch"].partition("+")[0].split(".")[:2])
    applies = (each for each in REASONS if fnmatch(model, each.models) and (major, minor) < each.before)
    return next((each.text for each in applies), None)
