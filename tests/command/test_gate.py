"""A gate cannot be passed by not running: what a model's code does to end the command is its own failure.

Whatever it raises or calls, the exit status is 2, one line names the model, and the other models have their rows.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.shell import run

NET = """
import asyncio, os, signal, sys, threading
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
    def forward(self, x):
        return self.layer(x)
"""
ENDS = {
    "SystemExit": "raise SystemExit",
    "sys.exit of 0": "sys.exit(0)",
    "sys.exit of a text": "sys.exit('done')",
    "a subclass of SystemExit": "raise type('Leave', (SystemExit,), {})(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "CancelledError": "raise asyncio.CancelledError",
    "a BaseException": "raise type('Mine', (BaseException,), {})('mine')",
    "RecursionError": "(lambda f: f(f))(lambda f: f(f))",
    "MemoryError": "raise MemoryError",
    "exit": "exit(0)",
}
PLACES = {
    "import": "{NET}{END}\n",
    "build": "{NET}def build():\n    {END}\nNet = build\n",
    "constructor": "{NET}class Net(Net):\n    def __init__(self):\n        super().__init__()\n        {END}\n",
    "forward": "{NET}class Net(Net):\n    def forward(self, x):\n        {END}\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fine.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", PLACES)
def test_what_ends_a_program_is_the_failure_of_one_model(
    capsys: pytest.CaptureFixture[str], folder: Path, place: str
) -> None:
    """Every end at this place, in one command, beside models that are fine."""
    files = [f"end{number}.py" for number in range(len(ENDS))]
    for file, end in zip(files, ENDS.values(), strict=True):
        (folder / file).write_text(PLACES[place].replace("{NET}", NET).replace("{END}", end))
    models = ["fine.py:Net", *(f"{file}:Net" for file in files), "fine.py:Net()"]
    status, out, err = run(capsys, *models, "--input", "1x8", "--max-params", "1G", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["params"] for row in rows] == ["72", *[""] * len(ENDS), "72"]
    lines = err.splitlines()
    assert (status, len(lines)) == (2, len(ENDS)), err
    for file, line, row in zip(files, lines, rows[1:], strict=False):
        assert line.startswith(f"profile-model: {file}"), line
        assert row["error"] in line


def test_a_budget_and_a_table_by_themselves(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "script.py").write_text(f"{NET}sys.exit(0)\n")
    entry = '[[models]]\nmodel = "{}:Net"\ninput = "1x8"\nmax-params = 1\n'
    (folder / "b.toml").write_text(entry.format("script.py") + entry.format("fine.py"))
    status, out, err = run(capsys, "check", "b.toml")
    assert (status, err.count("\n")) == (2, 2)
    assert "its code ends the program with SystemExit(0), at script.py:10" in err
    assert "fine.py:Net    parameters " in out
    assert run(capsys, "script.py:Net", "--input", "1x8", "--strict")[::2][0] == 2


def test_an_exception_of_ours_is_no_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised, with its traceback, and not taken for the model's."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("profiler.api.profiling.run", broken)
    with pytest.raises(ZeroDivisionError):
        run(capsys, "fine.py:Net", "--input", "1x8")


# The real command -----------------------------------------------------------------------------------------------------


def command(*argv: str, **more: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    return subprocess.run(
        [sys.executable, "-m", "profiler", *argv], env=environment, capture_output=True, text=True, check=False, **more
    )  # type: ignore[call-overload, no-any-return]


DEATHS = """
import contextlib, ctypes
class Exits(Net):
    def forward(self, x):
        os._exit(0)
class Crashes(Net):
    def __init__(self):
        super().__init__()
        ctypes.string_at(0)
class Closes(Net):
    def forward(self, x):
        sys.stdout.close(); sys.stderr.close(); sys.__stdout__.close(); os.chdir("/")
        with contextlib.suppress(OSError):
            os.close(2)
        return self.layer(x)
