"""Thousands of models on a cluster that loses workers: each has its row, once, whatever became of it and where."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from profiler.answers.sweep import running
from profiler.answers.sweep.row import OK
from profiler.engine.processes.child import CRASHED, Bounds
from tests.benchmarks.scale import Simulated, simulated
from tests.benchmarks.simulated import SHARES, Measured, fate

MODELS, WORKERS = 2000, 10
MEASURED: Measured = [(ms / 1000, {"status": OK, "reason": None, "macs": ms * 7 * 3}) for ms in range(100, 600, 50)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    pytest.importorskip("distributed")
    return simulated(MEASURED, MODELS, WORKERS, 0.02, 1.0, tmp_path_factory.mktemp("scale"), retries=True)


@pytest.mark.cluster
def test_nothing_is_lost_and_nothing_is_there_twice(seen: Simulated) -> None:
    assert seen.journal == Counter(range(MODELS))
    assert [row["spec"] for row in seen.rows] == [f"architectures.py:network(seed={seed})" for seed in range(MODELS)]


@pytest.mark.cluster
def test_each_row_is_that_of_its_model(seen: Simulated) -> None:
    for row in seen.rows:
        drawn = fate(row["spec"], MEASURED)
        status = row["status"]  # a model that crashes once may do so on a worker that is lost with its rows
        assert status == drawn.status or (status, drawn.status) == (OK, CRASHED)
        assert (row["reason"] is None, row["macs"]) == (status == OK, drawn.row["macs"] if status == OK else None)
    assert {row["status"] for row in seen.rows} == {OK, *SHARES}


@pytest.mark.cluster
def test_what_crashed_is_well_when_it_is_run_once_more(seen: Simulated) -> None:
    after = {row["spec"]: row["status"] for row in seen.retried}
    assert after == {row["spec"]: OK if row["status"] == CRASHED else row["status"] for row in seen.rows}


@pytest.mark.cluster
def test_no_more_tasks_are_made_than_two_batches_a_worker(seen: Simulated) -> None:
    """A batch is of 2000 // (16 * 10) models; while the rows of one are taken, the next may be made for its worker."""
    assert seen.most_in_flight <= 2 * (2 * 12 * WORKERS)


@pytest.mark.parametrize(
    ("models", "workers", "size"), [(1, 4, 1), (51, 4, 1), (2000, 10, 12), (100_000, 100, 16), (10**6, 10, 16)]
)
def test_a_batch_is_small_beside_what_a_worker_has_to_do(models: int, workers: int, size: int) -> None:
    assert running.batch_size(models, workers) == size


def test_workers_that_are_threads_of_one_process_have_a_child_each(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, most, meeting = Counter[int](), [], threading.Barrier(8)

    class Child:
        def __init__(self, module: str) -> None:
            del module

        def ask(self, asked: bytes, bounds: Bounds) -> bytes:
            at_work[id(self)] += 1
            meeting.wait()
            most.append(at_work[id(self)])
            meeting.wait()
            at_work[id(self)] -= 1
            return b'{"status":"ok"}'

    monkeypatch.setattr(running, "Child", Child)
    monkeypatch.setattr(running, "_free", _Racing())
    threads = [threading.Thread(target=running._row, args=(index, b"", "model", Bounds(), None)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


class _Racing(list[object]):
    """It says that it has a child, which another thread takes first."""

    def __bool__(self) -> bool:
        return True
