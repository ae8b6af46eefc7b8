"""What does a model cost in one convention? A profile derives every figure from its trace, when it is first read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from profiler import errors
from profiler.counters import conventions
from profiler.counters.convention import Price
from profiler.counters.ours import OURS
from profiler.figures import experts, layers, memory, stored
from profiler.figures.layers import Figures, Layer
from profiler.ops import cost, free_reason
from profiler.records import archive
from profiler.records.times import Timer, Times
from profiler.records.trace import Trace
from profiler.render.answer import Answer


@dataclass(frozen=True, slots=True)
class Totals:
    """A model's figures. Figures that only a run can tell are None where the model was not run.

    params: elements of all `nn.Parameter`s; one that two modules share counts once.
    trainable_params, frozen_params: those whose `requires_grad` is true, or false.
    buffers: elements of tensors that are kept and not trained, such as running means.
    macs: multiply-accumulates of convolutions, matrix products and attention.
    flops: in the profile's convention.
    param_bytes, buffer_bytes: what those elements take as they are stored.
    activation_bytes: all that the run allocates for tensors.
    peak_activation_bytes: the most of that alive at once; of a decode step, beyond the cache that it is given.
    peak_memory_bytes: what the tensors need at once: parameters, buffers, inputs (which the caller keeps) and
        activations at their peak. Kernels' scratch memory, the allocator and the runtime come on top. A training step's
        peak includes gradients, and an optimizer's state is there besides.
    input_bytes: what the inputs take.
    active_params: those that one token uses: all but the experts of a mixture that it is not sent to.
    stored_params: the elements that the parameters are stored in, scales and the like included.
    bytes_by_dtype: the bytes of `param_bytes` by these elements' dtype.
    zeros: parameters that are zero; None unless they were to be counted.
    """

    params: int
    trainable_params: int
    frozen_params: int
    buffers: int
    macs: int | None
    flops: int | None
    param_bytes: int
    buffer_bytes: int
    activation_bytes: int | None
    peak_activation_bytes: int | None
    peak_memory_bytes: int | None
    input_bytes: int | None
    active_params: int | None
    stored_params: int
    bytes_by_dtype: Mapping[str, int]
    zeros: int | None


# The totals that are None where nothing ran.
_OF_A_RUN = (
    "macs",
    "flops",
    "activation_bytes",
    "peak_activation_bytes",
    "peak_memory_bytes",
    "input_bytes",
    "active_params",
)


@dataclass(frozen=True, slots=True)
class StepTotals:
    """A training step's figures.

    forward_macs, backward_macs, recompute_macs: MACs of the forward pass, the backward pass, and of what activation
        checkpointing runs again.
    forward_flops, backward_flops, recompute_flops: FLOPs of the same, in the profile's convention.
    update_flops: those of the optimizer's update.
    gradient_bytes: of the gradients of all trainable parameters.
    saved_bytes: what the forward pass keeps for the backward pass.
    optimizer_bytes: the optimizer's state.
    """

    forward_macs: int
    backward_macs: int
    recompute_macs: int
    forward_flops: int
    backward_flops: int
    recompute_flops: int
    update_flops: int
    gradient_bytes: int
    saved_bytes: int
    optimizer_bytes: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of how many operator calls the cost is known.

    known: those with a formula.
    free: those of operators that compute nothing.
    unknown: those without a formula, which are missing from all sums.
    """

    known: int
    free: int
    unknown: int


