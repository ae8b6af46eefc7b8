"""How is a checkpoint a model? It is weights without code: headers are read, nothing is run, no torch is needed.

The modules are those in the tensors' names: `layer1.0.conv1.weight` is a weight of `layer1.0.conv1`. Their classes are
not in the file, and neither is which tensors are buffers. Tensors named as the buffers of torch.nn's norms, and
integers that are no packed weights, are taken for buffers; all others for parameters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from profiler import errors
from profiler.records.spec import Feed, Spec
from profiler.records.trace import NOT_RUN, Doubt, Header, Module, Packing, Storage, Trace, Weight
from profiler.records.versions import own
from profiler.sources import checkpoints
from profiler.sources.checkpoints import naming, quantisation, safetensors
from profiler.sources.checkpoints.contents import Contents, Entry
from profiler.sources.checkpoints.naming import Found

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
_WHOLE = re.compile(r"bool|u?int(16|32|64)")
_DEEPEST = 64  # levels of modules; what a name has beyond them is one part
_NO_CLASS = ("",)
_NO_NAME = "(empty)"


def load(spec: Spec, feed: Feed) -> Trace:
    """Raises `UnreadableCheckpoint`, and what `checkpoints.read` raises."""
    if feed.is_given or feed.batch is not None:
        raise errors.nothing_ran(spec.text, "--input and --batch have no effect")
    if spec.kwargs:
        raise errors.BadSpec(spec.text, "a file takes no arguments")
    contents = checkpoints.with_tensors(spec.target if spec.prefix is None else spec.text)
    return as_trace(spec.text, contents, naming.told_apart(contents))


def as_trace(model: str, contents: Contents, named: Found) -> Trace:
    """The weights of a file as a model that was not run."""
    tree = _Tree(frozenset(name for name, _ in named.weights))
    is_sorted = contents.format == safetensors.FORMAT  # whose writers sort by size, and not as the model has them
    weights = sorted(named.weights, key=lambda weight: _natural(weight.name)) if is_sorted else list(named.weights)
    places = [tree.add(name) for name, _ in weights]
    rows = tree.rows()
    packed = quantisation.reading(contents, weights)
    parameters, buffers = _Weights(contents), _Weights(contents)
    for (name, entry), (path, last) in zip(weights, places, strict=True):
        packing = packed.packings.get(name)
        group = buffers if _is_buffer(last, entry, packing) else parameters
        group.add(rows[path], last, entry, packing)
    return Trace(
        model=model,
        source="checkpoint",
        engine=NOT_RUN,
        inputs=(),
        modules=tuple(Module(path, _NO_CLASS, ()) for path in rows),
        parameters=tuple(parameters.weights),
        buffers=tuple(weight._replace(trainable=False) for weight in buffers.weights),
        signatures=(),
        calls=(),
        callers=(),
        composites=(),
        module_calls=(),
        storages=tuple(_storages(contents, parameters.weights, buffers.weights)),
        outputs=(),
        versions=own(),
        header=_header(contents, named, packed.doubts),
    )


def _header(contents: Contents, named: Found, doubts: tuple[Doubt, ...]) -> Header:
    size = contents.size_bytes
    if size is None:
        size = sum(os.path.getsize(path) for path in contents.paths)
    wrapper = (*named.around, *([named.prefix] if named.prefix else []))
    return Header(
        contents.format, len(contents.paths), size, wrapper, named.besides, contents.metadata, named.is_ema, doubts
    )


def _is_buffer(name: str, entry: Entry, packing: Packing | None) -> bool:
    if entry.is_buffer is not None:
        return entry.is_buffer
    return packing is None and (name in _BUFFERS or _WHOLE.fullmatch(entry.tensor.dtype) is not None)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """layer2 before layer10."""
    return [
        (0, int(part), "") if part.isdigit() and len(part) < 20 else (1, 0, part) for part in re.split(r"(\d+)", name)
    ]


# Weights --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Weights:
    """Weights in order. One at the same place of a storage as an earlier one is tied to that."""

    contents: Contents
    weights: list[Weight] = field(default_factory=list)
    _first: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def add(self, module: int, name: str, entry: Entry, packing: Packing | None) -> None:
        same = None
        if entry.storage is not None and entry.tensor.numel:
            place = (entry.storage, entry.start_bytes, entry.tensor.numel)
            same = self._first.setdefault(place, len(self.weights))
        first = None if same == len(self.weights) else same
        storage = -1 if entry.storage is None else entry.storage
        trainable = entry.tensor.is_float and packing is None
        self.weights.append(Weight(module, name, entry.tensor, storage, trainable, True, first, None, packing))


def _storages(contents: Contents, parameters: list[Weight], buffers: list[Weight]) -> Iterator[Storage]:
    """All storages of the file; those that hold no weight have the role "other"."""
    roles = {weight.storage: "buffer" for weight in buffers} | {weight.storage: "parameter" for weight in parameters}
    for index, place in enumerate(contents.storages):
        yield Storage(place.size_bytes, roles.get(index, "other"), -1)


# Modules --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tree:
    """The tree of modules that tensors' names spell out, in order of first appearance."""

    names: frozenset[str]
    root: dict[str, dict] = field(default_factory=dict)  # type: ignore[type-arg]

    def _place(self, name: str) -> tuple[str, str]:
        """The path of a tensor's module, and its name there.

        A tensor's own name is no module: where `a.b` is a tensor, `a.b.c` is the tensor `b.c` of the module `a`.
        """
        parts = [part or _NO_NAME for part in name.split(".", _DEEPEST)]
        whole = name.split(".", _DEEPEST)
        for last in range(1, len(parts)):
            if ".".join(whole[:last]) in self.names:
                return ".".join(parts[: last - 1]), ".".join(parts[last - 1 :])
        return ".".join(parts[:-1]), parts[-1]

    def add(self, name: str) -> tuple[str, str]:
        """Add a tensor's module to the tree; returns the module's path and the tensor's name in it."""
        path, last = self._place(name)
        inside = self.root
        for part in path.split(".") if path else ():
            inside = inside.setdefault(part, {})
        return path, last

    def rows(self) -> Mapping[str, int]:
        """The row of each module, by path, in preorder."""
        return {path: row for row, path in enumerate(("", *_paths(self.root)))}


def _paths(inside: Mapping[str, dict], above: str = "") -> Iterable[str]:  # type: ignore[type-arg]
    for name, children in inside.items():
        path = f"{above}.{name}" if above else name
        yield path
        yield from _paths(children, path)
