"""Which layers are trained, and which are run again: a model that is ours to change, set up for a training step."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from profiler import errors
from profiler.conditions import Training


def arrange(model: nn.Module, training: Training, name: str) -> None:
    """Freeze some layers and checkpoint some; raises where a pattern matches none."""
    for pattern in training.freeze:
        for module in _matching(model, "freeze", pattern, name):
            module.requires_grad_(False)
    for pattern in training.checkpoint:
        for module in _matching(model, "checkpoint", pattern, name):
            _run_again(module)


def _matching(model: nn.Module, option: str, pattern: str, name: str) -> Iterator[nn.Module]:
    """The layers whose path matches, without those that are inside of another."""
    found = [path for path, _ in model.named_modules() if path and fnmatchcase(path, pattern)]
    if not found:
        raise errors.NothingToFreeze(option, pattern, name)
    for path in found:
        if not any(path.startswith(f"{other}.") for other in found):
            yield model.get_submodule(path)


def _run_again(module: nn.Module) -> None:
    """As `torch.utils.checkpoint` has it: the module's inputs alone are kept, and the backward pass runs it again."""
    forward = module.forward

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    module.forward = checkpointed
