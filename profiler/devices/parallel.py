"""How much do devices that share a model send each other? Ways to divide it, and what each device sends, in bytes.

Every layer's matrices can be divided among devices (tensor parallel; Shoeybi et al. 2019, "Megatron-LM",
arXiv:1909.08053), layers can be divided into stages (pipeline parallel; Huang et al. 2018, "GPipe", arXiv:1811.06965),
and so can the experts of a mixture (expert parallel; Lepikhin et al. 2020, "GShard", arXiv:2006.16668). The devices of
a stage are divided twice, once for the experts and once for all else, so that one degree divides the other:

* `expert_parallel` is a multiple of `tensor_parallel`: "EP_SIZE = TP_SIZE x DP_SIZE" (vLLM, "Expert Parallel
  Deployment", docs.vllm.ai/en/latest/serving/expert_parallel_deployment). Groups of `tensor_parallel` devices each have
  all layers but the experts, and their own sequences, whose tokens are sent to the experts and back.
* `tensor_parallel` is a multiple of `expert_parallel`: all devices have all tokens, and the matrices of an expert are
  divided among several, "moe_tp_size x moe_ep_size = tp_size" (TensorRT-LLM, "Expert Parallelism in TensorRT-LLM",
  nvidia.github.io/TensorRT-LLM/advanced/expert-parallelism.html). What they have of a token is added up, as without.
"""

from __future__ import annotations

from dataclasses import dataclass

from profiler import errors

_TENSOR, _PIPELINE, _EXPERT, _DEVICES = "--tensor-parallel", "--pipeline-parallel", "--expert-parallel", "--devices"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is divided. Raises `errors.ProfileError` for a degree below 1, and where no degree divides another.

    The devices are those of a stage, which are as many as the larger of the two other degrees, times the stages.
    """

    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    expert_parallel: int = 1

    def __post_init__(self) -> None:
        for degree in (self.tensor_parallel, self.pipeline_parallel, self.expert_parallel):
            if degree < 1:
                raise _no_degree(degree)
        if self.stage_devices % self.tensor_parallel or self.stage_devices % self.expert_parallel:
            raise _not_nested(self)

    @property
    def stage_devices(self) -> int:
        return max(self.tensor_parallel, self.expert_parallel)

    @property
    def devices(self) -> int:
        return self.stage_devices * self.pipeline_parallel

    @property
    def replicas(self) -> int:
        """Groups of devices that each have all of a stage but the experts, and sequences of their own."""
        return self.stage_devices // self.tensor_parallel

    @property
    def expert_devices(self) -> int:
        """How many the matrices of one expert are divided among."""
        return self.stage_devices // self.expert_parallel


def planned(
    devices: int | None,
    tensor_parallel: int | None,
    pipeline_parallel: int | None,
    expert_parallel: int | None = None,
) -> Plan:
    """The plan that degrees stand for; what is not there follows from the others, and tensor parallelism goes first.

    Where experts are divided, nothing else is unless it is asked for: `tensor_parallel` is 1. Raises
    `errors.ProfileError` where the degrees are not those of so many devices.
    """
    experts, stages = expert_parallel or 1, pipeline_parallel
    if tensor_parallel is None and experts == 1 and devices is not None:
        tensor = _quotient(devices, _PIPELINE, stages or 1)
    else:
        tensor = tensor_parallel or 1
    plan = Plan(tensor, stages or 1, experts)
    if devices is not None and stages is None:
        flag = _TENSOR if tensor == plan.stage_devices else _EXPERT
        plan = Plan(tensor, _quotient(devices, flag, plan.stage_devices), experts)
    if devices is not None and plan.devices != devices:
        raise _other_number(plan, devices)
    return plan


def _quotient(devices: int, flag: str, degree: int) -> int:
    if devices % degree:
        raise _no_divisor(devices, flag, degree)
    return devices // degree


# What each device sends -----------------------------------------------------------------------------------------------


def all_reduce_bytes(size_bytes: float, devices: int) -> float:
    """To sum up a tensor that each device has an addend of, in a ring: its parts go round twice, once to be summed up
    and once to be known to all (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms", section 4).
    """
    return 2 * (devices - 1) * size_bytes / devices


def all_to_all_bytes(size_bytes: float, devices: int) -> float:
    """To hand out the rows of a tensor that a device has to all devices evenly: it keeps one part in so many itself.

    A token is a row for each of its experts, as Megatron-LM permutes them for its dispatcher "alltoall"
    (megatron/core/transformer/moe/token_dispatcher.py), before they go to the experts and when they come back.
    """
    return (devices - 1) * size_bytes / devices


def send_bytes(size_bytes: float, tensor_parallel: int) -> float:
    """To hand a tensor to the next stage, each of whose devices is sent a part by its neighbour."""
    return size_bytes / tensor_parallel


# Error messages -------------------------------------------------------------------------------------------------------


def _no_degree(degree: int) -> errors.ProfileError:
    return errors.ProfileError(f"a model is not divided among {degree} devices; give a number from 1 up")


def _not_nested(plan: Plan) -> errors.ProfileError:
    return errors.ProfileError(
        f"{_TENSOR} {plan.tensor_parallel} and {_EXPERT} {plan.expert_parallel}: the devices of a stage are "
        "divided both ways, so one has to divide the other; choose another degree"
    )


def _no_divisor(devices: int, flag: str, degree: int) -> errors.ProfileError:
    divisors = [number for number in range(1, devices + 1) if devices % number == 0]
    below = max(number for number in divisors if number == 1 or number < degree)
    near = dict.fromkeys((below, min((number for number in divisors if number > degree), default=below)))
    return errors.ProfileError(
        f"{flag} {degree} does not divide {_DEVICES} {devices}; {' and '.join(map(str, near))} would, or leave out "
        f"{_DEVICES}"
    )


def _other_number(plan: Plan, devices: int) -> errors.ProfileError:
    within = [(_TENSOR, plan.tensor_parallel), (_EXPERT, plan.expert_parallel)]
    divided = [each for each in within if each[1] > 1] or within[:1]
    return errors.ProfileError(
        f"{' and '.join(f'{flag} {degree}' for flag, degree in divided)} x {_PIPELINE} {plan.pipeline_parallel} are "
        f"{plan.devices} devices, not {devices}; leave out {_DEVICES} or choose degrees whose product it is"
    )
