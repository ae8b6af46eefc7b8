"""How are operators run on this machine? With torch, on tensors as they are in the middle of a model.

What a model does to an operator is done here too: its weights were last read a whole run ago, and are in no cache; what
it computes on was just written by another operator; its output is a new tensor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from profiler.devices.calibration.measure import Prepared
from profiler.devices.calibration.shapes import Case
from profiler.records.trace import Signature, Tensor, Value

_SMALL = 1 << 14  # bytes of weights that are not worth the emptying of caches
_CACHE = 48 << 20  # bytes: more than the caches of most processors
_AHEAD = 20  # calls that are started before a GPU is waited for
_PRODUCT = 1024  # rows and columns of the matrices that the peak is measured with
_COPIED = tuple(1 << power for power in range(14, 28, 2))  # bytes
_TIMES = 20
_MODULES = 100  # that do nothing, one after the other


class Machine:
    """This machine's processor or GPU."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._is_cpu = self._device.type == "cpu"
        self._other_data = torch.ones(_CACHE // 4) if self._is_cpu else None

    def clock(self) -> float:
        return time.perf_counter()

    def prepare(self, case: Case) -> Prepared:
        operator = _operator(case.signature.op)
        args = [self._built(value, case.is_positive) for value in case.signature.args]
        weights = [args[at] for at in case.weights if isinstance(args[at], torch.Tensor)]
        fresh = [tensor for at, value in enumerate(args) if at not in case.weights for tensor in _tensors(value)]
        is_cold = sum(weight.nbytes for weight in weights) > _SMALL

        def before() -> None:
            if is_cold and self._other_data is not None:
                self._other_data.sum()
            for tensor in fresh:
                tensor.mul_(1.0)
            self._wait()

        output = operator(*args)
        signature = Signature(case.signature.op, case.signature.args, (), _recorded(output))
        return Prepared(signature, before, self._several(operator, args), 1 if self._is_cpu else _AHEAD)

    def module_seconds(self) -> float:
        """What torch's modules add to the operators in them, for each call of a module."""
        chain = torch.nn.Sequential(*(torch.nn.Identity() for _ in range(_MODULES)))
        x = torch.ones(1)
        return self._fastest(lambda: chain(x)) / _MODULES

    def peak(self, dtype: str) -> float:
        """FLOP a second of a large product."""
        a = torch.ones(_PRODUCT, _PRODUCT, dtype=getattr(torch, dtype), device=self._device)
        return 2 * _PRODUCT**3 / self._fastest(lambda: a @ a)

    def bandwidth(self) -> dict[int, float]:
        """Bytes a second, read and written ones together, of copies by their size."""
        rates = {}
        for size in _COPIED:
            x = torch.ones(size, dtype=torch.uint8, device=self._device)
            y = torch.empty_like(x)
            rates[size] = 2 * size / self._fastest(lambda x=x, y=y: y.copy_(x))  # type: ignore[misc]
        return rates

    def _fastest(self, call: Callable[[], object]) -> float:
        times = []
        for _ in range(_TIMES):
            start = self.clock()
            call()
            self._wait()
            times.append(self.clock() - start)
        return min(times)

    def _several(self, operator: Callable[..., Any], args: Sequence[Any]) -> Callable[[], object]:
        if self._is_cpu:
            return lambda: operator(*args)

        def call() -> object:
            for _ in range(_AHEAD):
                result = operator(*args)
            self._wait()
            return result

        return call

    def _wait(self) -> None:
        if not self._is_cpu:
            torch.accelerator.synchronize(self._device)

    def _built(self, value: Value, is_positive: bool) -> Any:
        if isinstance(value, Tensor):
            tensor = torch.empty_strided(value.shape, _strides(value), dtype=getattr(torch, value.dtype))
            tensor.normal_(generator=torch.Generator().manual_seed(0))
            return (tensor.relu_() if is_positive or len(value.shape) == 1 else tensor).to(self._device)
        if isinstance(value, tuple):
            return [self._built(item, is_positive) for item in value]
        return value


@contextmanager
def settings(threads: int | None) -> Iterator[int]:
    """Inference, by so many threads, which it yields; torch's own number of them is put back."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before if threads is None else threads)
        with torch.inference_mode():
            yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def version() -> str:
    """Of torch, without what it was built for."""
    return str(torch.__version__).partition("+")[0]


def _operator(name: str) -> Callable[..., Any]:
    """As Python reaches it, where it does: that is what a model pays for."""
    plain = name.split(".")[1]
    homes = (torch._C._nn, torch._C._VariableFunctions, torch.Tensor)
    home = next((home for home in homes if hasattr(home, plain)), torch.ops.aten)
    operator: Callable[..., Any] = getattr(home, plain)
    return operator


def _strides(tensor: Tensor) -> tuple[int, ...]:
    if tensor.strides is not None:
        return tensor.strides
    return torch.empty(tensor.shape, device="meta").stride()


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for item in value for tensor in _tensors(item)] if isinstance(value, list) else []


def _recorded(value: Any) -> Value:
    if isinstance(value, torch.Tensor):
        strides = None if value.is_contiguous() else value.stride()
        return Tensor(tuple(value.shape), str(value.dtype).removeprefix("torch."), strides)
    return tuple(map(_recorded, value)) if isinstance(value, tuple | list) else None
