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
from profiler.answers.weights.table import experts_note
from profiler.figures.experts import stacks
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
    degrees = (
        ("tensor", plan.tensor_parallel),
        ("expert", plan.expert_parallel),
        ("pipeline", plan.pipeline_parallel),
    )
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
        why = ", all that the model has positions for" if serving.ends_with_positions else ""
        yield "Longest context", longest, Unit.EXACT, f"of {workload.sequences:,} at once{why}"
    experts = serving.shares.experts
    if experts is not None and serving.plan.expert_parallel > 1:
        yield "Experts of a layer", experts.on_device, Unit.EXACT, f"on each device, of {experts.number:,}"
        yield "Of these, met", round(experts.met, 2), Unit.RATIO, "by a decode step on average, tokens sent at random"


def _memory_notes(serving: Serving) -> Iterator[str]:
    if serving.plan.replicas > 1:
        yield _replicated(serving)
    if serving.shares.replicates_heads:
        yield "There are fewer heads of keys and values than devices, so several devices keep the same ones."
    scheme = serving.workload.scheme
    if scheme is not None:
        yield Explanation(f"Weights as {scheme.name}: {scheme.says}.")
        if scheme.experts and stacks(serving.workload.prefill.trace):
            yield experts_note(scheme)
    if not serving.fits:
        yield Caution("It does not fit, so no tokens a second are shown.")


def _replicated(serving: Serving) -> str:
    """Where devices have sequences of their own."""
    degree, shares = serving.plan.tensor_parallel, serving.shares
    where = "on each device, which has" if degree == 1 else f"divided among {degree} devices, which have"
    sequences = f"{shares.sequences:,} of {serving.workload.sequences:,} sequences"
    return f"All but the experts is {where} {sequences}."


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


_PHASE = ("phase", "Each device sends", Unit.TEXT)
_SUMS = (("sums", "To add up", Unit.BYTES), ("sums_seconds", "In", Unit.SECONDS))
_ROUTED = (("routed", "To experts and back", Unit.BYTES), ("routed_seconds", "In", Unit.SECONDS))
_HANDED = ("sent", "To the next stage", Unit.BYTES)
_TOTALS = (("links", "At best in", Unit.SECONDS), ("products", "Products take", Unit.SECONDS))


def _links_table(serving: Serving, notes: Sequence[str]) -> Table:
    """Where experts are divided, what is sent to them is told apart from what is added up."""
    kinds = (*_SUMS, *_ROUTED) if serving.plan.expert_parallel > 1 else _SUMS[:1]
    columns = (_PHASE, *kinds, _HANDED, *_TOTALS)
    runs = {"prefill": serving.first_token, "decode step": serving.token}
    rows = [[_links(phase, run)[name] for name, *_ in columns] for phase, run in runs.items()]
    link = f"Links: {serving.device.link}, {numbers.rate(serving.device.link_bandwidth or 0)}B/s from each device."
    return _table(columns, rows, notes=(link, *notes), caption="What links carry")


def _links(phase: str, run: Run) -> dict[str, Any]:
    sent, seconds = run.sent_bytes, run.sent_seconds
    return {
        "phase": phase,
        "sums": round(sent.sums),
        "sums_seconds": seconds.sums,
        "routed": round(sent.routed),
        "routed_seconds": seconds.routed,
        "sent": round(sent.handed),
        "links": run.link_seconds,
        "products": run.device_seconds,
    }


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
_PARALLEL = (("expert_parallel", "Experts among", Unit.EXACT),)


def choices_tables(generation: Generation, choices: Choices) -> Iterator[Table]:
    """Of each device the least number that holds the model."""
    in_all, others = len(choices.servings) + len(choices.without), len(choices.without)
    are = "is" if others == 1 else "are"
    absent = (
        f"Of {in_all} devices in the catalogue, {others} {are} not here: up to {choices.most} of them do not hold it"
    )
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
    return _rows(choices.servings, choices.workload, **rest)


def raw_serving_table(serving: Serving) -> Table:
    """One row: the lower bound."""
    return _rows([serving], serving.workload)


def _rows(servings: Sequence[Serving], workload: Workload, **rest: Any) -> Table:
    """Of a mixture, what is divided how: other models have every layer divided."""
    parallel = _PARALLEL if workload.mixtures else ()
    columns = (*_HELD[:2], *parallel, *_HELD[2:], *_speed_columns(workload))
    return _bounds(_table(columns, [_row(serving, bool(parallel)) for serving in servings], **rest))


def _row(serving: Serving, shows_experts: bool) -> list[Any]:
    plan = serving.plan
    return [
        serving.device.name,
        plan.devices,
        *([plan.expert_parallel] if shows_experts else []),
        plan.devices * serving.device.memory_bytes,
        serving.needed.total,
        serving.largest_batch,
        *_speeds(serving, 1.0),
    ]


def _bounds(table: Table) -> Table:
    """Times and rates are exported with the word that says what they are."""
    speeds = (Unit.SECONDS, Unit.RATE)
    return replace(table, columns=tuple(replace(c, kind=LOWER_BOUND) if c.unit in speeds else c for c in table.columns))


# Raw ------------------------------------------------------------------------------------------------------------------


def serving_data(serving: Serving) -> dict[str, Any]:
    """Sizes are bytes of the fullest device, times seconds."""
    plan, needed = serving.plan, serving.needed
    return {
        "device": serving.device.name,
        "devices": plan.devices,
        "tensor_parallel": plan.tensor_parallel,
        "pipeline_parallel": plan.pipeline_parallel,
        "expert_parallel": plan.expert_parallel,
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
        "positions": serving.workload.positions,
        "experts": None if serving.shares.experts is None else serving.shares.experts._asdict(),
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
        "sum_bytes": run.sent_bytes.sums,
        "sum_seconds": run.sent_seconds.sums,
        "routed_bytes": run.sent_bytes.routed,
        "routed_seconds": run.sent_seconds.routed,
        "sent_bytes": run.sent_bytes.handed,
        "sent_seconds": run.sent_seconds.handed,
    }
