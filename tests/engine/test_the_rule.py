"""Whatever is raised on meta tensors, a model is run on real ones; only what is raised there is its failure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import torch
from torch import nn

from profiler import ProfileError, profile

ROWS, WIDTH = 5, 6
MACS = ROWS * WIDTH * 4


class Asks(nn.Module):
    """Calls a function with its input, then a layer."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(WIDTH, 4), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.function(x)
        out: torch.Tensor = self.layer(x)
        return out


class Odd(BaseException):
    """No `Exception`: no library catches it by mistake."""


def _raises_without_values(error: Exception) -> Callable[[torch.Tensor], None]:
    def function(x: torch.Tensor) -> None:
        if x.is_meta:
            raise error

    return function


def _swallows(x: torch.Tensor) -> None:
    try:
        float(x.sum())
    except Exception:  # what a model may do: it took another way than it does with values
        return


VALUES: dict[str, Callable[[torch.Tensor], Any]] = {
    "any type": _raises_without_values(LookupError("nothing that torch says")),
    "system exit": _raises_without_values(SystemExit(3)),  # type: ignore[arg-type]
    "assertion without text": _raises_without_values(AssertionError()),
    "format": lambda x: f"{x.mean():.3f}",
    "numpy": lambda x: x.numpy().mean(),
    "memory view": lambda x: bytes(x.untyped_storage()),
    "list": lambda x: x.tolist()[0],
    "dict of numbers": lambda x: {0: 1}[int(x.long().min()) * 0],
    "unique": torch.unique,
    "caught": _swallows,
}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("function", VALUES.values(), ids=VALUES)
def test_it_is_run_on_real_tensors(function: Callable[[torch.Tensor], Any], train: bool) -> None:
    found = profile(Asks(function), (ROWS, WIDTH), train=train)
    assert found.trace.engine == "cpu"
    assert found["layer"].macs == MACS * (2 if train else 1)


ON_META: dict[str, Callable[[torch.Tensor], Any]] = {
    "autocast off": lambda x: torch.autocast(x.device.type, enabled=False).__enter__().__exit__(None, None, None),
    "compared with a constant's device": lambda x: {True: 1}[x.device == torch.zeros(1).device],
    "kind of device": lambda x: {"cpu": 1}[x.device.type],
    "device made again": lambda x: torch.ones(2, device=torch.device(x.device)) + x[0, :2],
    "index": lambda x: {None: 1}[x.device.index],
    "flags": lambda x: {False: 1}[x.is_cuda],
    "number": lambda x: {-1: 1}[x.get_device()],
    "text": lambda x: (repr(x), str(x), f"{x}"),
    "a constant of the CPU": lambda x: x + torch.arange(WIDTH, device="cpu"),
    "moved there": lambda x: (x.cpu() + 1, x.to("cpu") + 1, x.to(torch.ones(1)) + 1),
    "a draw": lambda x: {True: 1}[bool(torch.rand(1, device=x.device) < 2)],
}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("function", ON_META.values(), ids=ON_META)
def test_code_that_looks_at_the_device_runs_on_meta(function: Callable[[torch.Tensor], Any], train: bool) -> None:
    found = profile(Asks(function), (ROWS, WIDTH), train=train)
    assert (found.trace.engine, found["layer"].macs) == ("meta", MACS * (2 if train else 1))


def test_a_short_time_fourier_transform_with_a_window_of_constants() -> None:
    """Torch compares devices itself; in a training step, whose operators come in parts, the run is a real one."""

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.stft(x.flatten(), 8, window=torch.hann_window(8), return_complex=True)

    engines = [profile(Asks(function), (ROWS, WIDTH), train=train).trace.engine for train in (False, True)]
    assert engines == ["meta", "cpu"]


@pytest.mark.parametrize(("dtype", "expected"), [(torch.bfloat16, "bfloat16"), (torch.float16, "float16")])
@pytest.mark.parametrize("train", [False, True])
def test_autocast_of_the_models_own_casts_on_meta(dtype: torch.dtype, expected: str, train: bool) -> None:
    class Casts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> Any:
            with torch.autocast(x.device.type, dtype=dtype):
                x = self.inner(x)
            return self.outer(x.float())

    found = profile(Casts(), (3, 4), train=train)
    assert found.trace.engine == "meta"
    assert (found["inner"].output.dtype, found["outer"].output.dtype) == (expected, "float32")  # type: ignore[union-attr]


