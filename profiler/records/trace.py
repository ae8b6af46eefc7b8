"""What does a trace hold? Plain, frozen, JSON-able facts; nothing derived, nothing of torch.

A `Trace` says what happened when a model ran once: which operators were called with which shapes, which module each
call belongs to, what the parameters and buffers are, and when each piece of memory was allocated and released.
Parameters, FLOPs and megabytes are derived from it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple, TypeAlias

SCHEMA = 1
# Sources of graphs without the model's code: its modules' settings, and how it came to an operator, are not known.
GRAPHS = ("exported", "onnx")

# Bits one element takes in memory, by torch's name of the dtype without "torch.".
DTYPE_BITS: Mapping[str, int] = {
    "bool": 8, "uint8": 8, "int8": 8, "uint16": 16, "int16": 16, "uint32": 32, "int32": 32, "uint64": 64, "int64": 64,
    "float16": 16, "bfloat16": 16, "float32": 32, "float64": 64,
    "complex32": 32, "complex64": 64, "complex128": 128,
    "float8_e4m3fn": 8, "float8_e4m3fnuz": 8, "float8_e5m2": 8, "float8_e5m2fnuz": 8, "float8_e8m0fnu": 8,
    "float4_e2m1fn_x2": 8, "qint8": 8, "quint8": 8, "qint32": 32, "quint4x2": 4, "quint2x4": 2,
    **{f"{sign}int{bits}": 8 for sign in ("", "u") for bits in range(1, 8)},
    "bits8": 8, "bits16": 16, "bits1x8": 8, "bits2x4": 8, "bits4x2": 8,
}  # fmt: skip


NESTED = "nested"  # the form of tensors that consist of tensors of several shapes


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's shape, dtype (`"float32"`) and strides (None: row-major); its values are never kept.

    `form` is how it is kept where that is not one block: "sparse_coo" and its like in the `parts` that hold its values
    and indices, "nested" in the tensors that it consists of (its shape is then that which all of them fit in).
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...] | None = None
    form: str | None = None
    parts: tuple[Tensor, ...] = ()

    @property
    def numel(self) -> int:
        return sum(part.numel for part in self.parts) if self.form == NESTED else prod(self.shape)

    @property
    def stored(self) -> int:
        """How many elements are there: of a sparse tensor those that are kept."""
        return self.parts[0].numel if self.is_sparse else self.numel

    @property
    def is_sparse(self) -> bool:
        return self.form is not None and self.form != NESTED

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_contiguous(self) -> bool:
        """Row-major but for dimensions of size 1, whose strides are of no consequence."""
        if self.strides is None or 0 in self.shape:
            return True
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    @property
    def size_bytes(self) -> int:
        if self.form is not None:
            return sum(part.size_bytes for part in self.parts)
        return (self.numel * DTYPE_BITS[self.dtype] + 7) // 8

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat", "complex"))

    @property
    def is_complex(self) -> bool:
        return self.dtype.startswith("complex")


# What an operator takes and gives, with tensors reduced to their shapes. Dtypes, devices and layouts are strings.
Value: TypeAlias = "Tensor | bool | int | float | complex | str | tuple[Value, ...] | None"


def tensors(value: object) -> Iterator[Tensor]:
    """Every tensor inside a value, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from tensors(item)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Signature:
    """One way an operator was called: its name, its arguments and what it returned. Identical calls share one.

    `args` and `kwargs` follow the operator's schema, without the trailing arguments that had their default value.
    `inside_bytes` is the most that is alive at once inside an operator that is made of others and was kept whole, what
    it returns included; 0 for all others.
    """

    op: str
    args: tuple[Value, ...]
    kwargs: tuple[tuple[str, Value], ...]
    output: Value
    inside_bytes: int = 0


METHOD = "torch.Tensor"
KEPT = ""


