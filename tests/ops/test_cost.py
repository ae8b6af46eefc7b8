"""A count is an int that remembers its factors."""

import copy
import pickle
from dataclasses import asdict

import pytest

from profiler.ops import Cost, product
from profiler.ops.cost import Count


def test_product() -> None:
    macs = product("M K N", 2, 3, 5)
    assert macs == 2 * 3 * 5
    assert macs.terms == ((("M", 2), ("K", 3), ("N", 5)),)


def test_sum_of_products_keeps_both() -> None:
    total = product("a", 2) + product("b c", 3, 4)
    assert total == 2 + 3 * 4
    assert isinstance(total, Count)
    assert total.terms == ((("a", 2),), (("b", 3), ("c", 4)))
    assert sum([product("a", 2), product("b", 3)]).terms == ((("a", 2),), (("b", 3),))
    assert type(total + 1) is int


def test_every_factor_has_a_name() -> None:
    with pytest.raises(ValueError, match="zip"):
        product("M K", 2, 3, 5)


def test_costs_add_and_multiply() -> None:
    one = Cost(macs=product("k", 3), adds=1, bytes_read=8, bytes_written=4)
    assert one + one == one * 2 == Cost(macs=6, adds=2, bytes_read=16, bytes_written=8)
    assert (one + Cost(bytes_read=1, bytes_written=1)).macs.terms == ((("k", 3),),)
    assert (one + Cost()).bytes_read is None


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_remember_their_factors(clone) -> None:
    macs = clone(product("M K", 2, 3))
    assert macs == 6
    assert macs.terms == ((("M", 2), ("K", 3)),)
    assert asdict(Cost(macs=macs))["macs"] == 6
