"""What does Python code read while a model is imported, built and run? Files, folders, variables of the environment.

An audit hook of Python's sees each file that is opened; it cannot be taken away, and does nothing but while somebody
watches. An import happens once in a process, so what one run read counts for all that follow.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from contextlib import contextmanager, suppress
from importlib.machinery import FileFinder
from types import CodeType, FrameType
from typing import Any

from profiler.sources.trace_cache import reading
from profiler.sources.trace_cache.environment import FAMILIES
from profiler.sources.trace_cache.places import is_of_python, is_own
from profiler.sources.trace_cache.reading import Reads

_Environ: Any = type(os.environ)
_MAIN = ("__main__", "__mp_main__")  # the command itself
_CODE = (".py", ".so", ".pyd", ".pyc")
# Those of a terminal, a shell and a job: libraries ask for them to print something, and for a place to write to.
_NOT_COMPARED = frozenset({
    "_", "CLICOLOR", "COLORTERM", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "OLDPWD", "PROFILE_MODEL_CACHE", "PWD",
    "SHLVL", "TEMP", "TERM", "TMP", "TMPDIR",
})  # fmt: skip
_IMPORT = getattr(FileFinder, "_fill_cache").__code__  # noqa: B009  which the stubs do not know
_READ_ALL: tuple[CodeType, ...] = (_Environ.copy.__code__, ItemsView.__iter__.__code__, ValuesView.__iter__.__code__)


class Watch:
    """All that was read since the process began to watch.

    reaches_out: whether the network was asked for something, or own code asked another process.
    origins: what own code was imported for, which may have changed anything in this process.
    """

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._own = {file for file, _ in own_modules()}
        self._variables: set[str] = set()
        self._opened: dict[str, str | None] = {}
        self._written: set[str] = set()
        self._listed: set[str] = set()
        self.reaches_out = False
        self.origins: set[str] = set()

    def reads(self) -> Reads | None:
        """None where a file was changed amid a run, which may have read the one content or the other."""
        if any(_status(path) != before for path, before in self._opened.items()):
            return None
        modules = list(own_modules())
        files = {*self._opened, *(file for file, _ in modules)}
        folders = {folder for _, found in modules for folder in found}
        folders |= {os.path.abspath(path) for path in sys.path if is_own(os.path.abspath(path))}
        return Reads(
            {name: reading.variable(name, self._environment) for name in sorted(self._variables)},
            {path: reading.fingerprint(path) for path in sorted(files)},
            {path: reading.modules_in(path) for path in sorted(folders)},
            {path: reading.names_in(path) for path in sorted(self._listed)},
        )

    def settle(self, origin: str) -> None:
        """At the end of a run."""
        own = {file for file, _ in own_modules()} | {path for path in self._opened if path.endswith(_CODE)}
        if own - self._own:
            self._own |= own
            self.origins.add(origin)

    def saw_variable(self, name: str) -> None:
        if name not in _NOT_COMPARED and not name.startswith(FAMILIES):
            self._variables.add(name)

    def saw_file(self, path: Any, _: Any, flags: int) -> None:
        """Just before it is opened."""
        name = _absolute(path)
        source = None if name is None else _source(name)
        if source is None or not is_own(source):
            return
        if flags & (os.O_WRONLY | os.O_TRUNC | os.O_EXCL):  # a product of the run
            self._written.add(source)
        elif source not in self._written:
            self._opened.setdefault(source, _status(source))

    def saw_folder(self, path: Any = None, *_: Any) -> None:
        """An import looks for modules in it, which is told by `reading.modules_in`; own code may look for anything."""
        name = os.getcwd() if path is None else _absolute(path)
        is_import = sys._getframe(2).f_code is _IMPORT
        if name is not None and not is_import and is_own(name) and _is_for_own_code():
            self._listed.add(name)

    def saw_process(self, *_: Any) -> None:
        self.reaches_out = self.reaches_out or _is_for_own_code()

    def saw_connection(self, _: Any, address: Any, *__: Any) -> None:
        self.reaches_out = self.reaches_out or isinstance(address, tuple)


_EVENTS: Mapping[str, Callable[..., None]] = {
    "open": Watch.saw_file,
    "os.listdir": Watch.saw_folder,
    "os.scandir": Watch.saw_folder,
    "socket.connect": Watch.saw_connection,
    **dict.fromkeys(("os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen"), Watch.saw_process),
}
_lock = threading.RLock()
_watch: Watch | None = None  # all that this process has seen
_watchers = 0


@contextmanager
def watching(origin: str) -> Iterator[Watch]:
    """See what is read, in any thread, until the block ends. origin: the file, package or folder that it is of."""
    global _watch, _watchers  # noqa: PLW0603
    with _lock:
        if _watch is None:
            _watch = Watch()
            sys.addaudithook(_audit)
        watch, _watchers = _watch, _watchers + 1
        _Environ.__getitem__ = _variable
    try:
        yield watch
    finally:
        with _lock:
            _watchers -= 1
            if not _watchers:
                _Environ.__getitem__ = _value
            watch.settle(origin)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watchers or event not in _EVENTS or _watch is None:
        return
    with suppress(Exception):  # it would be raised where the file is opened
        _EVENTS[event](_watch, *arguments)


_value = _Environ.__getitem__


def _variable(environment: Any, name: Any) -> Any:
    """In the place of `os.environ[name]`, which `get`, `in` and `os.getenv` come to as well."""
    if _watch is not None and not _is_for_a_library(sys._getframe(1)):
        _watch.saw_variable(os.fsdecode(name))
    return _value(environment, name)


def _is_for_a_library(frame: FrameType | None) -> bool:
    """Whether all variables are read at once, and not by own code: a library looks for those of a prefix then."""
    if frame is None or frame.f_code not in _READ_ALL:
        return False
    while frame is not None and frame.f_code in _READ_ALL:
        frame = frame.f_back
    return frame is None or not _is_of_own_code(frame)


def _is_for_own_code() -> bool:
    """Whether it is own code that called Python's own, and not a library."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and is_of_python(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and _is_of_own_code(frame)


