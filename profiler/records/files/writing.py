"""Where does a result go? Into a file, whole or not at all; to standard output; to the end of a job's summary.

A file is replaced by one that is complete, so that nobody ever reads half of it, and so that it is what it was when the
command is interrupted or the disk is full. What a symbolic link names is replaced, and not the link; a device or a pipe
is written into.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

from profiler import errors
from profiler.errors import sentence

STDOUT = "standard output"
_DESCRIPTOR = re.compile(r"/dev/std(?:in|out|err)|/(?:dev|proc/self)/fd/\d+", re.ASCII)
# A folder that takes no new file, or a file that is a mount point, as containers have them.
_ONLY_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)


# What is printed ------------------------------------------------------------------------------------------------------

_results: TextIO | None = None  # where results go while standard output is kept apart
_is_apart = False
_spare_stderr: int | None = None  # a descriptor that a model's code does not know, and so does not close


def stdout() -> TextIO | None:
    """What results are printed to; None where the shell has closed it."""
    return _results if _is_apart else sys.stdout


def say(text: str) -> None:
    """Tell the user one thing in one line; where standard error is gone, the exit status has to do."""
    say_lines(f"profile-model: {sentence(text)}\n")


def say_lines(text: str) -> None:
    """Write to standard error what is made safe for it already."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # closed by the shell, by a model's code, or full
        try:
            os.write(2 if _spare_stderr is None else _spare_stderr, text.encode(errors="backslashreplace"))
        except OSError:
            _mute()


def _nobody() -> None:
    """Where no other process could say it instead."""


_mute: Callable[[], None] = _nobody  # called where something could not be said


def when_muted(tell: Callable[[], None]) -> None:
    """What to do where a model's code has closed every stream, and a sentence is lost."""
    global _mute  # noqa: PLW0603
    _mute = tell


def print_result(content: str | bytes) -> None:
    """Print to standard output; raises `errors.ProfileError`, and `BrokenPipeError` where nobody reads on."""
    stream = stdout()
    try:
        if stream is None:
            return
        if isinstance(content, str):
            stream.write(content)
        else:
            stream.buffer.write(content)
        stream.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise lost(error) from None


def lost(error: Exception) -> errors.ProfileError:
    """The refusal to go on without standard output, which Python shall not try to write to again when it ends."""
    forget(stdout())
    reason = error if isinstance(error, OSError) else OSError(errno.EBADF, errors.first_line(error))
    return _cannot_write(STDOUT, reason)


def forget(stream: TextIO | None) -> None:
    """Let what a stream still holds go nowhere."""
    with suppress(AttributeError, OSError, ValueError):
        assert stream is not None
        descriptor = stream.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


@contextmanager
def apart() -> Iterator[None]:
    """Keep standard output for results: whatever else is printed meanwhile goes to standard error.

    That is so for what Python prints, for what is written to descriptor 1 by `os.write` or C, and for child processes.
    """
    global _results, _is_apart, _spare_stderr
    before = _results, _is_apart, _spare_stderr
    results, spare = _on_a_descriptor_of_its_own(sys.stdout), _copy(2)
    _results, _is_apart, _spare_stderr = results or sys.stdout, True, spare
    try:
        with redirect_stdout(_another(sys.stderr)):
            yield
    finally:
        _results, _is_apart, _spare_stderr = before
        if results is not None:
            _put_back(results, 1)
        if spare is not None:
            os.close(spare)


def mend_streams() -> None:
    """Give the next model streams that work, where the code of one has closed or replaced them."""
    if not _is_apart or _spare_stderr is None:
        return
    try:
        os.dup2(_spare_stderr, 2)
    except OSError:  # every descriptor is closed, and its number may be another file's by now
        _mute()
    if _results is not None and _is_closed_or_not_1(_results):
        with suppress(OSError):
            os.dup2(_spare_stderr, 1)
    if sys.stderr is not None and sys.stderr.closed:
        sys.stderr = _on_standard_error()
    if sys.stdout is not None and sys.stdout.closed:
        sys.stdout = _another(sys.stderr)


def _is_closed_or_not_1(stream: TextIO) -> bool:
    try:
        return stream.fileno() != 1
    except (OSError, ValueError):
        return True


def _another(stream: TextIO | None) -> TextIO | None:
    """A stream to the same place, which may be closed; the same where it is no descriptor's, as in a notebook."""
    try:
        is_plain = stream is not None and stream.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return stream
    return _on_standard_error() if is_plain else stream


def _on_standard_error() -> TextIO:
    return open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


def _on_a_descriptor_of_its_own(stream: TextIO | None) -> TextIO | None:
    """The same destination under another number, while 1 is standard error; None where results do not go to 1."""
    try:
        assert stream is not None
        is_plain = stream.fileno() == 1
        stream.flush()
    except (AssertionError, OSError, ValueError):
        return None
    descriptor = _copy(1) if is_plain else None
    if descriptor is None:
        return None
    with suppress(OSError):
        os.dup2(2, 1)
    assert stream is not None
    return open(descriptor, "w", encoding=stream.encoding, errors="replace")


def _put_back(results: TextIO, descriptor: int) -> None:
    with suppress(OSError, ValueError):
        os.dup2(results.fileno(), descriptor)
    with suppress(OSError, ValueError):
        results.close()


