"""Layers that other packages pack: what they hold is told from names, shapes and dtypes, without those packages.

The layers here are stand-ins, with the tensors of the real ones and a forward pass that unpacks them. bitsandbytes and
torchao, where they are installed, are witnesses.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from profiler import Profile, profile
from profiler.ops import registry
from profiler.records.trace import Packing, Weight

IN, OUT, GROUP = 64, 32, 16
GROUPS = IN // GROUP
F16, F32, I32, I64 = 2, 4, 4, 8  # bytes


class _Words(nn.Module):
    """8 weights of 4 bits in each int32, with scales and zero points for groups of inputs."""

    names = ("qweight", "qzeros", "scales")

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for name in ("qweight", "qzeros"):
            self.register_buffer(name, torch.randint(1 << 30, shapes[name], dtype=torch.int32))
        self.register_buffer("scales", torch.rand(shapes["scales"], dtype=torch.float16))

    def nibbles(self, words: torch.Tensor) -> torch.Tensor:
        """The 8 of each word, in a new last dimension."""
        return (words.unsqueeze(-1) >> (4 * torch.arange(8, dtype=torch.int32))) & 15


class Gptq(_Words):
    """Words run along the inputs."""

    def __init__(self) -> None:
        super().__init__(qweight=(IN // 8, OUT), qzeros=(GROUPS, OUT // 8), scales=(GROUPS, OUT))
        self.register_buffer("g_idx", torch.arange(IN, dtype=torch.int32) // GROUP)
        self.bias = nn.Parameter(torch.zeros(OUT))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.nibbles(self.qweight).permute(0, 2, 1).reshape(IN, OUT)
        zeros = self.nibbles(self.qzeros).reshape(GROUPS, OUT)
        groups = self.g_idx.long()
        return x @ ((weight - zeros[groups]) * self.scales[groups]).to(x.dtype) + self.bias


class Awq(_Words):
    """Words run along the outputs."""

    def __init__(self) -> None:
        super().__init__(qweight=(IN, OUT // 8), qzeros=(GROUPS, OUT // 8), scales=(GROUPS, OUT))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.nibbles(self.qweight).reshape(IN, OUT)
        zeros = self.nibbles(self.qzeros).reshape(GROUPS, OUT).repeat_interleave(GROUP, 0)
        return x @ ((weight - zeros) * self.scales.repeat_interleave(GROUP, 0)).to(x.dtype)


def held(found: Profile) -> dict[str, Weight]:
    return {weight.name: weight for weight in found.trace.parameters}


def test_gptq() -> None:
    found = profile(Gptq(), (4, IN))
    assert found.totals.params == IN * OUT + OUT
    assert found.totals.trainable_params == OUT
    assert found.totals.buffers == 0
    words, zeros, scales = IN * OUT // 8 * I32, GROUPS * OUT // 8 * I32, GROUPS * OUT * F16
    assert found.totals.param_bytes == words + zeros + scales + IN * I32 + OUT * F32
    assert held(found)["qweight"].packing == Packing("gptq-4bit", (OUT, IN))
    assert held(found)["g_idx"].packing == Packing("gptq-4bit")
    assert found.totals.macs == 4 * IN * OUT


def test_awq() -> None:
    found = profile(Awq(), (4, IN))
    assert found.totals.params == IN * OUT
    assert found.totals.stored_params == IN * OUT // 8 + GROUPS * OUT // 8 + GROUPS * OUT
    assert held(found)["qweight"].packing == Packing("awq-4bit", (OUT, IN))
    assert found.totals.macs == 4 * IN * OUT


def test_they_come_back_untouched_and_are_no_parameters_to_torch() -> None:
    model = Gptq()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = profile(model, (4, IN))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {weight.name for weight in found.trace.parameters if weight.registered} == {"bias"}


def test_a_mere_name_makes_nothing_packed() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("qweight", torch.zeros(3, dtype=torch.int32))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.qweight

    found = profile(Plain(), (4, 3))
    assert (found.totals.params, found.totals.buffers) == (0, 3)


class State:
    """What bitsandbytes keeps beside a 4-bit weight."""

    def __init__(self, shape: tuple[int, int], nested: bool) -> None:
        blocks = shape[0] * shape[1] // 64
        self.shape, self.quant_type, self.code = torch.Size(shape), "nf4", torch.rand(16)
        self.absmax: torch.Tensor = torch.rand(blocks)
        self.offset: Any = None
        self.state2: Any = None
        if nested:
            self.absmax = self.absmax.to(torch.uint8)
            self.offset = torch.tensor(0.5)
            self.state2 = State((64, -(-blocks // 256)), nested=False)
            self.state2.code = torch.rand(256)


class FourBits(nn.Module):
    def __init__(self, nested: bool) -> None:
        super().__init__()
        self.weight = Packed4(torch.zeros(OUT * IN // 2, 1, dtype=torch.uint8), requires_grad=False)
        self.weight.quant_state = State((OUT, IN), nested)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        high, low = self.weight >> 4, self.weight & 15
        return x @ torch.stack([high, low], 1).reshape(OUT, IN).to(x.dtype).T


class Packed4(nn.Parameter):
    quant_state: State


BLOCKS = OUT * IN // 64


@pytest.mark.parametrize(
    ("nested", "scales"),
    [(False, BLOCKS * F32 + 16 * F32), (True, BLOCKS + 16 * F32 + -(-BLOCKS // 256) * F32 + 256 * F32 + F32)],
)
def test_four_bits_with_a_state(nested: bool, scales: int) -> None:
    found = profile(FourBits(nested), (4, IN))
    assert found.totals.params == OUT * IN
    assert found.totals.param_bytes == OUT * IN // 2 + scales
    assert held(found)["weight"].packing == Packing("nf4", (OUT, IN))
    assert ("weight.nested_absmax" in held(found)) is nested


class Rows(nn.Module):
    """8 bits with a scale a row, among the buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(OUT, IN, dtype=torch.int8), requires_grad=False)
        self.register_buffer("SCB", torch.rand(OUT))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.weight.to(x.dtype) * (self.SCB / 127)[:, None]).T


