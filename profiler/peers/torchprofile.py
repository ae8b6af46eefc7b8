"""torchprofile's `profile_macs`, which traces with `torch.jit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from profiler.peers.modules import by_position, paths
from profiler.peers.reading import Reading, plain, plainly

if TYPE_CHECKING:
    from torch import nn

DISTRIBUTION = "torchprofile"
MODULE = "torchprofile"


def read(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reading:
    """Its unit is a MAC or an operation on an element. It has no count of parameters.

    Each node of its graph has the scope of its module, when there are scopes: the trace is told of them here.
    """
    from torchprofile import profile_macs

    given = by_position(model, args, kwargs, "torchprofile")
    known = [path for path, _ in model.named_modules()]
    with _scopes(model, known):
        macs: Any = profile_macs(model, given, reduction=None)
    charges, sizes = dict.fromkeys(known, 0), Counter[str]()
    for node, count in macs.items():
        scope = node.scope.rpartition("/")[2]
        path = known[int(scope)] if scope else ""
        charges[path] += count
        if node.operator == "aten::mul" and not node.outputs[0].shape and node.outputs[0].dtype in ("long", "int"):
            sizes[path] += count
    return Reading(
        "torchprofile",
        total=plain(sum(macs.values())),
        layers=plainly(charges),
        asides={_SIZES: dict(sizes)} if sizes else {},
    )


_SIZES = "1 per multiplication of two sizes, such as height·width, that tracing records"


@contextmanager
def _scopes(model: nn.Module, known: list[str]) -> Iterator[None]:
    """Each module is a scope of the trace; its name is the place of the module's path in the list."""
    import torch
    from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

    place = {module: str(known.index(path)) for module, path in paths(model).items()}

    def enter(module: nn.Module, args: Any) -> None:
        tracing = torch._C._get_tracing_state()
        if tracing and id(module) in place:
            tracing.push_scope(place[id(module)])

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        tracing = torch._C._get_tracing_state()
        if tracing and id(module) in place:
            tracing.pop_scope()

    before = register_module_forward_pre_hook(enter)
    after = register_module_forward_hook(leave, always_call=True)
    try:
        yield
    finally:
        before.remove()
        after.remove()
