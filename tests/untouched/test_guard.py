"""The guard itself: every step is made, whatever another raises; and a run beside other threads and processes."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import torch
from torch import nn

from profiler import errors, profile
from profiler.engine.guard import guard as guards
from profiler.engine.guard.leftovers import Leftovers
from tests.untouched.fingerprint import Fingerprint
from tests.untouched.hostile import WIDTH, Hostile

_STEPS = ("Stacks", "Modules", "Objects", "Classes", "Tensors", "SavedValues", "RandomStates", "TorchSettings")


def _changes(m: Any, x: torch.Tensor) -> None:
    """Something of each kind."""
    torch.set_grad_enabled(not torch.is_grad_enabled())
    m.new = 1
    m.plain.count = 5
    type(m).calls = 9
    m.scale.data = torch.zeros(WIDTH)
    m.kept.fill_(7)
    torch.manual_seed(1)
    torch._C._set_cudnn_benchmark(True)  # which goes where torch's flags are frozen, too


_LEAVES = {
    "Stacks": ["gradients"],
    "Modules": ["new"],
    "Objects": ["count"],
    "Classes": ["calls"],
    "Tensors": ["scale", "kept"],
    "SavedValues": ["kept"],
    "RandomStates": ["torch.random"],
    "TorchSettings": ["cudnn", "hooks of all modules"],  # torch forgets to take one of its own entries away
}


def _profiled_where(step: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], str]:
    """What differs after a profile in which a step of the guard raises, and what was told."""

    def failing(self: Any, failures: Any) -> None:
        raise error

    model = Hostile(_changes, asks=False)
    before, around = Fingerprint(model, {}), guards.Guard([model])
    with monkeypatch.context() as patched:
        patched.setattr(getattr(guards, step), "restore", failing)
        with pytest.raises(errors.ProfileError) as told:
            profile(model, torch.ones(2, WIDTH))
    differences = before.differences(Fingerprint(model, {}))
    around.restore()
    return differences, str(told.value)


@pytest.mark.parametrize("step", _STEPS)
def test_a_step_that_fails_stops_no_other(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    differences, told = _profiled_where(step, OSError("broken"), monkeypatch)
    assert [place for place in differences if not any(left in place for left in _LEAVES[step])] == []
    assert "OSError: broken" in told
    assert getattr(guards, step).what in told


def test_an_interrupted_step_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    modules, calls = guards.Modules.restore, []

    def interrupted(self: Any, failures: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        modules(self, failures)

    model = Hostile(_changes, asks=False)
    before = Fingerprint(model, {})
    with monkeypatch.context() as patched:
        patched.setattr(guards.Modules, "restore", interrupted)
        with pytest.raises(KeyboardInterrupt):
            profile(model, torch.ones(2, WIDTH))
    assert before.differences(Fingerprint(model, {})) == []


def _threads(work: Callable[[int], None], number: int) -> None:
    threads = [threading.Thread(target=work, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_eight_threads() -> None:
    models = [Hostile(_changes, asks=False) for _ in range(8)]
    before = [Fingerprint(model, {}) for model in models]
    found: dict[int, int] = {}

    def work(place: int) -> None:
        for _ in range(3):
            found[place] = profile(models[place], torch.ones(2, WIDTH)).totals.macs

    _threads(work, 8)
    assert set(found.values()) == {2 * 2 * WIDTH * WIDTH}
    assert [b.differences(Fingerprint(m, {})) for b, m in zip(before, models, strict=True)] == [[]] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_a_fork_amid_a_run_of_another_thread() -> None:
    """The child profiles at once, and has the model as it was."""
    running, go_on = threading.Event(), threading.Event()

    def waits(m: Any, x: torch.Tensor) -> None:
        running.set()
        go_on.wait(20)

    model = Hostile(waits, asks=False)
    thread = threading.Thread(target=lambda: profile(model, torch.ones(2, WIDTH)))
    thread.start()
    assert running.wait(20)
    child = os.fork()
    if child == 0:
        fine = model.training and profile(nn.Linear(2, 2), (1, 2)).totals.macs == 4
        os._exit(0 if fine else 1)
    deadline, status = time.monotonic() + 20, 0
    while time.monotonic() < deadline and not status:
        ended, code = os.waitpid(child, os.WNOHANG)
        status = code + 1 if ended else 0
        time.sleep(0.05)
    go_on.set()
    thread.join()
    if not status:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert status == 1


def test_many_profiles_in_a_row() -> None:
    """2,000: memory stays where it is after the first ones."""
    model, process = Hostile(lambda m, x: m.listed.append(x), asks=False), psutil.Process()
    sizes, times = [], []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(400):
            profile(model, torch.ones(2, WIDTH))
        times.append(time.perf_counter() - start)
        gc.collect()
        sizes.append(process.memory_info().rss / 1024 / 1024)
    print("MB:", *(f"{size:.0f}" for size in sizes), "seconds:", *(f"{seconds:.1f}" for seconds in times))
    assert sizes[-1] - sizes[0] < 20


def test_what_was_there_is_not_young() -> None:
    """Ids of freed objects come back: what was made before a run is told from what the run makes without any."""
    before = [[number] for number in range(100)]
    gc.disable()
    try:
        Leftovers()
        made = [[number] for number in range(100)]
        young = set(map(id, gc.get_objects(0)))
    finally:
        gc.enable()
    assert not young & set(map(id, before))
    assert set(map(id, made)) <= young


@pytest.mark.parametrize(
    ("usual", "listed", "name"),
    [
        (lambda: nn.MaxPool2d(2), lambda: nn.MaxPool2d([2, 2]), "kernel_size"),
        (lambda: nn.Upsample(scale_factor=2.0), lambda: nn.Upsample(size=[8, 8]), "size"),
        (lambda: nn.AdaptiveAvgPool2d(1), lambda: nn.AdaptiveAvgPool2d([1, 1]), "output_size"),
    ],
    ids=["a pool", "an upsampling", "an adaptive pool"],
)
def test_a_layer_whose_setting_is_a_list_behind_one_whose_is_not(
    usual: Callable[[], nn.Module], listed: Callable[[], nn.Module], name: str
) -> None:
    class Changes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = listed()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            setting = getattr(self.layer, name)
            if isinstance(setting, list):
                setting[0] += 1
            return self.layer(x)

    profile(usual(), (1, 1, 4, 4))
    model = Changes()
    before = list(getattr(model.layer, name))
    profile(model, (1, 1, 4, 4))
    assert getattr(model.layer, name) == before
