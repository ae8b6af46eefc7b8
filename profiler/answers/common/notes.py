"""What stands under a table? What was run, how, and what is not counted; in full, also what words mean and versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from profiler.figures.profile import Profile
from profiler.records.trace import Input, Tensor, Trace, Value, tensors
from profiler.render.tables import Caution, Explanation


def as_shape(value: Value) -> Value:
    """A module's output as a shape, or several; None where there is no tensor."""
    shapes = tuple(tensors(value))
    return shapes if len(shapes) != 1 else shapes[0]


def input_shape(inputs: Iterable[Input]) -> Value:
    return as_shape(tuple(Tensor(i.shape, i.dtype) for i in inputs))


def run_words(trace: Trace, without: Collection[str] = ()) -> str:
    """How it was run, where that is not an ordinary inference: "training step, optimizer adamw"."""
    conditions = {name: value for name, value in trace.asked.items() if name not in without}
    words = ["training step"] if conditions.pop("train", None) else []
    return ", ".join(words + [f"{name} {_condition(value)}" for name, value in conditions.items()])


def conditions_note(trace: Trace, without: Collection[str] = ()) -> str:
    """A sentence on how it was run, to follow another; "" where that is an ordinary inference."""
    words = run_words(trace, without)
    return f" Run as {words}." if words else ""


def run_note(trace: Trace) -> str:
    """What was run: fed with what, by which engine, and how otherwise than usual; or that nothing was."""
    if not trace.was_run and trace.header is None:
        return "Nothing ran, for want of an input: MACs, FLOPs and activations are not known."
    if not trace.was_run:
        return "Read from the file's header: nothing ran, so MACs, FLOPs and activations are not known."
    return f"Input {inputs_words(trace.inputs)}. Engine {trace.engine}.{conditions_note(trace)}"


def _condition(value: Value) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def uncounted(profile: Profile, prefix: str = "") -> Iterator[str]:
    if profile.unknown_ops:
        missing = ", ".join(f"{op} ×{times}" for op, times in profile.unknown_ops.items())
        yield Caution(f"{prefix}NOT COUNTED, for want of a formula: {missing}")


def convention_notes(profile: Profile) -> Iterator[str]:
    """Whose FLOPs are shown, and what that means; nothing where nothing ran."""
    if profile.trace.was_run:
        yield f"Convention {profile.convention.name}."
        yield Explanation(f"{profile.convention.name}: {profile.convention.says}.")


def versions_note(items: Iterable[tuple[str, str]]) -> str:
    return Explanation("Versions: " + ", ".join(f"{name} {version}" for name, version in dict.fromkeys(items)) + ".")


def inputs_words(inputs: Iterable[Input]) -> str:
    return ", ".join(map(_input_words, inputs)) or "nothing"


def _input_words(tensor: Input) -> str:
    return (f"{tensor.name} " if tensor.name else "") + "×".join(map(str, tensor.shape)) + f" {tensor.dtype}"
