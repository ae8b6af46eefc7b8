"""Times of models whose layers say how long they take."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from profiler import ProfileError, profile
from profiler.devices.measuring import clock as clocks
from profiler.devices.measuring.sampling import collect
from profiler.figures.layers import parent_rows
from profiler.records.conditions import conditions
from profiler.records.times import MEASURED
from profiler.render.tables import Caution
from tests.devices.measuring.fake import Around, FakeClock, Takes, measure

MS = 1e-3


def nested(clock: FakeClock) -> nn.Module:
    inner = Around(clock, 2 * MS, [Takes(clock, 5 * MS), Takes(clock, 7 * MS)])
    return Around(clock, 1 * MS, [Takes(clock, 3 * MS), inner])


OWN = {"": 1, "layers.0": 3, "layers.1": 2, "layers.1.layers.0": 5, "layers.1.layers.1": 7}
TOTAL = OWN | {"": 1 + 3 + 2 + 5 + 7, "layers.1": 2 + 5 + 7, "layers.1.layers": 5 + 7, "layers": 3 + 2 + 5 + 7}


def by_path(model: nn.Module, durations: tuple[object, ...]) -> dict[str, float]:
    paths = [module.path for module in profile(model, torch.ones(2, 2)).trace.modules]
    return {path: duration.seconds for path, duration in zip(paths, durations, strict=True)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("mark_costs", [0.0, 1e-6, 100e-6])
def test_each_layer_takes_what_it_says(mark_costs: float) -> None:
    """Whatever reading the clock takes, but for the two readings around the whole."""
    clock = FakeClock(mark_costs)
    model = nested(clock)
    times = measure(model, clock).times_here
    own, total = by_path(model, times.own), by_path(model, times.total)
    assert times.word == MEASURED
    for path, expected in OWN.items():
        assert own[path] == pytest.approx(expected * MS, rel=0.01, abs=2 * mark_costs)
    for path, expected in TOTAL.items():
        assert total[path] == pytest.approx(expected * MS, rel=0.01, abs=2 * mark_costs)


def test_layers_sum_to_the_whole() -> None:
    clock = FakeClock(1e-6)
    generator = torch.Generator().manual_seed(0)
    seconds = [(0.5 + torch.rand(50, generator=generator) * k).tolist() for k in (1, 2, 3)]
    model = Around(clock, 0.3, [Takes(clock, *several) for several in seconds])
    times = measure(model, clock, seconds=200.0).times_here
    assert sum(duration.seconds for duration in times.own) == pytest.approx(times.whole.seconds)
    trace = profile(model, torch.ones(2, 2)).trace
    for row, duration in enumerate(times.total):
        children = [other for other, parent in enumerate(parent_rows(trace.modules)) if parent == row and other != row]
        within = times.own[row].seconds + sum(times.total[child].seconds for child in children)
        assert duration.seconds == pytest.approx(within)
        assert duration.low <= duration.seconds <= duration.high


def test_a_module_that_is_called_twice_takes_both_times() -> None:
    clock = FakeClock()
    shared = Takes(clock, 4 * MS)
    model = Around(clock, 1 * MS, [shared, shared])
    times = measure(model, clock).times_here
    assert times.whole.seconds == pytest.approx(9 * MS)
    assert by_path(model, times.total)["layers.0"] == pytest.approx(8 * MS)


def test_what_no_mark_sees_is_its_parents() -> None:
    """A layer whose `forward` is called as a function."""

    class Functional(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer.forward(x)

    clock = FakeClock()
    model = Functional(Takes(clock, 4 * MS))
    times = measure(model, clock).times_here
    assert by_path(model, times.own) == pytest.approx({"": 4 * MS, "layer": 0.0})


def test_a_steady_machine_has_a_narrow_interval_and_no_caution() -> None:
    clock = FakeClock()
    measurement = measure(Takes(clock, 10 * MS), clock)
    assert measurement.times_here.whole == pytest.approx((10 * MS, 10 * MS, 10 * MS))
    assert measurement.quartiles == pytest.approx((10 * MS, 10 * MS))
    assert measurement.times_here.notes == ()
    assert clock.time < 1.0  # what is known is not measured further


def test_noise_says_so() -> None:
    clock = FakeClock()
    generator = torch.Generator().manual_seed(1)
    noisy = (10 * MS * torch.exp(2 * torch.randn(997, generator=generator))).tolist()
    times = measure(Takes(clock, *noisy), clock, seconds=2.0).times_here
    assert times.whole.high - times.whole.low > 0.2 * times.whole.seconds
    assert any(isinstance(note, Caution) and note.startswith("TOO NOISY") for note in times.notes)


def test_the_budget_ends_it() -> None:
    clock = FakeClock()
    measurement = measure(Takes(clock, 1.0, 3.0, 2.0), clock, seconds=4.0)
    assert clock.time < 40
    assert measurement.runs >= 2


@pytest.mark.parametrize("around_s", [0.0, 0.002, 0.02])
def test_what_is_done_around_a_run_is_of_the_budget(around_s: float) -> None:
    """A run of 0.01 ms that is looked into takes a hundred times as long, and what is around it counts as well."""
    clock = [0.0]

    def run(takes: float) -> float:
        clock[0] += takes + around_s
        return 1e-5

    samples = collect(lambda: run(1e-5), lambda: run(1e-3), lambda: clock[0], 5.0)
    assert clock[0] <= 5.5
    assert samples.runs >= 12


def test_a_training_step_has_phases() -> None:
    clock = FakeClock()
    model = nested(clock)
    weights = [weight.detach().clone() for weight in model.parameters()]
    times = measure(model, clock, under=conditions(train=True, optimizer="adamw"), seconds=0.3).times_here
    assert list(times.phases) == ["forward", "backward", "update"]
    assert times.phases["forward"].seconds == pytest.approx(TOTAL[""] * MS)
    assert all(map(torch.equal, weights, model.parameters()))
    assert all(weight.grad is None for weight in model.parameters())


def test_the_model_comes_back_untouched() -> None:
    clock = FakeClock()
    model = nn.Sequential(Takes(clock, MS), nn.BatchNorm1d(2), nn.Dropout(), nn.ReLU(inplace=True)).train()
    model[3].eval()
    x = torch.randn(2, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    called, modes, given = nn.Module.__call__, [module.training for module in model.modules()], x.clone()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    for under in (conditions(), conditions(train=True, optimizer="sgd"), conditions(dtype="bfloat16")):
        measure(model, clock, seconds=0.1, under=under)
    assert nn.Module.__call__ is called
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.dtype == torch.float32 and weight.grad is None for weight in model.parameters())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.equal(x, given)


def test_it_comes_back_when_it_raises() -> None:
    class Raises(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not x.is_meta:
                self.seen += 1
                raise OSError("no such sensor")
            return x * self.seen

    model, called = Raises(), nn.Module.__call__
    with pytest.raises(ProfileError, match=r"Raises fails when it is run on cpu \(OSError: no such sensor\)"):
        measure(model, FakeClock())
    assert model.seen.item() == 0
    assert nn.Module.__call__ is called


def test_weights_without_values_are_not_timed() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    with pytest.raises(ProfileError, match="has its weights on the meta device"):
        measure(model, FakeClock())


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_device_that_is_not_there(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ProfileError, match=f"--device {kind}: torch finds no such device on this machine"):
        clocks.clock(kind)
