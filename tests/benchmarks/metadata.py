"""`python -m tests.benchmarks.metadata [FIRST LAST]`: every operator of torch's own tests, on meta tensors and on real.

torch keeps a list of its operators with sample inputs (`op_db`, some 700 entries). Each sample becomes a model of one
call, which is profiled twice; compared are the calls, what each of them returned to the last stride, the bytes
allocated, the peak, and the cost. FIRST and LAST take a part of the list. Printed is a row for each operator as it
goes, then one for each outcome, and what differs. A child process takes a few operators at a time: what a kernel
crashes or hangs concerns one operator alone. Wants `expecttest`, as torch's test modules do.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from tabulate import tabulate
from torch import nn
from torch.utils._pytree import tree_map

from profiler import Profile, ProfileError
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.figures.memory import peak_bytes
from tests.test_meta_and_real import signatures

SAMPLES = 8  # of each operator
SECONDS = 10  # for each sample
_OF_OPERATOR = 60  # seconds, after which its process ends, whatever it is doing
_AT_A_TIME = 25  # operators of a child process
_CHILD = "--child"
_WIDTH = 400  # of what is said of one


class Calls(nn.Module):
    def __init__(self, function: Any, args: Any, kwargs: Any) -> None:
        super().__init__()
        self.function, self.args, self.kwargs = function, args, kwargs

    def forward(self, *given: Any) -> Any:
        return self.function(*given, *self.args, **self.kwargs)


def outcome(function: Any, sample: Any) -> tuple[str, str]:
    """What a sample came to, and what is to be said of it."""
    first, *rest = tree_map(_detached, (sample.input, *sample.args))
    kwargs = tree_map(_detached, sample.kwargs)
    try:
        with torch.no_grad():
            function(tree_map(_copied, first), *tree_map(_copied, rest), **kwargs)
    except Exception as error:  # torch's samples are made for its own checks, some of them of errors
        return "torch refuses the sample", str(error)
    tensors = [value for value in (first, *rest) if isinstance(value, torch.Tensor)]
    in_place = tensors == [first, *rest] if len(tensors) == 1 + len(rest) else False
    model, inputs = (
        (Calls(function, (), kwargs), (first, *rest)) if in_place else (Calls(function, rest, kwargs), (first,))
    )
    subject = Subject(model, "sample", "live", inputs)
    try:
        dry, wet = (Profile(trace(subject, real=real)) for real in (False, True))
    except ProfileError as error:
        return "refused", str(error)
    except TimeoutError:
        raise
    except Exception as error:  # a fault of ours, which the table has to show
        return "a traceback", f"{type(error).__name__}: {error}"
    return compared(dry, wet)


def compared(dry: Profile, wet: Profile) -> tuple[str, str]:
    unknown = ", ".join(wet.unknown_ops)
    if dry.trace.engine != "meta":
        return "needs values", unknown
    pairs = zip(signatures(dry), signatures(wet), strict=False)
    apart = next((pair for pair in pairs if pair[0] != pair[1]), None)
    if apart is not None:
        return "another call or result", f"{apart[0]} / {apart[1]}"
    if dry.totals.activation_bytes != wet.totals.activation_bytes or peak_bytes(dry.trace) != peak_bytes(wet.trace):
        return "another number of bytes", f"{dry.totals} / {wet.totals}"
    return ("alike, without a formula", unknown) if unknown else ("alike", "")


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, torch.Tensor) else value


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def _late(*_: object) -> None:
    raise TimeoutError


def samples(operator: Any) -> list[Any]:
    wanted = [dtype for dtype in (torch.float32, torch.complex64, torch.int64, torch.bool) if dtype in operator.dtypes]
    found = list(operator.sample_inputs("cpu", wanted[0], requires_grad=False)) if wanted else []
    return found[:: max(1, len(found) // SAMPLES)][:SAMPLES]


def outcomes(operator: Any) -> list[tuple[str, str]]:
    """What each of its samples came to."""
    found = []
    for sample in samples(operator):
        signal.alarm(SECONDS)
        try:
            found.append(outcome(operator.op, sample))
        except TimeoutError:
            found.append(("too slow", ""))
        finally:
            signal.alarm(0)
    return found


def listed() -> list[Any]:
    from torch.testing._internal.common_methods_invocations import op_db

    found: list[Any] = op_db
    return found


def child(first: int, last: int) -> None:
    """A line of JSON for each operator, on what was the standard output: kernels and samples print, too."""
    warnings.filterwarnings("ignore")
    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, _late)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for operator in listed()[first:last]:
        faulthandler.dump_traceback_later(_OF_OPERATOR, exit=True)
        name = f"{operator.name} {operator.variant_test_name}".strip()
        print(json.dumps([name, outcomes(operator)]), file=answers)
    faulthandler.cancel_dump_traceback_later()


def told_by_children(first: int, last: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each operator with its outcomes; where a process ended before it answered, the next begins one further."""
    while first < last:
        end = min(first + _AT_A_TIME, last)
        command = [sys.executable, "-m", "tests.benchmarks.metadata", _CHILD, str(first), str(end)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                first += 1
                yield json.loads(line)
        if first < end:
            yield listed()[first].name, [("its process ended", f"exit status {process.returncode}")]
            first += 1


def main(argv: list[str]) -> int:
    if argv and argv[0] == _CHILD:
        child(*map(int, argv[1:]))
        return 0
    first, last = map(int, argv) if argv else (0, len(listed()))
    counts: Counter[str] = Counter()
    told: dict[str, dict[str, str]] = defaultdict(dict)
    for name, found in told_by_children(first, last):
        print(name, dict(Counter(kind for kind, _ in found)), flush=True)
        for kind, what in found:
            counts[kind] += 1
            told[kind].setdefault(name, what)
    summarize(counts, told)
    return 0


def summarize(counts: Counter[str], told: dict[str, dict[str, str]]) -> None:
    rows = [(kind, times, len(told[kind])) for kind, times in counts.most_common()]
    print(tabulate(rows, ("outcome", "samples", "operators")))
    for kind, names in told.items():
        if kind != "alike":
            print(f"\n{kind}: {', '.join(names)}")
            print(*(f"  {name}: {what[:_WIDTH]}" for name, what in names.items() if what), sep="\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
