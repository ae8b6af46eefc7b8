"""torch.ao's quantised layers: their packed weights are parameters, stored as they are, and cost what float ones do."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.ao import quantization as ao
from torch.ao.quantization import quantize_fx

from profiler import Profile, ProfileError, profile
from profiler.answers.cross_check.accounts import account
from profiler.counters.running.reading import Reading
from profiler.figures.parameters import count
from profiler.records.trace import Packing, Weight
from tests.laws import share
from tests.shell import run

ENGINE = "x86" if "x86" in torch.backends.quantized.supported_engines else "qnnpack"
F32, I8, F16, F64, I64 = 4, 1, 2, 8, 8  # bytes


@pytest.fixture(autouse=True)
def _one_engine() -> Iterator[None]:
    """Scales by channel, which the engines with that default have; torch.ao warns of its successors."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = ENGINE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.backends.quantized.engine = before


def dynamic(model: nn.Module, dtype: torch.dtype = torch.qint8) -> nn.Module:
    kinds = {nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell}
    return ao.quantize_dynamic(model.eval(), kinds, dtype=dtype)


def static(model: nn.Module, *shape: int) -> nn.Module:
    """Quantised in eager mode, its input and its output too."""
    wrapped = nn.Sequential(ao.QuantStub(), model, ao.DeQuantStub()).eval()
    wrapped.qconfig = ao.get_default_qconfig(ENGINE)
    prepared = ao.prepare(wrapped)
    prepared(torch.randn(*shape))
    return ao.convert(prepared)


def weights(found: Profile, path: str = "") -> dict[str, Weight]:
    row = next(i for i, module in enumerate(found.trace.modules) if module.path == path)
    return {weight.name: weight for weight in found.trace.parameters if weight.module == row}


# torchvision ----------------------------------------------------------------------------------------------------------

MODELS = (
    "quantized_resnet18",
    "quantized_mobilenet_v2",
    "quantized_mobilenet_v3_large",
    "quantized_shufflenet_v2_x0_5",
)


@pytest.fixture(scope="module", params=MODELS)
def pair(request: pytest.FixtureRequest) -> tuple[Profile, Profile]:
    """A model as its name says, and in float."""
    pytest.importorskip("torchvision")
    return profile(request.param), profile(f"{request.param}(quantize=False)")


def test_a_quantised_model_of_torchvision_has_its_parameters(pair: tuple[Profile, Profile]) -> None:
    """A batch norm's scale and shift, one each a channel, are folded into one bias a channel: half of them go."""
    quantised, plain = pair
    norms = sum(layer.own.params for layer in plain.layers if layer.kind == "BatchNorm2d")
    assert norms > 0
    assert quantised.totals.params == plain.totals.params - norms // 2
    assert quantised.totals.trainable_params == 0


def test_it_is_smaller_by_what_its_dtypes_say(pair: tuple[Profile, Profile]) -> None:
    quantised, plain = pair
    found = quantised.totals.bytes_by_dtype
    assert set(found) == {"qint8", "float32", "float64", "int64"}
    assert found["float64"] == found["int64"]  # a scale and a zero point each
    assert found["qint8"] + found["float32"] // F32 == quantised.totals.params
    assert 0 < sum(found.values()) == quantised.totals.param_bytes < plain.totals.param_bytes // 3


def test_it_does_the_products_of_the_float_model_and_nothing_is_unknown(pair: tuple[Profile, Profile]) -> None:
    quantised, plain = pair
    assert quantised.totals.macs == plain.totals.macs
    assert not quantised.unknown_ops
    assert quantised.trace.engine == "cpu"  # torch has no meta kernels for it


def test_its_layers_are_the_textbooks(pair: tuple[Profile, Profile]) -> None:
    quantised, _ = pair
    held = [layer for layer in quantised.layers if layer.weights]
    assert len(held) > 20
    assert all(count(layer.module, layer.weights).agrees for layer in held)


def test_memory_and_archive_know_of_it(pair: tuple[Profile, Profile], tmp_path: Path) -> None:
    quantised, _ = pair
    stored = [quantised.trace.storages[weight.storage] for weight in quantised.trace.parameters]
    assert {storage.role for storage in stored} == {"parameter"}
    assert sum(storage.size_bytes for storage in stored) == quantised.totals.param_bytes
    totals = quantised.totals
    assert totals.peak_memory_bytes >= totals.param_bytes + totals.peak_activation_bytes
    quantised.save(tmp_path / "saved.json")
    again = Profile.load(tmp_path / "saved.json")
    assert again.trace == quantised.trace
    assert again.totals == totals


