"""What is done stays done: a sweep that is killed at any moment is gone on with, and ends as one that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

import psutil
import pytest
import torch

import profiler
from profiler import ProfileError
from tests.sweep.asked import FINE, ROOT, ZOO, argv, command, environment, rows_of

WIDTHS = range(1, 7)
REPEATED = 40


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Saved traces, some of them many times, and a file that is none: rows that need no torch, and so come fast."""
    folder = tmp_path_factory.mktemp("models")
    for width in WIDTHS:
        profiler.profile(torch.nn.Linear(width, 4), (1, width)).save(str(folder / f"{width}.json"))
    (folder / "damaged.json").write_text("{")
    names = [f"{name}.json" for name in (*WIDTHS, "damaged")]
    return [str(folder / name) for name in names * REPEATED]


def lines(journal: Path) -> list[str]:
    return journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []


def begun(
    models: list[str], output: Path, *options: str, stderr: int | IO[str] = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv(*models, "--jobs", "2", "-o", str(output), *options),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )


def kill(process: psutil.Process, is_whole_tree: bool) -> list[psutil.Process]:
    """The command or all its processes, by SIGKILL; returns all of them."""
    tree = [process, *process.children(recursive=True)]
    for one in tree if is_whole_tree else tree[:1]:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    return tree


def are_gone(tree: list[psutil.Process]) -> bool:
    """Whether none is left after a while."""
    _, alive = psutil.wait_procs(tree, timeout=20)
    return not [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_a_sweep_that_is_killed_three_times_ends_as_one_that_is_not(models: list[str], tmp_path: Path) -> None:
    output = tmp_path / "zoo.csv"
    journal = Path(f"{output}.jsonl")
    for time_, is_whole_tree in enumerate((True, False, True)):
        process = begun(models, output, *(["--resume"] if time_ else []))
        before = len(lines(journal))
        while len(lines(journal)) < max(before, 1) + 3:
            assert process.poll() is None
            time.sleep(0.02)
        tree = kill(psutil.Process(process.pid), is_whole_tree)
        process.wait()
        assert are_gone(tree)
        assert not output.exists()
        kept = lines(journal)
        assert len(kept) >= before + 3
    ended = command(*models, "--jobs", "2", "-o", str(output), "--resume")
    assert (ended.returncode, ended.stderr) == (0, "profile-model: 280 models: 240 ok, 40 failed\n")
    assert lines(journal)[: len(kept)] == kept
    undisturbed = tmp_path / "undisturbed.csv"
    profiler.sweep(models, output=undisturbed, jobs=1)
    assert output.read_bytes() == undisturbed.read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a sweep that ended."""
    output = tmp_path_factory.mktemp("finished") / "zoo.csv"
    profiler.sweep([*FINE, f"{ZOO}:raises"], output=output, jobs=1)
    return Path(f"{output}.jsonl")


@pytest.mark.parametrize("torn", [b'{"index":7,"spec":"tests/sw', b"{", b'{"index":3,"status":"ok"}'])
def test_a_line_that_was_not_written_to_its_end_is_ignored(finished: Path, tmp_path: Path, torn: bytes) -> None:
    output = tmp_path / "zoo.csv"
    whole = finished.read_bytes()
    Path(f"{output}.jsonl").write_bytes(whole + torn)
    profiler.sweep([*FINE, f"{ZOO}:raises"], output=output, resume=True, jobs=1)
    assert Path(f"{output}.jsonl").read_bytes() == whole
    assert output.read_bytes() == Path(str(finished).removesuffix(".jsonl")).read_bytes()


def test_nothing_is_overwritten_and_another_request_is_named(finished: Path) -> None:
    output = str(finished).removesuffix(".jsonl")
    same = [*FINE, f"{ZOO}:raises"]
    for specs, options, says in (
        (same, {}, "is there, of an earlier sweep; go on with it by --resume, or remove it"),
        (FINE, {"resume": True}, "is of another request: it is of tests/sweep/zoo.py:linear(width=1), "),
        (same, {"resume": True, "dtype": "float16"}, "dtype was not there then, and is float16 now"),
        (same, {"resume": True, "convention": "fvcore"}, "convention was flops then, and is fvcore now"),
        (same, {"resume": True, "batch": 2}, "it has 8 models or inputs that are not those of now, 8"),
    ):
        before = finished.read_bytes()
        with pytest.raises(ProfileError) as caught:
            profiler.sweep(specs, output=output, jobs=1, **options)  # type: ignore[arg-type]
        assert says in str(caught.value)
        assert finished.read_bytes() == before


def test_a_line_in_the_midst_that_is_none_is_an_error(finished: Path, tmp_path: Path) -> None:
    head, *rest = finished.read_bytes().splitlines(keepends=True)
    output = tmp_path / "zoo.csv"
    Path(f"{output}.jsonl").write_bytes(b"".join([head, b"[]\n", *rest]))
    with pytest.raises(ProfileError, match="line 2 is none of a sweep's"):
        profiler.sweep([*FINE, f"{ZOO}:raises"], output=output, resume=True)


def test_two_sweeps_do_not_write_one_journal(finished: Path) -> None:
    import fcntl

    descriptor = os.open(finished, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(ProfileError, match="is being written by another sweep"):
            profiler.sweep(FINE, output=str(finished).removesuffix(".jsonl"), resume=True)
    finally:
        os.close(descriptor)


def test_what_failed_is_run_once_more_where_that_is_asked_for(tmp_path: Path) -> None:
    model, output = tmp_path / "model.py", tmp_path / "zoo.csv"
    model.write_text("def build():\n    raise ValueError('not yet')\n")
    specs = [f"{model}:build", FINE[0]]
    assert [row["status"] for row in rows_of(specs, output=output, jobs=1)] == ["failed", "ok"]
    model.write_text("import torch\n\n\ndef build():\n    return torch.nn.Linear(3, 5), torch.zeros(1, 3)\n")
    assert [row["status"] for row in rows_of(specs, output=output, jobs=1, resume=True)] == ["failed", "ok"]
    rows = rows_of(specs, output=output, jobs=1, resume=True, retry=True)
    assert [(row["status"], row["macs"]) for row in rows] == [("ok", 3 * 5), ("ok", 1 * 4)]


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, -signal.SIGTERM, "stopped")]
)
def test_a_sweep_that_is_stopped_leaves_nothing_behind_and_says_what_is_kept(
    models: list[str], tmp_path: Path, number: signal.Signals, status: int, word: str
) -> None:
    output, said = tmp_path / "zoo.csv", tmp_path / "said"
    with said.open("w") as stderr:
        process = begun(models, output, stderr=stderr)
    while len(lines(Path(f"{output}.jsonl"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    assert process.wait(30) == status
    assert are_gone(tree)  # of joblib too, which says no more
    kept = len(lines(Path(f"{output}.jsonl"))) - 1
    says = f"rows are kept in {output}.jsonl; go on with --resume\n"
    assert said.read_text() in [f"profile-model: {word}; {n} of {len(models)} {says}" for n in (kept, kept - 1)]
