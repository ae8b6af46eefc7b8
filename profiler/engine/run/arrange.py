"""Which layers are trained, and which are run again? A model that is ours to change is set up for a training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from profiler import errors
from profiler.records.conditions import Training
from profiler.records.patterns import outermost


def arrange(model: nn.Module, training: Training, name: str) -> None:
    """Freeze some layers and recompute some; raises where a pattern matches none."""
    for module in _matching(model, "freeze", training.freeze, name):
        module.requires_grad_(False)
    for module in _matching(model, "recompute", training.recompute, name):
        for running in _running(module):
            _run_again(running)


def _matching(model: nn.Module, option: str, patterns: Sequence[str], name: str) -> list[nn.Module]:
    """The layers whose path matches, each once, without those that are inside of another."""
    layers = {path: module for path, module in model.named_modules(remove_duplicate=False) if path}
    paths: set[str] = set()
    for pattern in patterns:
        matching = [path for path in layers if fnmatchcase(path, pattern)]
        if not matching:
            raise _no_such_path(option, pattern, name)
        paths.update(matching)
    return list({id(layers[path]): layers[path] for path in sorted(outermost(paths))}.values())


def _running(module: nn.Module) -> Iterator[nn.Module]:
    """The module, or what a mere list of modules holds."""
    if type(module).forward is not nn.Module.forward:
        yield module
        return
    for child in module.children():
        yield from _running(child)


def _run_again(module: nn.Module) -> None:
    """As `torch.utils.checkpoint` has it: the module's inputs alone are kept, and the backward pass runs it again."""
    forward = module.forward

    def recomputed(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    module.forward = recomputed


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_path(option: str, pattern: str, model: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"--{option} {pattern}: no layer of {model} has a path that matches; "
        "see them with profile-model MODEL --columns path"
    )
