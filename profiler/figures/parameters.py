"""The parameter walkers: a layer's textbook parameter count with the numbers put in, checked against its tensors.

A walker is a short function from a layer's settings to the formula a textbook gives for its kind:

    @walker(*torch_nn("linear", "Linear"))
    def linear(a: Settings, names: Names) -> Count:
        return plus(product("in out", a.number("in_features"), a.number("out_features")), _bias(names, "out", ...))

A module is known by the nearest of its ancestors that has a walker, so a subclass (timm's `BatchNormAct2d`) is counted
as the kind it extends. The tensors are always right about the count; the formula says what it should have been, and
`Counted.agrees` whether it is: a subclass with a parameter of its own, a weight norm or packed quantised weights are
not the textbook layer, and `Counted.remark` says in what.

What a walker cannot know: whether a layer was meant to have a bias. The bias of most layers is not a setting but a
tensor that is there or not, so a bias that lives in a child module (a parametrised one) is missing from both sides. Nor
does it see values: what a pruning mask zeroes still counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from profiler.ops.cost import Count, Factors, product
from profiler.records.trace import Module, Value, Weight

Names: TypeAlias = frozenset[str]
Walker: TypeAlias = "Callable[[Settings, Names], Count | None]"

NONE = Count(())


@dataclass(frozen=True, slots=True)
class Counted:
    """A layer's own parameters, its children's left out, counted twice: by its kind's formula and by its tensors.

    kind: the textbook kind ("Conv2d"); the class's own name where no formula is known.
    formula: None where the kind has no textbook formula.
    actual: weights in the layer's own parameter tensors, those it shares with another layer included.
    remark: one sentence for a person, "" when there is nothing to say.
    """

    kind: str
    formula: Count | None
    actual: int
    remark: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether formula and tensors give the same count; None when there is no formula."""
        return None if self.formula is None else self.formula == self.actual


class SettingError(LookupError):
    """A layer does not have a setting that its kind always has, or has it as something else."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A layer's recorded attributes, read by type."""

    values: Mapping[str, Value]

    def number(self, name: str) -> int:
        value = self.values.get(name)
        if not isinstance(value, int):
            raise SettingError(name)
        return int(value)

    def sizes(self, name: str, rank: int = 1) -> tuple[int, ...]:
        """A size in every dimension: `3` stands for `(3, 3)` when the rank is 2."""
        value = self.values.get(name)
        if isinstance(value, int):
            return (int(value),) * rank
        if not isinstance(value, tuple):
            raise SettingError(name)
        numbers = tuple(item for item in value if isinstance(item, int))
        if len(numbers) != len(value):
            raise SettingError(name)
        return numbers

    def flag(self, name: str) -> bool:
        return bool(self.number(name))


def torch_nn(file: str, classes: str) -> tuple[str, ...]:
    """Qualified names of torch.nn classes: `torch_nn("conv", "Conv1d Conv2d")`."""
    return tuple(f"torch.nn.modules.{file}.{name}" for name in classes.split())


_walkers: dict[str, Walker] = {}
_files: dict[str, Walker] = {}


def walker(*names: str) -> Callable[[Walker], Walker]:
    """Register the formula of layer kinds by their qualified class names."""
    return _register(_walkers, names)


def walker_of_file(*files: str) -> Callable[[Walker], Walker]:
    """Register the formula of every class in a file of torch.nn.modules that has none of its own."""
    return _register(_files, [f"torch.nn.modules.{file}" for file in files])


def _register(table: dict[str, Walker], names: Iterable[str]) -> Callable[[Walker], Walker]:
    def register(function: Walker) -> Walker:
        for name in names:
            if name in table:
                raise ValueError(f"{name} has a parameter formula already")
            table[name] = function
        return function

    return register


def count(module: Module, own: Sequence[Weight]) -> Counted:
    """Count a module's own parameters; `own` are the parameters registered on it directly."""
    actual = sum(weight.numel for weight in own)
    kind, function = _textbook(module)
    try:
        formula = function(Settings(dict(module.attributes)), _textbook_names(own))
    except SettingError as setting:
        state = "no plain value" if str(setting) in dict(module.attributes) else "not recorded"
        return Counted(module.kind, None, actual, f"its setting {setting} is {state}: counted from its tensors")
    if formula is None:
        return Counted(module.kind, None, actual, _without_formula(module, actual))
    return Counted(kind, formula, actual, _remark(kind, formula, actual, module, own))


