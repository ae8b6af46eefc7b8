"""May a process profile models for days? What it remembers is bounded, and what it drops is gone.

`python -m tests.benchmarks.long` prints memory and times of thousands of profiles.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torchs

from profiler import profile
from profiler.engine.containers import layouts
from profiler.engine.record import memo
from profiler.errors import ModelFailed
from profiler.ops import registry
from profiler.records.remembered import Recent, Shared
from tests.benchmarks.long import own_class, remembered, state
from tests.benchmarks.supernets import subnets

Case = tuple[nn.Module, Any, dict[str, Any]]


def _own(**options: Any) -> Case:
    """A class whose methods close over it and over a tensor."""
    return own_class(16, torch.rand(1))(), (4, 16), options


def _with_forward(forward: Callable[[Any, Tensor], Any], inputs: Any = (4, 4), **options: Any) -> Case:
    cls: Any = type("Local", (nn.Module,), {"forward": forward})
    model = cls()
    model.layer = nn.Linear(4, 4)
    return model, inputs, options


def _asking() -> Case:
    return _with_forward(lambda self, x: self.layer(x) if x.sum().item() < 1e9 else x, torch.rand(4, 4))


def _keeping_and_failing() -> Case:
    def forward(self: Any, x: Tensor) -> Tensor:
        self.kept = type(self).kept = self.layer(x)
        raise ValueError("no")

    return _with_forward(forward)


def _drawing() -> Case:
    generator = torch.Generator()
    return _with_forward(lambda self, x: self.layer(x) + torch.rand(4, 4, generator=generator))


def _with_own_function() -> Case:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
            return gradient * 2

    return _with_forward(lambda self, x: Double.apply(self.layer(x)), train=True)  # type: ignore[no-untyped-call]


def _lazy() -> Case:
    model, inputs, options = _with_forward(lambda self, x: self.layer(x))
    model.layer = nn.LazyLinear(4)
    return model, inputs, options


def _parametrized() -> Case:
    return nn.utils.parametrizations.weight_norm(type("Local", (nn.Linear,), {})(4, 4)), (4, 4), {}


CASES: dict[str, Callable[[], Case]] = {
    "a class of its own": _own,
    "trained": lambda: _own(train=True, optimizer="adamw"),
    "in another dtype": lambda: _own(dtype="float16"),
    "fed with a tensor": lambda: (_own()[0], torch.rand(4, 16), {}),
    "run on real tensors": _asking,
    "failing": _keeping_and_failing,
    "drawing from a generator": _drawing,
    "with a function for autograd": _with_own_function,
    "lazy": _lazy,
    "of a class that torch made": _parametrized,
}


def _profiled(case: Case) -> Any:
    model, inputs, options = case
    try:
        found = profile(model, inputs, **options)
    except ModelFailed:
        return None
    assert found.totals.params
    return found


@pytest.mark.parametrize("is_kept", [False, True], ids=["profile dropped", "profile kept"])
@pytest.mark.parametrize("name", CASES)
def test_a_model_that_is_dropped_is_gone(name: str, is_kept: bool) -> None:
    """And its class, its weights and its input, also while its profile is kept."""
    case = CASES[name]()
    alive = {"model": weakref.ref(case[0]), "class": weakref.ref(type(case[0]))}
    alive |= {path: weakref.ref(weight) for path, weight in case[0].named_parameters()}
    if isinstance(case[1], Tensor):
        alive["input"] = weakref.ref(case[1])
    found = _profiled(case)
    del case
    if not is_kept:
        del found
    gc.collect()
    assert [name for name, reference in alive.items() if reference() is not None] == []


def test_nothing_but_what_is_bounded_grows() -> None:
    """In a process of its own: what other tests leave behind comes and goes meanwhile."""
    code = "from tests.test_long_processes import check_growth; check_growth()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_growth() -> None:
    """No tensor, thread, file or hook more, and no entry in what lives as long as the process."""
    for make in [*CASES.values()] * 3:  # a layer is tried twice before it is remembered
        _profiled(make())
    before, sizes = state(), remembered()
    for make in CASES.values():
        _profiled(make())
    after = state()
    assert (after.tensors, after.threads, after.files) == (before.tensors, before.threads, before.files)
    assert (len(torchs._global_forward_hooks), len(torchs._global_forward_pre_hooks)) == (0, 0)
    grown = {name for name, size in remembered().items() if size > sizes.get(name, 0)}
    assert {name for name in grown if not isinstance(_named(name), (Recent, Shared))} == set()


def test_what_is_remembered_of_many_models_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layouts and signatures are alive for what is remembered alone."""
    most = 64
    for table in (memo._entries, registry._costs):
        table.clear()
        monkeypatch.setattr(table, "most", most)
    memo._forget_layers()
    monkeypatch.setattr(memo, "_MOST_LAYER_ENTRIES", most)
    gc.collect()
    before = _alive()
    for subnet in islice(subnets("mobilenet", 1), 3):
        found = profile(subnet.on("meta")[0], (1, 3, subnet.resolution, subnet.resolution))
        assert len(found.trace.signatures) > most // 2
    del found
    gc.collect()
    assert max(memo._entries.size, registry._costs.size) <= most
    more_signatures, more_layouts = (now - then for now, then in zip(_alive(), before, strict=True))
    assert more_signatures <= 3 * most  # of calls, of costs, and of layers
    assert more_layouts <= 6 * most  # a convolution has three arguments that are tensors, and a result


def _alive() -> tuple[int, int]:
    """How many signatures there are, and layouts."""
    return len(memo._signatures), len(layouts._layouts)


@pytest.mark.parametrize("options", [{}, {"train": True}], ids=["inference", "training"])
def test_what_was_forgotten_amid_a_run_is_worked_out_anew(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    subnet = next(subnets("mobilenet", 2))
    model, shape = subnet.on("meta")[0], (1, 3, subnet.resolution, subnet.resolution)
    expected = profile(model, shape, **options).trace
    monkeypatch.setattr(memo._entries, "most", 4)
    memo._entries.clear()
    assert profile(model, shape, **options).trace == expected


def _named(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return vars(sys.modules[module])[attribute]
