"""Which rows and columns? Tables of raw values; `profiler.render` puts them into a dress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any, Literal, NamedTuple, TypeAlias

from profiler import errors, stored
from profiler.describe import describe
from profiler.experts import mixtures
from profiler.layers import Layer
from profiler.profiles import Profile
from profiler.records import Header, Input, Tensor, Trace, Value, Weight, tensors
from profiler.training import Trained

Better: TypeAlias = Literal["min", "max"]


class Unit(Enum):
    """What a value is, so that a renderer knows how to write it."""

    TEXT = "text"
    EXACT = "exact"  # an int, all digits shown
    COUNT = "count"  # an int, all digits shown on a screen, and 21.80 M in a paper
    AMOUNT = "amount"  # an int that may be shortened to 3.66 G
    BYTES = "bytes"
    DIFFERENCE = "difference"  # an int with its sign
    GROWTH = "growth"  # a difference as a share of what it was, with its sign
    SHARE = "share"  # of the total, 0 to 1
    RATIO = "ratio"
    TIMES = "times"  # as many times as another row has: ×0.54
    NUMBER = "number"  # a Decimal or a text that somebody else wrote, kept as it was written
    SHAPE = "shape"
    BAR = "bar"  # a share, to be drawn
    MIXED = "mixed"  # a Quantity: the rows of the column are in different units


class Quantity(NamedTuple):
    """A value that brings its own unit."""

    value: int | None
    unit: Unit


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name for `--columns` and CSV, its heading, its unit, and how it is got from a row's subject.

    `most` is the width from which a narrow screen may cut it; columns with a higher `rank` are given up first.
    `better` is which of its values is the best, where one is. `get` also takes what a subject is seen against: a
    layer's profile, or the model that others are measured by.
    """

    name: str
    heading: str
    unit: Unit
    get: Callable[[Any, Any], Any]
    rank: int = 0
    most: int | None = None
    better: Better | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row's raw values, how deep it stands in the tree, and which of its columns it is the best in.

    `failure` is why there are no values but the first; it takes the place of the others.
    """

    values: tuple[Any, ...]
    depth: int = 0
    best: frozenset[int] = frozenset()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, rows and what is said under them: `facts` (label, value, unit, remark), then `notes`.

    `caption` stands above it, `anchor` is what a document refers to it by. Where the user has not `chosen` the columns,
    some may be left out for want of room.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, Any, Unit, str], ...] = ()
    notes: tuple[str, ...] = ()
    caption: str = ""
    anchor: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What the user wants to see of a layer table."""

    columns: Sequence[str] = ()
    depth: int | None = None
    sort: str | None = None
    top: int | None = None
    filter: str | None = None
    caption: str = ""
    anchor: str = ""

    @property
    def is_flat(self) -> bool:
        """Whether layers stand by themselves, and not in their tree."""
        return self.sort is not None or self.filter is not None or self.top is not None

    @property
    def key(self) -> str:
        """The column that layers are told apart by."""
        return "path" if self.is_flat else "layer"


# Columns --------------------------------------------------------------------------------------------------------------


def _share(layer: Layer, profile: Profile) -> float | None:
    whole = profile.totals.flops
    return None if layer.flops is None or not whole else layer.flops / whole


def _intensity(layer: Layer, profile: Profile) -> float | None:
    moved = (layer.total.cost.bytes_read or 0) + (layer.total.cost.bytes_written or 0)
    return layer.flops / moved if moved and layer.flops is not None else None


def _shape(value: Value) -> Value:
    """A module's output as a shape, or several; None where there is no tensor."""
    found = tuple(tensors(value))
    return found if len(found) != 1 else found[0]


def _shape_of_inputs(layer: Layer, profile: Profile) -> Value:
    return _shape(layer.inputs)


def _repeated(layer: Layer, profile: Profile) -> str:
    """What a plain container holds several of: " 3×BasicBlock", as papers give the stages of a network."""
    if layer.kind not in ("Sequential", "ModuleList"):
        return ""
    inside = takewhile(lambda other: other.depth > layer.depth, profile.layers[layer.index + 1 :])
    kinds = [other.kind for other in inside if other.depth == layer.depth + 1]
    return f" {len(kinds)}×{kinds[0]}" if len(kinds) > 1 and len(set(kinds)) == 1 else ""