def _textbook(module: Module) -> tuple[str, Walker]:
    """The nearest known kind among a module's class and its ancestors, and its formula."""
    for name in textbook_classes(module):
        file, _, kind = name.rpartition(".")
        if function := _walkers.get(name) or _files.get(file):
            return kind, function
    return module.kind, unknown


_QUANTISED = re.compile(r"torch\.ao\.nn\.quantized\.(?:dynamic\.)?modules\.(\w+)\.(\w+)")
_FLOAT_FILES = {"embedding_ops": "sparse"}


def textbook_classes(module: Module) -> tuple[str, ...]:
    """A module's class and its ancestors; torch.ao's quantised layers, which extend none, as their float twins."""
    return tuple(_float_twin(name) for name in module.classes)


def _float_twin(name: str) -> str:
    found = _QUANTISED.fullmatch(name)
    return f"torch.nn.modules.{_FLOAT_FILES.get(found[1], found[1])}.{found[2]}" if found else name


def _textbook_names(own: Sequence[Weight]) -> Names:
    """Pruning and `torch.nn.utils.spectral_norm` keep the parameter `weight` as `weight_orig`: the same, renamed."""
    return frozenset(weight.name.removesuffix("_orig") for weight in own)


# --- formulas -----------------------------------------------------------------------------------------------------


def unknown(a: Settings, names: Names) -> Count | None:
    """A kind that no textbook knows."""
    return None


def plus(*counts: Count) -> Count:
    """The sum of counts, still knowing its terms."""
    return Count(tuple(term for count in counts for term in count.terms))


def _bias(names: Names, letter: str, size: int) -> Count:
    return product(letter, size) if "bias" in names else NONE


def _affine(names: Names, letters: str, *sizes: int) -> Count:
    """A scale, and a shift unless it was left out, for each normalised element. Running statistics are buffers."""
    return product(f"2 {letters}", 2, *sizes) if "bias" in names else product(letters, *sizes)


KERNEL_LETTERS = {1: "k", 2: "kh kw", 3: "kd kh kw"}


def _kernel(a: Settings) -> Count:
    kernel = a.sizes("kernel_size")
    return product(KERNEL_LETTERS[len(kernel)], *kernel)


def _times(first: Count, second: Count) -> Count:
    """The product of two single products."""
    return Count((first.terms[0] + second.terms[0],))