def test_the_engine_that_torch_uses_is_left_as_it_was() -> None:
    pytest.importorskip("torchvision")
    profile("quantized_mobilenet_v2")  # whose backend is qnnpack
    assert torch.backends.quantized.engine == ENGINE


def test_a_file_of_the_state_dict_has_these_bytes(pair: tuple[Profile, Profile]) -> None:
    """A witness: what torch writes of the tensors. The scale of a whole tensor is a number to it, and no tensor."""
    from torchvision.models import get_model

    quantised, _ = pair
    state = get_model(quantised.model, weights=None, quantize=True).state_dict()
    outputs = sum(value.nbytes for name, value in state.items() if name.endswith((".scale", ".zero_point")))
    numbers = sum(F64 for weight in quantised.trace.parameters if weight.name in ("weight_scale", "weight_zero_point"))
    file = io.BytesIO()
    torch.save(state, file)
    written = sum(entry.file_size for entry in zipfile.ZipFile(file).filelist if "/data/" in entry.filename)
    assert written == quantised.totals.param_bytes - numbers + outputs


def quantised_names() -> list[str]:
    models = pytest.importorskip("torchvision.models")
    return [name for name in models.list_models() if name.startswith("quantized_")]


@pytest.mark.registry
@pytest.mark.parametrize("name", quantised_names())
def test_every_quantised_model_of_torchvision(name: str) -> None:
    """tests/benchmarks/torchvision_registry.py compares their figures with torchvision's."""
    found, plain = profile(name), profile(f"{name}(quantize=False)")
    assert not found.unknown_ops
    assert found.totals.macs == plain.totals.macs
    assert 0 < found.totals.param_bytes < plain.totals.param_bytes // 3


# Kinds of quantisation ------------------------------------------------------------------------------------------------


def test_a_dynamic_linear_by_hand() -> None:
    found = profile(dynamic(nn.Sequential(nn.Linear(64, 32))), (4, 64))
    assert found.totals.params == 64 * 32 + 32
    assert found.totals.stored_params == 64 * 32 + 1 + 1 + 32
    assert found.totals.param_bytes == 64 * 32 * I8 + F64 + I64 + 32 * F32
    assert found.totals.macs == 4 * 64 * 32
    assert weights(found, "0")["weight"].packing == Packing("qint8", (32, 64))
    assert weights(found, "0")["weight_scale"].packing == Packing("qint8")
    assert [layer.path for layer in found.layers] == ["", "0"]  # what only holds packed weights is no layer