def test_eight_bits() -> None:
    found = profile(Rows(), (4, IN))
    assert found.totals.params == OUT * IN
    assert found.totals.param_bytes == OUT * IN + OUT * F32
    assert found.totals.buffers == 0


# Sparse tensors -------------------------------------------------------------------------------------------------------


def sparse(layout: torch.layout) -> tuple[nn.Module, int]:
    """A linear layer with a sparse weight, and how many elements of that are not zero."""
    dense = torch.zeros(OUT, IN)
    dense[::2, ::3] = 1
    layer = nn.Linear(IN, OUT, bias=False)
    layer.weight = nn.Parameter(dense.to_sparse(layout=layout))
    return layer, int(dense.count_nonzero())


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_sparse_weights(layout: torch.layout) -> None:
    model, stored = sparse(layout)
    indices = {torch.sparse_coo: 2 * stored, torch.sparse_csr: OUT + 1 + stored, torch.sparse_csc: IN + 1 + stored}
    found = profile(model, (4, IN), zeros=True)
    assert stored == OUT // 2 * -(-IN // 3)
    assert found.totals.params == OUT * IN
    assert found.totals.stored_params == stored + indices[layout]
    assert found.totals.param_bytes == stored * F32 + indices[layout] * I64
    assert found.totals.zeros == OUT * IN - stored
    assert found.trace.storages[held(found)["weight"].storage].size_bytes == stored * F32


# Witnesses ------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_torchaos_tensors() -> None:
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is a witness, and no dependency")
    model = nn.Sequential(nn.Linear(IN, OUT))
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    weight = model[0].weight
    found = profile(model, (4, IN))
    inner = [getattr(weight, name) for name in weight.__tensor_flatten__()[0]]
    assert found.totals.params == OUT * IN + OUT
    assert found.totals.param_bytes == sum(tensor.nbytes for tensor in inner) + OUT * F32
    assert found.totals.param_bytes < OUT * IN * F32 // 3
    assert found.totals.macs == 4 * OUT * IN
    packing = held(found)["weight"].packing
    assert packing is not None
    assert packing.shape == (OUT, IN)


@pytest.fixture
def bitsandbytes() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("bitsandbytes", reason="bitsandbytes is a witness, and no dependency")


@pytest.mark.parametrize("nested", [False, True])
def test_four_bits_of_bitsandbytes(bitsandbytes: Any, nested: bool) -> None:
    """As large as what its state_dict holds but for one packed note of the shape."""
    layer = bitsandbytes.nn.Linear4bit(IN, OUT, quant_type="nf4", compress_statistics=nested)
    model = nn.Sequential(layer).to("cpu")
    found = profile(model, (4, IN))
    state = model.state_dict()
    noted = sum(tensor.nbytes for name, tensor in state.items() if "bitsandbytes__" not in name)
    offset = F32 if nested else 0  # which is in that note
    assert found.totals.params == OUT * IN + OUT
    assert found.totals.param_bytes == noted + offset
    assert held(found)["weight"].packing == Packing("nf4", (OUT, IN))
    assert found.totals.macs == 4 * OUT * IN
    assert not found.unknown_ops
    names = {name.partition(".")[2] for name in state} - {"weight", "bias"}
    assert {name for name in names if "bitsandbytes__" not in name} <= set(held(found))


def test_eight_bits_of_bitsandbytes(bitsandbytes: Any) -> None:
    model = nn.Sequential(bitsandbytes.nn.Linear8bitLt(IN, OUT, has_fp16_weights=False)).to("cpu")
    for _ in range(2):  # the first call moves the scales
        found = profile(model, (4, IN))
        assert found.totals.params == OUT * IN + OUT
        assert found.totals.param_bytes == OUT * IN + OUT * F32 + OUT * F32
        assert found.totals.macs == 4 * OUT * IN


def test_bitsandbytes_has_the_operators_that_we_know(bitsandbytes: Any) -> None:
    names = [name.partition(".")[2] for name in registry._formulas if name.startswith("bitsandbytes.")]
    assert len(names) > 4
    assert [name for name in names if not hasattr(torch.ops.bitsandbytes, name)] == []
