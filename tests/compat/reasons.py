"""Why a model differs on some versions: docs/compat.md says more of each."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import NamedTuple

Version = tuple[int, int]


class Reason(NamedTuple):
    """Of the models whose name matches, on the versions of torch from the first to the last of these that was tried."""

    models: str
    first: Version
    last: Version
    text: str


REASONS = (
    Reason("attention", (2, 5), (2, 10), "nn.MultiheadAttention keeps query, key and value until it ends"),
    Reason("flex attention", (2, 5), (2, 8), "the operator returns no maxima of its rows"),
    Reason("training: vit_b_16", (2, 5), (2, 8), "x[:, 0] takes a slice of everything first, which has a gradient"),
    Reason("hf:MixtralConfig", (2, 5), (2, 8), "the CPU has no fused attention for heads that share their keys"),
    Reason("exported there", (2, 5), (2, 6), "torch.export.save writes an archive of an older kind, which is not read"),
    Reason("swin_t", (2, 15), (2, 15), "x[...] = number makes no tensor of the number"),
    Reason("ssdlite320_*", (2, 15), (2, 15), "x[...] = number makes no tensor of the number"),
)


def reason(model: str, versions: Mapping[str, str]) -> str | None:
    """The first that applies; None where a difference has no reason yet."""
    major, minor = map(int, versions["torch"].split(".")[:2])
    applies = (each for each in REASONS if fnmatch(model, each.models) and each.first <= (major, minor) <= each.last)
    return next((each.text for each in applies), None)
