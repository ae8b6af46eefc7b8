"""Every model of torchvision, and every published float weight entry, against torchvision's own figures.

Each of `list_models()` is profiled by its bare name, as a user types it, and once for each weight entry, as
`NAME(weights="ENTRY")`, which is the published architecture at the size that the entry's transforms say. Two figures are
compared with the entry's metadata: parameters with `num_params`, exactly, and MACs, in billions, with `_ops`, to its
three decimals. A bare name is compared with its default entry.

What differs must stand in `DOCUMENTED` with its true reason, and what stands there must still differ. Where the reason
is a number of regions, that is proved: the figures agree once our regions are exchanged for torchvision's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torchvision.models import get_model_weights, list_models

from profiler import Profile, ProfileError, profile
from tests.benchmarks.progress import track


@dataclass(frozen=True, slots=True)
class Regions:
    """Heads that run once for every region (box) which the model proposes; `published` is how many torchvision had."""

    heads: tuple[str, ...]
    published: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a figure differs from torchvision's. `regions` makes the difference in MACs a checked one."""

    text: str
    regions: Regions | None = None


_BOXES = ("roi_heads.box_head", "roi_heads.box_predictor")
_MASKS = ("roi_heads.mask_head", "roi_heads.mask_predictor")
_KEYPOINTS = ("roi_heads.keypoint_head", "roi_heads.keypoint_predictor")
_SCORED = (
    "data-dependent: heads run once a region, and how many regions there are depends on the weights; "
    "random ones {ours}, torchvision's trained ones found {theirs} in its random image"
)
_PROPOSES_NONE = Reason(_SCORED.format(ours="propose hundreds", theirs="none"), Regions(_BOXES, 0))
_PROPOSES_ALL = Reason(_SCORED.format(ours="propose fewer", theirs="the limit of 1000"), Regions(_BOXES, 1000))
_FINDS_NO_MASK = Reason(_SCORED.format(ours="find the limit of 100", theirs="nothing"), Regions(_MASKS, 0))
_FINDS_NOBODY = Reason(_SCORED.format(ours="find one", theirs="nobody"), Regions(_KEYPOINTS, 0))
_AUXILIARY = Reason("built without weights it has the auxiliary heads, which `weights=` leaves out after loading them")
_NO_AUXILIARY = Reason("built without weights it has no auxiliary head, and the published one has")