class Caller(NamedTuple):
    """How the model's code came to an operator.

    `functions` are the Python functions of `torch.nn.functional` and `torch.functional` between the two, innermost
    first; `is_sign` is whether the code has a sign there, such as `@` or `+`, and not a call. `is_enclosed` is whether
    all this is inside of a `torch.autograd.Function` that the model's code applies. `source` is where the code looked
    the outermost function up as it called it: a module's name, `METHOD` where it is a tensor's method, `KEPT` where it
    was bound before, by an import of the name, as an attribute or in a partial; None where that is not known.
    """

    functions: tuple[str, ...]
    is_sign: bool
    is_enclosed: bool = False
    source: str | None = None


class Call(NamedTuple):
    """One operator call.

    `module` indexes `Trace.modules`, `caller` `Trace.callers`; `reads` and `writes` index `Trace.storages`.
    """

    signature: int
    module: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    caller: int = 0


class Composite(NamedTuple):
    """An operator that was taken apart: the calls `first` up to, without, `last` are its parts.

    Those that the model's code called itself, while `module` was running; what such an operator is made of may be
    taken apart again.
    """

    signature: int
    module: int
    first: int
    last: int
    caller: int


@dataclass(slots=True)
class Storage:
    """A piece of memory. Times are positions in `Trace.calls`.

    `born` is the call that allocated it (-1: it was there before). `died` is the number of calls that had been made
    when it was released (None: it outlived the forward pass). `role` is "parameter", "buffer", "input",
    "gradient" (of a parameter), "state" (of an optimizer), "cache" (of the tokens that were read before the run) or
    "activation", which is whatever else is allocated. A cache is the model's own to replace, so it may die in the run.
    """

    size_bytes: int
    role: str
    born: int
    died: int | None = None


_DOT = r"\u002e"


def path_part(name: str) -> str:
    """A child's name as a part of a path, which is taken apart at its dots: a dot in the name is as in JSON.

    torch refuses such names in `add_module`, and takes them by `setattr`.
    """
    return name.replace(".", _DOT)


def state_name(path: str, name: str) -> str:
    """What a state_dict calls a parameter or buffer."""
    return f"{path}.{name}".replace(_DOT, ".") if path else name


class Module(NamedTuple):
    """One module at one path (the root's path is ""). `same_as` is the index of the first path to a shared module.

    `classes` are the qualified names of its class and its ancestors up to, without, `torch.nn.Module`; `attributes`
    are its plain settings (`in_channels`, `kernel_size`, ...), as a mapping's items.
    """

    path: str
    classes: tuple[str, ...]
    attributes: tuple[tuple[str, Value], ...]
    same_as: int | None = None

    @property
    def kind(self) -> str:
        return self.classes[0].rpartition(".")[2]


class Packing(NamedTuple):
    """What a tensor stands for whose elements are not its weights one by one.

    `format` is its name ("q4_k", "nf4", "gptq-4bit", "qint8", ...), `shape` that of the weights it holds; None for what
    only helps to unpack others (scales, zero points, group indices) and holds none itself.
    """

    format: str
    shape: tuple[int, ...] | None = None


class Weight(NamedTuple):
    """A parameter or a buffer, registered as `name` in `Trace.modules[module]`.

    `storage` indexes `Trace.storages`, and so does `gradient`, which a training step made for it. `same_as` is the
    index, in the same list, of the first name of a tied tensor. `persistent` is whether a state_dict holds it.
    `tensor` is what is stored; where that is packed, `packing` says what it stands for. `registered` is whether it is
    a parameter to torch as well: weights in packed objects, and packed ones among buffers, are not. `zeros` is how many
    of its weights are zero, where somebody asked.
    """

    module: int
    name: str
    tensor: Tensor
    storage: int
    trainable: bool = False
    persistent: bool = True
    same_as: int | None = None
    gradient: int | None = None
    packing: Packing | None = None
    registered: bool = True
    zeros: int | None = None

    @property
    def numel(self) -> int:
        """How many weights it is to a user, however they are stored."""
        if self.packing is None:
            return self.tensor.numel
        return 0 if self.packing.shape is None else prod(self.packing.shape)


