"""Runs real torch code and hands back the signatures of its operator calls, composites kept whole when we know them."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.ops import Cost, cost, free_reason, is_known
from profiler.records import Signature, Tensor


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


def total(run: Callable[..., Any], *args: Any) -> Cost:
    """What all operator calls cost together; an unknown one is an error."""
    result = Cost(bytes_read=0, bytes_written=0)
    for signature in signatures(run, *args):
        price = cost(signature)
        assert price is not None, signature
        result += price
    return result


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")
