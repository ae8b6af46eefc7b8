"""How large are a model's weights in a quantised format? Parameter by parameter, from the trace alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from profiler.answers.common.limitable import Contribution, Figure
from profiler.figures.experts import stacks
from profiler.figures.profile import Profile
from profiler.ops.layers.kind import textbook_classes
from profiler.records.schemes import (
    ATTENTION,
    CONVOLUTION,
    EMBEDDING,
    EXPERTS,
    LINEAR,
    SCHEMES,
    Matrices,
    Scheme,
    has_outputs_second,
    named,
    refusal,
    scale_bytes,
    value_bytes,
)
from profiler.records.trace import Module, Weight
from profiler.render.answer import Answer
from profiler.render.tables import Unit

NO_LAYER = "not among the layers that are quantised"
_NO_WEIGHT = "not a weight"
_NO_CLASS = "a file does not say of which kind its layer is"

_FAMILIES = {
    "torch.nn.modules.linear.NonDynamicallyQuantizableLinear": ATTENTION,
    "torch.nn.modules.activation.MultiheadAttention": ATTENTION,
    "torch.nn.modules.linear.Linear": LINEAR,
    "transformers.pytorch_utils.Conv1D": LINEAR,
    "torch.nn.modules.sparse.Embedding": EMBEDDING,
    "torch.nn.modules.sparse.EmbeddingBag": EMBEDDING,
    **{
        f"torch.nn.modules.conv.Conv{transposed}{n}d": CONVOLUTION
        for transposed in ("", "Transpose")
        for n in (1, 2, 3)
    },
}
_WHY_NOT = {
    ATTENTION: "nn.MultiheadAttention reads it itself",
    EXPERTS: "its tool does not quantise stacked experts",
}
_WEIGHTS = ("weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


@dataclass(frozen=True, slots=True)
class Stored:
    """One parameter: what it takes now, and what its values and its scales would take.

    `why` is why it is left alone, where it is.
    """

    path: str
    kind: str
    name: str
    params: int
    now_bytes: int
    value_bytes: int
    scale_bytes: int
    why: str | None = None

    @property
    def stored_bytes(self) -> int:
        return self.value_bytes + self.scale_bytes


@dataclass(frozen=True, slots=True)
class Quantised(Answer):
    """A model's parameters in a scheme, each once: a shared one at the first layer that holds it.

    profile: of the model.
    scheme: bits, scales and source of the format.
    parameters: what each takes now, and would take.
    top: how many of them are shown; None: all.
    has_stacks: whether some of them hold a matrix for each expert of a mixture.
    """

    profile: Profile
    scheme: Scheme
    parameters: tuple[Stored, ...]
    top: int | None = None
    has_stacks: bool = False

    @property
    def quantised(self) -> list[Stored]:
        """Those that are stored in the scheme."""
        return [parameter for parameter in self.parameters if parameter.why is None]

    @property
    def left_alone(self) -> list[Stored]:
        """Those that stay as they are; `why` says the reason."""
        return [parameter for parameter in self.parameters if parameter.why is not None]

    @property
    def params(self) -> int:
        """How many parameters there are."""
        return sum(parameter.params for parameter in self.parameters)

    @property
    def now_bytes(self) -> int:
        """What they take now."""
        return sum(parameter.now_bytes for parameter in self.parameters)

    @property
    def stored_bytes(self) -> int:
        """What they would take, with scales."""
        return sum(parameter.stored_bytes for parameter in self.parameters)

    @property
    def scale_bytes(self) -> int:
        """What of that are scales and zero points."""
        return sum(parameter.scale_bytes for parameter in self.parameters)

    @property
    def ratio(self) -> float | None:
        """How many times smaller it becomes."""
        return self.now_bytes / self.stored_bytes if self.stored_bytes else None

    @property
    def bits_per_parameter(self) -> float | None:
        """What they would take, on average."""
        return 8 * self.stored_bytes / self.params if self.params else None


@dataclass(frozen=True, slots=True)
class Overview(Answer):
    """Models in several schemes, side by side. `labels` are the models'.

    sort: the column by which rows are sorted, the largest first; None: they stay in their order.
    top: how many rows are shown; None: all.
    """

    entries: tuple[Quantised, ...]
    labels: tuple[str, ...]
    sort: str | None = None
    top: int | None = None


def quantised(profile: Profile, scheme: str, top: int | None = None) -> Quantised:
    """The model's weights as a scheme stores them; raises `errors.ProfileError`."""
    how, trace, stacked = named(scheme), profile.trace, stacks(profile.trace)
    mixtures = {weight.module for weight in trace.parameters if weight.storage in stacked}
    parameters = tuple(
        _stored(weight, trace.modules[weight.module], how, weight.module in mixtures, stacked.get(weight.storage))
        for weight in trace.parameters
        if weight.same_as is None
    )
    return Quantised(profile, how, parameters, top, bool(stacked))


