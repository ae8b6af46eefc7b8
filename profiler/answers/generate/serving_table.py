"""How is a language model on devices shown? As tables of memory, speed and links, and of the devices that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from profiler.answers.common.notes import run_note, uncounted
from profiler.answers.generate.choices import Choices
from profiler.answers.generate.generation import Generation
from profiler.answers.generate.serving import RESERVE, Run, Serving
from profiler.answers.generate.workload import Workload
from profiler.records.times import LOWER_BOUND
from profiler.render import numbers
from profiler.render.tables import Caution, Column, Explanation, Row, Table, Unit

_MEANING = (
    "A lower bound is what no kernel can beat at the figures of the device's data sheet: each product takes "
    "max(FLOP / peak, bytes / bandwidth), links send meanwhile. The other row is the bound divided by an efficiency "
    "that is assumed."
)
_COUNTED = (
    "Counted are products, weights and cache. Prompts can be read in turn, so activations are those of the largest "
    "product of one prompt, or of a decode step. A token is what every sequence is written in one decode step."
)


def _column(index: int, name: str, heading: str, unit: Unit, rank: int = 0) -> Column:
    return Column(name, heading, unit, lambda row, _: row[index], rank)


def _table(columns: Sequence[tuple[str, str, Unit]], rows: Sequence[Sequence[Any]], **rest: Any) -> Table:
    made = tuple(_column(index, *column) for index, column in enumerate(columns))
    return Table(made, tuple(Row(tuple(row)) for row in rows), **rest)


def words(serving: Serving) -> str:
    """`2 x NVIDIA H100 SXM 80 GB (tensor parallel 2)`."""
    plan, title = serving.plan, serving.device.title
    degrees = (("tensor", plan.tensor_parallel), ("pipeline", plan.pipeline_parallel))
    divided = ", ".join(f"{kind} parallel {degree}" for kind, degree in degrees if degree > 1)
    return f"{plan.devices} x {title}" + (f", {divided}" if divided else "")


def request_words(workload: Workload) -> str:
    sequences = f"{workload.sequences:,} sequence{'s' if workload.sequences != 1 else ''}"
    new = workload.new_tokens
    written = f", {new + 1:,} tokens written" if new else ""
    return f"{sequences}, a prompt of {workload.prompt:,} tokens{written}"


# One plan -------------------------------------------------------------------------------------------------------------


def serving_tables(generation: Generation, serving: Serving) -> Iterator[Table]:
    """What is kept, how fast it is, and what links carry."""
    yield _memory_table(serving)
    notes = [*_notes(generation, serving.workload), Explanation(_MEANING), Explanation(_COUNTED)]
    if serving.plan.devices > 1:
        yield _time_table(serving)
        yield _links_table(serving, notes)
    else:
        yield _time_table(serving, notes)


def _memory_table(serving: Serving) -> Table:
    needed, memory, left = serving.needed, serving.device.memory_bytes, serving.left_bytes
    rows = [
        ("weights", needed.weights + needed.buffers),
        ("cache", needed.cache),
        ("activations", needed.activations),
        (f"reserve, {RESERVE:.0%} of it", serving.reserve_bytes),
        ("left" if serving.fits else "missing", abs(left)),
    ]
    columns = [("what", "Memory", Unit.TEXT), ("each", "Each device", Unit.BYTES), ("share", "%", Unit.SHARE)]
    return _table(
        columns,
        [(what, size, size / memory) for what, size in rows],
        facts=tuple(_memory_facts(serving)),
        notes=tuple(_memory_notes(serving)),
        caption=f"{serving.workload.prefill.profile.model} on {words(serving)}: {request_words(serving.workload)}",
    )


def _memory_facts(serving: Serving) -> Iterator[tuple[str, Any, Unit, str]]:
    workload = serving.workload
    yield "Memory of a device", serving.device.memory_bytes, Unit.BYTES, ""
    yield "Fits", "yes" if serving.fits else "no", Unit.TEXT, ""
    length = workload.prompt + max(1, workload.new_tokens)
    yield "Largest batch", serving.largest_batch, Unit.EXACT, f"of {length:,} tokens each"
    longest = serving.longest_context
    if longest is not None:
        yield "Longest context", longest, Unit.EXACT, f"of {workload.sequences:,} at once"


def _memory_notes(serving: Serving) -> Iterator[str]:
    if serving.replicates_heads:
        yield "There are fewer heads of keys and values than devices, so several devices keep the same ones."
    if serving.workload.scheme is not None:
        yield Explanation(f"Weights as {serving.workload.scheme.name}: {serving.workload.scheme.says}.")
    if not serving.fits:
        yield Caution("It does not fit, so no tokens a second are shown.")


def _speeds(serving: Serving, efficiency: float) -> list[Any]:
    """Seconds to the first token and for one, and rates; none of a model that does not fit."""
    first, token = serving.first_token.seconds / efficiency, serving.token.seconds / efficiency
    rates = [1 / token, serving.workload.sequences / token] if serving.fits else [None, None]
    if not serving.workload.new_tokens:
        return [first, token, *rates]
    whole = serving.request_seconds / efficiency
    return [first, token, *rates, whole, serving.request_rate * efficiency if serving.fits else None]


_SPEEDS = (
    ("first_token", "First token", Unit.SECONDS),
    ("token", "Token", Unit.SECONDS),
    ("user_rate", "Tokens/s a user", Unit.RATE),
    ("rate", "Tokens/s in all", Unit.RATE),
)
_REQUEST = (("request", "Request", Unit.SECONDS), ("request_rate", "Its tokens/s", Unit.RATE))


def _speed_columns(workload: Workload) -> tuple[tuple[str, str, Unit], ...]:
    return _SPEEDS + (_REQUEST if workload.new_tokens else ())


def _time_table(serving: Serving, notes: Sequence[str] = ()) -> Table:
    rows = [
        (LOWER_BOUND, *_speeds(serving, 1.0)),
        (f"at {serving.efficiency:.0%} efficiency", *_speeds(serving, serving.efficiency)),
    ]
    columns = (("time", "Time", Unit.TEXT), *_speed_columns(serving.workload))
    return _table(columns, rows, notes=tuple(notes), caption="How fast")


def _links_table(serving: Serving, notes: Sequence[str]) -> Table:
    columns = [
        ("phase", "Each device sends", Unit.TEXT),
        ("sums", "To add up", Unit.BYTES),
        ("sent", "To the next stage", Unit.BYTES),
        ("links", "At best in", Unit.SECONDS),
        ("products", "Products take", Unit.SECONDS),
    ]
    rows = [
        (name, round(run.sum_bytes), round(run.sent_bytes), run.link_seconds, run.device_seconds)
        for name, run in (("prefill", serving.first_token), ("decode step", serving.token))
    ]
    link = f"Links: {serving.device.link}, {numbers.rate(serving.device.link_bandwidth or 0)}B/s from each device."
    return _table(columns, rows, notes=(link, *notes), caption="What links carry")


def _notes(generation: Generation, workload: Workload) -> Iterator[str]:
    for phase in generation.phases:
        yield from uncounted(phase.profile, f"{phase.name}: ")
    yield run_note(generation.prefill.trace)


# Which devices --------------------------------------------------------------------------------------------------------

_HELD = (
    ("device", "Device", Unit.TEXT),
    ("devices", "Devices", Unit.EXACT),
    ("memory", "Memory in all", Unit.BYTES),
    ("needed", "Each needs", Unit.BYTES),
    ("largest_batch", "Largest batch", Unit.EXACT),
)


def choices_tables(generation: Generation, choices: Choices) -> Iterator[Table]:
    """Of each device the least number that holds the model."""
    in_all, others = len(choices.servings) + len(choices.without), len(choices.without)
    absent = f"Of {in_all} devices in the catalogue, {others} are not here: up to {choices.most} of them do not hold it"
    notes = (
        f"{absent}, or they do not multiply its dtype.",
        f"Times are lower bounds. {RESERVE:.0%} of each memory is left to the runtime.",
        *_notes(generation, choices.workload),
        Explanation(_MEANING),
        Explanation(_COUNTED),
    )
    model = generation.first.model
    caption = f"{model}: what holds {request_words(choices.workload)}"
    yield raw_choices_table(choices, notes=notes, caption=caption)


def raw_choices_table(choices: Choices, **rest: Any) -> Table:
    columns = (*_HELD, *_speed_columns(choices.workload))
    return _bounds(_table(columns, [(*_held(serving), *_speeds(serving, 1.0)) for serving in choices.servings], **rest))


def _bounds(table: Table) -> Table:
    """Times and rates are exported with the word that says what they are."""
    speeds = (Unit.SECONDS, Unit.RATE)
    return replace(table, columns=tuple(replace(c, kind=LOWER_BOUND) if c.unit in speeds else c for c in table.columns))


def _held(serving: Serving) -> tuple[Any, ...]:
    memory = serving.plan.devices * serving.device.memory_bytes
    return serving.device.name, serving.plan.devices, memory, serving.needed.total, serving.largest_batch


def raw_serving_table(serving: Serving) -> Table:
    """One row: the lower bound."""
    columns = (*_HELD, *_speed_columns(serving.workload))
    return _bounds(_table(columns, [(*_held(serving), *_speeds(serving, 1.0))]))


# Raw ------------------------------------------------------------------------------------------------------------------


def serving_data(serving: Serving) -> dict[str, Any]:
    """Sizes are bytes of the fullest device, times seconds."""
    plan, needed = serving.plan, serving.needed
    return {
        "device": serving.device.name,
        "devices": plan.devices,
        "tensor_parallel": plan.tensor_parallel,
        "pipeline_parallel": plan.pipeline_parallel,
        "weights": None if serving.workload.scheme is None else serving.workload.scheme.name,
        "memory_bytes": serving.device.memory_bytes,
        "reserve_bytes": serving.reserve_bytes,
        "weight_bytes": needed.weights,
        "buffer_bytes": needed.buffers,
        "cache_bytes": needed.cache,
        "activation_bytes": needed.activations,
        "left_bytes": serving.left_bytes,
        "fits": serving.fits,
        "largest_batch": serving.largest_batch,
        "longest_context": serving.longest_context,
        "lower_bound": _speed_data(serving, 1.0),
        "efficiency": serving.efficiency,
        "at_efficiency": _speed_data(serving, serving.efficiency),
        "prefill": _run_data(serving.first_token),
        "decode_step": _run_data(serving.token),
    }


def _speed_data(serving: Serving, efficiency: float) -> dict[str, float | None]:
    names = ("first_token_seconds", "token_seconds", "tokens_per_second_per_user", "tokens_per_second")
    more = ("request_seconds", "request_tokens_per_second") if serving.workload.new_tokens else ()
    return dict(zip((*names, *more), _speeds(serving, efficiency), strict=True))


def _run_data(run: Run) -> dict[str, float]:
    """What one device sends, and how long that and its products take at best."""
    return {
        "device_seconds": run.device_seconds,
        "link_seconds": run.link_seconds,
        "sum_bytes": run.sum_bytes,
        "sent_bytes": run.sent_bytes,
    }