def _of_run(get: Callable[[Layer], int | None]) -> Callable[[Layer, Profile], int | None]:
    """A layer's figure of a run; not known where there was none."""
    return lambda layer, profile: get(layer) if layer.was_run else None


def _of_step(get: Callable[[Trained], int]) -> Callable[[Layer, Profile], int | None]:
    """A layer's figure of a training step; not known in inference."""
    return lambda layer, profile: None if layer.trained is None else get(layer.trained)


def _zeros(layer: Layer, profile: Profile) -> int | None:
    """Not known of weights that nobody looked at, or that cannot be."""
    return layer.total.zeros if layer.total.zeros_of or not layer.params else None


def held(layer: Layer) -> str:
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
    for one in (layer, *within):
        yield from (*one.weights, *one.buffers)


def _dtypes(layer: Layer, profile: Profile) -> str:
    """Those of its weights, of which it has most bytes first; a packed one by its format."""
    sizes: Counter[str] = Counter()
    for weight in _inside(layer, profile):
        sizes[dtype(weight)] += weight.tensor.size_bytes
    return ", ".join(name for name, _ in sizes.most_common())


def dtype(weight: Weight) -> str:
    return weight.tensor.dtype if weight.packing is None else weight.packing.format


def _size_share(layer: Layer, profile: Profile) -> float | None:
    whole = profile.totals.param_bytes
    return layer.param_bytes / whole if whole else None


def _words(layer: Layer, profile: Profile) -> str:
    if not layer.was_run:
        return layer.kind
    if layer.shared_with is not None:
        return f"{layer.kind}, see {layer.shared_with or 'the model itself'}"
    words = describe(layer.module, layer.weights) + _repeated(layer, profile)
    return words if layer.ran else f"{words}, never called"


LAYER_COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("layer", "Layer", Unit.TEXT, lambda layer, profile: layer.name or profile.model, 0, 24),
        Column("path", "Path", Unit.TEXT, lambda layer, profile: layer.path, 0, 40),
        Column("kind", "Kind", Unit.TEXT, _words, 0, 26),
        Column("tensors", "Tensors", Unit.TEXT, lambda layer, profile: held(layer), 0, 26),
        Column("class", "Class", Unit.TEXT, lambda layer, profile: layer.kind, 0, 26),
        Column("input", "Input", Unit.SHAPE, _shape_of_inputs, 4, 18),
        Column("output", "Output", Unit.SHAPE, lambda layer, profile: _shape(layer.output), 3, 18),
        Column("params", "Parameters", Unit.EXACT, lambda layer, profile: layer.params, 1),
        Column("stored", "Stored", Unit.EXACT, lambda layer, profile: layer.total.stored_params, 4),
        Column("zeros", "Zeros", Unit.EXACT, _zeros, 2),
        Column("sparsity", "Zeros %", Unit.SHARE, lambda layer, profile: stored.sparsity(layer.total), 2),
        Column("trainable", "Trainable", Unit.EXACT, lambda layer, profile: layer.total.trainable_params, 4),
        Column("frozen", "Frozen", Unit.EXACT, lambda layer, profile: layer.total.frozen_params, 4),
        Column("buffers", "Buffers", Unit.EXACT, lambda layer, profile: layer.total.buffers, 4),
        Column("macs", "MACs", Unit.AMOUNT, lambda layer, profile: layer.macs, 1),
        Column("flops", "FLOPs", Unit.AMOUNT, lambda layer, profile: layer.flops, 2),
        Column("size", "MB", Unit.BYTES, lambda layer, profile: layer.total.param_bytes, 5),
        Column("activations", "Act. MB", Unit.BYTES, lambda layer, profile: layer.activation_bytes, 5),
        Column("share", "FLOPs %", Unit.SHARE, _share, 1),
        Column("comparisons", "Comparisons", Unit.AMOUNT, _of_run(lambda layer: layer.total.cost.comparisons), 5),
        Column("read", "Read MB", Unit.BYTES, _of_run(lambda layer: layer.total.cost.bytes_read), 5),
        Column("written", "Written MB", Unit.BYTES, _of_run(lambda layer: layer.total.cost.bytes_written), 5),
        Column("dtype", "Dtype", Unit.TEXT, _dtypes, 2, 20),
        Column("size_share", "MB %", Unit.SHARE, _size_share, 1),
        Column("intensity", "FLOP/byte", Unit.RATIO, _intensity, 5),
        Column("calls", "Calls", Unit.EXACT, _of_run(lambda layer: layer.calls), 5),
        Column("forward_macs", "Fwd MACs", Unit.AMOUNT, _of_step(lambda step: int(step.forward.macs)), 1),
        Column("backward_macs", "Bwd MACs", Unit.AMOUNT, _of_step(lambda step: int(step.backward.macs)), 1),
        Column("recompute_macs", "Again MACs", Unit.AMOUNT, _of_step(lambda step: int(step.recompute.macs)), 2),
        Column("saved", "Saved MB", Unit.BYTES, _of_step(lambda step: step.saved_bytes), 2),
        Column("gradients", "Grad. MB", Unit.BYTES, _of_step(lambda step: step.gradient_bytes), 2),
    )
}
ZERO_COLUMNS = ("zeros", "sparsity")  # where zeros were counted alone
STEP_COLUMNS = ("forward_macs", "backward_macs", "recompute_macs", "saved", "gradients")  # of a training step alone
TRAINING_LAYER_COLUMNS = ("layer", "kind", "output", "params", "forward_macs", "backward_macs", "saved", "gradients")
ZEROS_LAYER_COLUMNS = ("layer", "kind", "output", "params", "zeros", "sparsity", "macs", "size")
CHECKPOINT_LAYER_COLUMNS = ("layer", "tensors", "dtype", "params", "buffers", "size", "size_share")
DEFAULT_LAYER_COLUMNS = ("layer", "kind", "output", "params", "macs", "flops", "size", "share")