def _copy(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:
        return None


# What is written ------------------------------------------------------------------------------------------------------


class Report(io.StringIO):
    """What a command has to deliver: lines that are printed into it, or the content of a file that is no text."""

    content: bytes | None = None

    def put(self, written: str | bytes) -> None:
        if isinstance(written, bytes):
            self.content = written
        else:
            print(written, file=self)


@contextmanager
def result(path: str | None, summary: str | None = None) -> Iterator[Report]:
    """Collect a report, and deliver it when all went well: to the file at `path`, a job's summary, or stdout.

    Whoever writes it sees to it that it is `errors.printable`. Raises `errors.ProfileError`, where that can be known
    before the work is done.
    """
    if path is not None:
        check_writable(path)
    report = Report()
    yield report
    text = report.getvalue()
    if report.content is not None:
        print_result(report.content) if path is None else replace(path, report.content)
    elif not text:
        return
    elif path is not None:
        replace(path, text.encode("utf-8", errors="replace"))
    elif summary is not None:
        append(summary, text.encode("utf-8", errors="replace"))
    else:
        print_result(text)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise what `replace` would raise, where that can be known without writing."""
    with refusing(path):
        text = os.fspath(path)
        there = _status(text)
        if there is None:
            folder = os.path.dirname(os.path.realpath(text))
            _require(folder, os.path.isdir(folder), errno.ENOENT)
            _require(folder, os.access(folder, os.W_OK | os.X_OK), errno.EACCES)
            _require(text, not text.endswith(("/", os.sep)), errno.EISDIR)
            return
        _require(text, not stat.S_ISDIR(there.st_mode), errno.EISDIR)
        _require(text, os.access(text, os.W_OK), errno.EACCES)


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file, whole or not at all; raises `errors.ProfileError`."""
    check_writable(path)
    with refusing(path):
        text = os.fspath(path)
        there = _status(text)
        if _DESCRIPTOR.fullmatch(text):
            _to_descriptor(text, content)
        elif there is not None and not stat.S_ISREG(there.st_mode):
            _in_place(text, content)
        else:
            _replace(os.path.realpath(text), content, there)


@contextmanager
def alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """One command at a time, of those that ask for it, reads and replaces a file of a folder.

    The folder itself is locked, so that no file is left behind. A file system that has no locks goes without.
    """
    descriptor = None
    with suppress(OSError, ImportError):
        import fcntl  # not everywhere

        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def append(path: str, content: bytes) -> None:
    """Add to the end of a file, a blank line behind what stands there; raises `errors.ProfileError`."""
    with refusing(path), open(path, "ab", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            _write(file, b"\n" * (size > 0) + content)
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


@contextmanager
def refusing(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _cannot_write(os.fspath(path), error) from None
    except ValueError as error:  # a name with a NUL in it
        raise _cannot_write(os.fspath(path), OSError(errno.EINVAL, errors.first_line(error))) from None


def _require(path: str, holds: bool, code: int) -> None:
    if not holds:
        raise OSError(code, os.strerror(code), path)


def _status(path: str) -> os.stat_result | None:
    """What the path, or what a link there names, is; None where it is not there yet."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _replace(path: str, content: bytes, there: os.stat_result | None) -> None:
    try:
        _by_renaming(path, content, there)
    except OSError as error:
        if there is None or error.errno not in _ONLY_IN_PLACE:
            raise
        _in_place(path, content)


def _by_renaming(path: str, content: bytes, there: os.stat_result | None) -> None:
    """The new file stands beside the old one until it is complete, under a name that nobody has."""
    partial = os.path.join(os.path.dirname(path), f".profile-model-{os.getpid()}-{os.urandom(6).hex()}.tmp")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            if there is not None:
                _take_after(file.fileno(), path, there)
            _write(file, content)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _take_after(descriptor: int, path: str, there: os.stat_result) -> None:
    """Owner, attributes (access lists among them) and mode of the file that is replaced, as far as that is allowed."""
    if (there.st_uid, there.st_gid) != (os.getuid(), os.getgid()):
        with suppress(OSError):
            os.fchown(descriptor, there.st_uid, there.st_gid)
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(path):
                os.setxattr(descriptor, name, os.getxattr(path, name))
    os.fchmod(descriptor, stat.S_IMODE(there.st_mode))


def _in_place(path: str, content: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        _write(file, content)


def _to_descriptor(path: str, content: bytes) -> None:
    """What a path like /dev/stdout names is open already, and is neither replaced nor begun again."""
    name = path.rsplit("/", 1)[1]
    number = {"stdin": 0, "stdout": 1, "stderr": 2}.get(name)
    number = int(name) if number is None else number
    stream = stdout()
    if number == 1 and stream is not None:
        try:
            print_result(content.decode())
        except UnicodeDecodeError:  # no text
            print_result(content)
        return
    with open(os.dup(number), "wb", buffering=0) as file:
        _write(file, content)


def _write(file: io.RawIOBase, content: bytes) -> None:
    """All of it: the system may take less at a time."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) or 0 :]


# Error messages -------------------------------------------------------------------------------------------------------


def _cannot_write(path: str, error: OSError) -> errors.ProfileError:
    return errors.ProfileError(f"{path} cannot be written ({error.strerror}); choose another file")
