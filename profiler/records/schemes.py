"""How are quantised weights stored? Named schemes as facts: bits, groups, what is kept for each group, of which layers.

What a scheme leaves alone stays in the dtype that it has: biases, norms, and whatever its tool does not replace.
`nn.MultiheadAttention` reads the weights of its projections itself, so tools that replace layers do not reach them;
tools that rewrite a graph or a file do. Experts of a mixture may be layers each, or one parameter that holds all their
matrices; for such a stack every scheme says which tool quantises it, or why none does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple, TypeAlias

from profiler import errors

LINEAR, CONVOLUTION, EMBEDDING, ATTENTION = "linear", "convolution", "embedding", "attention"
EXPERTS = "experts"  # stacked: one parameter has a matrix for each
Groups: TypeAlias = Literal["tensor", "channel", "row", "flat"]


_OUTPUTS_SECOND = ("transformers.pytorch_utils.Conv1D", "torch.nn.modules.conv.ConvTranspose")


def has_outputs_second(classes: Iterable[str]) -> bool:
    """Whether the outputs of a layer's weight are its second dimension. classes: its own and those it extends."""
    return any(cls.startswith(_OUTPUTS_SECOND) for cls in classes)


class Matrices(NamedTuple):
    """What a parameter holds: a matrix, or a `number` of them, each with so many outputs of so many weights."""

    outputs: int
    inputs: int
    number: int = 1


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are stored.

    bits: of one weight. groups: what has a scale of its own: the tensor (each matrix of a stack), each output channel,
        each `block` weights of a row (an output channel's weights), or each `block` weights of the tensor laid flat,
        whose last may be short.
    scale_bits, zero_bits: kept for each group. nested: where scales are quantised themselves, how many of them share
        another scale, of 32 bits.
    tensor_bytes: kept once for each tensor, such as a codebook.
    whole_blocks: a row that does not divide into blocks is not quantised. outputs_by: of what the number of output
        channels has to be a multiple.
    layers: whose weights; None: every floating-point parameter, which is then a plain cast.
    experts: what becomes of stacked experts, and by which tool.
    multiplied: the dtype that kernels for it can multiply in, with activations that are quantised as well; None: they
        unpack weights into the activations' dtype.
    """

    name: str
    bits: int
    groups: Groups = "tensor"
    block: int = 0
    scale_bits: int = 0
    zero_bits: int = 0
    nested: int = 0
    tensor_bytes: int = 0
    whole_blocks: bool = False
    outputs_by: int = 1
    layers: tuple[str, ...] | None = (LINEAR,)
    multiplied: str | None = None
    says: str = ""
    source: str = ""
    experts: str = ""


_FILES = (LINEAR, EMBEDDING, ATTENTION, EXPERTS)
_GGUF = "row by row, as llama.cpp quantises 3-d tensors (tensor_allows_quantization in src/llama-quant.cpp)"
_BITSANDBYTES = (
    "laid flat, as bitsandbytes.nn.parametrize.replace_parameter_4bit does it; load_in_4bit of transformers 5 replaces "
    "nn.Linear alone and leaves them (github.com/bitsandbytes-foundation/bitsandbytes/issues/1849)"
)

SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("fp16", 16, layers=None, says="every parameter cast to float16", source="torch.Tensor.half"),
        Scheme("bf16", 16, layers=None, says="every parameter cast to bfloat16", source="torch.Tensor.bfloat16"),
        Scheme(
            "fp8",
            8,
            "tensor",
            scale_bits=32,
            multiplied="float8",
            layers=(LINEAR, EXPERTS),
            says="float8_e4m3fn with one float32 scale a tensor, as vLLM keeps static FP8",
            source="https://docs.vllm.ai/en/stable/features/quantization/fp8/",
            experts="one scale for each expert's matrix, as vLLM keeps them (CompressedTensorsW8A8Fp8MoEMethod)",
        ),
        Scheme(
            "int8",
            8,
            "channel",
            scale_bits=32,
            layers=(LINEAR, CONVOLUTION, EXPERTS),
            multiplied="int8",
            says="symmetric, one float32 scale an output channel, as torch.ao's default qconfig for weights has it",
            source="torch.ao.quantization.default_per_channel_weight_observer",
            experts="one scale for each output channel of each expert, as vLLM keeps them "
            "(CompressedTensorsW8A8Int8MoEMethod)",
        ),
        Scheme(
            "int8-tensor",
            8,
            "tensor",
            scale_bits=32,
            zero_bits=8,
            layers=(LINEAR, CONVOLUTION, EMBEDDING, ATTENTION),
            multiplied="int8",
            says="affine, one float32 scale and one int8 zero point a tensor, ONNX Runtime's default",
            source="https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html",
            experts="left as they are, for ONNX Runtime's tool has no rule for MoE nodes "
            "(onnxruntime/python/tools/quantization/registry.py)",
        ),
        Scheme(
            "int4",
            4,
            "row",
            block=128,
            scale_bits=16,
            zero_bits=4,
            whole_blocks=True,
            outputs_by=8,
            layers=(LINEAR, EXPERTS),
            says="a float16 scale and a 4-bit zero point for 128 weights of a row, as AWQ packs them (qweight, qzeros, "
            "scales); eight outputs share a word",
            source="AutoAWQ, WQLinear_GEMM in awq/modules/linear/gemm.py; Lin et al. 2023, arXiv:2306.00978",
            experts="each expert packed by itself, as vLLM loads them (AWQMoEMethod in awq_marlin.py)",
        ),
        Scheme(
            "nf4",
            4,
            "flat",
            block=64,
            scale_bits=32,
            tensor_bytes=4 * 16,
            layers=(LINEAR, EXPERTS),
            says="NormalFloat with a float32 absmax for 64 weights, and a codebook of 16 float32 a tensor; the last "
            "block may be short, and has an absmax all the same",
            source="bitsandbytes.functional.quantize_4bit; Dettmers et al. 2023, arXiv:2305.14314",
            experts=_BITSANDBYTES,
        ),
        Scheme(
            "nf4-double",
            4,
            "flat",
            block=64,
            scale_bits=8,
            nested=256,
            tensor_bytes=4 * (16 + 256 + 1),
            layers=(LINEAR, EXPERTS),
            says="as nf4, with absmax in 8 bits, a float32 absmax for 256 of those, their codebook of 256 float32 and "
            "their float32 offset",
            source="bitsandbytes.functional.quantize_4bit(compress_statistics=True); arXiv:2305.14314, section 3",
            experts=_BITSANDBYTES,
        ),
        Scheme(
            "mxfp4",
            4,
            "row",
            block=32,
            scale_bits=8,
            whole_blocks=True,
            multiplied="float4",
            layers=(LINEAR, EXPERTS),
            says="E2M1 with an 8-bit power of two for 32 weights of a row: 17 bytes a block",
            source="OCP Microscaling Formats (MX) Specification 1.0, section 5",
            experts="row by row, as gpt-oss has them (Mxfp4GptOssExperts in transformers/integrations/mxfp4.py)",
        ),
        Scheme(
            "q8_0",
            8,
            "row",
            block=32,
            scale_bits=16,
            whole_blocks=True,
            layers=_FILES,
            multiplied="int8",
            says="a float16 scale for 32 weights of a row: 34 bytes a block",
            source="GGUF: block_q8_0 in ggml/src/ggml-common.h of llama.cpp",
            experts=_GGUF,
        ),
        Scheme(
            "q4_0",
            4,
            "row",
            block=32,
            scale_bits=16,
            whole_blocks=True,
            layers=_FILES,
            multiplied="int8",
            says="a float16 scale for 32 weights of a row: 18 bytes a block",
            source="GGUF: block_q4_0 in ggml/src/ggml-common.h of llama.cpp",
            experts=_GGUF,
        ),
        Scheme(
            "q4_K",
            4,
            "row",
            block=256,
            scale_bits=2 * 16 + 8 * 12,
            whole_blocks=True,
            layers=_FILES,
            multiplied="int8",
            says="two float16 and twelve bytes of 6-bit scales and minima for 256 weights of a row: 144 bytes a block",
            source="GGUF: block_q4_K in ggml/src/ggml-common.h of llama.cpp",
            experts=_GGUF,
        ),
    )
}


def named(name: str) -> Scheme:
    """Raises `errors.ProfileError`."""
    if name not in SCHEMES:
        raise _no_such_scheme(name, SCHEMES)
    return SCHEMES[name]


def _over(number: int, by: int) -> int:
    """Divided and rounded up."""
    return -(-number // by)


def value_bytes(scheme: Scheme, matrices: Matrices) -> int:
    """The weights themselves, packed."""
    return _over(prod(matrices) * scheme.bits, 8)


def scale_bytes(scheme: Scheme, matrices: Matrices) -> int:
    """Scales, zero points, and what is kept once for the tensor."""
    channels = matrices.number * matrices.outputs
    groups = {
        "tensor": matrices.number,
        "channel": channels,
        "row": channels * _over(matrices.inputs, scheme.block) if scheme.block else 0,
        "flat": _over(prod(matrices), scheme.block) if scheme.block else 0,
    }[scheme.groups]
    nested = 4 * _over(groups, scheme.nested) if scheme.nested else 0
    return _over(groups * (scheme.scale_bits + scheme.zero_bits), 8) + nested + scheme.tensor_bytes


def refusal(scheme: Scheme, matrices: Matrices) -> str | None:
    """Why matrices cannot be stored so, or None."""
    if scheme.whole_blocks and matrices.inputs % scheme.block:
        return f"its rows of {matrices.inputs} are no multiple of {scheme.block}"
    if matrices.outputs % scheme.outputs_by:
        return f"its {matrices.outputs} outputs are no multiple of {scheme.outputs_by}"
    return None


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_scheme(name: str, names: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"no scheme for weights is called {name!r}; choose from {', '.join(names)}")
