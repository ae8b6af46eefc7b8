"""Autocast on meta casts what torch's own casts on a device that has it, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from profiler import profile
from profiler.engine.meta.autocast import POLICIES, autocast_on_meta
from profiler.records import trace as records
from tests.benchmarks.allocations import plain_kernels

# Kernels for one library: a meta tensor never meets them.
ONE_DEVICE = {"cuda": {"_cudnn_rnn", "cudnn_convolution", "cudnn_convolution_transpose"}}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_operators_are_those_that_torch_registers(device: str) -> None:
    registered = torch._C._dispatch_get_registrations_for_dispatch_key(f"Autocast{device.upper()}")  # type: ignore[no-untyped-call, unused-ignore]
    ours = [name for names in POLICIES[device].values() for name in names.split()]
    assert len(ours) == len(set(ours))
    assert set(ours) | ONE_DEVICE.get(device, set()) == {
        name.removeprefix("aten::")
        for name in registered
        if name.startswith("aten::")  # other libraries have their own
    }


class Several(nn.Module):
    """What autocast treats in different ways: convolutions, norms, losses, products by sign, concatenation, a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.deconv = nn.ConvTranspose2d(8, 8, 2)
        self.shared = nn.Linear(7, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.deconv(torch.relu(self.norm(self.conv(x))))
        y = self.shared(self.shared(x)).softmax(-1)
        z = torch.cat([x @ y, torch.einsum("abij,abjk->abik", x, y), x], 1)
        z = nn.functional.pad(z, (1, 1, 1, 1), "reflect") ** 2
        return nn.functional.mse_loss(z.exp(), torch.zeros_like(z)) + nn.functional.cross_entropy(
            z.mean((2, 3)), z[:, :, 0, 0].float().softmax(-1)
        )


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)


class Disabled(nn.Module):
    """A layer that is kept in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        with torch.autocast("cpu", enabled=False):
            return torch.as_tensor(self.second(x.float()))


class Seen(TorchDispatchMode):
    """Operators and the dtypes of what they return, as they really run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[str, list[str]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = out if isinstance(out, (tuple, list)) else [out]
        self.calls.append((str(func), [str(one.dtype).removeprefix("torch.") for one in given]))
        return out


def dtypes(value: Any) -> Iterator[str]:
    if isinstance(value, records.Tensor):
        yield value.dtype
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from dtypes(item)


def traced(trace: records.Trace, kind: str = "forward") -> list[tuple[str, list[str]]]:
    stretch = [range(phase.first, phase.last) for phase in trace.phases if phase.kind == kind]
    signatures = [trace.signatures[trace.calls[call].signature] for calls in stretch for call in calls]
    return [(signature.op, list(dtypes(signature.output))) for signature in signatures]


@pytest.mark.parametrize(("amp", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
@pytest.mark.parametrize(
    ("build", "shape"),
    [(Several, (2, 3, 8, 8)), (encoder, (2, 5, 32)), (Disabled, (3, 4))],
    ids=["Several", "encoder", "Disabled"],
)
def test_dtypes_are_those_of_a_real_run(
    build: Callable[[], nn.Module], shape: tuple[int, ...], amp: str, dtype: torch.dtype
) -> None:
    model, x = build().train(), torch.randn(shape)
    with plain_kernels(), Seen() as seen, torch.autocast("cpu", dtype=dtype):
        model(x)
    # While a mode looks on, torch adds the bias of some linear layers in a second place.
    ours = [(op.replace("add_.", "add."), given) for op, given in traced(profile(model, x, train=True, amp=amp).trace)]
    assert ours == [(op.replace("add_.", "add."), given) for op, given in seen.calls]


def casts(calls: list[tuple[str, list[str]]]) -> int:
    return sum(op == "aten._to_copy.default" for op, _ in calls)


def test_a_weight_is_cast_once() -> None:
    layer = nn.Linear(4, 4)
    trace = profile(nn.Sequential(layer, layer, layer), (2, 4), train=True, amp="bf16").trace
    assert casts(traced(trace)) == 1 + 2  # the input, the weight and the bias


def test_inside_a_recurrent_layer() -> None:
    """Its products are in one call for the dispatcher, as composite operators are."""
    calls = traced(profile(nn.LSTM(4, 8), (5, 2, 4), train=True, amp="bf16").trace)
    products = [given for op, given in calls if op in ("aten.addmm.default", "aten.mm.default")]
    assert products
    assert all(given == ["bfloat16"] for given in products)


def test_gradients_have_the_dtype_of_their_parameters() -> None:
    """The casts are part of the graph: what is cast in the forward pass is cast back in the backward pass."""
    trace = profile(nn.Linear(4, 4), (2, 4), train=True, amp="fp16").trace
    last = [given for op, given in traced(trace, "backward") if op == "aten._to_copy.default"]
    assert last == [["float32"], ["float32"]]


def test_what_is_run_again_is_cast_again() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)))
    trace = profile(model, (2, 4), train=True, amp="bf16", recompute=["1"]).trace
    again = [given for op, given in traced(trace, "recompute") if op == "aten.addmm.default"]
    assert again
    assert all(given == ["bfloat16"] for given in again)


def test_on_cuda_softmax_and_layer_norm_are_float32() -> None:
    x, weight = torch.empty(2, 4, device="meta"), torch.empty(4, 4, device="meta", requires_grad=True)
    with autocast_on_meta("float16", "cuda") as region, region():
        y = x @ weight
        assert y.dtype is torch.float16
        assert y.softmax(-1).dtype is y.sum().dtype is torch.float32
        assert nn.functional.layer_norm(y, (4,)).dtype is y.norm().dtype is torch.float32
        assert torch.addcmul(y, y, x).dtype is torch.float32
        with pytest.raises(RuntimeError, match="unsafe to autocast"):
            nn.functional.binary_cross_entropy(y, y)


def test_nothing_is_left_behind() -> None:
    x, weight = torch.empty(2, 4, device="meta"), torch.empty(4, 4, device="meta")
    before = torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set()
    with pytest.raises(ZeroDivisionError), autocast_on_meta("bfloat16") as region, region():
        raise ZeroDivisionError
    assert (torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set()) == before
    assert not torch.is_autocast_enabled("cpu")
    assert not torch._C._dispatch_has_kernel_for_dispatch_key("aten::linear", "AutocastIPU")
    assert nn.functional.linear(x, weight).dtype is torch.float32
