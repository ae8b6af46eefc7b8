"""Which operator has this name? For operators that only some of the supported versions of torch have."""

from __future__ import annotations

from typing import Any

import torch

_names: set[str] = set()


def operator(name: str) -> Any | None:
    """The overload of a name such as "aten._grouped_mm.default"; None where the installed torch has none.

    A test asks the newest torch for every name that was asked for here, so that a misspelt one is not passed over.
    """
    _names.add(name)
    namespace, packet, overload = name.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), packet, None), overload, None)


def asked() -> frozenset[str]:
    """Every name that was asked for."""
    return frozenset(_names)
