"""Runs real torch code and hands back the signatures of its operator calls, composites kept whole when we know them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.ops import Cost, cost, free_reason, is_known
from profiler.records.trace import Signature, Tensor


class Recorder(TorchDispatchMode):
    def __init__(self, whole: Callable[[str], bool]) -> None:
        super().__init__()
        self.whole = whole
        self.signatures: list[Signature] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.whole(str(func)):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        keywords = tuple((name, facts(value)) for name, value in kwargs.items())
        self.signatures.append(Signature(str(func), facts(args), keywords, facts(out)))
        return out


def facts(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return Tensor(tuple(value.shape), str(value.dtype).removeprefix("torch."))
    if isinstance(value, list | tuple):
        return tuple(facts(item) for item in value)
    return value if value is None or isinstance(value, bool | int | float | complex | str) else str(value)


def in_registry(op: str) -> bool:
    return is_known(op) or free_reason(op) is not None


@contextmanager
def recording(whole: Callable[[str], bool] = in_registry):
    recorder = Recorder(whole)
    with torch.inference_mode(), recorder:
        yield recorder.signatures


def signatures(run: Callable[..., Any], *args: Any) -> list[Signature]:
    with recording() as found:
        run(*args)
    return found


def training_signatures(run: Callable[..., Any], *args: Any) -> list[Signature]:
    """Those of a forward and a backward pass."""
    recorder = Recorder(in_registry)
    with recorder:
        backward(run(*args))
    return recorder.signatures


def backward(output: Any) -> None:
    """From every output that has a gradient, as if a gradient arrived there."""
    ends = [tensor for tensor in leaves(output) if tensor.requires_grad]
    assert ends, "nothing to train"
    torch.autograd.backward(ends, [torch.empty_like(tensor) for tensor in ends])


def leaves(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


def total(run: Callable[..., Any], *args: Any) -> Cost:
    return sum_of(signatures(run, *args))


def training_total(run: Callable[..., Any], *args: Any) -> Cost:
    return sum_of(training_signatures(run, *args))


def sum_of(calls: list[Signature]) -> Cost:
    """What all operator calls cost together; an unknown one is an error."""
    result = Cost(bytes_read=0, bytes_written=0)
    for signature in calls:
        price = cost(signature)
        assert price is not None, signature
        result += price
    return result


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")
