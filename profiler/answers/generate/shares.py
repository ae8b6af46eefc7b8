"""Which share of a language model has the fullest device of a plan: weights, cache, activations, layers, sequences?

Attention and dense layers are divided among `tensor_parallel` devices. Where experts are divided among more, there are
several such groups, which have sequences of their own; experts are divided among all devices of a stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from profiler import errors
from profiler.answers.generate.demands import Demand
from profiler.answers.generate.workload import Kept, Step, Workload
from profiler.devices.parallel import Plan
from profiler.figures.cache import Part


class Experts(NamedTuple):
    """Of a mixture: how many there are, how many one device has, and how many of those a decode step meets on average.

    Where the matrices of one are divided, a device has a part of each of its experts.
    """

    number: int
    on_device: int
    met: float


@dataclass(frozen=True)
class Shares:
    """Of a workload by a plan. Raises `errors.ProfileError` where it cannot be shared so."""

    workload: Workload
    plan: Plan

    def __post_init__(self) -> None:
        self._check_tensor_parallel()
        self._check_expert_parallel()
        stages, layers = self.plan.pipeline_parallel, self.workload.layer_count
        if layers % stages or layers < stages:
            raise _undivided(f"{layers} layers", "--pipeline-parallel", stages)

    def _check_tensor_parallel(self) -> None:
        degree = self.plan.tensor_parallel
        for heads in self.workload.heads:
            if heads % degree:
                raise _undivided(f"{heads} heads of attention", "--tensor-parallel", degree)
        for part in self.workload.cache:
            cached = _cached_heads(part)
            if cached is not None and cached % degree and degree % cached:
                raise _undivided(f"{cached} heads of keys and values", "--tensor-parallel", degree)

    def _check_expert_parallel(self) -> None:
        degree = self.plan.expert_parallel
        if degree > 1 and not self.workload.mixtures:
            raise _no_experts(self.workload.prefill.profile.model, degree)
        for mixture in self.workload.mixtures:
            if mixture.experts % degree:
                raise _undivided(f"{mixture.experts} experts", "--expert-parallel", degree)

    # Layers, sequences, tokens ---------------------------------------------------------------------------------------

    def stage(self, layer: int) -> int:
        return layer * self.plan.pipeline_parallel // max(1, self.workload.layer_count)

    def of_stage(self, step: Step, stage: int) -> list[Demand]:
        return [demand for demand in step.demands if self.stage(demand.layer) == stage]

    @property
    def sequences(self) -> int:
        """Of a device: where they are not divided evenly, one more than on others."""
        return -(-self.workload.sequences // self.plan.replicas)

    @property
    def groups(self) -> int:
        """As many groups of sequences as stages, so that each stage has one to work on."""
        return min(self.plan.pipeline_parallel, self.sequences)

    @property
    def tokens(self) -> float:
        """Which share of all tokens a device has at once."""
        return self.sequences / self.workload.sequences / self.groups

    @property
    def experts(self) -> Experts | None:
        """Of the first mixture; None where there is none."""
        degree = self.plan.expert_parallel
        demands = (demand for demand in self.workload.decode_step.demands if demand.experts)
        first = next(demands, None)
        if first is None:
            return None
        return Experts(first.experts, first.experts // degree, first.met(1 / self.groups, degree))

    # What is kept ----------------------------------------------------------------------------------------------------

    @cached_property
    def weight_bytes(self) -> int:
        return max(self._weights(stage) for stage in range(self.plan.pipeline_parallel))

    def _weights(self, stage: int) -> int:
        """A weight that layers of several stages read is in each of these."""
        of_stage = (kept for kept in self.workload.weights if any(self.stage(layer) == stage for layer in kept.layers))
        return sum(-(-kept.size_bytes // self._devices(kept)) for kept in of_stage)

    def _devices(self, kept: Kept) -> int:
        """How many devices of a stage a weight is divided among."""
        if kept.is_of_experts:
            return self.plan.stage_devices if kept.is_divisible else self.plan.expert_parallel
        return self.plan.tensor_parallel if kept.is_divisible else 1

    @cached_property
    def cache_bytes(self) -> int:
        """Of the sequences and the layers that a device has."""
        whole = sum(self._cached(part) * part.size_bytes for part in self.workload.cache)
        of_device = whole * self.sequences / self.workload.sequences
        return -(-int(of_device) // self.plan.pipeline_parallel)

    @property
    def cache(self) -> float:
        """Which share of the cache of its layers and sequences a device keeps, and reads."""
        total = self.workload.cache_bytes
        return sum(self._cached(part) * part.size_bytes for part in self.workload.cache) / total if total else 1.0

    def _cached(self, part: Part) -> float:
        """Heads are divided; where they are fewer than devices, and of what has none, several devices have the same."""
        heads = _cached_heads(part)
        return 1 / min(self.plan.tensor_parallel, heads or 1)

    @property
    def replicates_heads(self) -> bool:
        degree = self.plan.tensor_parallel
        return any((_cached_heads(part) or degree) < degree for part in self.workload.cache)

    @cached_property
    def activation_bytes(self) -> int:
        """What the largest product reads and writes besides weights: of one prompt, since prompts can be read in turn,
        and of all sequences of a device in a decode step. Experts are sent tokens of each group of devices.
        """
        sequences, experts = self.workload.sequences, self.plan.expert_parallel
        prompts = min(self.plan.replicas, sequences)

        def prefill(demand: Demand) -> int:
            whole = demand.activation_bytes
            return whole * prompts // (sequences * experts) if demand.experts else whole // sequences

        def decode(demand: Demand) -> int:
            whole = demand.activation_bytes
            return whole // experts if demand.experts else whole * self.sequences // sequences

        of_prefill = max(map(prefill, self.workload.prefill_step.demands), default=0)
        return max(of_prefill, *map(decode, self.workload.decode_step.demands))

    @property
    def growth_bytes(self) -> float:
        """By one token more of every sequence: the cache, and the activations of one prompt; 0 where no cache grows."""
        of_device = self.sequences / self.workload.sequences / self.plan.pipeline_parallel
        cache = self.workload.growth_bytes * self.cache * of_device
        return cache + self.activation_bytes / self.workload.prompt if cache else 0.0


def _cached_heads(part: Part) -> int | None:
    """Of keys and values, which are sequences x heads x tokens x width; None of anything else that is cached."""
    is_of_heads = len(part.shape) == 4 and part.kind != "state"
    return part.shape[1] if is_of_heads else None


# Error messages -------------------------------------------------------------------------------------------------------


def _undivided(what: str, flag: str, degree: int) -> errors.ProfileError:
    return errors.ProfileError(f"{flag} {degree} does not divide {what}; choose a degree that does")


def _no_experts(model: str, degree: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"--expert-parallel {degree} divides the experts of a mixture, and {model} multiplies none; leave it out"
    )
