"""What the first profile of a process imports of torch: neither its compiler nor sympy, for what most models are of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import torch

from profiler.engine.meta.checks import plain_checks

HEAVY = ("torch._dynamo", "sympy")


def _imported(cls: str, shape: str, before: str = "") -> list[str]:
    """Which of the heavy ones a process has imported that made one profile."""
    program = f"""
import sys
from profiler import profile
from tests.own_models import {cls}
{before}
profile({cls}(), {shape!r})
print(*(name for name in {HEAVY} if name in sys.modules))
"""
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    return done.stdout.split()


@pytest.mark.parametrize(("cls", "shape"), [("Images", "1x3x16x16"), ("Words", "2x8:int64"), ("Steps", "2x8:int64")])
def test_neither_is_imported(cls: str, shape: str) -> None:
    assert _imported(cls, shape) == []


def test_this_can_fail() -> None:
    without_rules = "import profiler.engine.record.insides, profiler.engine.meta.rules as rules; rules.SHAPES.clear()"
    assert _imported("Words", "2x8:int64", without_rules) == list(HEAVY)


@pytest.fixture(params=[plain_checks, nullcontext], ids=["ours", "torch's"])
def checking(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.param():
        yield


def test_a_check_that_fails_says_what_it_says(checking: None) -> None:
    torch._check(True, lambda: "never")
    with pytest.raises(RuntimeError, match=r"^too many$"):
        torch._check(False, lambda: "too many")
    with pytest.raises(ValueError, match=r"^odd$"):
        torch._check_value(False, lambda: "odd")
    with pytest.raises(TypeError, match="cond must be a bool"):
        torch._check(1)  # type: ignore[arg-type]


def test_torchs_own_is_put_back() -> None:
    own = torch._check_with
    with suppress(ZeroDivisionError), plain_checks():
        assert torch._check_with is not own
        raise ZeroDivisionError
    assert torch._check_with is own