class Deep(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.first, self.block = nn.Linear(WIDTH, WIDTH), nn.Sequential(nn.ReLU(), Asks(function))

    def forward(self, x: torch.Tensor) -> Any:
        return self.block(self.first(x))


def _bad_shape(x: torch.Tensor) -> None:
    x @ torch.ones(WIDTH + 1, 2)


def _several_lines(x: torch.Tensor) -> None:
    raise ValueError("a heading:\n   what is wrong")


FAILURES: dict[str, tuple[Callable[[torch.Tensor], Any], str]] = {
    "shapes": (_bad_shape, "RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
    "of its own": (_several_lines, "ValueError: a heading: what is wrong"),
    "with values": (lambda x: {}[int(x.sum() * 0)], "KeyError: 0"),
}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(("function", "says"), FAILURES.values(), ids=FAILURES)
def test_a_model_that_fails_says_where(function: Callable[[torch.Tensor], Any], says: str, train: bool) -> None:
    """The layer with its input, what was raised, and the line of the user's own code."""
    with pytest.raises(ProfileError) as raised:
        profile(Deep(function), (ROWS, WIDTH), train=train)
    line = function.__code__.co_firstlineno + (0 if function.__name__ == "<lambda>" else 1)
    text = str(raised.value)
    assert f"in block.1 on {ROWS}x{WIDTH}, {says}" in text
    assert f"test_the_rule.py:{line})" in text
    assert text.startswith(f"Deep fails on input {ROWS}x{WIDTH} (")
    assert "\n" not in text


def test_a_failing_model_is_called_three_times() -> None:
    """On meta, in inference mode and as a caller would: what is told is what a caller sees."""
    calls: list[tuple[str, bool]] = []

    def function(x: torch.Tensor) -> None:
        calls.append(("meta" if x.is_meta else "cpu", torch.is_grad_enabled()))
        raise ValueError("no")

    with pytest.raises(ProfileError, match="ValueError: no"):
        profile(Asks(function), (ROWS, WIDTH))
    assert calls == [("meta", False), ("cpu", False), ("cpu", True)]


def test_an_exception_that_ends_a_program_goes_through() -> None:
    def function(x: torch.Tensor) -> None:
        raise Odd

    with pytest.raises(Odd):
        profile(Asks(function), (ROWS, WIDTH))


def test_where_there_is_no_memory_both_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", type("Memory", (), {"available": 1000}))

    def function(x: torch.Tensor) -> Any:
        y = x.repeat(1, 100)  # 5·600·4 bytes
        return {}[int(y.sum())]

    with pytest.raises(ProfileError, match=r"aten\.item\.default.*needs at least 11\.8KB, of which 1000B are free"):
        profile(Asks(function), (ROWS, WIDTH))


def test_meta_weights_without_a_way_to_build_them() -> None:
    with pytest.raises(
        ProfileError, match=r"item.*its weights are on the meta device; .*give a model with real weights"
    ):
        profile(Asks(lambda x: x.sum().item()).to("meta"), (ROWS, WIDTH))


@pytest.mark.parametrize("train", [False, True])
def test_modules_as_deep_as_torch_runs_them(train: bool) -> None:
    depth = 235
    model: nn.Module = nn.Linear(2, 2)
    for _ in range(depth):
        model = nn.Sequential(model)
    model(torch.rand(1, 2))
    limit = sys.getrecursionlimit()
    assert profile(model, (1, 2), train=train).totals.macs == 2 * 2 * (2 if train else 1)
    assert sys.getrecursionlimit() == limit


def test_a_loop_that_reads_values_is_recorded_by_its_arguments() -> None:
    """Equal calls share a signature, whatever they read; what they return is another where its strides are."""

    class Loops(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            total = torch.zeros(2)
            for row in range(ROWS):
                total.add_(x[row, 0].item())
            return total

    trace = profile(Loops(), torch.rand(ROWS, WIDTH)).trace
    calls = [trace.signatures[call.signature] for call in trace.calls]
    read = [call for call in calls if call.op in ("aten.item.default", "aten._local_scalar_dense.default")]
    assert (len(read), len(set(read)), read[0].output) == (ROWS, 1, None)
    assert [call.op for call in calls].count("aten.add_.Tensor") == ROWS
