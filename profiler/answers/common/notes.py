"""What stands under every table: what was run and how, in which unit, what is not counted, and by which versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from profiler.figures.profile import Profile
from profiler.records.trace import Input, Tensor, Trace, Value, tensors


def as_shape(value: Value) -> Value:
    """A module's output as a shape, or several; None where there is no tensor."""
    found = tuple(tensors(value))
    return found if len(found) != 1 else found[0]


def fed_shape(inputs: Iterable[Input]) -> Value:
    return as_shape(tuple(Tensor(i.shape, i.dtype) for i in inputs))


def run_words(trace: Trace) -> str:
    """What was asked for otherwise than usual: "training step, optimizer adamw"."""
    asked = dict(trace.asked)
    words = ["training step"] if asked.pop("train", None) else []
    return ", ".join(words + [f"{name} {_said(value)}" for name, value in asked.items()])


def run_note(trace: Trace) -> str:
    """What was run: fed with what, by which engine, and how otherwise than usual; or that nothing was."""
    if not trace.was_run and trace.header is None:
        return "Nothing ran, for want of an input: MACs, FLOPs and activations are not known."
    if not trace.was_run:
        return "Read from the file's header: nothing ran, so MACs, FLOPs and activations are not known."
    otherwise = run_words(trace)
    return f"Input {inputs_words(trace.inputs)}. Engine {trace.engine}." + f" Run as {otherwise}." * bool(otherwise)


def _said(value: Value) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def uncounted(profile: Profile, prefix: str = "") -> Iterator[str]:
    if profile.unknown_ops:
        missing = ", ".join(f"{op} ×{times}" for op, times in profile.unknown_ops.items())
        yield f"{prefix}NOT COUNTED, for want of a formula: {missing}"


def unit_note(profile: Profile) -> str:
    says = f"{profile.convention.name}: {profile.convention.says}. " if profile.trace.was_run else ""
    return f"{says}1 MB = 1024·1024 bytes."


def versions_note(items: Iterable[tuple[str, str]]) -> str:
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in dict.fromkeys(items)) + "."


def inputs_words(inputs: Iterable[Input]) -> str:
    return ", ".join(map(_fed_words, inputs)) or "nothing"


def _fed_words(given: Input) -> str:
    return (f"{given.name} " if given.name else "") + "×".join(map(str, given.shape)) + f" {given.dtype}"
