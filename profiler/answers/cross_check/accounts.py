"""Do the others agree, and if not, exactly why? From our MACs, term by term, to what another tool reports.

A term is what the tool adds or leaves out, for a reason that its convention states. The account closes when our MACs
and the terms give the tool's own number to the last operation. What no reason covers is the remainder; the layers that
it sits in are named: those where the tool should count our MACs and does not (then our formula, or the convention's,
is wrong), and those where the tool reports something else than its convention says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from profiler import errors
from profiler.counters import conventions
from profiler.counters.conventions import Charge, Replica
from profiler.counters.replay.events import Operator
from profiler.counters.running.reading import Reading
from profiler.ops import cost
from profiler.records.trace import Trace, tensors


@dataclass(frozen=True, slots=True)
class Share:
    """A layer's part of a term: its path (the model's own is "") and an amount in the tool's unit.

    It is a fraction where a tool divides its count by the batch size.
    """

    path: str
    amount: int | Fraction


@dataclass(frozen=True, slots=True)
class Term:
    """What a tool adds to our figure, or leaves out, for one reason."""

    family: str
    why: str
    shares: tuple[Share, ...]

    @property
    def amount(self) -> int:
        return int(sum(share.amount for share in self.shares))


@dataclass(frozen=True, slots=True)
class Suspect:
    """A layer in which something is not explained: what is expected there, and what is found instead."""

    path: str
    expected: int
    found: int
    why: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One figure's account: `ours` + the terms' amounts = `reported`, if it closes.

    reported: the tool's own figure; None where it gives none.
    alike: how much of ours the tool counts as well, and as much. Of the rest, which it leaves out or counts in its own
        way, the account says nothing that the tool would bear out.
    """

    ours: int
    terms: tuple[Term, ...]
    reported: int | float | None
    suspects: tuple[Suspect, ...] = ()
    alike: int = 0

    @property
    def explained(self) -> int:
        return int(self.ours + sum(share.amount for term in self.terms for share in term.shares))

    @property
    def remainder(self) -> int | float | None:
        """What is reported beyond what is explained; None where nothing is reported."""
        return None if self.reported is None else self.reported - self.explained

    @property
    def closes(self) -> bool:
        return self.reported is None or (self.remainder == 0 and not self.suspects)


@dataclass(frozen=True, slots=True)
class Account:
    """A tool's figures for a model, explained. `problem` is why there are none; `per_mac` is the tool's unit for a MAC.

    operations: MACs in the tool's unit. parameters: None where the tool counts none.
    """

    model: str
    tool: str
    version: str
    per_mac: int
    operations: Statement | None
    parameters: Statement | None
    problem: str | None = None

    @property
    def closes(self) -> bool:
        """Whether the tool ran and every difference is explained."""
        statements = [statement for statement in (self.operations, self.parameters) if statement is not None]
        return self.problem is None and all(statement.closes for statement in statements)


def account(trace: Trace, reading: Reading) -> Account:
    """The account of one tool's reading of the model that the trace is of."""
    replica = conventions.named(reading.tool)
    assert isinstance(replica, Replica), reading.tool
    about = (trace.model, reading.tool, reading.version or "", replica.per_mac)
    problem = _problem(reading)
    if problem is not None:
        return Account(*about, None, None, problem)
    return Account(*about, _operations(trace, replica, reading), _parameters(trace, replica, reading))


def _problem(reading: Reading) -> str | None:
    """Why the tool has given no count."""
    if reading.total is not None:
        return None
    return reading.missing or reading.error or "it gives no count"


# Operations -----------------------------------------------------------------------------------------------------------

_BESIDE = "not in our trace"
_Reasons = dict[tuple[str, str], dict[str, Fraction]]  # (family, why): path: amount


def _operations(trace: Trace, replica: Replica, reading: Reading) -> Statement:
    spent = [cost(trace.signatures[call.signature]) for call in trace.calls]
    ours = [0 if cost is None else replica.per_mac * int(cost.macs) for cost in spent]
    try:
        charges = list(replica.charges(trace))
    except Exception as error:  # a layer that is not made as the tool expects, and so a bug of the replica
        why = f"since its convention cannot be replayed ({type(error).__name__}: {errors.first_line(error)})"
        return Statement(sum(ours), (), reading.total, (Suspect("", 0, int(reading.total or 0), why),))
    reasons, suspects, alike = _differences(trace, replica, charges, ours)
    expected: dict[str, int | Fraction] = defaultdict(int)
    for charge in charges:
        expected[trace.modules[charge.module].path] += charge.amount
    for why, shares in reading.asides.items():
        for path, amount in shares.items():
            reasons[_BESIDE, why][path] += amount
            expected[path] += amount
    suspects += _against_layers(expected, reading.layers)
    return Statement(sum(ours), _terms(reasons), reading.total, tuple(suspects), alike)