def fed_shape(inputs: Iterable[Input]) -> Value:
    return _shape(tuple(Tensor(i.shape, i.dtype) for i in inputs))


def chosen_columns(names: Sequence[str], known: Mapping[str, Column]) -> tuple[Column, ...]:
    for name in names:
        if name not in known:
            raise errors.NoSuchColumn(name, known)
    return tuple(known[name] for name in names)


# Tables ---------------------------------------------------------------------------------------------------------------


def layer_table(profile: Profile, view: View | None = None) -> Table:
    """One row a layer, in the model's own order unless the view sorts it."""
    view = view or View()
    default = [view.key if name == "layer" else name for name in usual_columns(profile)]
    columns = chosen_columns(view.columns or default, LAYER_COLUMNS)
    for column in columns:
        if column.name in STEP_COLUMNS and not profile.trace.phases:
            raise errors.OnlyWith(f"--columns {column.name}", "--train")
        if column.name in ZERO_COLUMNS and profile.totals.zeros is None:
            raise errors.OnlyWith(f"--columns {column.name}", "--zeros")
    shown = _shown(profile, view)
    rows = tuple(
        Row(tuple(column.get(layer, profile) for column in columns), 0 if view.is_flat else layer.depth)
        for layer in shown
    )
    return Table(
        columns, rows, _facts(profile), tuple(_notes(profile)), view.caption, view.anchor, chosen=bool(view.columns)
    )


def usual_columns(profile: Profile) -> tuple[str, ...]:
    if not profile.trace.was_run:
        return CHECKPOINT_LAYER_COLUMNS
    if profile.trace.phases:
        return TRAINING_LAYER_COLUMNS
    return DEFAULT_LAYER_COLUMNS if profile.totals.zeros is None else ZEROS_LAYER_COLUMNS


def _shown(profile: Profile, view: View) -> Sequence[Layer]:
    found = [layer for layer in profile.layers if view.depth is None or layer.depth <= view.depth]
    if view.filter is not None:
        pattern = view.filter
        found = [layer for layer in found if fnmatchcase(layer.path, pattern) or fnmatchcase(layer.kind, pattern)]
        if not found:
            raise errors.NoLayerMatches(pattern, profile.model)
    elif view.is_flat:
        parents = {layer.path.rpartition(".")[0] for layer in found if layer.path}
        found = [layer for layer in found if layer.path not in parents]  # a container would repeat what is in it
    if view.sort is not None or view.top is not None:
        (column,) = chosen_columns([view.sort or ("flops" if profile.trace.was_run else "size")], LAYER_COLUMNS)
        found.sort(key=lambda layer: _order(column.get(layer, profile)), reverse=column.unit is not Unit.TEXT)
    return found[: view.top]