def overview(
    profiles: Sequence[Profile],
    labels: Sequence[str],
    schemes: Sequence[str] = (),
    sort: str | None = None,
    top: int | None = None,
) -> Overview:
    """Every model in every scheme; in all that there are, by default."""
    pairs = [(p, label, scheme) for p, label in zip(profiles, labels, strict=True) for scheme in schemes or SCHEMES]
    entries = tuple(quantised(profile, scheme) for profile, _, scheme in pairs)
    return Overview(entries, tuple(label for _, label, _ in pairs), sort, top)


def size_in(scheme: str) -> Figure:
    """The size of the weights in a scheme, as a figure that can be limited."""

    def by_layer(profile: Profile) -> list[Contribution]:
        sizes: Counter[str] = Counter()
        for parameter in quantised(profile, scheme).parameters:
            sizes[parameter.path] += parameter.stored_bytes
        return [Contribution(path, size) for path, size in sizes.items()]

    words = f"size as {scheme}"
    return Figure("size", words, Unit.BYTES, "", lambda profile: quantised(profile, scheme).stored_bytes, by_layer)


def _stored(weight: Weight, module: Module, scheme: Scheme, is_of_mixture: bool, stack: Matrices | None) -> Stored:
    matrices = stack or _matrix(weight, module)
    why = _why_not(weight, module, scheme, is_of_mixture, stack is not None)
    if scheme.layers is not None:
        why = why or refusal(scheme, matrices)
    now, params = weight.tensor.size_bytes, weight.numel
    sizes = (now, 0) if why else (value_bytes(scheme, matrices), scale_bytes(scheme, matrices) if scheme.layers else 0)
    return Stored(module.path, module.kind, weight.name, params, now, *sizes, why)


def _matrix(weight: Weight, module: Module) -> Matrices:
    """Output channels, and how many weights each has."""
    shape = weight.tensor.shape
    rows = shape[1] if has_outputs_second(textbook_classes(module)) and len(shape) > 1 else shape[0] if shape else 1
    return Matrices(rows, prod(shape) // rows) if rows else Matrices(0, 0)


def _why_not_without_class(weight: Weight, scheme: Scheme, layers: tuple[str, ...]) -> str | None:
    """A matrix is a linear layer's or an embedding's, which is enough where a scheme is for both."""
    if weight.name not in _WEIGHTS or weight.tensor.ndim < 2:
        return _NO_WEIGHT
    kinds = {2: {LINEAR, EMBEDDING}, 3: {CONVOLUTION, EXPERTS}}.get(weight.tensor.ndim, {CONVOLUTION})
    if not kinds & set(layers):
        return NO_LAYER
    by_channel = scheme.groups == "channel" and CONVOLUTION in kinds  # the second dimension of a transposed one
    return None if kinds <= set(layers) and not by_channel else _NO_CLASS


def _why_not(weight: Weight, module: Module, scheme: Scheme, is_of_mixture: bool, is_stack: bool) -> str | None:
    if weight.packing is not None:
        return f"is stored as {weight.packing.format} already"
    if not weight.tensor.is_float or weight.tensor.is_complex:
        return f"its dtype is {weight.tensor.dtype}"
    if scheme.layers is None:
        return None
    if not module.kind:
        return _why_not_without_class(weight, scheme, scheme.layers)
    family = EXPERTS if is_of_mixture else _family(module)
    if family is not None and not (is_stack if is_of_mixture else weight.name in _WEIGHTS):
        return _NO_WEIGHT
    if family in scheme.layers:
        return None
    return _WHY_NOT.get(family or "", NO_LAYER)


def _family(module: Module) -> str | None:
    return next((_FAMILIES[cls] for cls in textbook_classes(module) if cls in _FAMILIES), None)
