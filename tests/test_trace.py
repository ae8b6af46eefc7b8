"""Attribution and the two engines, one small model a case."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from profiler import Profile, ProfileError, profile


def _macs(found: Profile) -> dict[str, int | None]:
    """Own MACs by path, where there are any."""
    return {layer.path: int(layer.own.cost.macs) for layer in found.layers if layer.own.cost.macs}


class Forward(nn.Module):
    """A module whose forward pass is given as a function of itself and its arguments."""

    def __init__(self, function: Any, **children: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self, *args, **kwargs)


# Who caused it ------------------------------------------------------------------------------------------------------


def test_a_module_called_twice_costs_twice_and_its_parameters_once() -> None:
    found = profile(Forward(lambda m, x: m.l(m.l(x)), l=nn.Linear(4, 4)), (2, 4))
    assert _macs(found) == {"l": 2 * (2 * 4 * 4)}
    assert found["l"].calls == 2
    assert found.totals.params == 4 * 4 + 4


def test_a_shared_module_is_counted_at_its_first_path() -> None:
    shared = nn.Linear(4, 4)
    found = profile(nn.Sequential(shared, nn.ReLU(), shared), (2, 4))
    assert _macs(found) == {"0": 2 * (2 * 4 * 4)}
    assert (found["2"].shared_with, found["2"].params, found["2"].macs) == ("0", 0, 0)
    assert found.totals.params == 4 * 4 + 4


def test_tied_parameters_count_once() -> None:
    model = Forward(lambda m, x: m.head(m.embed(x)), embed=nn.Embedding(10, 4), head=nn.Linear(4, 10, bias=False))
    model.head.weight = model.embed.weight
    found = profile(model, "2x3:int64")
    assert found.totals.params == 10 * 4
    assert found["head"].params == 0
    assert _macs(found) == {"head": 2 * 3 * 4 * 10}


def test_forward_called_directly_is_charged_to_the_module_whose_weights_it_uses() -> None:
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    found = profile(Forward(lambda m, x: (m.c.forward(x), m.c[0].forward(x)), c=inner), (1, 3, 8, 8))
    assert _macs(found) == {"c.0": 2 * (4 * 6 * 6 * 3 * 3 * 3)}
    assert found["c"].calls == 0
    assert found["c.0"].calls == 1


def test_a_functional_model_is_charged_whole() -> None:
    found = profile(Forward(lambda m, x, w: F.conv2d(x, w) @ x), ("1x3x8x8", "3x3x1x1"))
    assert _macs(found) == {"": 3 * 8 * 8 * 3 + 3 * 8 * 8 * 8}


def test_recursion() -> None:
    model = Forward(lambda m, x, n=3: m.l(x) if n == 0 else m(m.l(x), n - 1), l=nn.Linear(4, 4))
    found = profile(model, (2, 4))
    assert _macs(found) == {"l": 4 * (2 * 4 * 4)}
    assert found[""].calls == 4


def test_containers_that_are_not_called() -> None:
    layers = nn.ModuleDict({"a": nn.ModuleList([nn.Linear(4, 5)]), "b": nn.Linear(1, 2)})
    found = profile(Forward(lambda m, x: m.d["a"][0](x), d=layers), (2, 4))
    assert _macs(found) == {"d.a.0": 2 * 4 * 5}
    assert found["d"].macs == found["d.a"].macs == 2 * 4 * 5
    assert (found["d.b"].calls, found["d.b"].output, found["d.b"].params) == (0, None, 1 * 2 + 2)


def test_parameters_without_a_layer() -> None:
    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.ParameterList([nn.Parameter(torch.rand(4, 4)) for _ in range(3)])
            self.scale = nn.Parameter(torch.rand(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.maps[0] @ self.maps[1] * self.scale

    found = profile(Mixer(), (2, 4))
    assert found.totals.params == 3 * 4 * 4 + 4
    assert found.totals.macs == 2 * (2 * 4 * 4)


@pytest.mark.parametrize("compiled", ["script", "compile", "compile in place", "inside"])
def test_scripted_and_compiled_modules(compiled: str) -> None:
    inner: Any = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    if compiled == "script":
        inner = torch.jit.script(inner)
    elif compiled == "compile in place":
        inner.compile(backend="eager")
    else:
        inner = torch.compile(inner, backend="eager")
    model = Forward(lambda m, x: m.l(m.s(x)), s=inner, l=nn.Linear(5, 6)) if compiled == "inside" else inner
    found = profile(model, (2, 4))
    head = 2 * 5 * 6 if compiled == "inside" else 0
    assert found.totals.macs == 2 * 4 * 5 + head
    assert found.totals.params == (4 + 1) * 5 + (6 * 6 if head else 0)
    assert [layer.macs for layer in found.layers if layer.path.endswith("0")] == [2 * 4 * 5]


def test_lazy_modules_stay_lazy() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(7))
    found = profile(model, (2, 3, 5, 5))
    assert found.totals.macs == 2 * (4 * 3 * 3 * 3 * 3 * 3 + 4 * 3 * 3 * 7)
    assert found["0"].kind == "Conv2d"
    assert type(model[0]) is nn.LazyConv2d
    assert model[0].has_uninitialized_params()


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: Any


@pytest.mark.parametrize(
    "shape_of",
    [lambda y: {"y": y, "none": None}, lambda y: [y, (y,)], lambda y: Pair(y, None), lambda y: None],
    ids=["dict", "nested", "dataclass", "none"],
)
def test_outputs_of_any_kind(shape_of: Any) -> None:
    found = profile(Forward(lambda m, x: shape_of(m.l(x)), l=nn.Linear(4, 5)), (2, 4))
    assert found.totals.macs == 2 * 4 * 5
    assert found["l"].output.shape == (2, 5)


@pytest.mark.parametrize(
    "inputs",
    [
        ("2x4", (2, 4)),
        ("x=2x4", "y=2x4:float32"),
        (torch.rand(2, 4), torch.empty(2, 4, device="meta")),
    ],
    ids=["shapes", "named", "tensors"],
)
def test_inputs_of_any_kind(inputs: Any) -> None:
    found = profile(Forward(lambda m, x, y: m.l(x + y), l=nn.Linear(4, 5)), inputs)
    assert found.totals.macs == 2 * 4 * 5


def test_inputs_inside_containers_and_by_keyword() -> None:
    model = Forward(lambda m, pair, *, scale: m.l(pair.left * pair.right["x"][0] * scale), l=nn.Linear(4, 5))
    found = profile(model, Pair(torch.rand(2, 4), {"x": [torch.rand(2, 4)]}), kwargs={"scale": 2})
    assert found.totals.macs == 2 * 4 * 5
    assert found.trace.engine == "meta"


# Constants stay real ------------------------------------------------------------------------------------------------


def test_a_models_own_constants_may_be_asked_for_their_values() -> None:
    model = Forward(lambda m, x: m.run(x), l=nn.Linear(4, 4))
    model.register_buffer("steps", torch.tensor(3))

    def run(x: torch.Tensor) -> torch.Tensor:
        for _ in range(model.steps.item()):
            x = model.l(x)
        return x[:, torch.arange(4) > 1]

    model.run = run
    found = profile(model, (2, 4))
    assert found.trace.engine == "meta"
    assert found.totals.macs == 3 * (2 * 4 * 4)
    assert found.trace.module_calls[-1].output.shape == (2, 2)


def test_a_constant_that_was_filled_from_the_input_is_a_constant_no_longer() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(4)
        mask += x[0]
        return m.l(x) if mask.sum() > 0 else m.l(m.l(x))

    found = profile(Forward(forward, l=nn.Linear(4, 4)), torch.ones(2, 4))
    assert found.trace.engine == "cpu"
    assert found.totals.macs == 2 * 4 * 4


# Real tensors, where values decide ------------------------------------------------------------------------------------


def _until_positive(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.l(x) if x.sum().item() > 0 else m.l(m.l(x))


def test_data_dependent_models_run_on_cpu_with_the_callers_values() -> None:
    model = Forward(_until_positive, l=nn.Linear(4, 4))
    found = [profile(model, value * torch.ones(2, 4)) for value in (1.0, -1.0)]
    assert [p.trace.engine for p in found] == ["cpu", "cpu"]
    assert [p.totals.macs for p in found] == [2 * 4 * 4, 2 * (2 * 4 * 4)]


def test_data_dependent_models_without_weights_are_refused() -> None:
    with pytest.raises(ProfileError, match=r"aten\.item\.default.*weights are on the meta device"):
        profile(Forward(_until_positive, l=nn.Linear(4, 4)).to("meta"), (2, 4))


def test_weights_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", type("Memory", (), {"available": 1024**2}))
    with pytest.raises(
        ProfileError, match=r"ssdlite320_mobilenet_v3_large fails .* without values .* of which 1MB are free"
    ):
        profile("ssdlite320_mobilenet_v3_large")


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_is_one_call(real: bool, layers: int, bidirectional: bool) -> None:
    """Neither unrolled step by step nor, on CPU, swallowed by a fused kernel."""
    lstm = nn.LSTM(10, 20, layers, bidirectional=bidirectional)
    model = Forward(_until_positive if real else (lambda m, x: m.l(x)), l=lstm)
    found = profile(model, torch.rand(5, 3, 10))
    directions = 2 if bidirectional else 1
    first = 4 * (10 * 20 + 20 * 20)
    later = 4 * (directions * 20 * 20 + 20 * 20)
    assert found.trace.engine == ("cpu" if real else "meta")
    assert found.totals.macs == 5 * 3 * directions * (first + (layers - 1) * later)
    assert sum("lstm" in found.trace.signatures[call.signature].op for call in found.trace.calls) == 1


@pytest.mark.parametrize("padded", [False, True])
def test_transformer_encoder_is_the_same_on_and_off_the_fast_path(padded: bool) -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2)
    mask = {"src_key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2])} if padded else {}
    x = torch.rand(2, 5, 16)
    dry = profile(encoder, x, kwargs=mask)
    wet = profile(Forward(lambda m, x, **k: m.e(x, **k) if x.sum().item() else x, e=encoder), x, kwargs=mask)
    per_layer = 2 * (5 * (3 * 16 * 16 + 16 * 16 + 2 * 16 * 32) + 2 * 5 * 5 * 16)
    assert (dry.trace.engine, wet.trace.engine) == ("meta", "cpu")
    assert dry.totals.macs == wet.totals.macs == 2 * per_layer
    assert dry["layers.1.linear1"].macs == wet["e.layers.1.linear1"].macs == 2 * 5 * 16 * 32


def test_models_that_differentiate_inside() -> None:
    def forces(m: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            x = x.clone().requires_grad_()
            return torch.autograd.grad(m.l(x).sum(), x)[0]

    found = profile(Forward(forces, l=nn.Linear(4, 5)), (2, 4))
    assert found.totals.macs == 2 * 4 * 5 + 2 * 5 * 4


def test_layers_inside_vmap() -> None:
    found = profile(Forward(lambda m, x: torch.vmap(m.l)(x), l=nn.Linear(4, 5)), (3, 2, 4))
    assert found.totals.macs == 3 * 2 * 4 * 5


def test_memory_is_released_when_the_model_lets_go() -> None:
    """Four float32 vectors of 1,000 in a row, one alive beside its successor."""
    found = profile(nn.Sequential(*(nn.Linear(1000, 1000, device="meta") for _ in range(4))), (1, 1000))
    assert found.totals.activation_bytes == 4 * 4000
    assert found.totals.peak_activation_bytes == 2 * 4000


def test_views_and_in_place_operators_allocate_nothing() -> None:
    model = Forward(lambda m, x: F.relu_(m.l(x)).view(5, 2).t().add_(1), l=nn.Linear(4, 5))
    found = profile(model, (2, 4))
    assert found.totals.activation_bytes == found.totals.peak_activation_bytes == 2 * 5 * 4


NUMBER_FIRST = {
    "mul": lambda self, x: torch.mul(2.0, x),
    "add": lambda self, x: torch.add(2.0, x),
    "sub": lambda self, x: torch.sub(2.0, x),
    "div": lambda self, x: torch.div(2.0, x),
    "pow": lambda self, x: torch.pow(2.0, x),
    "minus": lambda self, x: 2.0 - x,
}


@pytest.mark.parametrize("function", NUMBER_FIRST.values(), ids=NUMBER_FIRST)
def test_functions_that_take_a_number_first(function: Any) -> None:
    found = profile(Forward(function), (3, 5))
    assert found.totals.flops == 3 * 5
    assert found.trace.engine == "meta"


def test_detector_is_run_on_real_tensors() -> None:
    """It keeps the boxes with high scores; what their operators hold inside depends on values too."""
    found = profile("ssdlite320_mobilenet_v3_large")
    assert found.trace.engine == "cpu"
    assert found.totals.params == 3_440_060  # as torchvision publishes it
    assert found.unknown_ops == {}
    assert found.totals.peak_activation_bytes > 0


FRESH = """
import os, sys, torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from profiler import profile

