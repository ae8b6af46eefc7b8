"""Which changes are one? Those of a block that was added or removed, or that took the place of one of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiler.answers.diff.changes import Amounts, Change
from profiler.answers.diff.matching import Matching


@dataclass(frozen=True, slots=True)
class _Rows:
    """The changes by their rows in the two models, and the rows, in the second, of blocks that took another's place."""

    old: dict[int, Change]
    new: dict[int, Change]
    replaced: frozenset[int]


def by_blocks(changes: Sequence[Change], match: Matching) -> list[Change]:
    old = {change.before.index: change for change in changes if change.before is not None}
    new = {change.after.index: change for change in changes if change.after is not None}
    rows = _Rows(old, new, frozenset(row for row in new if _is_replaced(match, row, old, new)))
    groups: dict[int, tuple[Change, list[Change]]] = {}
    for change in changes:
        head = _head(change, match, rows)
        groups.setdefault(id(head), (head, []))[1].append(change)
    return [_block(head, group, match) for head, group in groups.values()]


def _block(head: Change, group: Sequence[Change], match: Matching) -> Change:
    if len(group) == 1:
        return head
    layers = len(group) if head.before is None or head.after is None else match.after[head.after.index].size
    seconds = [change.seconds for change in group if change.seconds is not None]
    amounts = sum((change.amounts for change in group), Amounts())
    return replace(head, amounts=amounts, layers=layers, seconds=sum(seconds) if len(seconds) == len(group) else None)


def _head(change: Change, match: Matching, rows: _Rows) -> Change:
    """The outermost block that a change is shown in, or itself."""
    is_old = change.after is None
    nodes, side = (match.before, rows.old) if is_old else (match.after, rows.new)
    head, within = change, change.status in ("added", "removed")
    above = nodes[change.now.index].parent
    while above is not None:
        now = match.partners.get(above) if is_old else above
        within = within and above in side and side[above].status == change.status
        if now in rows.replaced:
            head = rows.new[now]
        elif within:
            head = side[above]
        above = nodes[above].parent
    return head


def _is_replaced(match: Matching, row: int, old: dict[int, Change], new: dict[int, Change]) -> bool:
    """Whether a block of another kind, most of whose layers are others too, stands where one was."""
    change = new[row]
    if change.before is None or row == 0 or change.before.kind == match.after[row].layer.kind:
        return False
    before = range(change.before.index + 1, change.before.index + match.before[change.before.index].size)
    after = range(row + 1, row + match.after[row].size)
    differing = sum(i in old for i in before if i not in match.partners) + sum(i in new for i in after)
    return 2 * differing > max(len(before), len(after))
