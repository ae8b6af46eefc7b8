"""Where does each number come from? Every layer's parameters and operations as formula = numbers = result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from profiler import errors
from profiler.answers.common.notes import run_note
from profiler.errors import shown
from profiler.figures.describe import describe, render_formula
from profiler.figures.layers import Layer
from profiler.figures.parameters import count
from profiler.figures.profile import Profile
from profiler.ops import cost, free_reason
from profiler.ops.cost import Cost, Count
from profiler.records.patterns import matches
from profiler.records.trace import Trace, Weight

_OTHERS = (("adds", "additions"), ("muls", "multiplications"), ("divs", "divisions"), ("specials", "special functions"))


def explain(profile: Profile, pattern: str = "*") -> str:
    """The layers whose path or class matches a shell pattern, each with its formulas; free ones are left out."""
    calls = calls_by_module(profile.trace)
    layers = [layer for layer in profile.layers if matches(pattern, layer.path, layer.kind)]
    if not layers:
        raise errors.no_layer_matches(pattern, profile.model)
    blocks = [block for layer in layers if (block := _block(layer, profile.trace, calls.get(layer.index, Counter())))]
    return "\n\n".join([*blocks, _sum(profile)])


def calls_by_module(trace: Trace) -> dict[int, Counter[int]]:
    """How often each module itself called each signature."""
    by_module: dict[int, Counter[int]] = {}
    for call in trace.calls:
        by_module.setdefault(call.module, Counter())[call.signature] += 1
    return by_module


def _block(layer: Layer, trace: Trace, calls: Counter[int]) -> str:
    if layer.shared_with is not None:
        owner = layer.shared_with or "the model itself"
        return _lines(f"{layer.path}  {layer.kind}", f"  the same module as {owner}, and counted there")
    lines = [f"  {name:11} {formula}" for name, formula in formulas(layer, trace, calls)]
    if not lines:
        return ""
    return _lines(f"{layer.path or trace.model}  {describe(layer.module, layer.weights)}", *lines)


def formulas(layer: Layer, trace: Trace, calls: Mapping[int, int]) -> Iterator[tuple[str, str]]:
    """What each figure is called, and how it comes about. calls: how often the layer itself called each signature."""
    yield from _parameters(layer)
    yield from _operations(trace, calls)


def _parameters(layer: Layer) -> Iterator[tuple[str, str]]:
    if not layer.weights:
        return
    parameters = count(layer.module, layer.weights)
    if parameters.formula is None:
        shapes = " + ".join(_factors(weight) for weight in layer.weights)
        yield "parameters", f"{shapes} = {parameters.actual:,}"
    else:
        yield "parameters", render_formula(parameters.formula)
    if parameters.remark:
        yield "", parameters.remark


def _factors(weight: Weight) -> str:
    packing, shape = weight.packing, weight.tensor.shape
    sizes = packing.shape if packing is not None else shape
    return f"{weight.name} {('·'.join(map(str, sizes)) or '1') if sizes is not None else '0'}"


def _operations(trace: Trace, calls: Mapping[int, int]) -> Iterator[tuple[str, str]]:
    for index, times in calls.items():
        signature = trace.signatures[index]
        spent = cost(signature)
        again = f", {times} times" if times > 1 else ""
        if spent is None:
            yield "unknown", f"{signature.op} has no formula for this call{again}"
        elif free_reason(signature.op) is None:
            yield from _operation(signature.op, spent, again)


def _operation(op: str, spent: Cost, again: str) -> Iterator[tuple[str, str]]:
    name = op.removesuffix(".default")
    if spent.macs:
        formula = render_formula(spent.macs) if isinstance(spent.macs, Count) else f"{spent.macs:,}"
        yield "MACs", f"{formula}  [{name}{again}]"
    others = [f"{getattr(spent, field):,} {words}" for field, words in _OTHERS if getattr(spent, field)]
    if others:
        yield "other FLOPs", f"{' + '.join(others)}  [{name}{again}]"


def _sum(profile: Profile) -> str:
    totals = profile.totals
    if not profile.trace.was_run:
        return _lines(f"{profile.model}: {totals.params:,} parameters", run_note(profile.trace))
    return _lines(
        f"{profile.model}: {totals.params:,} parameters, {totals.macs:,} MACs, {totals.flops:,} FLOPs",
        f"{profile.convention.name}: {profile.convention.says}",
    )


def _lines(*lines: str) -> str:
    """Names of layers are somebody else's, and stay on their line."""
    return "\n".join(map(shown, lines))