@walker(*torch_nn("conv", "Conv1d Conv2d Conv3d"))
def convolution(a: Settings, names: Names) -> Count:
    """A kernel for each output channel, over the input channels of its group; weight Cout x Cin/g x kh x kw."""
    outs = a.number("out_channels")
    channels = product("Cin/g Cout", a.number("in_channels") // a.number("groups"), outs)
    return plus(_times(_kernel(a), channels), _bias(names, "Cout", outs))


@walker(*torch_nn("conv", "ConvTranspose1d ConvTranspose2d ConvTranspose3d"))
def transposed_convolution(a: Settings, names: Names) -> Count:
    """A convolution read backwards: weight Cin x Cout/groups x kh x kw."""
    outs = a.number("out_channels")
    channels = product("Cin Cout/groups", a.number("in_channels"), outs // a.number("groups"))
    return plus(_times(_kernel(a), channels), _bias(names, "Cout", outs))


@walker(*torch_nn("linear", "Linear"))
def linear(a: Settings, names: Names) -> Count:
    outs = a.number("out_features")
    return plus(product("in out", a.number("in_features"), outs), _bias(names, "out", outs))


@walker(*torch_nn("linear", "Bilinear"))
def bilinear(a: Settings, names: Names) -> Count:
    """x1ᵀ A x2 + b, with one matrix A for each output."""
    outs = a.number("out_features")
    matrices = product("in1 in2 out", a.number("in1_features"), a.number("in2_features"), outs)
    return plus(matrices, _bias(names, "out", outs))


@walker(*torch_nn("batchnorm", "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm"))
@walker(*torch_nn("instancenorm", "InstanceNorm1d InstanceNorm2d InstanceNorm3d"))
def channel_norm(a: Settings, names: Names) -> Count:
    return _affine(names, "C", a.number("num_features")) if a.flag("affine") else NONE


@walker(*torch_nn("normalization", "GroupNorm"))
def group_norm(a: Settings, names: Names) -> Count:
    """One scale and shift a channel, not a group (Wu and He 2018, arXiv:1803.08494, equation 6)."""
    return _affine(names, "C", a.number("num_channels")) if a.flag("affine") else NONE


@walker(*torch_nn("normalization", "LayerNorm RMSNorm"))
def layer_norm(a: Settings, names: Names) -> Count:
    """One scale, and for LayerNorm one shift, for each element of the normalised shape d1 x d2 x ..."""
    shape = a.sizes("normalized_shape")
    letters = " ".join(f"d{i}" for i in range(1, len(shape) + 1)) if len(shape) > 1 else "d"
    return _affine(names, letters, *shape) if a.flag("elementwise_affine") else NONE


@walker(*torch_nn("sparse", "Embedding EmbeddingBag"))
def embedding(a: Settings, names: Names) -> Count:
    """A vector for each word. The padding word's, which stays zero, is stored like the others."""
    return product("words dim", a.number("num_embeddings"), a.number("embedding_dim"))


GATES: Mapping[str, Factors] = {"LSTM": (("4", 4),), "GRU": (("3", 3),), "RNN_TANH": (), "RNN_RELU": ()}


@walker(*torch_nn("rnn", "RNN LSTM GRU RNNBase"))
def recurrent(a: Settings, names: Names) -> Count:
    """L layers, in D = 2 directions if bidirectional, each one cell.

    The first layer is fed the input, a deeper one the states of all directions below. The state has H elements, or,
    in an LSTM with a projection (Sak et al. 2014, arXiv:1402.1128), R.
    """
    mode = a.values.get("mode")
    if not isinstance(mode, str) or mode not in GATES:
        raise SettingError("mode")
    hidden, projection = ("H", a.number("hidden_size")), a.number("proj_size") if "proj_size" in a.values else 0
    state = ("R", projection) if projection else hidden
    directions: Factors = (("D", 2),) if a.flag("bidirectional") else ()
    deeper: Factors = (("(L-1)", a.number("num_layers") - 1), *directions)
    cell = _Cell(GATES[mode], hidden, state, a.flag("bias"))
    first = cell.count(directions, (("in", a.number("input_size")),))
    return plus(first, cell.count(deeper, (*directions, state))) if deeper[0][1] else first


@walker(*torch_nn("rnn", "RNNCell"))
def rnn_cell(a: Settings, names: Names) -> Count:
    return _single_cell(a, GATES["RNN_TANH"])


@walker(*torch_nn("rnn", "LSTMCell"))
def lstm_cell(a: Settings, names: Names) -> Count:
    return _single_cell(a, GATES["LSTM"])


@walker(*torch_nn("rnn", "GRUCell"))
def gru_cell(a: Settings, names: Names) -> Count:
    return _single_cell(a, GATES["GRU"])


def _single_cell(a: Settings, gates: Factors) -> Count:
    hidden = ("H", a.number("hidden_size"))
    return _Cell(gates, hidden, hidden, a.flag("bias")).count((), (("in", a.number("input_size")),))


@dataclass(frozen=True, slots=True)
class _Cell:
    """Each gate is one linear layer on the input and one on the state. torch, after cuDNN, gives both a bias."""

    gates: Factors
    hidden: tuple[str, int]
    state: tuple[str, int]
    has_bias: bool

    def count(self, copies: Factors, fed: Factors) -> Count:
        gates = (*copies, *self.gates, self.hidden)
        biases = ((*copies, ("2", 2), *self.gates, self.hidden),) if self.has_bias else ()
        projection = ((*copies, self.hidden, self.state),) if self.state != self.hidden else ()
        return Count(((*gates, *fed), (*gates, self.state), *biases, *projection))


@walker(*torch_nn("activation", "MultiheadAttention"))
def multihead_attention(a: Settings, names: Names) -> Count:
    """Projections of query, key and value to the width E, whatever the number of heads (Vaswani et al. 2017,
    arXiv:1706.03762, section 3.2.2). The output projection is the child module `out_proj`, counted there.
    """
    width, keys, values = a.number("embed_dim"), a.number("kdim"), a.number("vdim")
    fused = product("3 E E", 3, width, width)
    separate = (product("E E", width, width), product("E Ek", width, keys), product("E Ev", width, values))
    weights = (fused,) if keys == values == width else separate
    biases = product("3 E", 3, width) if "in_proj_bias" in names else NONE
    extra_token = product("2 E", 2, width) if "bias_k" in names else NONE
    return plus(*weights, biases, extra_token)


@walker(*torch_nn("activation", "PReLU"))
def prelu(a: Settings, names: Names) -> Count:
    """One slope for all channels, or one for each (He et al. 2015, arXiv:1502.01852)."""
    return product("slopes", a.number("num_parameters"))


@walker_of_file("activation", "pooling", "dropout", "padding", "flatten", "fold", "upsampling", "pixelshuffle")
@walker_of_file("channelshuffle", "distance", "loss")
@walker(*torch_nn("linear", "Identity"), *torch_nn("normalization", "LocalResponseNorm CrossMapLRN2d"))
def parameterless(a: Settings, names: Names) -> Count:
    return NONE


@walker_of_file("container", "transformer", "adaptive")
@walker("torch.nn.parallel.data_parallel.DataParallel", "torch.nn.parallel.distributed.DistributedDataParallel")
def container(a: Settings, names: Names) -> Count | None:
    """Nothing of its own. One that does hold parameters (`ParameterList`, somebody's subclass) is in no textbook."""
    return None if names else NONE


# --- remarks ------------------------------------------------------------------------------------------------------

# The names torch.nn itself gives to parameters.
TEXTBOOK_NAME = re.compile(r"([qkv]_proj_|in_proj_)?(weight|bias)(_ih|_hh|_hr|_k|_v)?(_l\d+(_reverse)?)?(_orig)?")


def _without_formula(module: Module, actual: int) -> str:
    return f"{module.kind} has no textbook formula: counted from its tensors alone" if actual else ""


def _remark(kind: str, formula: Count, actual: int, module: Module, own: Sequence[Weight]) -> str:
    if formula != actual:
        reason = _reason(kind, formula, module, own)
        return f"the tensors hold {actual:,}, the formula {int(formula):,}: {reason}"
    shared = [weight.name for weight in own if weight.same_as is not None]
    if shared:
        return f"{', '.join(shared)} shared with an earlier layer, where the totals count it"
    renamed = [weight.name for weight in own if weight.name.endswith("_orig")]
    if renamed:
        return f"computed from {', '.join(renamed)} (pruned or normalised); elements that a mask zeroes count too"
    return ""


def _reason(kind: str, formula: Count, module: Module, own: Sequence[Weight]) -> str:
    names = {weight.name for weight in own}
    if {"weight_g", "weight_v"} <= names:
        return "weight norm keeps a length weight_g beside the direction weight_v"
    if module.classes[0].startswith("torch.nn.utils.parametrize."):
        return "it is parametrised, its child parametrizations holds what its tensors are computed from"
    packed = sorted({weight.tensor.dtype for weight in own if not weight.tensor.is_float})
    if packed:
        return f"it stores {', '.join(packed)}, which may pack several quantised weights into one element"
    return _extra(kind, formula, own) or _missing(own)


def _extra(kind: str, formula: Count, own: Sequence[Weight]) -> str:
    extra = [w for w in own if not formula or not TEXTBOOK_NAME.fullmatch(w.name)]
    listed = ", ".join(f"{weight.name} ({weight.numel:,})" for weight in extra)
    return f"it holds {listed} besides what a textbook {kind} holds" if extra else ""


def _missing(own: Sequence[Weight]) -> str:
    if not own:
        return "it has no parameters of its own, they were removed, made buffers or moved to another module"
    return "its tensors do not have the shapes that its settings announce (replaced, resized or sharded)"