def test_scales_of_each_channel() -> None:
    found = profile(static(nn.Conv2d(8, 16, 3, groups=2), 1, 8, 9, 9), (1, 8, 9, 9))
    assert found.totals.params == 16 * 4 * 3 * 3 + 16
    assert found.totals.param_bytes == 16 * 4 * 3 * 3 * I8 + 16 * (F64 + I64) + 16 * F32
    assert found.totals.macs == 16 * 7 * 7 * 4 * 3 * 3


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "Conv1d": (lambda: nn.Conv1d(8, 16, 3, groups=2), (2, 8, 9)),
    "Conv2d": (lambda: nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), (2, 8, 9, 9)),
    "Conv3d": (lambda: nn.Conv3d(8, 16, 3), (2, 8, 5, 5, 5)),
    "Linear": (lambda: nn.Linear(8, 16), (2, 5, 8)),
    "fused": (lambda: nn.Sequential(nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.ReLU()), (2, 8, 9, 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_static_layer_counts_as_its_float_twin(name: str) -> None:
    build, shape = LAYERS[name]
    model = build().eval()
    if name == "Conv3d" and ENGINE == "qnnpack":
        pytest.skip("QNNPACK has no convolution in three dimensions")
    if name == "fused":
        model = ao.fuse_modules(model, ["0", "1", "2"])
    plain = profile(model, shape)
    found = profile(static(model, *shape), shape)
    assert found.totals.params == plain.totals.params > 0
    assert found.totals.macs == plain.totals.macs > 0
    assert found.totals.param_bytes < plain.totals.param_bytes
    assert not found.unknown_ops
    layer = next(layer for layer in found.layers if layer.weights)
    assert count(layer.module, layer.weights).agrees


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 32, 2, bidirectional=True)
        self.gru = nn.GRU(16, 8, batch_first=True)
        self.cells = nn.ModuleList([nn.LSTMCell(16, 4), nn.GRUCell(16, 4), nn.RNNCell(16, 4)])

    def forward(self, x: torch.Tensor) -> Any:
        return self.lstm(x), self.gru(x), [cell(x[0]) for cell in self.cells]


@pytest.mark.parametrize(("dtype", "each"), [(torch.qint8, I8), (torch.float16, F16)])
def test_recurrent_layers(dtype: torch.dtype, each: int) -> None:
    plain, found = profile(Recurrent(), (5, 2, 16)), profile(dynamic(Recurrent(), dtype), (5, 2, 16))
    assert found.totals.params == plain.totals.params
    assert found.totals.macs == plain.totals.macs
    assert not found.unknown_ops
    assert all(count(layer.module, layer.weights).agrees for layer in found.layers if layer.weights)
    tied = [weight for weight in found.trace.parameters if weight.name.startswith("weight") and weight.numel]
    assert sum(weight.tensor.size_bytes for weight in tied) == each * sum(weight.numel for weight in tied)
    assert set(weights(plain, "lstm")) <= set(weights(found, "lstm"))  # under the names of the float layer


@pytest.mark.parametrize(
    ("config", "row"),
    [
        (ao.float_qparams_weight_only_qconfig, 16 + 2 * F32),
        (ao.float_qparams_weight_only_qconfig_4bit, 16 // 2 + 2 * F32),
    ],
)
def test_embeddings(config: Any, row: int) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.bags = nn.Embedding(10, 16), nn.EmbeddingBag(10, 16, mode="sum")

        def forward(self, ids: torch.Tensor) -> Any:
            return self.words(ids), self.bags(ids)

    model = Words().eval()
    model.qconfig = config
    found = profile(ao.convert(ao.prepare(model)), torch.zeros(2, 3, dtype=torch.long))
    assert found.totals.params == 2 * 10 * 16
    assert found.totals.param_bytes == 2 * 10 * row
    assert not found.unknown_ops
    assert all(count(layer.module, layer.weights).agrees for layer in found.layers if layer.weights)


class Functional(nn.Module):
    """A layer, and a product with a bare parameter: FX packs that one into an attribute of the graph module."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.bare = nn.Parameter(torch.randn(4, 8))
        self.slope = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(self.slope(self.layer(x)), self.bare)


def test_fx_packs_bare_parameters_too() -> None:
    model = Functional().eval()
    example = torch.randn(2, 8)
    prepared = quantize_fx.prepare_fx(copy.deepcopy(model), ao.get_default_qconfig_mapping(ENGINE), (example,))
    prepared(example)
    found = profile(quantize_fx.convert_fx(prepared), example)
    assert found.totals.params == 8 * 8 + 8 + 4 * 8 + 1
    assert found.totals.macs == 2 * 8 * 8 + 2 * 8 * 4
    assert {w.packing.shape for w in weights(found).values() if w.packing and w.packing.shape} == {(4, 8)}
    assert weights(found, "slope")["weight"].packing == Packing("quint8", (1,))
    assert not found.unknown_ops


def test_a_packed_weight_that_two_layers_hold_counts_once() -> None:
    model = dynamic(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)))
    model[1]._packed_params._packed_params = model[0]._packed_params._packed_params
    found = profile(model, (2, 8))
    assert found.totals.params == 8 * 8 + 8
    assert found.totals.macs == 2 * 2 * 8 * 8
    first = {weight.name: index for index, weight in enumerate(found.trace.parameters) if weight.module == 1}
    assert {name: weight.same_as for name, weight in weights(found, "1").items()} == first


def test_one_that_is_packed_in_the_forward_pass_is_no_parameter() -> None:
    class Packing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = torch.quantize_per_tensor(torch.ones(4, 8), 0.1, 0, torch.qint8)
            return torch.ops.quantized.linear_dynamic(x, torch.ops.quantized.linear_prepack(weight, None))

    found = profile(Packing(), (2, 8))
    assert found.totals.params == 0
    assert found.totals.macs == 2 * 8 * 4


def test_identical_layers_share_one_signature() -> None:
    model = dynamic(nn.Sequential(*(nn.Linear(8, 8) for _ in range(3))))
    found = profile(model, (2, 8)).trace
    assert len([s for s in found.signatures if s.op == "quantized.linear_dynamic.default"]) == 1
    reads = [call.reads for call in found.calls if found.signatures[call.signature].op.startswith("quantized.")]
    assert len(reads) == len(set(reads)) == 3  # of storages of their own


# What is said of it ---------------------------------------------------------------------------------------------------


def test_the_model_comes_back_untouched() -> None:
    model = dynamic(nn.Sequential(nn.Linear(8, 8), nn.LSTM(8, 4)))
    model.train()
    modes = [module.training for module in model.modules()]
    before = {name: copy.deepcopy(value) for name, value in model.state_dict().items()}
    packed = model[0]._packed_params._packed_params
    x = torch.randn(3, 2, 8)
    expected = model(x)[0]
    profile(model, (3, 2, 8))
    assert model[0]._packed_params._packed_params is packed
    assert [module.training for module in model.modules()] == modes
    assert list(model.state_dict()) == list(before)
    assert torch.equal(model(x)[0], expected)
    assert torch.equal(model[0].weight().int_repr(), before["0._packed_params._packed_params"][0].int_repr())


FILE = """
import torch
from torch import nn


def build():
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(64, 32), nn.ReLU()), {nn.Linear})
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    file = tmp_path / "model.py"
    file.write_text(FILE)
    return f"{file}:build"


