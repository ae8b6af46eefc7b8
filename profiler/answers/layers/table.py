"""How are a model's layers shown? Which columns there are, which rows, and what is said under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from profiler import errors
from profiler.answers.common.notes import as_shape, convention_notes, run_note, uncounted, versions_note
from profiler.answers.common.time_columns import (
    BOUND,
    HIGH,
    LOW,
    TIME,
    check_device,
    time_columns,
    time_facts,
    time_notes,
    worded,
)
from profiler.answers.layers.checkpoint_table import dtypes, file_facts, file_notes, tensor_shapes
from profiler.answers.layers.compute import Layers, View
from profiler.answers.layers.data import about, profile_data
from profiler.counters.conventions import DEFAULT
from profiler.figures import stored
from profiler.figures.describe import describe
from profiler.figures.experts import mixtures
from profiler.figures.layers import Layer
from profiler.figures.profile import Profile
from profiler.figures.training import Trained
from profiler.records.patterns import matches
from profiler.records.times import Timer
from profiler.records.trace import Tensor, Value, tensors
from profiler.render.answer import Shown, show
from profiler.render.tables import Column, Row, Table, Unit, chosen_columns


def _share(layer: Layer, profile: Profile) -> float | None:
    whole = profile.totals.flops
    return None if layer.flops is None or not whole else layer.flops / whole


def _intensity(layer: Layer, profile: Profile) -> float | None:
    moved = (layer.total.cost.bytes_read or 0) + (layer.total.cost.bytes_written or 0)
    return layer.flops / moved if moved and layer.flops is not None else None


def _shape_of_inputs(layer: Layer, profile: Profile) -> Value:
    return as_shape(layer.inputs)


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


def _time_share(layer: Layer, profile: Profile) -> float | None:
    times = profile.times
    return times.total[layer.index].seconds / times.whole.seconds if times and times.whole.seconds else None


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


LAYER_COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("layer", "Layer", Unit.TEXT, lambda layer, profile: layer.name or profile.model, 0, 24),
        Column("path", "Path", Unit.TEXT, lambda layer, profile: layer.path, 0, 40),
        Column("kind", "Kind", Unit.TEXT, _words, 0, 26),
        Column("tensors", "Tensors", Unit.TEXT, lambda layer, profile: tensor_shapes(layer), 0, 26),
        Column("class", "Class", Unit.TEXT, lambda layer, profile: layer.kind, 0, 26),
        Column("input", "Input", Unit.SHAPE, _shape_of_inputs, 4, 18),
        Column("output", "Output", Unit.SHAPE, lambda layer, profile: as_shape(layer.output), 2, 18),
        Column("params", "Parameters", Unit.EXACT, lambda layer, profile: layer.params, 1),
        Column("stored", "Stored", Unit.EXACT, lambda layer, profile: layer.total.stored_params, 4),
        Column("zeros", "Zeros", Unit.EXACT, _zeros, 2),
        Column("sparsity", "Zeros %", Unit.SHARE, lambda layer, profile: stored.sparsity(layer.total), 2),
        Column("trainable", "Trainable", Unit.EXACT, lambda layer, profile: layer.total.trainable_params, 4),
        Column("frozen", "Frozen", Unit.EXACT, lambda layer, profile: layer.total.frozen_params, 4),
        Column("buffers", "Buffers", Unit.EXACT, lambda layer, profile: layer.total.buffers, 4),
        Column("macs", "MACs", Unit.AMOUNT, lambda layer, profile: layer.macs, 1),
        Column("flops", "FLOPs", Unit.AMOUNT, lambda layer, profile: layer.flops, 3),
        Column("size", "", Unit.BYTES, lambda layer, profile: layer.total.param_bytes, 5),
        Column("activations", "Act.", Unit.BYTES, lambda layer, profile: layer.activation_bytes, 5),
        Column("share", "FLOPs %", Unit.SHARE, _share, 3, is_drawn=True),
        Column("comparisons", "Comparisons", Unit.AMOUNT, _of_run(lambda layer: layer.total.cost.comparisons), 5),
        Column("read", "Read", Unit.BYTES, _of_run(lambda layer: layer.total.cost.bytes_read), 5),
        Column("written", "Written", Unit.BYTES, _of_run(lambda layer: layer.total.cost.bytes_written), 5),
        Column("dtype", "Dtype", Unit.TEXT, dtypes, 2, 20),
        Column("size_share", "Size %", Unit.SHARE, _size_share, 1, is_drawn=True),
        Column("intensity", "FLOP/byte", Unit.RATIO, _intensity, 5),
        Column("calls", "Calls", Unit.EXACT, _of_run(lambda layer: layer.calls), 5),
        Column("forward_macs", "Fwd MACs", Unit.AMOUNT, _of_step(lambda step: int(step.forward.macs)), 1),
        Column("backward_macs", "Bwd MACs", Unit.AMOUNT, _of_step(lambda step: int(step.backward.macs)), 1),
        Column("recompute_macs", "Again MACs", Unit.AMOUNT, _of_step(lambda step: int(step.recompute.macs)), 2),
        Column("saved", "Saved", Unit.BYTES, _of_step(lambda step: step.saved_bytes), 3),
        Column("gradients", "Grad.", Unit.BYTES, _of_step(lambda step: step.gradient_bytes), 3),
        *time_columns(lambda layer, profile: profile.times, lambda layer: layer.index, 1),
        Column("time_share", "Time %", Unit.SHARE, _time_share, 3, is_drawn=True),
    )
}
_FLAT_COLUMNS = LAYER_COLUMNS | {  # where layers stand by themselves, a name such as "conv1" is that of many
    "layer": Column("layer", "Layer", Unit.TEXT, lambda layer, profile: layer.path or profile.model, 0, 40)
}
TIME_COLUMNS = (TIME, LOW, HIGH, "time_share", BOUND)  # on a device alone
ZERO_COLUMNS = ("zeros", "sparsity")  # where zeros were counted alone
STEP_COLUMNS = ("forward_macs", "backward_macs", "recompute_macs", "saved", "gradients")  # of a training step alone
TRAINING_LAYER_COLUMNS = ("layer", "kind", "output", "params", "forward_macs", "backward_macs", "saved", "gradients")
ZEROS_LAYER_COLUMNS = ("layer", "kind", "output", "params", "zeros", "sparsity", "macs", "size")
CHECKPOINT_LAYER_COLUMNS = ("layer", "tensors", "dtype", "params", "buffers", "size", "size_share")
DEFAULT_LAYER_COLUMNS = ("layer", "kind", "output", "params", "macs", "flops", "size", "share")


def layer_table(profile: Profile, view: View | None = None) -> Table:
    """One row a layer, in the model's own order unless the view sorts it."""
    view = view or View()
    columns = chosen_columns(view.columns or usual_columns(profile), _FLAT_COLUMNS if view.is_flat else LAYER_COLUMNS)
    check_times(view, profile.timer)
    for column in columns:
        if column.name in STEP_COLUMNS and not profile.trace.phases:
            raise errors.only_with(f"--columns {column.name}", "a training step, profile-model train,")
        if column.name in ZERO_COLUMNS and profile.totals.zeros is None:
            raise errors.only_with(f"--columns {column.name}", "--zeros")
    shown = _shown(profile, view)
    rows = tuple(
        Row(tuple(column.get(layer, profile) for column in columns), 0 if view.is_flat else layer.depth)
        for layer in shown
    )
    return Table(
        worded(columns, [profile]),
        rows,
        _facts(profile),
        tuple(_notes(profile)),
        view.caption,
        view.anchor,
        chosen=bool(view.columns),
        is_foldable=view.is_whole,
    )


