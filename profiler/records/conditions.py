"""Under which conditions is a model run? As it is and in inference, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypedDict, Unpack

from profiler import errors
from profiler.records import dtypes, spec
from profiler.records.trace import Value

DTYPES = ("float64", "float32", "bfloat16", "float16")
AMP = ("bfloat16", "float16")
PREFILL, DECODE, BOTH = "prefill", "decode", "both"  # the phases of a language model that writes
PHASES = (PREFILL, DECODE, BOTH)
CACHES = ("dynamic", "static", "fp8")  # kinds of its cache that can be asked for


class Optimizer(NamedTuple):
    """A class of `torch.optim`, and with which settings."""

    cls: str
    settings: Mapping[str, Any] = {}


OPTIMIZERS: Mapping[str, Optimizer] = {
    "sgd": Optimizer("SGD"),
    "momentum": Optimizer("SGD", {"momentum": 0.9}),
    "nesterov": Optimizer("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": Optimizer("Adam"),
    "adamw": Optimizer("AdamW"),
    "amsgrad": Optimizer("Adam", {"amsgrad": True}),
    "adamax": Optimizer("Adamax"),
    "nadam": Optimizer("NAdam"),
    "radam": Optimizer("RAdam"),
    "adafactor": Optimizer("Adafactor"),
    "adagrad": Optimizer("Adagrad"),
    "adadelta": Optimizer("Adadelta"),
    "rmsprop": Optimizer("RMSprop"),
    "asgd": Optimizer("ASGD"),
    "rprop": Optimizer("Rprop"),
}


@dataclass(frozen=True, slots=True)
class Training:
    """A training step: forward, backward and, with an `optimizer`, the update.

    optimizer: as it is written, like "adamw" or "sgd(momentum=0.9)"; None: no update.
    amp: the dtype that autocast casts to; None: everything stays in the model's own dtype.
    freeze, recompute: patterns of layers' paths whose parameters get no gradients, and which are run again in the
        backward pass instead of being kept (`torch.utils.checkpoint`).
    """

    optimizer: str | None = None
    amp: str | None = None
    freeze: tuple[str, ...] = ()
    recompute: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conditions:
    """dtype: what floating-point weights and inputs are cast to first. training: None in inference.

    zeros: whether the weights that are zero are counted, which takes their values.
    """

    dtype: str | None = None
    training: Training | None = None
    zeros: bool = False

    @property
    def needs_copy(self) -> bool:
        """Whether what is run is not the model as it is."""
        return self.dtype is not None or self.training is not None

    def options(self) -> dict[str, Value]:
        """What differs from an ordinary run, by name."""
        options: dict[str, Value] = {"dtype": self.dtype}
        if self.training is not None:
            options |= {"train": True, **asdict(self.training)}
        return {name: value for name, value in options.items() if value}


AS_IT_IS = Conditions()


class ConditionOptions(TypedDict, total=False):
    """What a user can ask for.

    dtype: what floating-point weights and inputs are cast to first, such as "bfloat16".
    train: run a training step, forward and backward, instead of an inference.
    optimizer: whose update and state belong to that step, such as "adamw" or "sgd(momentum=0.9)".
    amp: "bf16" or "fp16", the dtype of the step's mixed precision.
    freeze: patterns of layers' paths, such as "layer1*", whose parameters get no gradients.
    recompute: patterns of layers that are run again in the backward pass instead of being kept
        (`torch.utils.checkpoint`).
    zeros: count the weights that are zero, which takes a model with real weights.
    """

    dtype: str | None
    train: bool
    optimizer: str | None
    amp: str | None
    freeze: str | Sequence[str]
    recompute: str | Sequence[str]
    zeros: bool


def conditions(**options: Unpack[ConditionOptions]) -> Conditions:
    """What was asked for, checked as far as that goes without torch; raises `errors.ProfileError`."""
    for name in options:
        if name not in ConditionOptions.__annotations__:
            raise _no_such_condition(name, ConditionOptions.__annotations__)
    dtype, amp = _name(options.get("dtype")), _name(options.get("amp"))
    optimizer = options.get("optimizer")
    if dtype is not None and dtype not in DTYPES:
        raise _bad_dtype(dtype, DTYPES)
    if amp is not None and amp not in AMP:
        raise _bad_amp(amp, AMP)
    if optimizer is not None and not _is_optimizer(optimizer):
        raise _no_such_optimizer(str(optimizer), OPTIMIZERS)
    freeze, recompute = (_patterns(name, options.get(name)) for name in ("freeze", "recompute"))
    zeros = bool(options.get("zeros"))
    if options.get("train"):
        return Conditions(dtype, Training(optimizer, amp, freeze, recompute), zeros)
    training = {"optimizer": optimizer, "amp": amp, "freeze": freeze, "recompute": recompute}
    needing = [name for name, value in training.items() if value]
    if needing:
        raise errors.only_with(f"--{needing[0]}", "a training step")
    return Conditions(dtype, zeros=zeros)


def _name(dtype: object) -> str | None:
    """A dtype's name, also of torch's own object for it."""
    return None if dtype is None else dtypes.name(dtype)


def _patterns(name: str, value: object) -> tuple[str, ...]:
    """One pattern, or several."""
    several = (value,) if isinstance(value, str) else () if value is None else value
    if not isinstance(several, (tuple, list)) or not all(isinstance(pattern, str) for pattern in several):
        raise _not_patterns(name, type(value).__name__)
    return tuple(several)


def _is_optimizer(optimizer: object) -> bool:
    if not isinstance(optimizer, str):
        return False
    try:
        optimizer_spec = spec.parse(optimizer)
    except errors.BadSpec:
        return False
    return optimizer_spec.prefix is None and optimizer_spec.target in OPTIMIZERS


# Error messages -------------------------------------------------------------------------------------------------------


def _bad_dtype(text: str, choices: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{text!r} is not a dtype that a model can be cast to; choose from {', '.join(choices)}")


def _bad_amp(text: str, choices: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{text!r} is not a dtype of mixed precision; choose from {', '.join(choices)}")


def _not_patterns(name: str, kind: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{name} is a pattern of layers' paths, or a list of some, like 'layer1*', and not a {kind}"
    )


def _no_such_optimizer(text: str, choices: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"--optimizer {text}: not one of {', '.join(choices)}; write it like adamw or sgd(momentum=0.9)"
    )


def _no_such_condition(name: str, choices: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(f"{name!r} is nothing that a run can be asked for; there are {', '.join(choices)}")