def _differences(
    trace: Trace, replica: Replica, charges: Iterable[Charge], ours: Sequence[int]
) -> tuple[_Reasons, list[Suspect], int]:
    """Each charge against our figure for the same calls; then our figures that no charge stands for.

    Also how much of our figures is charged alike.
    """
    reasons: dict[tuple[str, str], dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    unexplained: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    left, alike = list(ours), 0
    for charge in charges:
        path, same = trace.modules[charge.module].path, sum(left[position] for position in charge.calls)
        for position in charge.calls:
            left[position] = 0
        difference = charge.amount - same
        why = charge.why or (_COMPLEX if _is_complex(trace, charge) else "")
        if difference and why:
            reasons[charge.family, why][path] += difference
        elif difference:
            unexplained[path][0] += same
            unexplained[path][1] += int(charge.amount)
        else:
            alike += same
    for op in replica.visible(trace):
        amount = sum(left[position] for position in op.calls)
        if amount:
            reasons[_family(op), replica.unseen(op)][trace.modules[op.module].path] -= amount
    why = "that we count"
    return reasons, [Suspect(path, same, charged, why) for path, (same, charged) in unexplained.items()], alike


_COMPLEX = "a complex multiply-accumulate counts as one, and we count the four that it is made of"


def _is_complex(trace: Trace, charge: Charge) -> bool:
    """Whether the calls that a charge stands for have to do with complex numbers."""
    signatures = (trace.signatures[trace.calls[position].signature] for position in charge.calls)
    return any(tensor.is_complex for signature in signatures for tensor in tensors(signature.args))


_FAMILIES = {"linear": "linear", "addmm": "linear", "scaled_dot_product_attention": "attention"}


def _family(op: Operator) -> str:
    """What an operator is called in an account."""
    if "conv" in op.name:
        return "convolution"
    if op.short.startswith(("lstm", "gru", "rnn")):
        return "recurrent"
    return _FAMILIES.get(op.short, "matrix product")


def _terms(reasons: _Reasons) -> tuple[Term, ...]:
    """The largest first."""
    terms = (
        Term(family, why, tuple(Share(path, amount) for path, amount in shares.items() if amount))
        for (family, why), shares in reasons.items()
    )
    return tuple(sorted((term for term in terms if term.shares), key=lambda term: -abs(term.amount)))


def _against_layers(expected: Mapping[str, int | Fraction], layers: Mapping[str, int | float] | None) -> list[Suspect]:
    """Where the tool's own layer figures are not those of its convention. A tool may give none."""
    if layers is None:
        return []
    return [
        Suspect(path, int(expected.get(path, 0)), int(layers.get(path, 0)), "by its convention")
        for path in dict.fromkeys([*expected, *layers])
        if not _is_same(expected.get(path, 0), layers.get(path, 0))
    ]


def _is_same(expected: int | Fraction, reported: int | float) -> bool:
    """A tool that divides by the batch size gives a float for what is a fraction here."""
    return expected == reported if isinstance(reported, int) else abs(float(expected) - reported) < 0.5


# Parameters -----------------------------------------------------------------------------------------------------------


_PACKED = "quantised weights are counted as they are stored in registered parameters, packed ones elsewhere not at all"


def _parameters(trace: Trace, replica: Replica, reading: Reading) -> Statement | None:
    if replica.weighings is None:
        return None
    ours, theirs, reasons = Counter[int](), Counter[int](), dict[int, str]()
    for weight in trace.parameters:
        ours[weight.module] += weight.numel if weight.same_as is None else 0
    for weighing in replica.weighings(trace):
        theirs[weighing.module] += weighing.amount
        if weighing.why:
            reasons.setdefault(weighing.module, weighing.why)
    for weight in trace.parameters:
        if weight.packing is not None or not weight.registered:
            reasons.setdefault(weight.module, _PACKED)
    terms: _Reasons = defaultdict(lambda: defaultdict(Fraction))
    suspects = []
    for row in sorted({*ours, *theirs}):
        path, difference = trace.modules[row].path, theirs[row] - ours[row]
        if difference and row in reasons:
            terms["parameters", reasons[row]][path] = Fraction(difference)
        elif difference:
            suspects.append(Suspect(path, ours[row], theirs[row], "that we count"))
    expected = Counter({trace.modules[row].path: amount for row, amount in theirs.items()})
    for why, shares in reading.param_asides.items():
        for path, amount in shares.items():
            terms["parameters", why][path] += amount
            expected[path] += amount
    suspects += _against_layers(expected, reading.layer_params)
    alike = sum(ours[row] for row in ours if theirs[row] == ours[row])
    return Statement(sum(ours.values()), _terms(terms), reading.params, tuple(suspects), alike)
