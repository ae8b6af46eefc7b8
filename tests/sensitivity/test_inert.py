"""In a network that was trained, a block that is inert by construction comes last by every measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn
from torch.nn import functional as F

from profiler import sensitivity
from profiler.answers.sensitivity.compute import LayerSensitivity, LayerTrial, Sensitivity, Trials

WIDTH, BLOCKS, INERT = 12, 4, "blocks.2"


class Block(nn.Module):
    """Adds something to what it takes; where its gate is 0, nothing."""

    def __init__(self, gate: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH))
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * self.inner(x)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 2)
        self.blocks = nn.ModuleList(Block(0.0 if f"blocks.{i}" == INERT else 1.0) for i in range(BLOCKS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


@cache
def trained() -> tuple[nn.Module, Tensor, Tensor]:
    """Two moons, which it tells apart."""
    points, labels = make_moons(128, noise=0.1, random_state=0)
    samples, classes = torch.tensor(points, dtype=torch.float32), torch.tensor(labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
        for _ in range(100):
            optimizer.zero_grad()
            F.cross_entropy(network(samples), classes).backward()
            optimizer.step()
    network.zero_grad()
    assert float((network(samples).argmax(1) == classes).float().mean()) > 0.95
    return network, samples, classes


@cache
def measured() -> Sensitivity:
    network, samples, classes = trained()
    answer = sensitivity(network, data=[(samples, classes)], samples=128, hessian=8)
    assert isinstance(answer, Sensitivity)
    return answer


MEASURES: dict[str, Callable[[LayerSensitivity], float | None]] = {
    "norm": lambda row: row.norm,
    "mean |g|": lambda row: row.mean_absolute,
    "importance": lambda row: row.importance,
    "per weight": lambda row: row.importance_per_param,
    "per MAC": lambda row: row.importance_per_mac,
    "fisher": lambda row: row.sums.fisher,
    "trace": lambda row: abs(row.trace or 0.0),
}


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_has_it_last(name: str) -> None:
    values = {f"blocks.{i}": MEASURES[name](measured()[f"blocks.{i}"]) for i in range(BLOCKS)}
    assert min(values, key=lambda path: values[path] or 0.0) == INERT
    assert values[INERT] == 0
    assert sum(value == 0 for value in values.values()) == 1


def test_it_alone_costs_much_and_matters_little() -> None:
    marked = {row.path for row in measured().layers if row.costs_much}
    assert marked == {INERT, f"{INERT}.inner", f"{INERT}.inner.0", f"{INERT}.inner.2"}


def tried(by: str, each: str) -> Trials:
    network, samples, classes = trained()
    answer = sensitivity(network, data=[(samples, classes)], samples=128, by=by, each=each)
    assert isinstance(answer, Trials)
    return answer


def test_it_can_be_removed_and_no_other() -> None:
    trials = tried("remove", "blocks.?")
    inert = trials.rows[0]
    assert inert.path == INERT
    assert inert.effect == trials.before.__class__(0.0, 0.0, trials.before.loss, trials.before.score)
    assert inert.saved_macs == 2 * WIDTH * WIDTH
    assert inert.saved_bytes == 4 * 2 * (WIDTH * WIDTH + WIDTH)
    for row in trials.rows[1:]:
        assert row.effect is not None
        assert row.effect.change is not None
        assert row.effect.change > 0.01
        assert trials.loss(row) != 0
    assert min(trials.score(row) or 0.0 for row in trials.rows) < 0


def test_what_a_removal_changes_is_what_it_changes_by_hand() -> None:
    network, samples, classes = trained()
    with torch.no_grad():
        before = network(samples).double()
        kept = network.blocks[0]
        network.blocks[0] = nn.Identity()
        after = network(samples).double()
        network.blocks[0] = kept
    effect = tried("remove", "blocks.0")["blocks.0"].effect
    assert effect is not None
    assert effect.change == pytest.approx(float((after - before).norm() / before.norm()), rel=1e-12)
    divergence = F.kl_div(after.log_softmax(1), before.log_softmax(1), log_target=True, reduction="batchmean")
    assert effect.divergence == pytest.approx(float(divergence), rel=1e-9)
    assert effect.loss == pytest.approx(float(F.cross_entropy(after, classes)), rel=1e-9)
    assert effect.score == float((after.argmax(1) == classes).double().mean())


@pytest.mark.parametrize("by", ["quantise=int8", "quantise=nf4", "prune=0.5"])
def test_other_changes_of_it_change_nothing(by: str) -> None:
    trials = tried(by, "blocks.?")
    assert trials.rows[0].path == INERT
    changes = {row.path: _change(row) for row in trials.rows}
    assert changes.pop(INERT) == 0
    assert all(change > 0 for change in changes.values())
    assert all((row.saved_bytes or 0) > 0 for row in trials.rows)


def _change(row: LayerTrial) -> float:
    assert row.effect is not None
    assert row.effect.change is not None
    return row.effect.change


def test_fewer_bits_and_fewer_weights_change_more() -> None:
    changes = [
        _change(tried(by, "stem")["stem"]) for by in ("quantise=int8", "quantise=nf4", "prune=0.25", "prune=0.75")
    ]
    assert changes[0] < changes[1]
    assert changes[2] < changes[3]


def test_what_cannot_be_left_out_says_why() -> None:
    trials = tried("remove", "*")
    failures = {row.path: row.trial.failure for row in trials.rows if row.trial.failure}
    assert failures == {
        "stem": "cannot be left out: in 1x2, out 1x12",
        "head": "cannot be left out: in 1x12, out 1x2",
    }
    assert [row.path for row in trials.rows[-2:]] == ["stem", "head"]
    assert [row.path for row in trials.rows if row.path.startswith("blocks")]  # in the place of their list
