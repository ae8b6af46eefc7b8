"""What did operators ask of meta tensors that these do not have?"""

from __future__ import annotations


class NeedsValues(Exception):
    """An operator asked a meta tensor for its values, or does not take it, as a meta tensor, for another reason."""


class ValueRequests:
    """What was asked for in a run; kept, as the model may catch what is raised."""

    def __init__(self) -> None:
        self._requests: list[NeedsValues] = []

    @property
    def first(self) -> NeedsValues | None:
        return self._requests[0] if self._requests else None

    def of_values(self, op: str) -> NeedsValues:
        """What to raise where a meta tensor has not what is needed."""
        return self.add(f"{op} asks for values")

    def add(self, reason: str) -> NeedsValues:
        """The run on meta tensors cannot go on as it is, for a reason."""
        self._requests.append(NeedsValues(reason))
        return self._requests[-1]
