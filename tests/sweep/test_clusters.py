"""On a cluster the rows are those of this machine: joblib's back ends for Dask and Ray, each with a real cluster."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sweep.asked import FINE, ROOT, ZOO, argv, environment, rows_of

pytestmark = pytest.mark.cluster
MODELS = [*FINE, f"{ZOO}:raises", f"{ZOO}:aborts", *reversed(FINE)]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one process writes."""
    output = tmp_path_factory.mktemp("here") / "zoo.csv"
    rows_of(MODELS, jobs=1, output=output)
    return output.read_bytes()


def on(cluster: str, output: Path, **more: str) -> bytes:
    """What the command writes."""
    process = subprocess.run(
        argv(*MODELS, "--on", cluster, "-o", str(output)),
        cwd=ROOT, env={**environment(), **more}, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, "profile-model: 16 models: 14 ok, 1 crashed, 1 failed\n")
    return output.read_bytes()


@contextmanager
def dask() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


@contextmanager
def ray() -> Iterator[str]:
    """A head of its own, so that no other cluster of this machine is met, or stopped."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=f"/tmp/ray-{os.getpid()}")
    try:
        yield f"ray://{ray.get_runtime_context().gcs_address}"
    finally:
        ray.shutdown()


def test_dask_gives_the_same_rows(here: bytes, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with dask() as cluster:
        assert on(cluster, tmp_path / "zoo.csv") == here


def test_ray_gives_the_same_rows(here: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with ray() as cluster:
        assert on(cluster, tmp_path / "zoo.csv") == here


def test_a_cluster_that_is_not_there_is_an_error_of_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.run(
        argv(FINE[0], "--on", f"dask://127.0.0.1:{port}"),
        cwd=ROOT, env={**environment(), "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr.startswith(f"profile-model: --on dask://127.0.0.1:{port}: there is no cluster to be reached")
