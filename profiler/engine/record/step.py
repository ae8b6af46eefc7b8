"""Which phase of a training step is under way, and to which module does each call of the backward pass belong?

Nodes of torch's graph have sequence numbers, given as the forward pass makes them. A call of the backward pass belongs
to the module that was running when its node was made; torch says which node is being computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from threading import get_ident, local
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import _engine_run_backward
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils.checkpoint import _CheckpointFrame

from profiler.engine.containers.layouts import layout_of
from profiler.engine.meta.mode import LeanDispatchMode
from profiler.records.trace import BACKWARD, FORWARD, RECOMPUTE, UPDATE, Phase

_ROOT = 0
_aten = torch.ops.aten
_ENGINE = _engine_run_backward.__code__  # what calls torch's engine, and so what runs while nothing of Python does


class _References(LeanDispatchMode):
    """Counts those to the first gradient of two that are added, and to its storage."""

    counts: tuple[int, int] = (0, 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _aten.add.Tensor:
            self.counts = _references(args[0])
        return func(*args, **(kwargs or {}))


@cache
def _least() -> tuple[int, int]:
    """References to the first argument of an operator that the engine calls, and to its storage, that are always there.

    They are the engine's, the call's and Python's, and how many depends on the version of torch: so they are counted
    where two gradients meet that nobody else holds.
    """
    with _disable_current_modes(), torch.inference_mode(False), torch.enable_grad():
        x = torch.zeros((), requires_grad=True) * 1
        total = x * 2 + x * 3
        references = _References()  # type: ignore[no-untyped-call]
        with references:
            torch.autograd.backward([total], [torch.ones(())])
    return references.counts


class PhaseTracker:
    """Which phase is under way, and who is charged.

    owner: the module (its row) that holds a parameter.
    """

    def __init__(self, owner: Callable[[Tensor], int]) -> None:
        self.kind = FORWARD
        self._owner = owner
        _least()  # counted before anything runs
        self._modules: dict[int, tuple[int, int]] = {}  # and threads, of each node of the graph, by its number
        self._starts: list[tuple[str, int]] = []
        self.is_again = False  # whether what is under way is known to be run again

    @property
    def is_after(self) -> bool:
        """Whether the forward pass is over, and is not being made again: the backward pass itself makes no graph."""
        return self.kind != FORWARD and not torch.is_grad_enabled()

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
            self._note(torch._C._autograd._get_sequence_nr() - 1, module)
        return module

    def _note(self, number: int, module: int) -> None:
        """Each thread numbers its nodes by itself: where two have the same number, it tells of no module."""
        thread = _this_thread()
        owner, by = self._modules.setdefault(number, (module, thread))
        if by != thread and owner != module:
            self._modules[number] = (_ROOT, thread)

    def really(self, func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
        """The operator that the backward pass calls when no dispatch mode is active; `frame` is the code that runs.

        Gradients that meet are added in place when nothing else holds the first (torch/csrc/autograd/input_buffer.cpp,
        functions/accumulate_grad.h), but not while a dispatch mode is active. What a function's own backward adds is
        held by its variables, which torch does not count.
        """
        if func is not _aten.add.Tensor or self.kind != BACKWARD or kwargs or torch.is_grad_enabled():
            return func
        if frame.f_code is not _ENGINE:
            return func
        node = torch._C._current_autograd_node()
        if node is None or not _are_gradients(*args):
            return func
        has_gradient = hasattr(node, "variable")  # the gradient of a parameter, which has one already
        return _aten.add_.Tensor if has_gradient or _is_last(args[0]) else func

    def phases(self, calls: int) -> tuple[Phase, ...]:
        """All that happened, in order."""
        if not self._starts:  # it failed before the first call
            return ()
        ends = [start for _, start in self._starts[1:]] + [calls]
        return tuple(Phase(kind, start, end) for (kind, start), end in zip(self._starts, ends, strict=True))

    def _at(self, kind: str, position: int) -> None:
        if not self._starts or self._starts[-1][0] != kind:
            self._starts.append((kind, position))

    def _of(self, node: Any) -> int:
        parameter = getattr(node, "variable", None)
        return self._modules.get(node._sequence_nr(), (_ROOT, 0))[0] if parameter is None else self._owner(parameter)


_here, _threads = local(), count()


def _this_thread() -> int:
    """A number that no other thread ever has, as its identity may be that of one which has ended."""
    if not hasattr(_here, "number"):
        _here.number = next(_threads)
    number: int = _here.number
    return number


def _are_gradients(first: Any, second: Any) -> bool:
    """Whether two arguments may be gradients that meet: what a function of the model's own adds may be a number."""
    are_tensors = isinstance(first, Tensor) and isinstance(second, Tensor)
    return are_tensors and _is_dense(first) and first.shape == second.shape


def _is_dense(tensor: Tensor) -> bool:
    """Without gaps, and without an element that stands for several."""
    return layout_of(tensor).storage_bytes == tensor.numel() * tensor.element_size()


def _is_last(tensor: Tensor) -> bool:
    """Whether the engine alone holds a tensor and its storage, beside what calling an operator from C++ takes."""
    return all(count <= least for count, least in zip(_references(tensor), _least(), strict=True))


def _references(tensor: Tensor) -> tuple[int, int]:
    uses: int = tensor._use_count()  # type: ignore[attr-defined]
    return uses, torch._C._storage_Use_Count(tensor.untyped_storage()._cdata)


@contextmanager
def recomputing(step: PhaseTracker, recorder: Any) -> Iterator[None]:
    """What a model checkpoints belongs to the same module when it is run again.

    The class that torch keeps it in has nothing to hook into, so for the time of a run it is made otherwise. Reentrant
    checkpoints are nodes of the graph, and need none of this.
    """
    cls: Any = _CheckpointFrame
    own_init, thread = cls.__init__, get_ident()

    def init(frame: Any, recompute: Callable[..., Any], *rest: Any) -> None:
        if get_ident() != thread:
            own_init(frame, recompute, *rest)
            return
        module = recorder.module

        def again(*args: Any) -> None:
            outer, was_again = recorder.module, step.is_again
            recorder.module, step.is_again = module, True
            try:
                recompute(*args)
            finally:
                recorder.module, step.is_again = outer, was_again

        own_init(frame, again, *rest)

    cls.__init__ = init
    try:
        yield
    finally:
        cls.__init__ = own_init
