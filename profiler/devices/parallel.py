"""How much do devices that share a model send each other? Ways to divide it, and what each device sends, in bytes.

Every layer's matrices can be divided among devices (tensor parallel; Shoeybi et al. 2019, "Megatron-LM",
arXiv:1909.08053), and layers can be divided into stages (pipeline parallel; Huang et al. 2018, "GPipe",
arXiv:1811.06965). A model that is divided both ways has `tensor_parallel` devices in each of its stages.
"""

from __future__ import annotations

from dataclasses import dataclass

from profiler import errors


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is divided. Raises `errors.ProfileError` for a degree below 1."""

    tensor_parallel: int = 1
    pipeline_parallel: int = 1

    def __post_init__(self) -> None:
        for degree in (self.tensor_parallel, self.pipeline_parallel):
            if degree < 1:
                raise _no_degree(degree)

    @property
    def devices(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def words(self) -> str:
        return f"{self.tensor_parallel} x tensor, {self.pipeline_parallel} x pipeline parallel"


ALONE = Plan()


def planned(devices: int | None, tensor_parallel: int | None, pipeline_parallel: int | None) -> Plan:
    """The plan that degrees stand for; what is not there follows from the others, and tensor parallelism goes first.

    Raises `errors.ProfileError` where the degrees are not those of so many devices.
    """
    if tensor_parallel is None:
        pipeline = pipeline_parallel or 1
        plan = Plan(max(1, (devices or pipeline) // pipeline), pipeline)
    else:
        plan = Plan(tensor_parallel, pipeline_parallel or max(1, (devices or tensor_parallel) // tensor_parallel))
    if devices is not None and plan.devices != devices:
        raise _other_number(plan, devices)
    return plan


# What each device sends -----------------------------------------------------------------------------------------------


def all_reduce_bytes(size_bytes: float, devices: int) -> float:
    """To sum up a tensor that each device has an addend of, in a ring: its parts go round twice, once to be summed up
    and once to be known to all (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms", section 4).
    """
    return 2 * (devices - 1) * size_bytes / devices


def send_bytes(size_bytes: float, tensor_parallel: int) -> float:
    """To hand a tensor to the next stage, each of whose devices is sent a part by its neighbour."""
    return size_bytes / tensor_parallel


# Error messages -------------------------------------------------------------------------------------------------------


def _no_degree(degree: int) -> errors.ProfileError:
    return errors.ProfileError(f"a model is not divided among {degree} devices; give a number from 1 up")


def _other_number(plan: Plan, devices: int) -> errors.ProfileError:
    return errors.ProfileError(
        f"--tensor-parallel {plan.tensor_parallel} x --pipeline-parallel {plan.pipeline_parallel} are {plan.devices} "
        f"devices, not {devices}; leave out --devices or choose degrees whose product it is"
    )