def test_the_table_says_how_it_is_stored(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, spec, "--input", "1x64")[1]
    assert "Linear 64→32" in out
    assert "of it qint8, KB" in out
    assert f"{64 * 32:,} parameters and what unpacks them" in out


def test_columns_and_json_have_both_counts(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, spec, "--input", "1x64", "--columns", "layer,params,stored", "--format", "csv")[1]
    params, held = 64 * 32 + 32, 64 * 32 + 1 + 1 + 32
    assert f"0,{params},{held}" in out
    data = json.loads(run(capsys, spec, "--input", "1x64", "--format", "json")[1])
    assert data["totals"]["params"] == params
    assert data["totals"]["stored_params"] == held
    assert data["totals"]["bytes_by_dtype"] == {"qint8": 64 * 32, "float32": 32 * F32, "float64": F64, "int64": I64}
    assert data["layers"][1]["stored_params"] == held


def test_what_is_quantised_already_stays(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "weights", spec, "--as", "int8", "--input", "1x64")[1]
    assert "is stored as qint8 already" in out
    found = profile(spec, (1, 64)).weights("int4")
    assert found.params == 64 * 32 + 32
    assert found.stored_bytes == found.now_bytes


def test_it_cannot_be_trained(spec: str) -> None:
    with pytest.raises(ProfileError, match="no backward pass"):
        profile(spec, (1, 64), train=True)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=4), st.integers(1, 9))
@share(25)
def test_any_chain_of_layers(layers: list[tuple[int, bool]], width: int) -> None:
    """Parameters and products are those of the float model, a weight takes a byte, and each layer 16 for its scale."""
    modules, fed = [], width
    for out, has_bias in layers:
        modules.append(nn.Linear(fed, out, bias=has_bias))
        fed = out
    plain = profile(nn.Sequential(*modules), (2, width)).totals
    found = profile(dynamic(nn.Sequential(*modules)), (2, width)).totals
    biases = sum(out for out, has_bias in layers if has_bias)
    assert (found.params, found.macs) == (plain.params, plain.macs)
    assert found.param_bytes == (plain.params - biases) * I8 + biases * F32 + len(layers) * (F64 + I64)


@pytest.mark.parametrize("tool", ["thop", "deepspeed"])
def test_an_account_explains_parameters_that_torch_does_not_see(tool: str) -> None:
    """A counter that asks torch for parameters finds none."""
    found = profile(dynamic(nn.Sequential(nn.Linear(8, 4))), (2, 8))
    said = account(found.trace, Reading(tool, total=found.under(tool).totals.flops, params=0)).parameters
    assert said is not None
    assert said.ours == 8 * 4 + 4
    assert said.remainder == 0
    assert sum(share.amount for term in said.terms for share in term.shares) == -(8 * 4 + 4)
    assert not said.suspects
