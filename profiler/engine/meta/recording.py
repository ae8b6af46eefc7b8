"""What do operators that call functions ask of the mode that records them? It is made later, in `record/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor


class RecorderProtocol(Protocol):
    """The recorder, as far as it is known here."""

    run_real: bool

    def note(self, text: str) -> None: ...

    def asks_for(self, op: str) -> Exception:
        """What to raise where a meta tensor has not what is needed."""

    def foreign(self, op: str, args: Sequence[Any], out: Sequence[Tensor], kwargs: Sequence[Any] = ()) -> None:
        """Write down a call of an operator that was not run by the recorder, and what it is known to return."""

    def is_active(self) -> bool:
        """Whether the model's code is running in this thread, and not an operator."""
