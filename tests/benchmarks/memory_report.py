"""The findings as Markdown: a row a model, a summary, and what each difference consists of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tabulate import tabulate

from tests.benchmarks.memory_findings import Finding, Group

_MOST_GROUPS = 12
_HEADINGS = ["model", "predicted", "tensors", "real", "tracked on CPU", "status"]


def report(findings: Sequence[Finding]) -> Iterator[str]:
    """Bytes everywhere; a MB is 1024 * 1024 of them."""
    rows = [[f.model, *map(_number, (f.predicted, f.tensors, f.real, f.tracked)), status(f)] for f in findings]
    align = ("left", "right", "right", "right", "right", "left")
    yield tabulate(rows, _HEADINGS, tablefmt="github", colalign=align, disable_numparse=True)
    yield ""
    yield from _summary(findings)
    yield from _counted(findings)
    yield from _classes(findings)
    yield from _details(findings)


def status(finding: Finding) -> str:
    if finding.failure is not None:
        return finding.failure
    workspace = ", ".join(f"{name} {size / 1024**2:.4g} MB" for name, size in finding.workspace[:3])
    if finding.predicted is None or finding.tensors is None:
        return f"measured; workspace of {workspace}" if finding.has_workspace else "measured"
    if finding.is_equal:
        return f"equal to tensors, workspace of {workspace}" if finding.has_workspace else "equal to real"
    return f"differs by {finding.predicted - finding.tensors:+,} bytes at {finding.suspect}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _summary(findings: Sequence[Finding]) -> Iterator[str]:
    ran = [f for f in findings if f.failure is None]
    without = [f for f in ran if not f.has_workspace]
    with_ = [f for f in ran if f.has_workspace]
    yield f"- {len(findings)} models, of which {len(ran)} were measured"
    yield f"- no workspace at the peak: {_share(without)} are predicted to the byte"
    yield f"- workspace at the peak: {_share(with_)} are equal to the tensors"
    agreeing = sum(f.tracked == f.tensors for f in ran)
    yield f"- the tracker on real tensors is equal to the tensors on {agreeing} of {len(ran)}"
    yield f"- and to the prediction on {sum(f.tracked == f.predicted for f in ran)} of {len(ran)}"


def _counted(findings: Sequence[Finding]) -> Iterator[str]:
    """MACs, where torch's counter counted them."""
    counted = [f for f in findings if f.torch_macs is not None]
    if counted:
        differing = [f for f in counted if f.macs != f.torch_macs]
        yield f"- MACs are equal to torch's counter's on {len(counted) - len(differing)} of {len(counted)}"
        yield from (f"- MACs of {f.model}: {_number(f.macs)}, torch {_number(f.torch_macs)}" for f in differing)


def _share(findings: Sequence[Finding]) -> str:
    equal = sum(f.is_equal for f in findings)
    return f"{equal} of {len(findings)}" + (f" ({100 * equal / len(findings):.1f} %)" if findings else "")


def _classes(findings: Iterable[Finding]) -> Iterator[str]:
    """Differences by the operator that most of each comes from."""
    by_operator: dict[str, list[Finding]] = defaultdict(list)
    for finding in _differing(findings):
        by_operator[finding.suspect.partition(" in ")[0]].append(finding)
    for operator, ones in sorted(by_operator.items(), key=lambda item: -len(item[1])):
        yield f"- {operator}: {len(ones)}, {', '.join(one.model for one in ones)}"


def _details(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in _differing(findings):
        yield from ("", f"### {finding.model}", "")
        yield from _listed("alive at the tensors' real peak alone", finding.only_real)
        yield from _listed("alive at the predicted peak alone", finding.only_predicted)
    for finding in findings:
        yield from (f"\n{finding.model}: {note}" for note in finding.notes)


def _differing(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (f for f in findings if f.failure is None and f.predicted is not None and not f.is_equal)


def _listed(title: str, groups: Sequence[Group]) -> Iterator[str]:
    if groups:
        more = len(groups) - _MOST_GROUPS
        yield f"{title}, {sum(group.size_bytes * group.count for group in groups):,} B:"
        yield from (f"- {group}" for group in groups[:_MOST_GROUPS])
        if more > 0:
            yield f"- and {more} more"