class Profile(Answer):
    """What a model costs: `totals`, `layers` in preorder, and `profile["layer1.0.conv1"]`.

    `profiler.api` has the one that users know, with a method for each question.

    trace: what happened as the model ran, from which all else is derived.
    timer: the device that the profile is about, or None.
    convention: whose FLOPs `flops` are; its `name` and what it `says`.
    """

    def __init__(self, trace: Trace, convention: str = conventions.DEFAULT, timer: Timer | None = None) -> None:
        self.trace: Trace = trace
        self.timer = timer
        self.convention = conventions.named(convention)
        if not trace.was_run and convention != conventions.DEFAULT:
            raise errors.nothing_ran(trace.model, f"there is nothing for the convention {convention} to count")
        if trace.phases and not isinstance(self.convention, Price):
            raise _not_for_training(convention, OURS)
        if not conventions.is_applicable(self.convention, trace):
            raise _not_for_graphs(convention, trace.model, conventions.applicable(trace))

    # Figures ------------------------------------------------------------------------------------------------------

    @property
    def model(self) -> str:
        """The model's name, or the spec that it was asked for by."""
        return self.trace.model

    @cached_property
    def totals(self) -> Totals:
        """The whole model's figures."""
        figures, run = self.figures, self._run_totals() if self.trace.was_run else dict.fromkeys(_OF_A_RUN)
        return Totals(
            params=figures.params,
            trainable_params=figures.trainable_params,
            frozen_params=figures.frozen_params,
            buffers=figures.buffers,
            param_bytes=figures.param_bytes,
            buffer_bytes=figures.buffer_bytes,
            stored_params=figures.stored_params,
            bytes_by_dtype=stored.bytes_by_dtype(self.trace),
            zeros=stored.zeros(figures),
            **run,
        )

    def _run_totals(self) -> dict[str, int | None]:
        """The totals that only a run can tell, by their names in `Totals`."""
        figures, peak, inputs = self.figures, memory.peak_bytes(self.trace), memory.input_bytes(self.trace)
        state = memory.state_bytes(self.trace)
        return {
            "macs": int(figures.cost.macs),
            "flops": self.convention.total(self.trace, figures.cost),
            "activation_bytes": figures.activation_bytes,
            "peak_activation_bytes": peak - memory.cache_bytes(self.trace),
            "peak_memory_bytes": figures.param_bytes + figures.buffer_bytes + inputs + state + peak,
            "input_bytes": inputs,
            "active_params": experts.active_params(self.trace),
        }

    @cached_property
    def training(self) -> StepTotals | None:
        """What belongs to a training step alone; None in inference."""
        step = self.layers[0].trained
        if step is None or not isinstance(self.convention, Price):
            return None
        flops = self.convention.of
        return StepTotals(
            forward_macs=int(step.forward.macs),
            backward_macs=int(step.backward.macs),
            recompute_macs=int(step.recompute.macs),
            forward_flops=int(flops(step.forward)),
            backward_flops=int(flops(step.backward)),
            recompute_flops=int(flops(step.recompute)),
            update_flops=int(flops(step.update)),
            gradient_bytes=memory.gradient_bytes(self.trace),
            saved_bytes=step.saved_bytes,
            optimizer_bytes=memory.state_bytes(self.trace),
        )

    @cached_property
    def figures(self) -> Figures:
        """The totals before any convention: costs as vectors."""
        return layers.totals(self.trace)

    @cached_property
    def layers(self) -> list[Layer]:
        """Every module at every path, in preorder, each with what is in it; the first is the model."""
        return layers.tree(self.trace, self.convention)

    def __getitem__(self, path: str) -> Layer:
        """The layer at a path; raises `ProfileError`, which is a `KeyError` too, where there is none.

        path: as `named_modules` has it, "layer1.0.conv1"; "" is the model.
        """
        try:
            return self._by_path[path]
        except KeyError:
            raise NoSuchLayer(path, self._by_path) from None

    @cached_property
    def _by_path(self) -> Mapping[str, Layer]:
        return {layer.path: layer for layer in self.layers}

    @cached_property
    def times(self) -> Times | None:
        """How long a run takes on the device that the profile is about; None where it is about none, or nothing ran."""
        return self.timer.times(self.trace) if self.timer is not None and self.trace.was_run else None

    @cached_property
    def unknown_ops(self) -> dict[str, int]:
        """Operators without a formula (or used in a way that theirs does not cover), and how often each was called."""
        counts: Counter[str] = Counter()
        for signature, times in self._times.items():
            if cost(self.trace.signatures[signature]) is None:
                counts[self.trace.signatures[signature].op] += times
        return dict(counts.most_common())

    @cached_property
    def coverage(self) -> Coverage:
        """Of how many operator calls the cost is known."""
        unknown = sum(self.unknown_ops.values())
        signatures = self.trace.signatures
        free = sum(times for s, times in self._times.items() if free_reason(signatures[s].op) is not None)
        return Coverage(len(self.trace.calls) - free - unknown, free, unknown)

    @cached_property
    def _times(self) -> Counter[int]:
        """How often each signature was called."""
        return Counter(call.signature for call in self.trace.calls)

    # Conversions ------------------------------------------------------------------------------------------

    def under(self, convention: str) -> Self:
        """The same facts in another convention; raises `ProfileError` where it is not known, or does not apply.

        convention: "flops", "macs", or a counter's name such as "fvcore", as `--convention` has them.
        """
        return self._remade(convention, self.timer)

    def on(self, timer: Timer | None) -> Self:
        """The same facts on a device, which says how long they take there.

        timer: the device, or None for none.
        """
        return self._remade(self.convention.name, timer)

    def _remade(self, convention: str, timer: Timer | None) -> Self:
        return type(self)(self.trace, convention, timer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the trace, for `load` and for the command.

        path: of a file of JSON, FILE.json or FILE.json.gz; it is compressed when large, or when the name ends in .gz.
        """
        archive.save(self.trace, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a profile that was saved. Needs no torch; raises `ProfileError` where the file is none.

        path: of a file that `save` or `--save` wrote.
        """
        return cls(derivable(archive.load(path), str(path)))

    def __repr__(self) -> str:
        macs = "unknown" if self.totals.macs is None else f"{self.totals.macs:,}"
        return f"<Profile {self.model}: {self.totals.params:,} parameters, {macs} MACs>"


class NoSuchLayer(errors.ProfileError, KeyError):
    def __init__(self, path: str, names: Iterable[str]) -> None:
        near = errors.nearest(path, names)
        super().__init__(f"no layer has the path {path!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))

    __str__ = Exception.__str__


def derivable(trace: Trace, path: str) -> Trace:
    """A saved trace, from which every figure can be derived; raises `errors.ProfileError`."""
    try:
        layers.totals(trace)
        layers.tree(trace, conventions.named(conventions.DEFAULT))
        memory.live_bytes(trace)
    except Exception as error:  # a damaged file can fail anywhere
        raise errors.unreadable_trace(path, f"{type(error).__name__}: {errors.first_line(error)}") from None
    return trace


# Error messages -------------------------------------------------------------------------------------------------------


def _not_for_graphs(convention: str, model: str, names: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"convention {convention} is about a model's code, and {model} is a graph without it; "
        f"choose one of {', '.join(names)}"
    )


def _not_for_training(name: str, names: Iterable[str]) -> errors.ProfileError:
    return errors.ProfileError(
        f"convention {name} is about inference; a training step is counted in {' or '.join(names)}"
    )
