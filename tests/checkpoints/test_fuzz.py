"""Damaged files: each is read or refused in a line, in a time and with a memory that its size bounds.

`python -m tests.benchmarks.fuzz_headers` does the same for longer, guided by what code is reached.
"""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checkpoints.mutations import KINDS, damaged, outcome, seeds
from tests.laws import share

SEEDS = seeds()
FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
LONGEST_S = 5  # of processor time
MOST_BYTES = 32 << 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_right_before(tmp_path: Path, kind: str) -> None:
    assert outcome(tmp_path, kind, SEEDS[kind]) == ("read" if kind != "index" else "refused")  # whose shards are absent


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=FIXTURE)
@given(data=st.data())
def test_damaged(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    started = time.process_time()
    outcome(tmp_path, kind, data.draw(damaged(SEEDS[kind])))
    assert time.process_time() - started < LONGEST_S


@pytest.mark.parametrize("kind", KINDS)
@share(40, suppress_health_check=FIXTURE)
@given(data=st.data())
def test_memory_is_bounded(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    content = data.draw(damaged(SEEDS[kind]))
    tracemalloc.start()
    try:
        outcome(tmp_path, kind, content)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=FIXTURE)
@given(content=st.binary(max_size=300))
def test_anything_at_all(tmp_path: Path, kind: str, content: bytes) -> None:
    outcome(tmp_path, kind, content)


@settings(suppress_health_check=FIXTURE)
@given(text=st.binary(max_size=200))
def test_any_header_of_the_right_length(tmp_path: Path, text: bytes) -> None:
    outcome(tmp_path, "safetensors", struct.pack("<Q", len(text) + 1) + b"{" + text)
