"""Nothing that a counter starts outlives it, its time limit, or the command, whatever ends that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
SUPERVISED = [sys.executable, "-m", "profiler.engine.processes.supervising"]
# What a command is to its counters: it starts one, and waits.
# It is interrupted whatever started the tests, which may have ignored that, as nohup does.
COMMAND = """
import os, signal, subprocess, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
subprocess.Popen([sys.executable, "-m", "profiler.engine.processes.supervising", str(os.getpid()), *sys.argv[1:]],
                 start_new_session=True).wait()
"""


def started(pids: Path) -> list[psutil.Process]:
    """The processes that are written there, when they are."""
    deadline = time.monotonic() + 60
    while not pids.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [psutil.Process(int(pid)) for pid in pids.read_text().split()]


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_they_end_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["tests.command.lingers", str(tmp_path / "pids"), "wait"]
    with subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], env=ENVIRONMENT) as command:
        processes = started(tmp_path / "pids")
        command.send_signal(number)
    assert len(processes) == 3
    assert_gone(processes)


@pytest.mark.parametrize(("how", "status"), [("end", 7), ("11", -11), ("9", -9)])
def test_they_end_with_the_counter(tmp_path: Path, how: str, status: int) -> None:
    """And the counter's own end is what is told."""
    arguments = [str(os.getpid()), "tests.command.lingers", str(tmp_path / "pids"), how]
    process = subprocess.Popen([*SUPERVISED, *arguments], env=ENVIRONMENT, start_new_session=True)
    numbers = (tmp_path / "pids", process.wait(60))[0].read_text().split()
    assert process.returncode == status
    assert not any(psutil.pid_exists(int(number)) for number in numbers)


def test_the_end_is_told_where_the_ends_of_children_are_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        arguments = [str(os.getpid()), "tests.command.lingers", str(tmp_path / "pids"), "end"]
        process = subprocess.Popen([*SUPERVISED, *arguments], env=ENVIRONMENT, start_new_session=True)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert process.wait(60) == 7


def test_they_end_with_the_time_limit(tmp_path: Path) -> None:
    arguments = [str(os.getpid()), "tests.command.lingers", str(tmp_path / "pids"), "wait"]
    process = subprocess.Popen([*SUPERVISED, *arguments], env=ENVIRONMENT, start_new_session=True)
    processes = started(tmp_path / "pids")
    process.terminate()
    assert process.wait(20) == 1
    assert_gone(processes)


def test_the_watcher_itself_may_be_killed(tmp_path: Path) -> None:
    """Then the counter ends; what it had started is beyond reach."""
    arguments = [str(os.getpid()), "tests.command.lingers", str(tmp_path / "pids"), "wait"]
    process = subprocess.Popen([*SUPERVISED, *arguments], env=ENVIRONMENT, start_new_session=True)
    counter, *others = started(tmp_path / "pids")
    process.kill()
    process.wait()
    assert_gone([counter])
    for other in others:
        other.kill()


WAITS = """
import sys, time
from torch import nn
class Net(nn.Linear):
    def __init__(self):
        super().__init__(8, 8)
    def forward(self, x):
        if "thop" in sys.modules:
            open("waits", "w").close()
            time.sleep(600)
        return super().forward(x)
"""


def test_the_command_leaves_neither_a_counter_nor_a_file(tmp_path: Path) -> None:
    """The real one, killed while it runs a counter."""
    (tmp_path / "net.py").write_text(WAITS)
    (tmp_path / "tmp").mkdir()
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path / "tmp")}
    arguments = ["cross-check", "net.py:Net", "--with", "thop", "--input", "1x8"]
    with subprocess.Popen([sys.executable, "-m", "profiler", *arguments], cwd=tmp_path, env=environment) as command:
        deadline = time.monotonic() + 120
        while not (tmp_path / "waits").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        processes = psutil.Process(command.pid).children(recursive=True)
        command.kill()
    assert len(processes) >= 3  # the work, the one that watches the counter, and the counter
    assert_gone(processes)
    assert list((tmp_path / "tmp").rglob("profile-model*")) == []
