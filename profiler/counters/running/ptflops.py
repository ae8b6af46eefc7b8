"""ptflops with its `pytorch` backend, which hooks modules and patches functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from profiler import errors
from profiler.counters.running.modules import Ledger, after_forward, by_name, paths
from profiler.counters.running.reading import Number, Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "ptflops"
MODULE = "ptflops"

_UNSEEN_BATCH = "ptflops is given keyword arguments, in which it sees no batch to divide by"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC or an operation on an element. What modules count is divided by the batch, the rest is not."""
    hooked: Counter[str] = Counter()
    ledger = Ledger(model, _functional)
    with after_forward(model, lambda: _look(model, hooked, ledger)), ledger.following():
        total, params = complexity(model, args, kwargs, "ptflops", "pytorch")
    return Reading(
        "ptflops",
        total=total,
        params=params,
        layers=plainly({path: count + hooked[path] for path, count in ledger.charged.items()}),
        note=None if _alone(args, kwargs) else _UNSEEN_BATCH,
    )


def complexity(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], tool: str, backend: str, **more: Any
) -> tuple[Number, int]:
    """Its two numbers. It prints its errors and returns None; here they are raised."""
    from ptflops import get_model_complexity_info

    given = args[0] if _alone(args, kwargs) else by_name(model, args, kwargs, tool)
    quiet: dict[str, Any] = {"as_strings": False, "print_per_layer_stat": False, "verbose": False}
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(StringIO()):
        total, params = get_model_complexity_info(
            model, (1,), input_constructor=lambda _: given, backend=backend, **quiet, **more
        )
    if total is None:
        raise errors.PeerFailed(tool, _reason(said.getvalue()))
    return plain(total), int(params)


def _alone(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether there is one positional argument, which it passes on as it is; a dict it takes for keywords."""
    return len(args) == 1 and not kwargs and not isinstance(args[0], dict)


def _reason(said: str) -> str:
    found = re.search(r"<class '(?:\w+\.)*(\w+)'>: (.*)", said)
    return f"{found[1]}: {found[2]}" if found else "no reason is given"


def _functional() -> Any:
    """What its patched functions have counted so far: each has the list that it appends to."""
    import torch
    from torch.nn import functional

    return sum(sum(getattr(patched, "collector", ())) for patched in (functional.relu, torch.matmul))


def _look(model: Any, charges: Counter[str], ledger: Ledger) -> None:
    """What its hooks have left on the modules: it does not look into one with a rule, and meets shared ones twice.

    The ledger is closed here, since what its functions have counted is gone when it returns.
    """
    known = paths(model)
    ledger.close()

    def walk(module: Any) -> None:
        path = known[id(module)]
        if not hasattr(module, "__flops__"):
            for child in module.children():
                walk(child)
            return
        charges[path] += module.__flops__ / model.__batch_counter__

    walk(model)