def check_times(view: View, timer: Timer | None) -> None:
    """Raise where a column of times is named, and no device is."""
    check_device(view.columns, TIME_COLUMNS, timer)
    check_device([view.sort or ""], TIME_COLUMNS, timer, "sort")


def usual_columns(profile: Profile) -> tuple[str, ...]:
    if not profile.trace.was_run:
        return CHECKPOINT_LAYER_COLUMNS
    on_device = (TIME, BOUND) if profile.times is not None else ()
    if profile.trace.phases:
        return TRAINING_LAYER_COLUMNS + on_device
    return (DEFAULT_LAYER_COLUMNS if profile.totals.zeros is None else ZEROS_LAYER_COLUMNS) + on_device


def _shown(profile: Profile, view: View) -> Sequence[Layer]:
    usual = "flops" if profile.trace.was_run else "size"
    return viewed(profile.layers, view, profile, _FLAT_COLUMNS, usual, profile.model)


def viewed(
    layers: Sequence[Layer], view: View, subject: Any, columns: Mapping[str, Column], usual: str, model: str
) -> Sequence[Layer]:
    """The layers that a view shows, in its order. usual: the column that sorts where the view only says how many.

    subject: what the columns see a layer against. Raises `errors.ProfileError` where no layer matches.
    """
    layers = [layer for layer in layers if view.depth is None or layer.depth <= view.depth]
    if view.filter is not None:
        pattern = view.filter
        layers = [layer for layer in layers if matches(pattern, layer.path, layer.kind)]
        if not layers:
            raise errors.no_layer_matches(pattern, model)
    elif view.is_flat:
        parents = {layer.path.rpartition(".")[0] for layer in layers if layer.path}
        layers = [layer for layer in layers if layer.path not in parents]  # a container would repeat what is in it
    if view.sort is not None or view.top is not None:
        (column,) = chosen_columns([view.sort or usual], columns)
        layers.sort(key=lambda layer: _order(column.get(layer, subject)), reverse=column.unit is not Unit.TEXT)
    return layers[: view.top]


def _order(value: Any) -> Any:
    """Values that are not known come last among numbers; shapes are ordered by their elements."""
    if value is None:
        return -1
    if isinstance(value, (Tensor, tuple)):
        return sum(t.numel for t in tensors(value))
    return value


_DENSE = "dense kernels compute with zeros too, so MACs are those of all"
_ALLOCATED = ("all that the forward pass allocates", "all that the step allocates, without gradients")