def _order(value: Any) -> Any:
    """Values that are not known come last among numbers; shapes are ordered by their elements."""
    if value is None:
        return -1
    if isinstance(value, (Tensor, tuple)):
        return sum(t.numel for t in tensors(value))
    return value


_DENSE = "dense kernels compute with zeros too, so MACs are those of all"
_ALLOCATED = ("all that the forward pass allocates", "all that the step allocates, without gradients")


def _facts(profile: Profile) -> tuple[tuple[str, Any, Unit, str], ...]:
    totals, coverage = profile.totals, profile.coverage
    if not profile.trace.was_run:
        return tuple(_file_facts(profile))
    return (
        (
            "Parameters",
            totals.params,
            Unit.EXACT,
            f"trainable {totals.trainable_params:,}, frozen {totals.frozen_params:,}",
        ),
        *_expert_facts(profile),
        ("Buffers", totals.buffers, Unit.EXACT, ""),
        ("MACs", totals.macs, Unit.EXACT, ""),
        ("FLOPs", totals.flops, Unit.EXACT, f"convention {profile.convention.name}"),
        ("Parameters, MB", totals.param_bytes, Unit.BYTES, ""),
        *_stored_facts(profile),
        ("Activations, MB", totals.activation_bytes, Unit.BYTES, _ALLOCATED[bool(profile.trace.phases)]),
        ("Peak activations, MB", totals.peak_activation_bytes, Unit.BYTES, "the most alive at once"),
        *_training_facts(profile),
        (
            "Operator calls",
            len(profile.trace.calls),
            Unit.EXACT,
            f"{coverage.known} with a formula, {coverage.free} free, {coverage.unknown} unknown",
        ),
    )


def _expert_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    kinds = Counter((mixture.chosen, mixture.experts) for mixture in mixtures(profile.trace))
    if kinds:
        words = ", ".join(
            f"{chosen} of {experts} experts in {times} layers" for (chosen, experts), times in kinds.items()
        )
        yield "Active parameters", profile.totals.active_params, Unit.EXACT, f"that a token meets: {words}"


def _stored_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    """What is packed, masked or zero."""
    for form in stored.formats(profile.trace):
        yield f"of it {form.name}, MB", form.size_bytes, Unit.BYTES, f"{form.params:,} parameters and what unpacks them"
    masks = stored.masks(profile.trace)
    if masks.tensors:
        yield "Masks, MB", masks.size_bytes, Unit.BYTES, f"{masks.tensors} of pruning, among the buffers; {_DENSE}"
    if profile.totals.zeros is not None:
        among = profile.figures.zeros_of
        share = f"{100 * profile.totals.zeros / among:.1f} % of {among:,} parameters; {_DENSE}"
        yield "Zeros", profile.totals.zeros, Unit.EXACT, share


def _file_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    """What a checkpoint holds: the weights by dtype, and what is no weight."""
    totals, trace = profile.totals, profile.trace
    held = (*trace.parameters, *trace.buffers)
    shared = [weight for weight in held if weight.same_as is not None]
    yield "Tensors", len(held), Unit.EXACT, f"{len(trace.parameters):,} parameters, {len(trace.buffers):,} buffers"
    yield "Parameters", totals.params, Unit.EXACT, ""
    yield "Buffers", totals.buffers, Unit.EXACT, ""
    if shared:
        yield "Shared tensors", len(shared), Unit.EXACT, f"counted once: {_named(shared, trace)}"
    yield "Parameters, MB", totals.param_bytes, Unit.BYTES, ""
    yield from _dtype_facts(trace)
    if trace.header is not None:
        for besides in trace.header.besides:
            words = f"{besides.tensors:,} tensor{'s' * (besides.tensors > 1)}, not counted above"
            yield f"Besides: {besides.what}, MB", besides.size_bytes, Unit.BYTES, words
        yield "File, MB", trace.header.size_bytes, Unit.BYTES, _files(trace.header)


def _dtype_facts(trace: Trace) -> Iterator[tuple[str, Any, Unit, str]]:
    sizes: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for weight in trace.parameters:
        if weight.same_as is None:
            sizes[dtype(weight)] += weight.tensor.size_bytes
            numbers[dtype(weight)] += weight.numel
    if len(sizes) > 1:
        for name, size in sizes.most_common():
            yield f"  as {name}, MB", size, Unit.BYTES, f"{numbers[name]:,} parameters"


