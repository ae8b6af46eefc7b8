"""What does a checkpoint's table have of its own? The tensors of a layer, and what the file holds beside weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from profiler.figures import stored
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.records.trace import Doubt, Header, Trace, Weight
from profiler.render.tables import Unit

_SHORT, _MOST_SAID = 60, 6  # characters of what is shown, and how much
_WHOLE = "It holds a whole model, of which the code was neither imported nor run."
_GUESSED = "Buffers are told by name and dtype: a file does not say which tensors are parameters."


def tensor_shapes(layer: Layer) -> str:
    """What a layer of a checkpoint holds itself: "weight 64×3×7×7, bias 64"."""
    return ", ".join(f"{weight.name} {_stored(weight)}" for weight in (*layer.weights, *layer.buffers))


def _stored(weight: Weight) -> str:
    packing, shape = weight.packing, weight.tensor.shape
    if packing is not None and packing.shape is not None:
        shape = packing.shape
    return "×".join(map(str, shape)) or "scalar"


def _inside(layer: Layer, profile: Profile) -> Iterator[Weight]:
    """The weights of a layer and of all that is in it."""
    within = takewhile(lambda other: other.depth > layer.depth, profile.layers[layer.index + 1 :])
    for inner in (layer, *within):
        yield from (*inner.weights, *inner.buffers)


def dtypes(layer: Layer, profile: Profile) -> str:
    """Those of its weights, of which it has most bytes first; a packed one by its format."""
    sizes: Counter[str] = Counter()
    for weight in _inside(layer, profile):
        sizes[stored.kind(weight)] += weight.tensor.size_bytes
    return ", ".join(name for name, _ in sizes.most_common())


def file_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    """What a checkpoint holds: the weights by dtype, and what is no weight."""
    totals, trace = profile.totals, profile.trace
    tensors = (*trace.parameters, *trace.buffers)
    shared = [weight for weight in tensors if weight.same_as is not None]
    yield "Tensors", len(tensors), Unit.EXACT, f"{len(trace.parameters):,} parameters, {len(trace.buffers):,} buffers"
    yield "Parameters", totals.params, Unit.EXACT, ""
    yield "Buffers", totals.buffers, Unit.EXACT, ""
    if shared:
        yield "Shared tensors", len(shared), Unit.EXACT, f"counted once: {_named(shared, trace)}"
    yield "Parameters", totals.param_bytes, Unit.BYTES, ""
    yield from _dtype_facts(trace)
    if trace.header is not None:
        for besides in trace.header.besides:
            words = f"{besides.tensors:,} tensor{'s' * (besides.tensors > 1)}, not counted above"
            yield f"Besides: {besides.what}", besides.size_bytes, Unit.BYTES, words
        yield "File", trace.header.size_bytes, Unit.BYTES, _files(trace.header)


def _dtype_facts(trace: Trace) -> Iterator[tuple[str, Any, Unit, str]]:
    kinds = stored.kinds(trace)
    for kind in kinds if len(kinds) > 1 else ():
        yield f"  as {kind.name}", kind.size_bytes, Unit.BYTES, f"{kind.params:,} parameters"


def _files(header: Header) -> str:
    return f"{header.format}, {header.files:,} file{'s' * (header.files > 1)}"


def _named(weights: Sequence[Weight], trace: Trace, most: int = 3) -> str:
    names = [".".join(filter(None, (trace.modules[weight.module].path, weight.name))) for weight in weights]
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def file_notes(trace: Trace) -> Iterator[str]:
    """What is around the names, and what the file says of itself."""
    header = trace.header
    if header is None:
        return
    from profiler.sources.checkpoints import pickled  # which a run's table does not need

    if header.wrapper:
        yield f"Taken off the names: {', '.join(map(repr, header.wrapper))}."
    if header.is_ema:
        yield "The weights are a moving average (EMA); those that it is of are not in the file."
    entries = [f"{key} {value}" for key, value in header.metadata.items() if len(value) <= _SHORT]
    if entries:
        rest = f", and {len(header.metadata) - _MOST_SAID:,} more" * (len(header.metadata) > _MOST_SAID)
        yield f"The file says: {', '.join(entries[:_MOST_SAID])}{rest}."
    yield from _doubts(header)
    yield _WHOLE if header.format.endswith(pickled.WHOLE) else _GUESSED


def _doubts(header: Header) -> Iterator[str]:
    """What several weights have in common is said once."""
    by_words: dict[str, list[Doubt]] = {}
    for doubt in header.doubts:
        by_words.setdefault(doubt.says, []).append(doubt)
    for says, doubts in list(by_words.items())[:_MOST_SAID]:
        several = f" and {len(doubts) - 1:,} more" if len(doubts) > 1 else ""
        more = [doubt.more for doubt in doubts]
        difference = f", which would be {sum(filter(None, more)):,} parameters more" if None not in more else ""
        yield f"Not sure: {doubts[0].weight}{several}: {says}{difference}."
