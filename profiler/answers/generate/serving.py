"""How fast do devices serve a language model at best, and does it fit on them?

A lower bound of time: each product takes max(FLOP / peak, bytes / bandwidth), products follow one another, and links
send meanwhile. What an engine really does is slower by some factor, its efficiency, which is assumed and not derived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from profiler import errors
from profiler.answers.generate.demands import Demand
from profiler.answers.generate.shares import Shares
from profiler.answers.generate.workload import Step, Workload
from profiler.devices.device import Device
from profiler.devices.parallel import Plan, all_reduce_bytes, all_to_all_bytes, send_bytes

EFFICIENCY = 0.6  # that is assumed where none is named
RESERVE = 0.05  # of the memory of a device: the runtime, the kernels' scratch memory, what is lost between blocks


class Sent(NamedTuple):
    """What one device sends, in bytes or in seconds at the least: to add up what devices have parts of, to experts and
    back, and to the next stage.
    """

    sums: float
    routed: float
    handed: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a phase, at the least: seconds in all, of products alone, and what one device sends meanwhile."""

    seconds: float
    device_seconds: float
    sent_bytes: Sent
    sent_seconds: Sent

    @property
    def link_seconds(self) -> float:
        return sum(self.sent_seconds)


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
        _ = self.shares
        for dtype in {demand.dtypes[0] for demand in self.workload.decode_step.demands if demand.flops}:
            self.device.needed_peak(dtype)

    @cached_property
    def shares(self) -> Shares:
        return Shares(self.workload, self.plan)

    # Memory ----------------------------------------------------------------------------------------------------------

    @cached_property
    def needed(self) -> Needed:
        shares = self.shares
        return Needed(shares.weight_bytes, self.workload.buffer_bytes, shares.cache_bytes, shares.activation_bytes)

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
    def largest_batch(self) -> int:
        """Sequences of this length that fit; 0 where the weights alone do not."""
        cache, sequences = self.needed.cache, self.shares.sequences
        if not cache:
            return self.workload.sequences * self.fits
        return max(0, (self.left_bytes + cache) * sequences // cache) * self.plan.replicas

    @property
    def longest_context(self) -> int | None:
        """Tokens a sequence that fit, as many sequences as there are, and that the model has positions for; None where
        the cache does not grow.
        """
        fitting, positions = self._fitting_context, self.workload.positions
        return fitting if fitting is None or positions is None else min(fitting, positions)

    @property
    def ends_with_positions(self) -> bool:
        """Whether it is the model's positions that the longest context ends with, and not the memory."""
        fitting, positions = self._fitting_context, self.workload.positions
        return fitting is not None and positions is not None and positions <= fitting

    @property
    def _fitting_context(self) -> int | None:
        growth, read = self.shares.growth_bytes, self.workload.prompt + max(1, self.workload.new_tokens)
        return max(0, int(read + self.left_bytes // growth)) if growth else None

    # Time ------------------------------------------------------------------------------------------------------------

    @cached_property
    def first_token(self) -> Run:
        """The prefill: its stages one after the other, the slowest again for each group of sequences that follows."""
        runs, groups = self._stages(self.workload.prefill_step), self.shares.groups
        slowest = max(run.seconds for run in runs)
        return _added(runs, slowest * (groups - 1), groups)

    @cached_property
    def token(self) -> Run:
        """A decode step, in which each stage has had every group of sequences once."""
        runs, groups = self._stages(self.workload.decode_step), self.shares.groups
        slowest, once = max(run.seconds for run in runs), sum(run.seconds for run in runs)
        return _added(runs, max(0.0, slowest * groups - once), groups)

    @property
    def request_seconds(self) -> float:
        """The prompt and all new tokens."""
        return self.first_token.seconds + self.workload.new_tokens * self.token.seconds

    @property
    def request_rate(self) -> float:
        """Tokens a second of all sequences: the prefill's, and the new ones."""
        return self.workload.sequences * (1 + self.workload.new_tokens) / self.request_seconds

    def _stages(self, step: Step) -> list[Run]:
        """Of each stage, with one group of sequences."""
        return [self._run(step, stage) for stage in range(self.plan.pipeline_parallel)]

    def _run(self, step: Step, stage: int) -> Run:
        device_seconds = sum(self._seconds(demand) for demand in self.shares.of_stage(step, stage))
        sent = self._sent(step, stage)
        sent_seconds = Sent(*(size / (self.device.link_bandwidth or 1.0) for size in sent))
        return Run(max(device_seconds, sum(sent_seconds)), device_seconds, sent, sent_seconds)

    def _sent(self, step: Step, stage: int) -> Sent:
        """Tokens are sent to experts where not every device has all of them; each device sends its part of those that
        its group has.
        """
        plan, shares, is_last = self.plan, self.shares, stage == self.plan.pipeline_parallel - 1
        sends_tokens = plan.replicas > 1

        def of_stage(sizes: Mapping[int, int]) -> float:
            return sum(size for layer, size in sizes.items() if shares.stage(layer) == stage) * shares.tokens

        sums = of_stage(step.other_sums if sends_tokens else step.sums)
        routed = of_stage(step.routed) / plan.tensor_parallel if sends_tokens else 0.0
        handed = 0.0 if is_last else send_bytes(step.handed_bytes * shares.tokens, plan.tensor_parallel)
        return Sent(
            all_reduce_bytes(sums, plan.tensor_parallel), all_to_all_bytes(routed, plan.expert_parallel), handed
        )

    def _seconds(self, demand: Demand) -> float:
        """Experts are sent all tokens of a group of sequences, and spread over all devices of a stage."""
        plan, shares = self.plan, self.shares
        if demand.experts:
            tokens, devices = 1 / shares.groups, plan.stage_devices
            moved = demand.weights_read(tokens, plan.expert_devices, plan.expert_parallel)
        else:
            tokens, devices = shares.tokens, plan.tensor_parallel
            moved = demand.weights_read(tokens, devices) + tokens * shares.cache * demand.cache_bytes
        computing = tokens * demand.flops / devices / self._peak(demand.dtypes) if demand.flops else 0.0
        return max(computing, moved / self.device.memory_bandwidth)

    def _peak(self, dtypes: tuple[str, ...]) -> float:
        """Of the dtype that is fastest here."""
        return max(peak for dtype in dtypes if (peak := self.device.matrix_peak(dtype)) is not None)


def check_efficiency(share: float) -> None:
    if not 0 < share <= 1:
        raise _no_efficiency(share)


def _added(runs: list[Run], waiting: float, groups: int) -> Run:
    """Stages one after the other; what is sent is sent for every group, and bytes are those of the busiest stage."""
    return Run(
        sum(run.seconds for run in runs) + waiting,
        sum(run.device_seconds for run in runs),
        Sent(*(groups * max(of_kind) for of_kind in zip(*(run.sent_bytes for run in runs), strict=True))),
        Sent(*(groups * sum(of_kind) for of_kind in zip(*(run.sent_seconds for run in runs), strict=True))),
    )


# Error messages -------------------------------------------------------------------------------------------------------


def _no_efficiency(share: float) -> errors.ProfileError:
    return errors.ProfileError(f"an efficiency is above 0 and at most 100%, and not {share:.0%}; give one like 60%")


def _no_link(device: Device) -> errors.ProfileError:
    return errors.ProfileError(
        f"{device.name} has no link to others of its kind that is known; choose one device, or another kind"
    )
