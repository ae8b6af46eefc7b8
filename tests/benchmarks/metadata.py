"""`python -m tests.benchmarks.metadata [FIRST LAST]`: every operator of torch's own tests, on meta tensors and on real.

torch keeps a list of its operators with sample inputs (`op_db`, some 700 entries). Each sample becomes a model of one
call, which is profiled twice; compared are the calls, what each of them returned to the last stride, the bytes
allocated, the peak, and the cost. FIRST and LAST take a part of the list. Printed is a row for each outcome, and what
differs. Wants `expecttest`, as torch's test modules do.
"""

from __future__ import annotations

import signal
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
from profiler.memory import peak_bytes
from profiler.trace import Subject, trace
from tests.benchmarks.progress import track
from tests.test_meta_and_real import signatures

SAMPLES = 8  # of each operator
SECONDS = 20  # for each sample
_SHOWN = 3


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


def samples(operators: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    for operator in track(operators):
        dtypes = [
            dtype for dtype in (torch.float32, torch.complex64, torch.int64, torch.bool) if dtype in operator.dtypes
        ]
        found = list(operator.sample_inputs("cpu", dtypes[0], requires_grad=False)) if dtypes else []
        for sample in found[:: max(1, len(found) // SAMPLES)][:SAMPLES]:
            yield operator.name, operator.op, sample


def main(argv: list[str]) -> int:
    warnings.filterwarnings("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

    first, last = map(int, argv) if argv else (0, len(op_db))
    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, _late)
    counts: Counter[str] = Counter()
    told: dict[str, dict[str, str]] = defaultdict(dict)
    for name, function, sample in samples(op_db[first:last]):
        signal.alarm(SECONDS)
        try:
            kind, what = outcome(function, sample)
        except TimeoutError:
            kind, what = "too slow", ""
        finally:
            signal.alarm(0)
        counts[kind] += 1
        told[kind].setdefault(name, what)
    print(
        tabulate(
            [(kind, times, len(told[kind])) for kind, times in counts.most_common()],
            ("outcome", "samples", "operators"),
        )
    )
    for kind, names in told.items():
        if kind != "alike":
            print(f"\n{kind}: {', '.join(names)}")
            print(*(f"  {name}: {what[:300]}" for name, what in list(names.items())[:_SHOWN] if what), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
