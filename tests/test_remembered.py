"""Is what is remembered between calls of bounded size, right, and gone where it has to be?"""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import strategies as st

from profiler.records.remembered import ByClass, Recent, Shared

_MOST = 8


class Thing:
    """What can be referred to weakly."""


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=200))
def test_recent_holds_what_was_used_lately_and_no_more_than_it_may(steps: list[tuple[bool, int]]) -> None:
    """Of any sequence of setting and finding: what was used among the last half of the most entries is found."""
    recent: Recent[int, int] = Recent(_MOST)
    all_set: dict[int, int] = {}
    used: list[int] = []  # keys, the last used at the end
    for number, (is_set, key) in enumerate(steps):
        if is_set:
            recent[key] = all_set[key] = number
        found = recent.find(key)
        assert found in (None, all_set.get(key))
        assert found is not None or key not in used[-_MOST // 2 :]
        assert recent.size <= _MOST
        if found is not None:
            used = [*(other for other in used if other != key), key]


def test_what_is_set_again_is_found_as_it_is_now() -> None:
    recent: Recent[str, int] = Recent(4)
    recent["old"] = 1
    recent["b"], recent["c"] = 2, 3  # "old" is of the older generation now
    recent["old"] = 4
    recent["d"] = 5  # and its first value would be found if it were still there
    assert recent.find("old") == 4
    recent.clear()
    assert (recent.size, recent.find("old")) == (0, None)


def test_a_shared_object_is_gone_with_the_last_who_holds_it() -> None:
    shared: Shared[str, Thing] = Shared()
    thing = shared.add("key", Thing())
    assert shared.find("key") is thing
    del thing
    assert (shared.find("key"), len(shared)) == (None, 0)


def test_another_in_the_place_of_a_shared_object_stays_when_that_is_gone() -> None:
    shared: Shared[str, Thing] = Shared()
    first = shared.add("key", Thing())
    second = shared.add("key", Thing())
    del first
    assert shared.find("key") is second


def test_what_is_known_of_a_class_is_gone_with_it() -> None:
    by_class: ByClass[int] = ByClass()
    classes = [type(f"Class{number}", (), {}) for number in range(3)]
    for number, cls in enumerate(classes):
        by_class.add(cls, number)
    by_class.add(classes[0], 7)
    assert [by_class.get(id(cls)) for cls in classes] == [7, 1, 2]
    del cls, classes[1:]
    gc.collect()
    assert dict(by_class) == {id(classes[0]): 7}
