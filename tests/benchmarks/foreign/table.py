"""The tables of the foreign models: one row a library, for inference and for training, and what is wrong below them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.benchmarks.foreign.accounts import account
from tests.benchmarks.foreign.findings import Finding, findings, is_counted, plain_of
from tests.benchmarks.foreign.outcome import PROFILED, Result

COLUMNS = (
    "Library", "Tried", "Run", "Live", "Spec", "Refused", "Tracebacks", "On values", "Params differ", "Figures differ",
    "MACs as torch", "explained", "not", "torch fails", "Changed", "Seconds", "of a plain run",
)  # fmt: skip


def by_library(results: Iterable[Result]) -> Mapping[str, list[Result]]:
    """In the order of their names."""
    found: defaultdict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[result.name.partition("/")[0]].append(result)
    return dict(sorted(found.items()))


def tables(results: Sequence[Result]) -> Iterator[str]:
    """The lines of the report, in Markdown."""
    for title, suffix in (("Inference", ""), ("A training step", " step")):
        yield f"**{title}**\n"
        yield "| " + " | ".join(COLUMNS) + " |"
        yield "|" + "---|" * len(COLUMNS)
        for library, some in by_library(results).items():
            yield _line(library, some, suffix)
        yield _line(f"**{len(by_library(results))} libraries**", results, suffix) + "\n"


def _line(name: str, results: Sequence[Result], suffix: str) -> str:
    return "| " + " | ".join([name, *map(str, _cells(results, suffix))]) + " |"


def _cells(results: Sequence[Result], suffix: str) -> list[object]:
    live, spec = f"live{suffix}", f"spec{suffix}"
    there = [result for result in results if not result.lost]
    wrong = [finding for result in results for finding in findings(result) if _is_of(finding, suffix)]
    compared = [r for r in there if is_counted(r.outcomes[live], plain_of(r, live))]
    told = [account(r.outcomes[live], plain_of(r, live)) for r in compared]
    profiled = [r for r in there if r.outcomes[live].status == PROFILED]
    return [
        len(results),
        sum(not plain_of(r, live)["error"] for r in there),
        len(profiled),
        sum(r.outcomes[spec].status == PROFILED for r in there),
        _count(wrong, "refused"),
        _count(wrong, "traceback") + _count(wrong, "lost"),
        sum(r.outcomes[live].engine != "meta" for r in profiled),
        _count(wrong, "parameters"),
        _count(wrong, "figures"),
        told.count(""),
        sum(bool(one) for one in told),
        told.count(None),
        len(profiled) - len(compared),
        _count(wrong, "changed"),
        f"{sum(r.outcomes[live].seconds for r in profiled):.1f}",
        _ratio(profiled, live),
    ]


def _is_of(finding: Finding, suffix: str) -> bool:
    return finding.way.endswith("step") == bool(suffix)


def _count(wrong: Iterable[Finding], kind: str) -> int:
    """Of models, not of ways."""
    return len({finding.model for finding in wrong if finding.kind == kind})


def _ratio(profiled: Iterable[Result], way: str) -> str:
    """How long a profile takes, in plain runs: the median."""
    ratios = [
        r.outcomes[way].seconds / plain_of(r, way)["seconds"] for r in profiled if plain_of(r, way)["seconds"] > 0
    ]
    return f"{statistics.median(ratios):.1f}" if ratios else "–"


def remaining(results: Iterable[Result]) -> Iterator[str]:
    """A line for each thing that is wrong, alike ones together."""
    groups: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for result in results:
        for finding in findings(result):
            alike = finding.text if finding.kind in ("traceback", "refused", "lost") else finding.model
            groups[finding.kind, alike].append(finding)
    for (kind, _), some in sorted(groups.items()):
        yield f"{kind}: {_named(some)}: {some[0].text}"


def _named(some: Sequence[Finding], most: int = 6) -> str:
    """The models that something is wrong with, in how many ways."""
    ways: defaultdict[str, list[str]] = defaultdict(list)
    for finding in some:
        ways[finding.model].append(finding.way)
    named = [f"{model} ({'; '.join(dict.fromkeys(those))})" for model, those in sorted(ways.items())]
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")
