"""Quantised weights: bytes as products, and as real tensors that are packed in the layouts of the schemes."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from math import ceil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from profiler import Profile, ProfileError, profile
from profiler.answers.weights.compute import Quantised, overview
from profiler.answers.weights.table import folded
from profiler.records.schemes import EXPERTS, SCHEMES, Matrices, scale_bytes, value_bytes
from profiler.render import FORMATS, renderer
from tests import snapshots
from tests.shell import run

IN, OUT = 256, 96  # a multiple of every block, and of 8


class Net(nn.Module):
    """A layer of each kind that matters."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, IN)
        self.norm = nn.LayerNorm(IN)
        self.attention = nn.MultiheadAttention(IN, 4, batch_first=True)
        self.first = nn.Linear(IN, OUT)
        self.odd = nn.Linear(OUT, 10)  # rows of 96 fit blocks of 32 and no others; 10 outputs are no multiple of 8
        self.up = nn.ConvTranspose2d(OUT, 6, 3, groups=2)
        self.tied = nn.Linear(IN, 50, bias=False)
        self.tied.weight = self.embed.weight
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.embed(tokens))
        x = self.first(self.attention(x, x, x)[0])
        self.up(x[:, :, :, None].transpose(1, 2))
        return self.odd(x) * self.scale.sum()


PARAMS = {
    "embed": 50 * IN, "norm": 2 * IN, "in_proj": 3 * IN * IN + 3 * IN, "out_proj": IN * IN + IN,
    "first": IN * OUT + OUT, "odd": OUT * 10 + 10, "up": OUT * 3 * 9 + 6, "scale": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def net():
    return profile(Net(), "2x7:int64")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)


def stored(found, path: str, name: str = "weight") -> int:
    (one,) = [one for one in found.parameters if (one.path, one.name) == (path, name)]
    assert one.why is None, one.why
    return one.stored_bytes


# Bytes ----------------------------------------------------------------------------------------------------------------

