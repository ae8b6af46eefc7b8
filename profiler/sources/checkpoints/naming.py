"""Which of a checkpoint's tensors are the model's weights, and what are the others? Told by the keys around them.

Training scripts keep more than weights: an optimizer's state, a moving average of the weights (EMA), a scheduler, the
states of random generators; and they keep weights under a wrapper ("state_dict") or with a prefix ("module." of
DataParallel).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from profiler.records.trace import Besides
from profiler.sources.checkpoints.contents import Contents, Entry, Keys

WEIGHTS, EMA, OPTIMIZER, OTHER = "weights", "EMA copy", "optimizer state", "other tensors"
_PREFERRED = (WEIGHTS, EMA, OTHER)  # the first of these kinds that a file has is taken for the model
_WRAPPERS = (
    "state_dict", "model_state_dict", "model", "module", "model_state", "net", "network", "weights", "params",
)  # fmt: skip
_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and DistributedDataParallel, and of torch.compile
_KINDS = (
    (OPTIMIZER, re.compile(r"(^|_)(optim|optimizers?|opt)(_|\d|$)", re.IGNORECASE)),
    (EMA, re.compile(r"(^|_)(ema|shadow)(_|$)|^shadow_params$", re.IGNORECASE)),
    (OTHER, re.compile(r"(^|_)(rng|lr|scheduler|schedulers|scaler|callbacks|loops)(_|$)|_rng_", re.IGNORECASE)),
)
_FLAT = {"optimizer": OPTIMIZER, "model_ema": EMA, "ema_model": EMA, "ema": EMA}  # first parts of flat names


class Weight(NamedTuple):
    """A tensor of the model with its name in the model: without the wrapper and the prefix of all names."""

    name: str
    entry: Entry


class Found(NamedTuple):
    """The model's weights, the keys of the wrappers around them, outermost first, the prefix that all their names had,
    and the other tensors.

    `is_ema` is whether the weights are a moving average, because the file has no others.
    """

    weights: tuple[Weight, ...]
    around: tuple[str, ...]
    prefix: str
    besides: tuple[Besides, ...]
    is_ema: bool = False

    @property
    def named(self) -> dict[str, Weight]:
        """The weights by their names in the file."""
        return {self.prefix + weight.name: weight for weight in self.weights}


def told_apart(contents: Contents) -> Found:
    """The model's weights and the rest."""
    kinds = [_kind(entry.keys) for entry in contents.entries]
    kinds = _without_loose(contents.entries, kinds)
    chosen = next((kind for kind in _PREFERRED if kind in kinds), WEIGHTS)
    entries = [entry for entry, kind in zip(contents.entries, kinds, strict=True) if kind == chosen]
    rest = [(entry, kind) for entry, kind in zip(contents.entries, kinds, strict=True) if kind != chosen]
    around = _common([entry.keys[:-1] for entry in entries])
    names = [".".join(map(str, entry.keys[len(around) :])) for entry in entries]
    prefix = _prefix(names)
    weights = (Weight(name[len(prefix) :], entry) for name, entry in zip(names, entries, strict=True))
    return Found(tuple(weights), tuple(map(str, around)), prefix, _besides(rest), chosen == EMA)


def _kind(keys: Keys) -> str:
    """The kind of a tensor by the keys around it. Optimizers of torch have theirs under "state", by number."""
    around = keys[:-1]
    if any(key == "state" and type(inside) is int for key, inside in zip(around, keys[1:], strict=True)):
        return OPTIMIZER
    for key in around:
        for kind, pattern in _KINDS:
            if isinstance(key, str) and pattern.search(key):
                return kind
    first, dot, _ = str(keys[0]).partition(".")
    return _FLAT.get(first, WEIGHTS) if dot and not around else WEIGHTS


def _without_loose(entries: Sequence[Entry], kinds: Sequence[str]) -> list[str]:
    """The kinds; beside a wrapper such as "state_dict" a loose tensor is no weight but an accuracy, a random state."""
    is_wrapped = any(
        kind == WEIGHTS and len(entry.keys) > 1 and entry.keys[0] in _WRAPPERS
        for entry, kind in zip(entries, kinds, strict=True)
    )
    return [
        OTHER if is_wrapped and kind == WEIGHTS and len(entry.keys) == 1 else kind
        for entry, kind in zip(entries, kinds, strict=True)
    ]


def _common(paths: Sequence[Keys]) -> Keys:
    """The keys that all paths begin with."""
    if not paths:
        return ()
    first, last = min(paths, key=_order), max(paths, key=_order)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def _order(keys: Keys) -> tuple[str, ...]:
    return tuple(map(str, keys))


def _prefix(names: Sequence[str]) -> str:
    """The prefixes of wrapper modules that every name begins with, joined."""
    whole, more = "", True
    while more and names:
        more = False
        for prefix in _PREFIXES:
            if all(name.startswith(whole + prefix) for name in names):
                whole, more = whole + prefix, True
    return whole


def _besides(rest: Sequence[tuple[Entry, str]]) -> tuple[Besides, ...]:
    groups = []
    for kind in dict.fromkeys(kind for _, kind in rest):
        tensors = [entry.tensor for entry, other in rest if other == kind]
        sizes = sum(tensor.numel for tensor in tensors), sum(tensor.size_bytes for tensor in tensors)
        groups.append(Besides(kind, len(tensors), *sizes))
    return tuple(groups)
