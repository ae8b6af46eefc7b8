"""Files are written whole or not at all; a link, a device, a mode and an owner stay what they are."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from torch import nn

from profiler import errors, profile
from profiler.records.files import writing
from tests.shell import run

TEXT = b"the new report\n"


@pytest.fixture
def saved(tmp_path: Path) -> str:
    (tmp_path / "traces").mkdir()
    path = tmp_path / "traces" / "saved.json"
    profile(nn.Linear(8, 4), (1, 8)).save(path)
    return str(path)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_new_file_has_the_mode_of_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        writing.replace(tmp_path / "new", TEXT)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755, 0o2775])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(mode)
    writing.replace(tmp_path / "old", TEXT)
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == mode
    assert (tmp_path / "old").read_bytes() == TEXT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    os.chown(tmp_path / "old", 1234, 2345)
    writing.replace(tmp_path / "old", TEXT)
    there = (tmp_path / "old").stat()
    assert (there.st_uid, there.st_gid) == (1234, 2345)


def test_what_a_link_names_is_written(tmp_path: Path) -> None:
    """Over several links, into another folder; and to a file that is not there yet."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_text("old")
    (tmp_path / "near").symlink_to("far/file")
    (tmp_path / "nearer").symlink_to(tmp_path / "near")
    (tmp_path / "dangling").symlink_to("far/new")
    for link, file in (("nearer", "file"), ("dangling", "new")):
        writing.replace(tmp_path / link, TEXT)
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / "far" / file).read_bytes() == TEXT
    assert names(tmp_path / "far") == {"file", "new"}


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    writing.replace(tmp_path / "pipe", TEXT * 10_000)
    reader.join()
    assert read == [TEXT * 10_000]
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_is_written_into() -> None:
    writing.replace("/dev/null", TEXT)
    assert Path("/dev/null").is_char_device()


def test_an_open_descriptor_is_written_into(tmp_path: Path) -> None:
    """As a shell's `-o /dev/fd/3 3>>log` and process substitution give it: what stands in the file stays."""
    with (tmp_path / "log").open("ab") as log:
        log.write(b"before\n")
        log.flush()
        writing.replace(f"/dev/fd/{log.fileno()}", TEXT)
    assert (tmp_path / "log").read_bytes() == b"before\n" + TEXT


def test_files_of_like_names_are_left_alone(capsys: pytest.CaptureFixture[str], saved: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "out.csv.part").symlink_to("kept")
    (tmp_path / ".out.csv").write_text("mine too")
    assert run(capsys, saved, "-o", str(tmp_path / "out.csv"))[0] == 0
    assert (tmp_path / "kept").read_text() == "mine"
    assert (tmp_path / "out.csv.part").is_symlink()
    assert names(tmp_path) == {"traces", "kept", "out.csv.part", ".out.csv", "out.csv"}


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    name = "n" * 251 + ".csv"
    writing.replace(tmp_path / name, TEXT)
    assert names(tmp_path) == {name}


def test_many_write_one_file_at_once(tmp_path: Path) -> None:
    """All succeed, and the file is one of the reports, whole."""
    reports = [bytes([65 + number]) * 300_000 for number in range(8)]
    failed: list[BaseException] = []

    def write(report: bytes) -> None:
        try:
            for _ in range(20):
                writing.replace(tmp_path / "file", report)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(report,)) for report in reports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (tmp_path / "file").read_bytes() in reports
    assert names(tmp_path) == {"file"}


# What cannot be written -----------------------------------------------------------------------------------------------


@contextmanager
def room(size: int) -> Iterator[None]:
    """As on a disk that is almost full: no file grows above so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["new", "old", "link"])
def test_on_a_full_disk_the_old_file_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    before = names(tmp_path)
    with room(5), pytest.raises(errors.ProfileError, match=f"{name} cannot be written \\(File too large"):
        writing.replace(tmp_path / name, TEXT)
    assert (tmp_path / "old").read_text() == "old"
    assert names(tmp_path) == before


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for function in ("fchmod", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, function, interrupted)
            with pytest.raises(KeyboardInterrupt):
                writing.replace(tmp_path / "old", TEXT)
        assert (tmp_path / "old").read_text() == "old"
        assert names(tmp_path) == {"old"}


def test_the_summary_of_a_job_keeps_what_others_wrote(tmp_path: Path) -> None:
    (tmp_path / "summary").write_text("another step\n")
    with room(20), pytest.raises(errors.ProfileError):
        writing.append(str(tmp_path / "summary"), TEXT)
    assert (tmp_path / "summary").read_text() == "another step\n"
    writing.append(str(tmp_path / "summary"), TEXT)
    assert (tmp_path / "summary").read_bytes() == b"another step\n\n" + TEXT


def test_a_file_that_is_a_mount_point_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers have single files: nothing can take their place."""
    (tmp_path / "old").write_text("old")

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    writing.replace(tmp_path / "old", TEXT)
    assert (tmp_path / "old").read_bytes() == TEXT
    assert names(tmp_path) == {"old"}


LINES = {
    "a folder": ("-o", "folder"),
    "a folder that is not there": ("-o", "no/such/file"),
    "a folder by its slash": ("-o", "folder/"),
    "a new folder by its slash": ("-o", "new/"),
    "a file for a folder": ("-o", "file/below"),
    "a link to itself": ("-o", "loop"),
    "a name without end": ("-o", "x" * 300),
    "a NUL": ("-o", "a\0b"),
    "a full device": ("-o", "/dev/full"),
    "a full device to save": ("--save", "full.json"),
    "a folder to save": ("--save", "folder.json"),
}


@pytest.mark.parametrize("argv", LINES.values(), ids=LINES)
def test_one_line_says_so(
    capsys: pytest.CaptureFixture[str],
    saved: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.json"):
        (tmp_path / folder).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "full.json").symlink_to("/dev/full")
    before = names(tmp_path)
    status, _, err = run(capsys, saved, *argv, *(("--format", "text") if argv[0] == "-o" else ()))
    assert (status, err.count("\n")) == (2, 1)
    assert "cannot be written (" in err
    assert names(tmp_path) == before


COMMAND = [sys.executable, "-m", "profiler"]


def shell(command: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    line = command.replace("profile-model", f"{sys.executable} -m profiler")
    return subprocess.run(line, shell=True, env=environment, capture_output=True, check=False, **more)  # type: ignore[call-overload]


FULL = (
    "profile-model {saved} > /dev/full",
    "profile-model {saved} --format json > /dev/full",
    "profile-model --help > /dev/full",
    "GITHUB_STEP_SUMMARY=/dev/full profile-model {saved} --format github",
)


@pytest.mark.parametrize("command", FULL)
def test_a_full_disk_under_the_real_command(saved: str, command: str) -> None:
    done = shell(command.format(saved=saved))
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"cannot be written (No space left on device)" in done.stderr


def test_streams_that_the_shell_closed(saved: str, tmp_path: Path) -> None:
    """No file that is opened meanwhile is taken for one of them."""
    done = shell(f"profile-model {saved} --max-params 1 -o out.csv --save copy.json <&- >&-", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"profile-model: ")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"path,")
    assert shell(f"profile-model {saved} --max-params 1 2>&-").returncode == 1
    assert shell(f"profile-model {tmp_path / 'nowhere.json'} <&- >&- 2>&-").returncode == 2