wrong = []
for setup in sys.argv[1:]:
    process = os.fork()
    if not process:
        exec(setup)
        first, second = (profile(model, given, **how).totals for _ in range(2))
        os._exit(first != second)
    if os.waitpid(process, 0)[1]:
        wrong.append(setup)
print(wrong)
"""
FIRSTS = (
    'model, given, how = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), "2x8", {"train": True}',
    'model, given, how = nn.LSTM(8, 16), "5x2x8", {"train": True, "optimizer": "adam"}',
    "model, given, how = nn.LSTM(8, 12), pack_padded_sequence(torch.rand(7, 3, 8), [7, 5, 2]), {}",
    'model, given, how = nn.TransformerEncoderLayer(16, 2), "5x2x16", {"train": True}',
)


def test_first_run_of_a_process_is_as_any_other() -> None:
    """torch imports hundreds of modules in the midst of it, and what that leaves behind must not count.

    Each is the first run of a fork of a process that has imported torch and run nothing.
    """
    command = [sys.executable, "-c", FRESH, *FIRSTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_no_value_of_a_tensor_is_in_a_record() -> None:
    """Copying a tensor hands its storage, whose text is all that is in it, to an operator."""
    kept = torch.full((4,), 0.8125)
    found = profile(Forward(lambda self, x: x + copy.deepcopy(kept)), torch.ones(4))
    written = [str(signature) for signature in found.trace.signatures if "set_" in signature.op]
    assert written
    assert all("Storage" in text and "\\n" not in text for text in written)


class Dotted(nn.Module):
    """torch refuses a dot in `add_module`, and takes it by `setattr`."""

    def __init__(self, has_namesake: bool) -> None:
        super().__init__()
        if has_namesake:
            self.enc = nn.Sequential(nn.Linear(8, 8))
        setattr(self, "enc.0", nn.Linear(8, 8, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, "enc.0")(self.enc(x) if hasattr(self, "enc") else x)


@pytest.mark.parametrize("has_namesake", [False, True])
def test_a_name_with_a_dot_is_one_layer(has_namesake: bool, tmp_path: Path) -> None:
    model = Dotted(has_namesake)
    found = profile(model, (1, 8))
    inside = ["enc", "enc.0"] * has_namesake
    assert [layer.path for layer in found.layers] == ["", *inside, r"enc\u002e0"]
    assert found[r"enc\u002e0"].params == 8 * 8
    assert found.totals.params == 8 * 8 + (8 * 8 + 8) * has_namesake
    if not has_namesake:
        torch.save(model.state_dict(), tmp_path / "w.pt")
        assert found.match(tmp_path / "w.pt").passed
