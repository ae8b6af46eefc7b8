"""What stands in the place of a layer that is left out? A module that returns what it takes."""

from __future__ import annotations

from typing import Any

from torch import nn


class Identity(nn.Module):
    """Returns its first argument, by position or else by keyword, whatever it is called with.

    `nn.Identity` takes a single argument. Of a layer that returns a tuple, `more` is how many entries that has behind
    the first: those are None.
    """

    def __init__(self, more: int | None = None) -> None:
        super().__init__()
        self.more = more

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else next(iter(kwargs.values()), None)
        return first if self.more is None else (first, *[None] * self.more)
