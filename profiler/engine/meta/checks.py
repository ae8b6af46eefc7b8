"""How do torch's functions for meta tensors check their arguments without importing sympy? What holds needs no symbols.

`torch._check` asks `torch.fx.experimental.symbolic_shapes` about every condition, also about one that is plainly true,
and the first time that imports sympy, which takes as long as a third of torch. Here no size is a symbol.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

NAME = "_check_with"


@contextmanager
def plain_checks() -> Iterator[None]:
    """For the length of a run; of all conditions but True, torch is asked as always."""
    own: Any = vars(torch).get(NAME)
    if own is None:  # in older versions it is written otherwise
        yield
        return

    def check(error: type[BaseException], condition: Any, message: Any) -> None:
        if condition is not True:
            own(error, condition, message)

    setattr(torch, NAME, check)
    try:
        yield
    finally:
        setattr(torch, NAME, own)
