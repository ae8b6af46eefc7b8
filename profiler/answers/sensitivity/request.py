"""What is to be measured, on what? As a user writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from profiler import errors
from profiler.answers.common.run_options import Sizes
from profiler.records import quantities, schemes, targets

SAMPLES = 16  # as many as are looked at, unless the user says otherwise
QUANTISE, PRUNE, REMOVE = "quantise", "prune", "remove"
METHODS = ("saliency", "integrated_gradients", "occlusion")
_PICTURES = 8  # samples that a picture shows
DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class By:
    """A change of one layer: how, and to which scheme or which share of its weights."""

    text: str
    how: str
    scheme: schemes.Scheme | None = None
    share: float = 0.0


class MeasureOptions(Sizes, total=False):
    """What is measured. With g the gradient of the mean of the target over the samples, of a layer with weights w: the
    2-norm of g, the mean of |g|, the sum of |w·g| (Lee et al. 2019, "SNIP", arXiv:1810.02340), and the sum over the
    weights of the mean over the samples of the squared gradient of one sample, the empirical Fisher. All are in the
    units of the target, and of its square.

    samples: how many are used, the first ones; of random ones `batch` are run at once.
    target: "loss", "largest" (the largest output of a sample) or the index of one output; by default the loss where
        there are labels. The loss without labels is that of the model's own predictions.
    loss: "cross_entropy", "nll", "mse", "l1" or "bce", "FILE.py:CALLABLE", or a function of an output and labels, which
        is called for each sample.
    hessian: how many probes estimate the trace of each layer's block of the Hessian (Hutchinson 1990).
    by: "quantise=int8" (a scheme of `Profile.weights`, rounded to the nearest), "prune=0.5" or "remove": each layer is
        changed alone, and put back.
    each: the layers to be changed, "layer*.*"; by default all that can be.
    run_on: "cpu", "cuda" or "mps"; by default where the weights are.
    method: "saliency", "integrated_gradients" or "occlusion": the answer's `chart` is a picture of what matters in the
        images.
    """

    samples: int
    target: str | int | tuple[int, ...] | None
    loss: str | Callable[..., Any] | None
    hessian: int
    by: str | None
    each: str | None
    run_on: str | None
    method: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """Samples, target and measures.

    data: a text as `--data` has it, or what yields batches; None: random samples. weights: a file of them.
    target, loss: None where the data decide. samples: how many; at_once: of them in one run.
    hessian: how many probes of Hutchinson's estimator. by: a change to be tried; each: of which layers.
    run_on: a device of this machine. method: of the picture; None where there is none.
    """

    data: Any = None
    weights: str | None = None
    target: str | tuple[int, ...] | None = None
    loss: str | Callable[..., Any] | None = None
    samples: int = SAMPLES
    at_once: int | None = None
    hessian: int = 0
    by: By | None = None
    each: str | None = None
    run_on: str | None = None
    method: str | None = None

    def __post_init__(self) -> None:
        """Raises `errors.ProfileError` for what does not go together."""
        if self.each is not None and self.by is None:
            raise errors.only_with("--each", "--by")
        if self.hessian and self.by is not None:
            raise errors.only_with("--hessian", "gradients, and not with --by,")
        for name, value in (("--method", self.method), ("--target", self.target)):
            if self.by is not None and value is not None:
                raise errors.only_with(name, "gradients, and not with --by,")
        if self.method is not None and self.method not in METHODS:
            raise errors.no_such_choice("--method", self.method, METHODS)
        if self.run_on is not None and self.run_on not in DEVICES:
            raise errors.no_such_choice("--run-on", self.run_on, DEVICES)
        if isinstance(self.loss, str) and self.loss not in targets.LOSSES and ":" not in self.loss:
            raise errors.no_such_choice("--loss", self.loss, (*targets.LOSSES, "FILE.py:CALLABLE"))
        for name, number, least in (
            ("samples", self.samples, 1),
            ("batch", self.at_once, 1),
            ("hessian", self.hessian, 0),
        ):
            if number is not None and number < least:
                raise _no_such_number(name, number, least)

    @property
    def pictured(self) -> int:
        """How many samples are drawn."""
        return min(self.samples, _PICTURES)


def requested(options: Mapping[str, Any]) -> Request:
    """What Python's keywords ask for, some of which are `MeasureOptions`; raises `errors.ProfileError`."""
    known = dict(options)
    for name in ("seq", "trust_remote_code"):
        known.pop(name, None)
    unknown = known.keys() - MeasureOptions.__annotations__.keys() - {"data", "weights"}
    if unknown:
        raise _no_such_option(min(unknown))
    by, target = known.pop("by", None), known.pop("target", None)
    if isinstance(target, str):
        target = quantities.read("target", target, targets.target)
    if isinstance(target, int):
        target = (target,)
    return Request(at_once=known.pop("batch", None), by=None if by is None else read_by(by), target=target, **known)


def read_by(text: str) -> By:
    """`quantise=SCHEME`, `prune=SHARE` or `remove`; raises `errors.ProfileError`."""
    how, has_value, value = text.partition("=")
    if how == REMOVE and not has_value:
        return By(text, REMOVE)
    if how == QUANTISE and value:
        return By(text, QUANTISE, schemes.named(value))
    if how == PRUNE and value:
        return By(text, PRUNE, share=quantities.read("--by", text, lambda _: _share(value)))
    raise _no_such_change(text)


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise errors.Malformed("it is a share of the weights from 0 to 1, like 0.5 or 50%")
    return share


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_option(name: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{name!r} is nothing that is measured; there are {', '.join(MeasureOptions.__annotations__)}"
    )


def _no_such_change(text: str) -> errors.ProfileError:
    return errors.ProfileError(f"--by {text}: a layer is changed by quantise=int8, prune=0.5 or remove")


def _no_such_number(name: str, number: int, least: int) -> errors.ProfileError:
    return errors.ProfileError(f"{name}={number}: it is a whole number from {least} up")
