"""One architecture, profiled in every way: live and from a spec, in inference and in training, by both engines."""

from __future__ import annotations

import resource
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from profiler import Profile, errors, profile, sources
from profiler.engine.run.running import trace
from profiler.ops import cost
from profiler.records.conditions import AS_IT_IS, Conditions, conditions
from profiler.records.spec import Feed
from tests.benchmarks.foreign import libraries, plain
from tests.benchmarks.foreign.accounts import COMPLEX
from tests.benchmarks.foreign.findings import FIGURES, SAME
from tests.benchmarks.foreign.fingerprint import fingerprint, process_state
from tests.benchmarks.foreign.outcome import PROFILED, REFUSED, TRACEBACK, Outcome, Result

MEMORY_LIMIT_BYTES = 10 * 1024**3  # of addresses, of which torch's libraries take three
TRAINING = conditions(train=True)


@dataclass(frozen=True, slots=True)
class Task:
    """An architecture of a library."""

    library: str
    architecture: str

    @property
    def name(self) -> str:
        return f"{self.library}/{self.architecture}"


def check_alone(task: Task) -> Result:
    """The same, in a process of its own, which may not take all the memory there is."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    warnings.simplefilter("ignore")
    return check(task)


def check(task: Task) -> Result:
    """Everything that is asked of one architecture."""
    forward = plain.ran(task.library, task.architecture, train=False)
    step = plain.ran(task.library, task.architecture, train=True)
    model, inputs = plain.seeded(task.library, task.architecture)
    numel = sum(weight.numel() for weight in {id(weight): weight for weight in model.parameters()}.values())
    outcomes = [_live(model, inputs, "live", train=False)]
    after = _runs(model, inputs) if forward.error is None else ""
    outcomes += [_live(*plain.seeded(task.library, task.architecture), "live step", train=True)]
    outcomes += [_from_spec(task, train) for train in (False, True)]
    outcomes += [_real(task, under) for under in (AS_IT_IS, TRAINING)]
    by_way = {outcome.way: outcome for outcome in outcomes}
    return Result(task.name, numel, asdict(forward), asdict(step), by_way, after, _varies(task, by_way))


def _varies(task: Task, outcomes: dict[str, Outcome]) -> bool:
    """Whether a model's figures depend on what its forward draws; asked only where they differ between two ways."""
    for one, other in SAME:
        if _figures(outcomes[one]) != _figures(outcomes[other]) and outcomes[one].status == PROFILED:
            for number in range(1, 4):
                model, inputs = plain.seeded(task.library, task.architecture)
                plain.seed(number)
                again = _live(model, inputs, one, one.endswith("step"))
                if _figures(again) != _figures(outcomes[one]):
                    return True
    return False


def _figures(outcome: Outcome) -> list[Any]:
    return [getattr(outcome, name) for name in FIGURES]


def _live(model: nn.Module, inputs: Any, way: str, train: bool) -> Outcome:
    args, kwargs = plain.arguments(inputs)
    before = fingerprint(model=model, inputs=inputs)
    outcome = _tried(way, lambda: profile(model, args, kwargs=kwargs, train=train))
    return _with_changes(outcome, before.changes(fingerprint(model=model, inputs=inputs)))


def _from_spec(task: Task, train: bool) -> Outcome:
    plain.seed()
    before = process_state()
    spec = libraries.spec(task.library, task.architecture)
    outcome = _tried("spec step" if train else "spec", lambda: profile(spec, train=train))
    now = process_state()
    return _with_changes(outcome, [name for name in before if before[name] != now[name]])


def _real(task: Task, under: Conditions) -> Outcome:
    """By the engine that runs on real tensors, which is to say the same."""
    model, inputs = plain.seeded(task.library, task.architecture)
    subject = sources.subject_of(model, Feed(*plain.arguments(inputs)))
    way = "real" if under is AS_IT_IS else "real step"
    return _tried(way, lambda: Profile(trace(subject, under, real=True)))


def _tried(way: str, run: Callable[[], Profile]) -> Outcome:
    began = time.perf_counter()
    try:
        found = run()
        seconds = time.perf_counter() - began
        return _outcome(way, found, seconds)
    except errors.ProfileError as error:
        return Outcome(way, REFUSED, str(error), seconds=time.perf_counter() - began)
    except Exception as error:
        return Outcome(way, TRACEBACK, f"{type(error).__name__}: {error} [{_place(error)}]"[:400])


def _outcome(way: str, found: Profile, seconds: float) -> Outcome:
    totals = found.totals
    return Outcome(
        way,
        PROFILED,
        engine=found.trace.engine,
        seconds=seconds,
        params=totals.params,
        macs=totals.macs,
        flops=totals.flops,
        activation_bytes=totals.activation_bytes,
        peak_bytes=totals.peak_activation_bytes,
        unknown=found.unknown_ops,
        by_operator=_macs_by_operator(found),
    )


def _macs_by_operator(found: Profile) -> dict[str, float]:
    macs: Counter[str] = Counter()
    for call in found.trace.calls:
        signature = found.trace.signatures[call.signature]
        spent = cost(signature)
        if spent is not None and spent.macs:
            macs[signature.op + (COMPLEX if "dtype='complex" in repr(signature.args) else "")] += int(spent.macs)
    return dict(macs)


def _place(error: BaseException) -> str:
    """The last two lines of code that an error came through, as file:line."""
    places = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{'/'.join(code.co_filename.split('/')[-2:])}:{step.tb_lineno}")
        step = step.tb_next
    return " < ".join(reversed(places[-3:]))


def _with_changes(outcome: Outcome, changed: list[str]) -> Outcome:
    return Outcome(**{**asdict(outcome), "changed": tuple(changed[:20])})


def _runs(model: nn.Module, inputs: Any) -> str:
    try:
        plain.forward(model, inputs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return ""