def _is_of_own_code(frame: FrameType) -> bool:
    """By its module's file: that of its code may be a name in what was the current folder then."""
    file = frame.f_globals.get("__file__")
    return isinstance(file, str) and is_own(file) and frame.f_globals.get("__name__") not in _MAIN


def own_modules() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The file of each module of somebody's own, with the folders that it and its like are looked for in."""
    for name, module in list(sys.modules.items()):
        attributes = getattr(module, "__dict__", {})
        file, paths = attributes.get("__file__"), attributes.get("__path__")
        folders = [path for path in _strings(paths) if is_own(path)]
        folders += [os.path.dirname(folder) for folder in folders]
        if name in _MAIN:
            continue
        if isinstance(file, str) and is_own(file):
            yield _on_disk(file), (*folders, os.path.dirname(file))
        elif folders:  # of a namespace
            yield folders[0], tuple(folders)


def _strings(paths: Any) -> list[str]:
    try:
        return [path for path in paths or () if isinstance(path, str)]
    except Exception:  # a namespace package's own object, or anything else that a module calls so
        return []


def _on_disk(path: str) -> str:
    """The file itself, or the archive that it is in."""
    place = path
    while place and not os.path.exists(place):
        place, before = os.path.dirname(place), place
        if place == before:
            return path
    return path if os.path.isdir(place) else place


def _absolute(path: Any) -> str | None:
    return None if isinstance(path, int) else os.path.join(os.getcwd(), os.fsdecode(path))


def _source(path: str) -> str:
    """What a file of compiled code was compiled from."""
    if not path.endswith(".pyc"):
        return path
    with suppress(ValueError, NotImplementedError):
        return importlib.util.source_from_cache(path)
    return path


def _status(path: str) -> str | None:
    try:
        return reading.status(os.stat(path))
    except (OSError, ValueError):
        return None
