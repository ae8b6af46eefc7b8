"""A checkpoint: weights without code. Its headers are read, nothing is run, and no torch is needed.

The modules are what the names say: `layer1.0.conv1.weight` is a weight of `layer1.0.conv1`. Which class a module has is
not in the file, and neither is which tensors are parameters: those that torch.nn's norms have as buffers, and whole
numbers that pack no weights, are taken for buffers, and all others for parameters.
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
_DEEPEST = 64  # modules in modules; what is deeper is one name
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


def as_trace(model: str, contents: Contents, found: Found) -> Trace:
    """The weights of a file as a model that was not run."""
    tree = _Tree(frozenset(name for name, _ in found.weights))
    is_sorted = contents.format == safetensors.FORMAT  # whose writers sort by size, and not as the model has them
    weights = sorted(found.weights, key=lambda weight: _natural(weight.name)) if is_sorted else list(found.weights)
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
        header=_header(contents, found, packed.doubts),
    )


def _header(contents: Contents, found: Found, doubts: tuple[Doubt, ...]) -> Header:
    size = contents.size_bytes
    if size is None:
        size = sum(os.path.getsize(path) for path in contents.paths)
    wrapper = (*found.around, *([found.prefix] if found.prefix else []))
    return Header(
        contents.format, len(contents.paths), size, wrapper, found.besides, contents.metadata, found.is_ema, doubts
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
    """Weights in order, and the first of each place in a storage, which later names of the same are tied to."""

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
    """All of the file's; those of what is no weight have the role "other"."""
    roles = {weight.storage: "buffer" for weight in buffers} | {weight.storage: "parameter" for weight in parameters}
    for index, place in enumerate(contents.storages):
        yield Storage(place.size_bytes, roles.get(index, "other"), -1)


# Modules --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tree:
    """Modules by the parts of names, in the order in which they come first."""

    names: frozenset[str]
    root: dict[str, dict] = field(default_factory=dict)  # type: ignore[type-arg]

    def _place(self, name: str) -> tuple[str, str]:
        """The path of a tensor's module, and its name there; what stands under a tensor's name is kept beside it."""
        parts = [part or _NO_NAME for part in name.split(".", _DEEPEST)]
        whole = name.split(".", _DEEPEST)
        for last in range(1, len(parts)):
            if ".".join(whole[:last]) in self.names:
                return ".".join(parts[: last - 1]), ".".join(parts[last - 1 :])
        return ".".join(parts[:-1]), parts[-1]

    def add(self, name: str) -> tuple[str, str]:
        """A tensor's module and its name there; the module is in the tree from now on."""
        path, last = self._place(name)
        inside = self.root
        for part in path.split(".") if path else ():
            inside = inside.setdefault(part, {})
        return path, last

    def rows(self) -> Mapping[str, int]:
        """Each module's row, in preorder."""
        return {path: row for row, path in enumerate(("", *_paths(self.root)))}


def _paths(inside: Mapping[str, dict], above: str = "") -> Iterable[str]:  # type: ignore[type-arg]
    for name, children in inside.items():
        path = f"{above}.{name}" if above else name
        yield path
        yield from _paths(children, path)
