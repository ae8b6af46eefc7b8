"""Which number of an output is differentiated? Of each sample its loss, its largest logit, or one entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from profiler import errors
from profiler.engine.containers.walk import named
from profiler.records.targets import LARGEST, LOSS, PREDICTING

Loss = Callable[[Tensor, Tensor], Any]
_LOGITS = "logits"  # what transformers call what a loss is computed of


def output_of(value: Any, model: str) -> Tensor:
    """The logits of what a model returned, else the first floating-point tensor in it; raises `errors.ProfileError`."""
    return named_outputs(value, model)[1]


def named_outputs(value: Any, model: str) -> tuple[list[str], Tensor]:
    """The names of the floating-point tensors in what a model returned, and that which is looked at, named first."""
    tensors = [
        (name or f"number {place + 1}", leaf)
        for place, (name, leaf) in enumerate(named(value))
        if isinstance(leaf, Tensor) and leaf.is_floating_point()
    ]
    if not tensors:
        raise _no_output(model)
    tensors.sort(key=lambda each: each[0] != _LOGITS)
    return [name for name, _ in tensors], tensors[0][1]


@dataclass(frozen=True, slots=True)
class Target:
    """What of an output is differentiated.

    what: "loss", "largest", or the index of an entry of a sample's output. loss: a function of `_LOSSES` by its name,
    or one of the user's, of an output and labels of one sample.
    """

    what: str | tuple[int, ...]
    loss: str | Loss

    def values(self, output: Tensor, labels: Tensor | None, size: int) -> Tensor:
        """One number a sample; of a batch whose output has no entry for each of its samples, one for all.

        Raises `errors.ProfileError`.
        """
        if not output.ndim or output.shape[0] != size:
            output = output[None]
            labels = None if labels is None else labels[None]
        if self.what == LOSS:
            return self.losses(output, labels)
        if self.what == LARGEST:
            return output.flatten(1).amax(1) if output.ndim > 1 else output
        return self._entry(output)

    def _entry(self, output: Tensor) -> Tensor:
        assert isinstance(self.what, tuple)
        shape = tuple(output.shape[1:])
        if len(shape) != len(self.what) or any(not -n <= i < n for i, n in zip(self.what, shape, strict=True)):
            raise _no_such_entry(self.what, shape)
        for index in self.what:
            output = output[:, index]
        return output

    def losses(self, output: Tensor, labels: Tensor | None) -> Tensor:
        """The loss of each sample; without labels, a sample's own prediction is its label."""
        if self.loss in PREDICTING:
            output = by_class(output, labels)
        if labels is None:
            labels = predicted(output)
        try:
            if isinstance(self.loss, str):
                return _LOSSES[self.loss](output, labels)
            each = [_single(self.loss(output[i : i + 1], labels[i : i + 1])) for i in range(len(output))]
            return torch.stack(each)
        except Exception as error:  # whatever a function of the user's raises
            raise _loss_fails(_name(self.loss), output, labels, error) from error


def _single(loss: Any) -> Tensor:
    """Raises where a function of the user's returns no tensor of one number."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        what = f"a tensor of {_shape(loss)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"it returns {what}, and a loss is one number for each sample")
    return loss.reshape(())


def predicted(output: Tensor) -> Tensor:
    """The class with the largest output."""
    return (output.argmax(1) if output.ndim > 1 else output).detach()


def by_class(output: Tensor, labels: Tensor | None) -> Tensor:
    """The output with its classes in the second dimension; those of a sequence are in the last, as of language models.

    An output of three dimensions is that of a sequence, unless its labels say otherwise.
    """
    if output.ndim == 3 and (labels is None or labels.shape[1:] != output.shape[2:]):
        return output.transpose(1, 2)
    return output


def check_labels(loss: str | Loss, has_labels: bool) -> None:
    """Raise where a loss has no labels, and a prediction is none for it."""
    if not has_labels and loss not in PREDICTING:
        raise _needs_labels(_name(loss))


def _cross_entropy(output: Tensor, labels: Tensor) -> Tensor:
    if not labels.is_floating_point():  # else they are probabilities
        labels = labels.long()
    return _mean(F.cross_entropy(output, labels, reduction="none"))


def _nll(output: Tensor, labels: Tensor) -> Tensor:
    return _mean(F.nll_loss(output, labels.long(), reduction="none"))


def _elementwise(loss: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def of(output: Tensor, labels: Tensor) -> Tensor:
        return _mean(loss(output, labels.to(output.dtype).reshape(output.shape), reduction="none"))

    return of


def _mean(losses: Tensor) -> Tensor:
    return losses.flatten(1).mean(1) if losses.ndim > 1 else losses


_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "nll": _nll,
    "mse": _elementwise(F.mse_loss),
    "l1": _elementwise(F.l1_loss),
    "bce": _elementwise(F.binary_cross_entropy_with_logits),
}


def _name(loss: str | Loss) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "no dimension"


# Error messages -------------------------------------------------------------------------------------------------------


def _no_output(model: str) -> errors.ProfileError:
    return errors.ProfileError(f"{model} returns no floating-point tensor, so there is nothing to differentiate")


def _no_such_entry(index: tuple[int, ...], shape: tuple[int, ...]) -> errors.ProfileError:
    written = "×".join(map(str, shape)) or "a single number"
    example = ",".join("0" for _ in shape) or LARGEST
    return errors.ProfileError(
        f"--target {','.join(map(str, index))}: the output of a sample is {written}; an entry is named like {example}"
    )


def _needs_labels(loss: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"the loss {loss} needs labels, and there are none; name data that has some, --data FILE.npz, or leave out the "
        f"loss, for the {LARGEST} output"
    )


def _loss_fails(name: str, output: Tensor, labels: Tensor, error: Exception) -> errors.ProfileError:
    return errors.ProfileError(
        f"the loss {name} fails on an output of {_shape(output)} and labels of {_shape(labels)} "
        f"({type(error).__name__}: {errors.said(error)}); name one that suits the labels, --loss"
    )
