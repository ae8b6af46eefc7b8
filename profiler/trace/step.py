"""A training step: backward from the model's outputs, then the update; and to which module each of its calls belongs.

Nodes of torch's graph have sequence numbers, given as the forward pass makes them. A call of the backward pass belongs
to the module that was running when its node was made; torch says which node is being computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import _CheckpointFrame

from profiler import errors
from profiler.records import BACKWARD, FORWARD, RECOMPUTE, UPDATE, Phase

_ROOT = 0


class Step:
    """Which phase is under way, and who is charged.

    owner: the module (its row) that holds a parameter.
    """

    def __init__(self, owner: Callable[[Tensor], int]) -> None:
        self.kind = FORWARD
        self._owner = owner
        self._modules: dict[int, int] = {}  # of each node of the graph, by its sequence number
        self._starts: list[tuple[str, int]] = []
        self.is_again = False  # whether what is under way is known to be run again

    def charged(self, module: int, position: int) -> int:
        """Whose the call at a position is, where `module` is running as far as hooks can tell."""
        node = torch._C._current_autograd_node() if self.kind == BACKWARD else None
        # The backward pass itself makes no graph.
        is_again = self.is_again or (node is not None and torch.is_grad_enabled())
        self._at(RECOMPUTE if is_again else self.kind, position)
        if self.kind == UPDATE:
            return _ROOT
        if node is not None and not self.is_again and (not is_again or module == _ROOT):
            module = self._of(node)
        if node is None or is_again:
            self._modules.setdefault(torch._C._autograd._get_sequence_nr() - 1, module)
        return module

    def phases(self, calls: int) -> tuple[Phase, ...]:
        """All that happened, in order."""
        ends = [start for _, start in self._starts[1:]] + [calls]
        return tuple(Phase(kind, start, end) for (kind, start), end in zip(self._starts, ends, strict=True))

    def _at(self, kind: str, position: int) -> None:
        if not self._starts or self._starts[-1][0] != kind:
            self._starts.append((kind, position))

    def _of(self, node: Any) -> int:
        parameter = getattr(node, "variable", None)
        return self._modules.get(node._sequence_nr(), _ROOT) if parameter is None else self._owner(parameter)


@contextmanager
def recomputing(step: Step, recorder: Any) -> Iterator[None]:
    """What a model checkpoints belongs to the same module when it is run again.

    The class that torch keeps it in has nothing to hook into, so for the time of a run it is made otherwise. Reentrant
    checkpoints are nodes of the graph, and need none of this.
    """
    made = _CheckpointFrame.__init__

    def init(frame: Any, recompute: Callable[..., Any], *rest: Any) -> None:
        module = recorder.module

        def again(*args: Any) -> None:
            outer, was_again = recorder.module, step.is_again
            recorder.module, step.is_again = module, True
            try:
                recompute(*args)
            finally:
                recorder.module, step.is_again = outer, was_again

        made(frame, again, *rest)

    _CheckpointFrame.__init__ = init
    try:
        yield
    finally:
        _CheckpointFrame.__init__ = made


def backward(outputs: Iterable[Tensor], model: str) -> None:
    """The backward pass, from a gradient for each output that has one: what a loss would hand over."""
    ends = [tensor for tensor in outputs if tensor.requires_grad]
    if not ends:
        raise errors.NothingToTrain(model)
    seeds: Sequence[Tensor] = [torch.ones_like(tensor) for tensor in ends]
    torch.autograd.backward(ends, seeds)
