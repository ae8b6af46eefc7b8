"""Which layers of a model are shown, and what of them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.figures.profile import Profile
from profiler.render.answer import Answer


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


@dataclass(frozen=True, slots=True)
class Layers(Answer):
    """A model's layers, as a view shows them."""

    profile: Profile
    view: View = View()