def _files(header: Header) -> str:
    return f"{header.format}, {header.files:,} file{'s' * (header.files > 1)}"


def _named(weights: Sequence[Weight], trace: Trace, most: int = 3) -> str:
    names = [".".join(filter(None, (trace.modules[weight.module].path, weight.name))) for weight in weights]
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def _training_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    step = profile.training
    if step is None:
        return
    again = f", run again {step.recompute_macs:,}" if step.recompute_macs else ""
    yield "Forward MACs", step.forward_macs, Unit.EXACT, ""
    yield "Backward MACs", step.backward_macs, Unit.EXACT, again.removeprefix(", ")
    if step.update_flops:
        yield "Update FLOPs", step.update_flops, Unit.EXACT, str(profile.trace.asked["optimizer"])
    yield "Gradients, MB", step.gradient_bytes, Unit.BYTES, ""
    yield "Saved activations, MB", step.saved_bytes, Unit.BYTES, "kept for the backward pass"
    if step.optimizer_bytes:
        yield "Optimizer state, MB", step.optimizer_bytes, Unit.BYTES, str(profile.trace.asked["optimizer"])
    yield "Peak memory, MB", profile.totals.peak_memory_bytes, Unit.BYTES, "with parameters, buffers and inputs"


def run_words(trace: Trace) -> str:
    """What was asked for otherwise than usual: "training step, optimizer adamw"."""
    asked = dict(trace.asked)
    words = ["training step"] if asked.pop("train", None) else []
    return ", ".join(words + [f"{name} {_said(value)}" for name, value in asked.items()])


def run_note(trace: Trace) -> str:
    """What was run: fed with what, by which engine, and how otherwise than usual; or that nothing was."""
    if not trace.was_run:
        return "Read from the file's header: nothing ran, so MACs, FLOPs and activations are not known."
    otherwise = run_words(trace)
    return f"Input {inputs_words(trace.inputs)}. Engine {trace.engine}." + f" Run as {otherwise}." * bool(otherwise)


def _said(value: Value) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _notes(profile: Profile) -> Iterator[str]:
    yield from uncounted(profile)
    if not profile.trace.was_run:
        yield from _file_notes(profile.trace)
    yield unit_note(profile)
    yield run_note(profile.trace)
    yield versions_note(profile.trace.versions.items())


def _file_notes(trace: Trace) -> Iterator[str]:
    """What is around the names, and what the file says of itself."""
    header = trace.header
    if header is None:
        return
    if header.wrapper:
        yield f"Taken off the names: {', '.join(map(repr, header.wrapper))}."
    if header.is_ema:
        yield "The weights are a moving average (EMA); those that it is of are not in the file."
    said = [f"{key} {value}" for key, value in header.metadata.items() if len(value) <= _SHORT]
    if said:
        rest = f", and {len(header.metadata) - _MOST_SAID:,} more" * (len(header.metadata) > _MOST_SAID)
        yield f"The file says: {', '.join(said[:_MOST_SAID])}{rest}."
    yield _GUESSED


_SHORT, _MOST_SAID = 60, 6  # characters of what is shown, and how much
_GUESSED = "Buffers are told by name and dtype: a file does not say which tensors are parameters."


def uncounted(profile: Profile, prefix: str = "") -> Iterator[str]:
    if profile.unknown_ops:
        missing = ", ".join(f"{op} ×{times}" for op, times in profile.unknown_ops.items())
        yield f"{prefix}NOT COUNTED, for want of a formula: {missing}"


def unit_note(profile: Profile) -> str:
    says = f"{profile.convention.name}: {profile.convention.says}. " if profile.trace.was_run else ""
    return f"{says}1 MB = 1024·1024 bytes."


def versions_note(items: Iterable[tuple[str, str]]) -> str:
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in dict.fromkeys(items)) + "."


def inputs_words(inputs: Iterable[Input]) -> str:
    return ", ".join(map(_fed_words, inputs)) or "nothing"


def _fed_words(given: Input) -> str:
    return (f"{given.name} " if given.name else "") + "×".join(map(str, given.shape)) + f" {given.dtype}"