# What a spec shows that its weight entry does not say: the whole truth about each, or the exit status is 1.
DOCUMENTED: Mapping[str, Reason] = {
    'fasterrcnn_mobilenet_v3_large_320_fpn(weights="COCO_V1")': _PROPOSES_NONE,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One spec and the entry it is compared with."""

    spec: str
    entry: Any

    def __str__(self) -> str:
        return self.spec


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one case: `failure` is the product's sentence; `proved` is whether a region count explains it all."""

    case: Case
    seconds: float
    engine: str = ""
    params: int = 0
    macs: int = 0
    unknown: Mapping[str, int] | None = None
    failure: str | None = None
    proved: bool = True

    @property
    def exact_params(self) -> bool:
        return self.failure is None and self.params == self.case.entry.meta["num_params"]

    @property
    def exact_macs(self) -> bool:
        return self.failure is None and round(self.macs / 1e9, 3) == self.case.entry.meta["_ops"]

    @property
    def deviates(self) -> bool:
        return not (self.exact_params and self.exact_macs)

    @property
    def is_wrong(self) -> bool:
        """Whether it cannot stand, whatever the table says."""
        return self.failure is not None or bool(self.unknown) or not self.proved

    def __str__(self) -> str:
        if self.failure is not None:
            return f"fails: {self.failure}"
        said = self.case.entry.meta
        parts = [f"unknown operators {dict(self.unknown)}"] if self.unknown else []
        if not self.exact_params:
            parts.append(f"parameters {self.params:,}, torchvision says {said['num_params']:,}")
        if not self.exact_macs:
            parts.append(f"{self.macs / 1e9:.3f} G MACs, torchvision says {said['_ops']:.3f}")
        return "; ".join(parts)


def run(pattern: str) -> int:
    """Profile, print what deviates and a summary; 1 when something is undocumented, unproved or no longer true."""
    models = [name for name in list_models() if fnmatchcase(name, pattern)]
    cases = [case for name in models for case in _cases(name)]
    findings = [_find(case) for case in track(cases)]
    wrong = [finding for finding in findings if not _explained(finding)]
    stale = _stale(findings)
    print("\n".join(_report(findings)))
    print("\n".join(_summary(len(models), findings)))
    for spec in stale:
        print(f"STALE  {spec}: documented as different, and is not")
    print(f"{len(wrong)} undocumented, {len(stale)} stale")
    return 1 if wrong or stale else 0


def _cases(name: str) -> Iterator[Case]:
    entries = get_model_weights(name)
    yield Case(name, entries.DEFAULT)
    for entry in (e for e in entries if "backend" not in e.meta):  # without the quantized ones, which have a backend
        yield Case(f'{name}(weights="{entry.name}")', entry)


def _find(case: Case) -> Finding:
    start = time.perf_counter()
    try:
        found = profile(case.spec)
        totals = found.totals
    except ProfileError as error:
        return Finding(case, time.perf_counter() - start, failure=str(error))
    seconds = time.perf_counter() - start
    proved = _proved(found, case)
    return Finding(case, seconds, found.trace.engine, totals.params, totals.macs, found.unknown_ops, None, proved)


def _proved(found: Profile, case: Case) -> bool:
    """Whether our MACs with torchvision's number of regions are torchvision's MACs; True where that is not the reason."""
    reason = DOCUMENTED.get(case.spec)
    if reason is None or reason.regions is None:
        return True
    ours, in_heads = _regions(found, reason.regions.heads)
    macs = found.totals.macs - in_heads + in_heads * reason.regions.published // ours
    return bool(round(macs / 1e9, 3) == case.entry.meta["_ops"])


def _regions(found: Profile, heads: Sequence[str]) -> tuple[int, int]:
    """How many regions went through the heads, and the MACs that they cost."""
    first = found[heads[0]].inputs[0]  # type: ignore[index]
    return first.shape[0], sum(found[head].macs or 0 for head in heads)  # type: ignore[union-attr]


def _explained(finding: Finding) -> bool:
    return not finding.is_wrong and (not finding.deviates or finding.case.spec in DOCUMENTED)


def _stale(findings: Sequence[Finding]) -> list[str]:
    return [f.case.spec for f in findings if f.case.spec in DOCUMENTED and not f.deviates]


def _report(findings: Sequence[Finding]) -> Iterator[str]:
    """One line for each that deviates, with its reason."""
    for finding in findings:
        if not finding.deviates and not finding.is_wrong:
            continue
        reason = DOCUMENTED.get(finding.case.spec)
        why = reason.text if reason else "NOT DOCUMENTED"
        proof = "" if finding.proved else " (NOT PROVED: the number of regions does not explain the difference)"
        yield f"{finding.case.spec}: {finding}\n    {why}{proof}"


def _summary(models: int, findings: Sequence[Finding]) -> Iterator[str]:
    bare = [f for f in findings if "(" not in f.case.spec]
    entries = [f for f in findings if "(" in f.case.spec]
    engines = Counter(f.engine or "failed" for f in findings)
    unknown = Counter({op: n for f in findings for op, n in (f.unknown or {}).items()})
    yield ""
    yield f"models             {models}, of which {sum(f.failure is None for f in bare)} profile by their bare name"
    yield f"weight entries     {len(entries)}"
    yield f"exact parameters   {sum(f.exact_params for f in entries)} of {len(entries)} entries"
    yield f"exact MACs         {sum(f.exact_macs for f in entries)} of {len(entries)} entries"
    yield f"engines            {', '.join(f'{name} {times}' for name, times in engines.most_common())}"
    yield f"unknown operators  {dict(unknown) or 0}"
    yield f"seconds            {sum(f.seconds for f in findings):.1f}, building included"