class Cached(NamedTuple):
    """A tensor in the cache of tokens that the run returned: keys, values, a state.

    `path` is where it is ("cache.layers.3.keys"), `owner` the class of the object that has it; `storage`
    indexes `Trace.storages`, and may hold more than the tensor.
    """

    path: str
    owner: str
    tensor: Tensor
    storage: int


class ModuleCall(NamedTuple):
    """One call of a module: operator calls `first` up to, without, `last` happened inside it.

    `keywords` name the last of the `inputs`, those that were not positional.
    """

    module: int
    first: int
    last: int
    inputs: Value
    output: Value
    keywords: tuple[str, ...] = ()


class Besides(NamedTuple):
    """Tensors of a file that are no weights of the model: `what` they are ("optimizer state"), and how many."""

    what: str
    tensors: int
    numel: int
    size_bytes: int


class Doubt(NamedTuple):
    """A packed weight whose header allows several readings: what it `says`, and how many weights the largest has `more`
    than are counted; None where nobody can tell.
    """

    weight: str
    says: str
    more: int | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What a file without code says of itself beside its weights.

    `wrapper` is what stands before the weights' names in the file ("state_dict", "module."), outermost first. `is_ema`
    is whether they are a moving average of the weights, which are not there themselves.
    `size_bytes` is that of all its `files`. `doubts` are weights of which it does not say how many they are.
    """

    format: str
    files: int
    size_bytes: int
    wrapper: tuple[str, ...] = ()
    besides: tuple[Besides, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    is_ema: bool = False
    doubts: tuple[Doubt, ...] = ()

    @property
    def most_more(self) -> int | None:
        """How many parameters more than are counted there may be; None where nobody can tell."""
        several = [doubt.more for doubt in self.doubts]
        return None if None in several else sum(more for more in several if more is not None)


NOT_RUN = "none"  # the engine of what was read and not run
FORWARD, BACKWARD, RECOMPUTE, UPDATE = "forward", "backward", "recompute", "update"


class Phase(NamedTuple):
    """Operator calls `first` up to, without, `last` of a training step: a stretch of one of its kinds.

    "recompute" is what activation checkpointing runs again amid the backward pass, "update" is the optimizer's.
    """

    kind: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor the model was fed: its keyword or nested name (None when positional), shape and dtype."""

    name: str | None
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything recorded about one forward pass, or one training step. See the module's opening text.

    `outputs` are the storages of the tensors that the model returned. `phases` are those of a training step, in order;
    none in inference. `asked` is what the user wanted otherwise than usual: a dtype, an optimizer, ...
    `cache` is what the model returned for the next run to go on from. `header` is there where a file was read that
    holds no code: then nothing ran, and what a run would tell is not known. `notes` are sentences about what was found:
    what an exporter did to the model, which shapes are not known.
    """

    model: str
    source: str
    engine: str
    inputs: tuple[Input, ...]
    modules: tuple[Module, ...]
    parameters: tuple[Weight, ...]
    buffers: tuple[Weight, ...]
    signatures: tuple[Signature, ...]
    calls: tuple[Call, ...]
    callers: tuple[Caller, ...]
    composites: tuple[Composite, ...]
    module_calls: tuple[ModuleCall, ...]
    storages: tuple[Storage, ...]
    outputs: tuple[int, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
    phases: tuple[Phase, ...] = ()
    asked: Mapping[str, Value] = field(default_factory=dict)
    cache: tuple[Cached, ...] = ()
    header: Header | None = None
    notes: tuple[str, ...] = ()

    @property
    def was_run(self) -> bool:
        return self.engine != NOT_RUN

    @property
    def is_graph(self) -> bool:
        """Whether it is of a graph alone, without the model's code."""
        return self.source in GRAPHS


def known(figure: int | None) -> int:
    """A figure of a model that was run."""
    assert figure is not None, "nothing ran"
    return figure
