"""Which layers of a model are shown, and what of them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.figures.profile import Profile
from profiler.records.quantities import MOST_THINGS, whole
from profiler.render.answer import Answer

ALL = "all"


def depth(text: str) -> int:
    """How deep a tree is to be shown: a number, or all of it, which is deeper than any tree is."""
    return MOST_THINGS if text == ALL else whole(text, 0)


@dataclass(frozen=True, slots=True)
class View:
    """What the user wants to see of a layer table."""

    columns: Sequence[str] = ()
    depth: int | None = None
    sort: str | None = None
    top: int | None = None
    filter: str | None = None
    caption: str = ""
    anchor: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether layers stand by themselves, and not in their tree."""
        return self.sort is not None or self.filter is not None or self.top is not None

    @property
    def is_whole(self) -> bool:
        """Whether the user has limited the tree in no way, nor asked for all of it."""
        return self.depth is None and not self.is_flat


@dataclass(frozen=True, slots=True)
class Layers(Answer):
    """A model's layers, as a view shows them."""

    profile: Profile
    view: View = View()