LINEAR = {
    "fp16": 2 * IN * OUT,
    "bf16": 2 * IN * OUT,
    "fp8": IN * OUT + 4,
    "int8": IN * OUT + 4 * OUT,
    "int8-tensor": IN * OUT + 4 + 1,
    "int4": IN * OUT // 2 + 2 * OUT * (IN // 128) + OUT * (IN // 128) // 2,
    "nf4": IN * OUT // 2 + 4 * (IN * OUT // 64) + 4 * 16,
    "nf4-double": IN * OUT // 2 + IN * OUT // 64 + 4 * ceil(IN * OUT / 64 / 256) + 4 * (16 + 256 + 1),
    "mxfp4": 17 * OUT * (IN // 32),
    "q8_0": 34 * OUT * (IN // 32),
    "q4_0": 18 * OUT * (IN // 32),
    "q4_K": 144 * OUT * (IN // 256),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_linear_layer_by_its_formula(net, scheme: str) -> None:
    assert stored(net.weights(scheme), "first") == LINEAR[scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_parameter_is_there_once(net, scheme: str) -> None:
    found = net.weights(scheme)
    assert found.params == sum(PARAMS.values()) == net.totals.params
    assert found.now_bytes == 4 * sum(PARAMS.values()) == net.totals.param_bytes
    assert found.stored_bytes == sum(one.stored_bytes for one in found.parameters)
    assert all(one.stored_bytes == one.now_bytes and one.scale_bytes == 0 for one in found.left_alone)


def test_convolutions_have_a_scale_an_output_channel(net) -> None:
    """A transposed one keeps its outputs, of one group, in its second dimension."""
    assert stored(net.weights("int8"), "up") == OUT * 3 * 9 + 4 * 3
    conv = profile(nn.Conv2d(4, 6, 3, groups=2), (1, 4, 8, 8)).weights("int8")
    assert stored(conv, "") == 6 * 2 * 9 + 4 * 6


def test_a_short_block_has_a_scale_of_its_own() -> None:
    found = profile(nn.Linear(7, 11, bias=False), (1, 7))
    assert stored(found.weights("nf4"), "") == ceil(77 / 2) + 4 * 2 + 4 * 16
    assert stored(found.weights("nf4-double"), "") == ceil(77 / 2) + 2 + 4 + 4 * (16 + 256 + 1)


WHY = {
    "int8": {"embed.weight": "layers", "attention.in_proj_weight": "reads it itself", "odd.bias": "not a weight",
             "norm.weight": "layers", ".scale": "layers", "attention.out_proj.weight": "reads it itself"},
    "int4": {"odd.weight": "its rows of 96 are no multiple of 128", "up.weight": "layers"},
    "mxfp4": {"embed.weight": "layers"},
    "q4_K": {"odd.weight": "its rows of 96 are no multiple of 256", "first.bias": "not a weight"},
    "int8-tensor": {"norm.bias": "layers"},
}  # fmt: skip


@pytest.mark.parametrize("scheme", WHY)
def test_what_is_left_alone_and_why(net, scheme: str) -> None:
    found = {f"{one.path}.{one.name}": one.why for one in net.weights(scheme).left_alone}
    for path, why in WHY[scheme].items():
        assert why in found[path]


def test_outputs_share_words() -> None:
    found = profile(nn.Linear(256, 12, bias=False), (1, 256)).weights("int4")
    assert found.parameters[0].why == "its 12 outputs are no multiple of 8"


def test_files_are_quantised_whole(net) -> None:
    """GGUF and ONNX reach what a layer keeps in a parameter of its own."""
    for scheme in ("q8_0", "int8-tensor"):
        found = net.weights(scheme)
        assert {"embed", "attention", "attention.out_proj", "first", "odd"} <= {one.path for one in found.quantised}
    assert stored(net.weights("q8_0"), "attention", "in_proj_weight") == 34 * 3 * IN * IN // 32


def test_a_tied_weight_belongs_to_the_first_layer(net) -> None:
    assert not [one for one in net.weights("q8_0").parameters if one.path == "tied"]
    assert stored(net.weights("q8_0"), "embed") == 34 * 50 * IN // 32


def test_what_is_now_depends_on_the_dtype() -> None:
    found = profile(nn.Linear(IN, OUT), (1, IN), dtype="float16").weights("int8")
    assert found.now_bytes == 2 * (IN * OUT + OUT)
    assert found.stored_bytes == IN * OUT + 4 * OUT + 2 * OUT


# Experts of a mixture -------------------------------------------------------------------------------------------------

# An expert's matrix is never square: laid either way, it has other rows.
WIDTH, WORDS, HEADS = 256, 96, 4
MIXTRAL = {"hidden_size": WIDTH, "intermediate_size": 512, "num_hidden_layers": 2, "num_local_experts": 4}
DEEPSEEK = {
    "hidden_size": WIDTH, "intermediate_size": 512, "num_hidden_layers": 2, "first_k_dense_replace": 1,
    "moe_intermediate_size": 768, "n_routed_experts": 8, "n_shared_experts": 1, "n_group": 2, "topk_group": 1,
    "num_experts_per_tok": 2, "q_lora_rank": 32, "kv_lora_rank": 32,
}  # fmt: skip
LAID_OTHERWISE = {  # a row of a matrix in memory is of an input, and not of an output
    "GptOssConfig": {"hidden_size": WIDTH, "intermediate_size": 512, "num_local_experts": 4, "head_dim": 64},
    "Llama4TextConfig": {"hidden_size": WIDTH, "intermediate_size": 512, "num_local_experts": 4, "head_dim": 64},
}


@cache
def language_model(config: str, **sizes: int) -> Profile:
    pytest.importorskip("transformers")
    words = {"vocab_size": WORDS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "num_hidden_layers": 1}
    settings = ", ".join(f"{name}={value}" for name, value in (words | sizes).items())
    return profile(f"hf:{config}({settings})", seq=8)


def stack_bytes(scheme: str, experts: int, outputs: int, inputs: int) -> int:
    """What one stack takes."""
    weights = experts * outputs * inputs
    blocks = experts * outputs * (inputs // (SCHEMES[scheme].block or 1))
    return {
        "fp16": 2 * weights,
        "bf16": 2 * weights,
        "fp8": weights + 4 * experts,
        "int8": weights + 4 * experts * outputs,
        "int8-tensor": 4 * weights,  # as it is, in float32
        "int4": weights // 2 + 2 * blocks + blocks // 2,
        "nf4": weights // 2 + 4 * (weights // 64) + 4 * 16,
        "nf4-double": weights // 2 + weights // 64 + 4 * ceil(weights / 64 / 256) + 4 * (16 + 256 + 1),
        "mxfp4": 17 * blocks,
        "q8_0": 34 * blocks,
        "q4_0": 18 * blocks,
        "q4_K": 144 * blocks,
    }[scheme]


def of_experts(found: Quantised) -> list[int]:
    return [one.stored_bytes for one in found.parameters if one.name in ("gate_up_proj", "down_proj")]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("config", "sizes", "layers", "experts", "inner"),
    [
        ("MixtralConfig", MIXTRAL, 2, 4, 512),
        ("DeepseekV3Config", DEEPSEEK, 1, 8, 768),
        *((config, sizes, 1, 4, 512) for config, sizes in LAID_OTHERWISE.items()),
    ],
)
def test_stacked_experts(
    config: str, sizes: dict[str, int], layers: int, experts: int, inner: int, scheme: str
) -> None:
    found = language_model(config, **sizes).weights(scheme)
    gate_and_up, down = stack_bytes(scheme, experts, 2 * inner, WIDTH), stack_bytes(scheme, experts, WIDTH, inner)
    assert of_experts(found) == layers * [gate_and_up, down]
    assert found.has_stacks
    left = {one.name for one in found.left_alone}
    assert ("gate_up_proj" in left) == (SCHEMES[scheme].layers is not None and EXPERTS not in SCHEMES[scheme].layers)


def test_the_whole_of_a_mixture() -> None:
    """In fp8 all but the table of words, the router and the norms."""
    found = language_model("MixtralConfig", **MIXTRAL).weights("fp8")
    products = 4 * WIDTH * WIDTH + 4 * 3 * WIDTH * 512  # attention, and experts
    scales = 4 + 2 * 4  # its four matrices, and two stacks of four
    as_it_is = WORDS * WIDTH + 2 * 4 * WIDTH + (2 * 2 + 1) * WIDTH
    assert found.stored_bytes == 2 * (products + 4 * scales) + WORDS * WIDTH + 4 + 4 * as_it_is


class OfLinearLayers(nn.Module):
    """A mixture whose experts are modules."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self.router = nn.Linear(IN, experts, bias=False)
        self.experts = nn.ModuleList(nn.Linear(IN, OUT, bias=False) for _ in range(experts))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shares = self.router(x).softmax(-1)
        return sum(shares[:, i, None] * expert(x) for i, expert in enumerate(self.experts))


class Stacked(nn.Module):
    """The same with one parameter for all experts; as a batch of products, which has to say of how many."""

    def __init__(self, experts: int, says_so: bool = True) -> None:
        super().__init__()
        self.router = nn.Linear(IN, experts, bias=False)
        self.experts = nn.Parameter(torch.zeros(experts, OUT, IN))
        self.bias = nn.Parameter(torch.zeros(experts, OUT))
        if says_so:
            self.num_experts = experts

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.bmm(x.expand(len(self.experts), *x.shape), self.experts.transpose(1, 2)) + self.bias[:, None]
        return torch.einsum("te,eto->to", self.router(x).softmax(-1), y)


@pytest.mark.parametrize("scheme", ["fp8", "int8", "int4", "mxfp4", "q8_0", "q4_K"])
def test_stacked_experts_take_what_they_would_as_layers(scheme: str) -> None:
    layers = profile(OfLinearLayers(8), (3, IN)).weights(scheme)
    stacked = profile(Stacked(8), (3, IN)).weights(scheme)
    assert not layers.has_stacks
    assert sum(one.stored_bytes for one in layers.parameters) == 8 * LINEAR[scheme] + stored(layers, "router")
    assert stored(stacked, "", "experts") == 8 * LINEAR[scheme]
    assert [(one.name, one.why) for one in stacked.left_alone] == [("bias", "not a weight")]


def test_a_stack_of_what_nobody_calls_experts_is_left_alone() -> None:
    found = profile(Stacked(8, says_so=False), (3, IN)).weights("fp8")
    assert {one.name: one.why for one in found.left_alone}["experts"] == "not among the layers that are quantised"


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([name for name, scheme in SCHEMES.items() if EXPERTS in (scheme.layers or ())]),
       st.integers(1, 64), st.integers(1, 8), st.integers(1, 4))  # fmt: skip
def test_bytes_grow_with_the_number_of_experts(scheme: str, experts: int, outputs: int, inputs: int) -> None:
    """By as much for each, but for what is kept once for the stack; of whole blocks, so that none is shared."""
    how = SCHEMES[scheme]
    rows = (8 * outputs, inputs * 256 * 64)

    def size(number: int) -> int:
        return value_bytes(how, Matrices(*rows, number)) + scale_bytes(how, Matrices(*rows, number)) - how.tensor_bytes

    assert size(experts) == experts * size(1)


def test_what_becomes_of_stacked_experts_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    language_model("MixtralConfig", **MIXTRAL).save("mixtral.json")
    _, out, _ = run(capsys, "weights", "mixtral.json", "--as", "nf4")
    assert "Stacked experts as nf4: laid flat" in out
    assert "load_in_4bit" in out
    _, out, _ = run(capsys, "weights", "mixtral.json", "--as", "int8-tensor")
    assert "its tool does not quantise stacked experts" in out
    assert "no rule for MoE nodes" in out
    _, out, _ = run(capsys, "weights", "mixtral.json", "--as", "fp8,int8-tensor")
    assert "Stacked experts as int8-tensor: left" in out
    assert "Stacked experts as fp8" not in out
    _, out, _ = run(capsys, "weights", "mixtral.json", "--as", "fp8,int8-tensor", "--notes", "full")
    assert "Stacked experts as fp8: one scale" in out


# Real tensors ---------------------------------------------------------------------------------------------------------


def nbytes(*tensors: torch.Tensor) -> int:
    return sum(tensor.nbytes for tensor in tensors)


@pytest.mark.parametrize(("scheme", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_a_cast_is_a_cast(net, scheme: str, dtype: torch.dtype) -> None:
    assert net.weights(scheme).stored_bytes == nbytes(*Net().to(dtype).parameters())


def test_fp8_is_torchs_dtype_and_a_scale(net) -> None:
    weight = torch.rand(OUT, IN)
    scale = weight.abs().max() / torch.finfo(torch.float8_e4m3fn).max
    assert stored(net.weights("fp8"), "first") == nbytes((weight / scale).to(torch.float8_e4m3fn), scale)


@pytest.mark.filterwarnings("ignore")
def test_int8_is_what_torch_packs(net) -> None:
    """torch.ao's dynamic quantisation, with a scale an output channel, which torch keeps in float64."""
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    packed = quantize_dynamic(nn.Sequential(nn.Linear(IN, OUT)), {nn.Linear: per_channel_dynamic_qconfig})[0].weight()
    assert stored(net.weights("int8"), "first") == nbytes(packed.int_repr(), packed.q_per_channel_scales().float())


@pytest.mark.filterwarnings("ignore")
def test_int8_of_a_convolution_is_what_torchs_observer_makes_of_it() -> None:
    from torch.ao.quantization import default_per_channel_weight_observer

    conv = nn.Conv2d(8, 16, 3)
    observer = default_per_channel_weight_observer()
    observer(conv.weight)
    scales, _ = observer.calculate_qparams()
    found = profile(conv, (1, 8, 9, 9)).weights("int8")
    assert stored(found, "") == nbytes(conv.weight.to(torch.int8), scales.float())


def test_int4_as_awq_lays_it_out(net) -> None:
    """Its three buffers: eight 4-bit numbers in an int32, along the outputs."""
    qweight = torch.zeros(IN, OUT // 8, dtype=torch.int32)
    qzeros = torch.zeros(IN // 128, OUT // 8, dtype=torch.int32)
    scales = torch.zeros(IN // 128, OUT, dtype=torch.float16)
    assert stored(net.weights("int4"), "first") == nbytes(qweight, qzeros, scales)


def test_int4_is_as_much_as_torchs_own_packing_of_its_values(net) -> None:
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(torch.zeros(OUT, IN, dtype=torch.int32), 2)
    (one,) = [one for one in net.weights("int4").parameters if (one.path, one.name) == ("first", "weight")]
    assert one.value_bytes == nbytes(packed)


@pytest.mark.parametrize(
    ("scheme", "fields"),
    [("q8_0", "<e32b"), ("q4_0", "<e16B"), ("q4_K", "<ee12B128B"), ("mxfp4", "<B16B")],
)
def test_blocks_as_structures(net, scheme: str, fields: str) -> None:
    """A half is "e"; quants, scales and exponents are bytes."""
    import struct

    blocks = OUT * IN // SCHEMES[scheme].block
    assert stored(net.weights(scheme), "first") == blocks * struct.calcsize(fields)


# What is shown --------------------------------------------------------------------------------------------------------


def test_the_command_shows_layers_totals_and_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "weights", "resnet18", "--as", "int8", "--top", "2")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[4:7]] == ["layer4.0.conv2", "layer4.1.conv1", "…"]
    assert "… and 19 more" in lines[6]
    assert "3.98 times smaller, 8.04 bits each" in out
    assert "bn*, layer*.*.bn*, layer*.*.downsample.*" in out.replace("bn1,", "bn*,")
    assert "Linear bias" in out


def test_several_schemes_or_models_are_a_row_each(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("weights", "resnet18", "resnet34", "--as", "int8,fp16", "--label", "a", "--label", "b", "--format", "csv")
    _, out, _ = run(capsys, *argv)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["model"], row["scheme"]) for row in rows] == [
        (model, scheme) for model in "ab" for scheme in ("as it is", "int8", "fp16")
    ]
    assert int(rows[2]["stored_bytes"]) == 2 * 11_689_512
    _, out, _ = run(capsys, "weights", "resnet18")
    assert [line.split()[0] for line in out.splitlines()[5 : 5 + len(SCHEMES)]] == list(SCHEMES)
    _, out, _ = run(capsys, "weights", "resnet18", "--format", "json")  # a model is no scheme
    assert len(json.loads(out)["weights"]) == len(SCHEMES)


def test_rows_are_sorted_and_only_the_first_are_shown(capsys: pytest.CaptureFixture[str], net) -> None:
    net.save("net.json")
    small = profile(nn.Linear(IN, OUT), (1, IN))
    small.save("small.json")
    argv = ("weights", "net.json", "small.json", "--as", "int8,q4_0", "--sort", "stored", "--top", "3")
    _, out, _ = run(capsys, *argv, "--format", "csv")
    sizes = [int(row["stored_bytes"]) for row in csv.DictReader(io.StringIO(out))]
    asked = [net.totals.param_bytes, small.totals.param_bytes]
    asked += [model.weights(scheme).stored_bytes for model in (net, small) for scheme in ("int8", "q4_0")]
    assert sizes == sorted(asked, reverse=True)[:3]
    _, out, _ = run(capsys, *argv)
    assert "3 of 6 rows are shown." in out
    _, out, _ = run(capsys, "weights", "net.json", "--as", "int8,q4_0", "--sort", "scheme", "--format", "csv")
    assert [row["scheme"] for row in csv.DictReader(io.StringIO(out))] == ["as it is", "int8", "q4_0"]


def test_a_saved_run_will_do(capsys: pytest.CaptureFixture[str], net) -> None:
    net.save("net.json")
    _, out, _ = run(capsys, "weights", "net.json", "--as", "q8_0", "--format", "json")
    found = json.loads(out)
    assert found["stored_bytes"] == net.weights("q8_0").stored_bytes
    assert found["stored_bytes"] == sum(one["stored_bytes"] for one in found["parameters"])


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "github"])
@pytest.mark.parametrize("what", ["weights", "schemes"])
def test_snapshots(net, name: str, what: str, request: pytest.FixtureRequest) -> None:
    found = net.weights("q4_0") if what == "weights" else overview([net], ["net"])
    dress = renderer(name)
    snapshots.check(dress.answer(found), f"{what}{dress.SUFFIXES[0]}", request)


def test_paths_are_folded() -> None:
    assert folded(["a.0.b", "a.1.b", "c.bn1"]) == "a.*.b, c.bn1"
    assert folded(["", "a", "b", "c", "d", "e"]) == "the model itself, a, b, c and 2 more"


def test_a_model_without_parameters() -> None:
    found = profile(nn.ReLU(), (1, 2)).weights("int8")
    assert (found.stored_bytes, found.ratio, found.bits_per_parameter) == (0, None, None)
    assert "Parameters" in str(found)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--as", "int5"), "no scheme for weights is called 'int5'; choose from fp16, bf16, fp8, int8"),
        (("--as", "int8,"), None),
        (("--as", "int8", "--depth", "1"), "Unknown option: --depth"),
        (("--as", "int8", "--train"), "no option is called --train here; see profile-model train [MODELS...]"),
        (("--as", ""), "no scheme for weights is called ''"),
        (("--as", "int8", "--sort", "stored"), "--sort means something with several models or formats alone"),
        (("--sort", "mb"), "no column is called 'mb'; choose from model, scheme, stored"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str | None
) -> None:
    status, out, err = run(capsys, "weights", "resnet18", *argv)
    if says is None:
        assert (status, err) == (0, "")
        return
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_from_python(net) -> None:
    with pytest.raises(ProfileError, match="no scheme for weights is called 'int3'"):
        net.weights("int3")
