"""How fast do devices serve a language model at best, and does it fit on them?

A lower bound of time: each product takes max(FLOP / peak, bytes / bandwidth), products follow one another, and links
send meanwhile. What an engine really does is slower by some factor, its efficiency, which is assumed and not derived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from profiler import errors
from profiler.answers.generate.demands import Demand
from profiler.answers.generate.workload import Step, Workload
from profiler.devices.device import Device
from profiler.devices.parallel import Plan, all_reduce_bytes, send_bytes
from profiler.figures.cache import Part

EFFICIENCY = 0.6  # that is assumed where none is named
RESERVE = 0.05  # of the memory of a device: the runtime, the kernels' scratch memory, what is lost between blocks


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a phase, at the least: seconds in all, and what one device sends meanwhile.

    device_seconds: products alone. sum_bytes: to add up what devices have parts of. sent_bytes: to the next stage.
    """

    seconds: float
    device_seconds: float
    link_seconds: float
    sum_bytes: float
    sent_bytes: float


@dataclass(frozen=True, slots=True)
class Needed:
    """Bytes that the fullest device keeps."""

    weights: int
    buffers: int
    cache: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.buffers + self.cache + self.activations


@dataclass(frozen=True)
class Serving:
    """A workload on devices that share it by a plan. Raises `errors.ProfileError` where it cannot be shared so."""

    workload: Workload
    device: Device
    plan: Plan
    efficiency: float = EFFICIENCY

    def __post_init__(self) -> None:
        check_efficiency(self.efficiency)
        if self.plan.devices > 1 and self.device.link_bandwidth is None:
            raise _no_link(self.device)
        self._check_shares()
        for dtype in {demand.dtypes[0] for demand in self.workload.decode_step.demands if demand.flops}:
            self.device.needed_peak(dtype)

    def _check_shares(self) -> None:
        degree, stages = self.plan.tensor_parallel, self.plan.pipeline_parallel
        for heads in self.workload.heads:
            if heads % degree:
                raise _undivided(f"{heads} heads of attention", "--tensor-parallel", degree)
        for part in self.workload.cache:
            cached = _cached_heads(part)
            if cached is not None and cached % degree and degree % cached:
                raise _undivided(f"{cached} heads of keys and values", "--tensor-parallel", degree)
        if self.workload.layer_count % stages or self.workload.layer_count < stages:
            raise _undivided(f"{self.workload.layer_count} layers", "--pipeline-parallel", stages)

    # Memory ----------------------------------------------------------------------------------------------------------

    @cached_property
    def needed(self) -> Needed:
        weights = max(self._weights(stage) for stage in range(self.plan.pipeline_parallel))
        cache = self._of_cache(sum(self._share(part) * part.size_bytes for part in self.workload.cache))
        return Needed(weights, self.workload.buffer_bytes, cache, self.workload.activation_bytes)

    def _weights(self, stage: int) -> int:
        """A weight that layers of several stages read is in each of these."""
        kept = [
            weight for weight in self.workload.weights if any(self._stage(layer) == stage for layer in weight.layers)
        ]
        degree = self.plan.tensor_parallel
        return sum(-(-weight.size_bytes // degree) if weight.is_divisible else weight.size_bytes for weight in kept)

    def _stage(self, layer: int) -> int:
        return layer * self.plan.pipeline_parallel // max(1, self.workload.layer_count)

    def _of_cache(self, size_bytes: float) -> int:
        """A stage has its layers' part."""
        return -(-int(size_bytes) // self.plan.pipeline_parallel)

    def _share(self, part: Part) -> float:
        """Of a part of the cache: heads are divided; where there are fewer than devices, and of what has none, several
        devices have the same.
        """
        heads = _cached_heads(part)
        return 1 / min(self.plan.tensor_parallel, heads or 1)

    @property
    def _cache_share(self) -> float:
        """Which share of the cache of its layers a device keeps, and reads."""
        total = self.workload.cache_bytes
        return sum(self._share(part) * part.size_bytes for part in self.workload.cache) / total if total else 1.0

    @property
    def reserve_bytes(self) -> int:
        return int(RESERVE * self.device.memory_bytes)

    @property
    def left_bytes(self) -> int:
        """Less than nothing where the model does not fit."""
        return self.device.memory_bytes - self.reserve_bytes - self.needed.total

    @property
    def fits(self) -> bool:
        return self.left_bytes >= 0

    @property
    def replicates_heads(self) -> bool:
        degree = self.plan.tensor_parallel
        return any((_cached_heads(part) or degree) < degree for part in self.workload.cache)

    @property
    def largest_batch(self) -> int:
        """Sequences of this length that fit; 0 where the weights alone do not."""
        needed, sequences = self.needed, self.workload.sequences
        free = self.left_bytes + needed.cache
        return max(0, free * sequences // needed.cache) if needed.cache else sequences * self.fits

    @property
    def longest_context(self) -> int | None:
        """Tokens a sequence that fit, as many sequences as there are; None where the cache does not grow."""
        growth, read = self._growth, self.workload.prompt + max(1, self.workload.new_tokens)
        return max(0, int(read + self.left_bytes // growth)) if growth else None

    @property
    def _growth(self) -> float:
        """Bytes of a device by one token more of every sequence: its cache, and the activations of one prompt."""
        cache = self.workload.growth_bytes * self._cache_share / self.plan.pipeline_parallel
        return cache + self.workload.activation_bytes / self.workload.prompt if cache else 0.0

    # Time ------------------------------------------------------------------------------------------------------------

    @cached_property
    def first_token(self) -> Run:
        """The prefill: its stages one after the other, the slowest again for each group of sequences that follows."""
        step, stages = self.workload.prefill_step, list(self._stages(self.workload.prefill_step))
        runs = [self._run(step, demands, stage) for stage, demands in enumerate(stages)]
        slowest = max(runs, key=lambda run: run.seconds)
        return _added(runs, slowest.seconds * (self._groups - 1), self._groups)

    @cached_property
    def token(self) -> Run:
        """A decode step, in which each stage has had every group of sequences once."""
        step, stages = self.workload.decode_step, list(self._stages(self.workload.decode_step))
        runs = [self._run(step, demands, stage) for stage, demands in enumerate(stages)]
        slowest, once = max(run.seconds for run in runs), sum(run.seconds for run in runs)
        return _added(runs, max(0.0, slowest * self._groups - once), self._groups)

    @property
    def _groups(self) -> int:
        """As many groups of sequences as stages, so that each stage has one to work on."""
        return min(self.plan.pipeline_parallel, self.workload.sequences)

    @property
    def request_seconds(self) -> float:
        """The prompt and all new tokens."""
        return self.first_token.seconds + self.workload.new_tokens * self.token.seconds

    @property
    def request_rate(self) -> float:
        """Tokens a second of all sequences: the prefill's, and the new ones."""
        return self.workload.sequences * (1 + self.workload.new_tokens) / self.request_seconds

    def _stages(self, step: Step) -> Iterator[list[Demand]]:
        for stage in range(self.plan.pipeline_parallel):
            yield [demand for demand in step.demands if self._stage(demand.layer) == stage]

    def _run(self, step: Step, demands: list[Demand], stage: int) -> Run:
        """One stage with one group of sequences."""
        share, degree = 1 / self._groups, self.plan.tensor_parallel
        device_seconds = sum(self._seconds(demand, share) for demand in demands)
        summed = sum(size for layer, size in step.sums.items() if self._stage(layer) == stage) * share
        sum_bytes = all_reduce_bytes(summed, degree)
        is_last = stage == self.plan.pipeline_parallel - 1
        sent_bytes = 0.0 if is_last else send_bytes(step.handed_bytes * share, degree)
        link_seconds = (sum_bytes + sent_bytes) / (self.device.link_bandwidth or 1.0)
        return Run(max(device_seconds, link_seconds), device_seconds, link_seconds, sum_bytes, sent_bytes)

    def _seconds(self, demand: Demand, share: float) -> float:
        degree = self.plan.tensor_parallel
        moved = demand.weights_read(share, degree) + share * self._cache_share * demand.cache_bytes
        computing = share * demand.flops / degree / self._peak(demand.dtypes) if demand.flops else 0.0
        return max(computing, moved / self.device.memory_bandwidth)

    def _peak(self, dtypes: tuple[str, ...]) -> float:
        """Of the dtype that is fastest here."""
        return max(peak for dtype in dtypes if (peak := self.device.matrix_peak(dtype)) is not None)


def check_efficiency(share: float) -> None:
    if not 0 < share <= 1:
        raise _no_efficiency(share)


def _added(runs: list[Run], waiting: float, groups: int) -> Run:
    """Stages one after the other; what is sent is sent for every group."""
    return Run(
        sum(run.seconds for run in runs) + waiting,
        sum(run.device_seconds for run in runs),
        sum(run.link_seconds for run in runs) * groups,
        max(run.sum_bytes for run in runs) * groups,
        max(run.sent_bytes for run in runs) * groups,
    )


def _cached_heads(part: Part) -> int | None:
    """Of keys and values, which are sequences x heads x tokens x width; None of anything else that is cached."""
    is_of_heads = len(part.shape) == 4 and part.kind != "state"
    return part.shape[1] if is_of_heads else None


# Error messages -------------------------------------------------------------------------------------------------------


def _no_efficiency(share: float) -> errors.ProfileError:
    return errors.ProfileError(f"an efficiency is above 0 and at most 100%, and not {share:.0%}; give one like 60%")


def _no_link(device: Device) -> errors.ProfileError:
    return errors.ProfileError(
        f"{device.name} has no link to others of its kind that is known; choose one device, or another kind"
    )


def _undivided(what: str, flag: str, degree: int) -> errors.ProfileError:
    return errors.ProfileError(f"{flag} {degree} does not divide {what}; choose a degree that does")
