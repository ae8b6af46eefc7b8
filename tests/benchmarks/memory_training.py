"""What is predicted of a training step's memory and MACs, and what is measured: forward, and backward from ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from profiler import Profile, profile
from profiler.engine.containers.walk import leaves
from profiler.engine.run.feed import placeholder, random_values
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.figures import memory
from profiler.records.conditions import conditions
from profiler.records.inputs import parse
from tests.benchmarks.allocations import plain_kernels, record, uncollected
from tests.benchmarks.memory_findings import Finding, Tracked, compared
from tests.benchmarks.memory_training_models import TRAINING


def find(name: str) -> Finding:
    """Predict from the live model, then train it for a step."""
    case = TRAINING[name]
    torch.manual_seed(0)
    model = case.build().train()
    specs = [parse(text) for text in case.inputs]
    generator = torch.Generator().manual_seed(0)
    inputs = tuple(random_values(spec, generator) for spec in specs)
    tracked = Tracked(lambda: tracked_on_cpu(model, inputs))
    measured = record(lambda: step(model, inputs), _both(tracked.run, lambda: step(model, inputs)))
    found = compared(name, lambda: predicted_training(model, inputs), measured, tracked)
    return found.with_macs(lambda: torch_macs(model, tuple(placeholder(spec) for spec in specs)))


def _both(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        first()
        second()

    return run


def step(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Gradients of before are gone; the outputs are kept to the end, as a caller would."""
    model.zero_grad(set_to_none=True)
    outputs = model(*inputs)
    ends = [tensor for tensor in leaves(outputs) if tensor.requires_grad]
    torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
    return outputs


def predicted_training(model: nn.Module, inputs: tuple[Any, ...]) -> Profile:
    """The profile of a training step."""
    return profile(model, inputs, train=True)


def tracked_on_cpu(model: nn.Module, inputs: tuple[Any, ...]) -> int:
    """The peak by the lifetimes of storages, as predicted, but of real ones."""
    subject = Subject(model, type(model).__name__, "live", inputs)
    with plain_kernels(), uncollected():
        return memory.peak_bytes(trace(subject, conditions(train=True), real=True))


def torch_macs(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> int:
    """Half the FLOPs of torch's own counter, forward and backward, on meta."""
    model = copy.deepcopy(model).to("meta")
    with FlopCounterMode(display=False) as counter:
        step(model, inputs)
    return int(counter.get_total_flops()) // 2