def allocated(profile: Profile) -> str:
    """What the activations are, of which the peak may be more: it has what operators hold while they compute."""
    what = _ALLOCATED[bool(profile.trace.phases)]
    totals = profile.totals
    peak = totals.peak_activation_bytes or 0
    is_less = not profile.trace.phases and (totals.activation_bytes or 0) < peak
    return what + "; the peak has what is inside operators as well" * is_less


def _facts(profile: Profile) -> tuple[tuple[str, Any, Unit, str], ...]:
    totals, coverage = profile.totals, profile.coverage
    if not profile.trace.was_run:
        return tuple(file_facts(profile))
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
        ("Parameters", totals.param_bytes, Unit.BYTES, ""),
        *_stored_facts(profile),
        ("Activations", totals.activation_bytes, Unit.BYTES, allocated(profile)),
        ("Peak activations", totals.peak_activation_bytes, Unit.BYTES, "the most alive at once"),
        *_training_facts(profile),
        *time_facts(profile),
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
        yield f"of it {form.name}", form.size_bytes, Unit.BYTES, f"{form.params:,} parameters and what unpacks them"
    masks = stored.masks(profile.trace)
    if masks.tensors:
        yield "Masks", masks.size_bytes, Unit.BYTES, f"{masks.tensors} of pruning, among the buffers; {_DENSE}"
    if profile.totals.zeros is not None:
        among = profile.figures.zeros_of
        share = f"{100 * profile.totals.zeros / among:.1f} % of {among:,} parameters; {_DENSE}"
        yield "Zeros", profile.totals.zeros, Unit.EXACT, share


def _training_facts(profile: Profile) -> Iterator[tuple[str, Any, Unit, str]]:
    step = profile.training
    if step is None:
        return
    again = f", run again {step.recompute_macs:,}" if step.recompute_macs else ""
    yield "Forward MACs", step.forward_macs, Unit.EXACT, ""
    yield "Backward MACs", step.backward_macs, Unit.EXACT, again.removeprefix(", ")
    if step.update_flops:
        yield "Update FLOPs", step.update_flops, Unit.EXACT, str(profile.trace.asked["optimizer"])
    yield "Gradients", step.gradient_bytes, Unit.BYTES, ""
    yield "Saved activations", step.saved_bytes, Unit.BYTES, "kept for the backward pass"
    if step.optimizer_bytes:
        yield "Optimizer state", step.optimizer_bytes, Unit.BYTES, str(profile.trace.asked["optimizer"])
    yield "Peak memory", profile.totals.peak_memory_bytes, Unit.BYTES, "with parameters, buffers and inputs"


def _notes(profile: Profile) -> Iterator[str]:
    yield from uncounted(profile)
    if not profile.trace.was_run:
        yield from file_notes(profile.trace)
    yield from convention_notes(profile)
    yield run_note(profile.trace)
    yield from time_notes({"": profile}, is_told=True)
    yield from profile.times.layer_notes if profile.times is not None else ()
    yield from profile.trace.notes
    yield versions_note(profile.trace.versions.items())


# For papers and programs ----------------------------------------------------------------------------------------------

_PAPER_COLUMNS = ("layer", "kind", "output", "params", "macs")  # there is no room for more
_PAPER_FILE_COLUMNS = ("layer", "dtype", "params", "size", "size_share")  # of a checkpoint's
_RAW_COLUMNS = ("path", "class", "kind", "output", "params", "macs", "flops", "size", "share", "calls")
_RAW = {"layer": "path"}  # layers are told apart by their whole path


def paper_layer_table(profile: Profile, view: View) -> Table:
    figure = "macs" if profile.convention.name == DEFAULT else "flops"  # what the convention is about
    usual = _PAPER_COLUMNS if profile.trace.was_run else _PAPER_FILE_COLUMNS
    default = [figure if name == "macs" else name for name in usual] + [TIME] * (profile.times is not None)
    return layer_table(profile, view if view.columns else replace(view, columns=default))


def raw_layer_table(profile: Profile, view: View) -> Table:
    usual = _RAW_COLUMNS + (STEP_COLUMNS if profile.trace.phases else ()) + ("dtype",) * (not profile.trace.was_run)
    usual += TIME_COLUMNS if profile.times is not None else ()
    return layer_table(profile, replace(view, columns=[_RAW.get(name, name) for name in view.columns or usual]))


show(
    Layers,
    Shown(
        lambda layers: [layer_table(layers.profile, layers.view)],
        lambda layers: raw_layer_table(layers.profile, layers.view),
        lambda layers: profile_data(layers.profile),  # the whole profile, whatever part of it the view shows
        lambda layers: [paper_layer_table(layers.profile, layers.view)],
        about=lambda layers: about(layers.profile),
    ),
)
show(
    Profile,
    Shown(
        lambda profile: [layer_table(profile)],
        lambda profile: raw_layer_table(profile, View()),
        profile_data,
        lambda profile: [paper_layer_table(profile, View())],
        about=about,
    ),
)