"""


def test_what_ends_the_process_is_the_failure_of_one_model(folder: Path) -> None:
    (folder / "deaths.py").write_text(NET + DEATHS)
    talk = "print('to stdout'); print('to stderr', file=sys.stderr); os.write(1, b'to 1\\n')"
    (folder / "talks.py").write_text(PLACES["import"].replace("{NET}", NET).replace("{END}", talk))
    models = ["fine.py:Net", "deaths.py:Exits", "deaths.py:Crashes", "deaths.py:Closes", "talks.py:Net"]
    done = command(*models, "--input", "1x8", "--format", "csv", "--max-params", "1G")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["params"] for row in rows] == ["72", "", "", "72", "72"], done.stderr
    assert done.returncode == 2
    *talk, exits, crashes = done.stderr.splitlines()
    assert talk == ["to stdout", "to stderr", "to 1"]
    assert exits.startswith("profile-model: deaths.py:Exits cannot be measured: the process that imported")
    assert "ended with status 0" in exits
    assert crashes.startswith("profile-model: deaths.py:Crashes cannot be measured")
    assert "killed by signal 11 (SIGSEGV)" in crashes


LATER = """
import atexit, time
atexit.register(os._exit, 0)
os.write(1, b"at import\\n")
class Net(Net):
    def forward(self, x):
        os.write(1, b"raw\\n")
        os.system("echo child")
        print("python", flush=True)
        print("to the old one", file=sys.__stdout__, flush=True)
        ctypes.CDLL(None).puts(b"from C")
        ctypes.CDLL(None).fflush(None)
        threading.Thread(target=lambda: [(print("thread"), time.sleep(0.01)) for _ in range(200)]).start()
        return self.layer(x)
"""
FORKS = """
class Net(Net):
    def forward(self, x):
        os.fork()
        return self.layer(x)
"""


@pytest.mark.parametrize("output", ["pipe", "file"])
def test_what_is_printed_past_python_is_no_part_of_the_result(folder: Path, output: str) -> None:
    """And an exit that is waiting for the end is too late."""
    (folder / "later.py").write_text(f"import ctypes{NET}{LATER}")
    argv = ("later.py:Net", "--input", "1x8", "--format", "json", "--max-params", "1")
    if output == "pipe":
        done = command(*argv)
        printed = done.stdout
    else:
        with (folder / "out.json").open("w") as file:
            arguments = [sys.executable, "-m", "profiler", *argv]
            done = subprocess.run(arguments, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
        printed = (folder / "out.json").read_text()
    assert json.loads(printed)["totals"]["params"] == 72
    assert done.returncode == 1
    for word in ("at import", "raw", "child", "python", "from C", "thread"):
        assert word in done.stderr


def test_a_copy_of_the_process_says_nothing(folder: Path) -> None:
    (folder / "forks.py").write_text(f"{NET}{FORKS}")
    done = command("forks.py:Net", "--input", "1x8", "--depth", "0", "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 2


def test_a_model_that_closes_every_descriptor(folder: Path) -> None:
    """Nothing is left to write to, but for the process that waits."""
    closing = (
        "class Net(Net):\n    def forward(self, x):\n        os.closerange(0, 256)\n        return self.layer(x)\n"
    )
    (folder / "closes.py").write_text(f"{NET}{closing}")
    done = command("closes.py:Net", "--input", "1x8", "--max-params", "1G")
    assert (done.returncode, done.stdout) == (2, "")
    assert "closed the standard streams" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_status_of_a_signal(folder: Path) -> None:
    """SIGTERM ends the command as it ends any, and what it was doing with it."""
    (folder / "sleeps.py").write_text(f"import time{NET}open('begun', 'w').close()\ntime.sleep(600)\n")
    with sleeping() as process:
        wait_for(folder / "begun")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM


@contextmanager
def sleeping() -> Iterator[subprocess.Popen[str]]:
    """The command on a model that never ends, open to interrupts also where a shell started the tests without them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here is ignored in a child
    arguments = [sys.executable, "-m", "profiler", "sleeps.py:Net", "--input", "1x8"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, before)
        try:
            yield process
        finally:
            process.kill()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("delay", [0, 0.2, 0.6, 2.0])
def test_an_interrupt_at_any_moment(folder: Path, delay: float) -> None:
    """From where Python has started on; also in the midst of a model whose code takes every interrupt for itself."""
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    (folder / "sleeps.py").write_text(f"{deaf}{NET}\nwhile True:\n    try: time.sleep(600)\n    except: pass\n")
    with sleeping() as process:
        while not psutil.Process(process.pid).children():
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == "profile-model: interrupted\n"
        assert process.returncode == 130
