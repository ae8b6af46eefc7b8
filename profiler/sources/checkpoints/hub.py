"""How are headers of files on the Hugging Face hub read? By range requests: the weights are not downloaded.

The URL and the credentials come from the hub's own client (`huggingface_hub`: `HF_ENDPOINT`, a saved login,
`HF_HUB_OFFLINE`). Its functions read whole responses, however long; here no more is read than was requested, and a
server that ignores ranges, sends other parts or lengths, or is slow, is refused.

Limits: 1 second to connect, three times `HF_HUB_DOWNLOAD_TIMEOUT` (10 seconds by default) for a part of a file, 64 MB
for the headers of one file, and 512 MB for all responses of a run. A response that breaks off is continued from there,
in up to three tries; so is a request to a busy server, unless it asks to wait longer than 5 seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from profiler import errors
from profiler.errors import Malformed
from profiler.records.files.limits import Budget
from profiler.sources.checkpoints import reading
from profiler.sources.checkpoints.connection import check_connection
from profiler.sources.checkpoints.contents import Contents
from profiler.sources.checkpoints.safetensors import parsed
from profiler.sources.libraries import imported

PREFIX = "hf:"
LONGEST = 1 << 26  # bytes of one file
MOST = 1 << 29  # bytes of all answers
_LISTING = 1 << 24  # bytes
_TRIES, _PATIENCE = 3, 5.0  # times, and seconds
_PIECE = 1 << 16
_MOST_FILES, _AT_ONCE = 2000, 8
_CONFIGURATION = "config.json"
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_BUSY = (429, 500, 502, 503, 504)
_WORDS = {
    401: "it asks who you are: the name is wrong, or it is private or gated; log in with `hf auth login`",
    403: "access to it has to be granted; ask for it on its page, and log in with `hf auth login`",
    404: "there is no such model or file",
    429: "it is asked too often",
}


class Gone(Malformed):
    """The hub has no such file."""


class HubFile(NamedTuple):
    """A file of a model on the hub, or, without a name, the model's folder."""

    repo: str
    revision: str
    name: str

    @property
    def text(self) -> str:
        at = "" if self.revision == "main" else f"@{self.revision}"
        return f"{PREFIX}{self.repo}{at}/{self.name}"


_PLACE = re.compile(
    r"(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})(@(?P<revision>[\w.-]{1,96}))?/(?P<name>[\w. /+=,-]{0,512})", re.ASCII
)


def place(text: str) -> HubFile | None:
    """The file or folder that `hf:ORGANISATION/NAME[@REVISION]/[FILE]` names; None for other texts."""
    match = _PLACE.fullmatch(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else None
    if match is None or ".." in match["name"].split("/") or match["repo"].startswith("."):
        return None
    return HubFile(match["repo"], match["revision"] or "main", match["name"])


class _Broken(Exception):
    """The connection broke off, or the server was busy; `wait` is how many seconds it asks to wait."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


def library() -> Any:
    return imported("huggingface_hub")


@dataclass(slots=True)
class Hub:
    """Requests to the hub, with the number of bytes read so far."""

    spent: int = 0
    _etags: dict[str, str] = field(default_factory=dict)

    def listing(self, place: HubFile) -> list[str]:
        """The names of a model's files."""
        hub = library()
        url = f"{hub.constants.ENDPOINT}/api/models/{place.repo}"
        url += "" if place.revision == "main" else f"/revision/{place.revision}"
        content, _ = self._fetched(url, 0, _LISTING, whole=True)
        siblings = parsed(content, "list of files", Budget(place.text, len(content))).get("siblings")
        if not isinstance(siblings, list):
            raise Malformed("the hub's answer has no list of files")
        names = (each.get("rfilename") for each in siblings if isinstance(each, dict))
        return sorted(name for name in names if isinstance(name, str))

    def part(self, place: HubFile, first: int, count: int) -> tuple[bytes, int]:
        """`count` bytes of a file from `first` on, fewer at its end; and the length of the file."""
        hub = library()
        url = hub.hf_hub_url(place.repo, place.name, revision=place.revision, endpoint=hub.constants.ENDPOINT)
        return self._fetched(url, first, count)

    def _fetched(self, url: str, first: int, count: int, whole: bool = False) -> tuple[bytes, int]:
        """The bytes, in up to three requests, each of which continues where the one before broke off."""
        got, total, tries = bytearray(), -1, 0
        while True:
            try:
                for piece, length in self._answer(url, first + len(got), count - len(got), whole):
                    got += piece
                    total = length
                return bytes(got), total
            except _Broken as error:
                tries += 1
                if tries == _TRIES or error.wait > _PATIENCE:
                    later = f"; it asks to wait {error.wait:.0f} seconds" if error.wait > _PATIENCE else ""
                    raise Malformed(f"{error}{later}") from None
                if whole:
                    got.clear()
                time.sleep(min(max(error.wait, 0.2 * tries), _PATIENCE))

    def _answer(self, url: str, first: int, count: int, whole: bool) -> Iterator[tuple[bytes, int]]:
        """The pieces of one response, each with the length of the file."""
        hub = library()
        if hub.constants.HF_HUB_OFFLINE:
            raise Malformed("HF_HUB_OFFLINE is set, and nothing is fetched")
        if not self.spent:
            check_connection(url)
        limit = hub.constants.HF_HUB_DOWNLOAD_TIMEOUT
        headers = {**hub.utils.build_hf_headers(library_name="profile-model"), "Accept-Encoding": "identity"}
        if not whole:
            headers["Range"] = f"bytes={first}-{first + count - 1}"
        end = time.monotonic() + 3 * limit
        with _client_errors(), _opened(_session(hub), url, headers, limit) as (response, pieces):
            wanted, total = self._expected(response, url, first, count, whole)
            for piece in pieces:  # as it comes, so that nothing of it is lost
                self._spend(len(piece))
                if len(piece) > wanted:
                    raise Malformed("the server sends more than it said")
                wanted -= len(piece)
                yield piece, total
                if time.monotonic() > end:
                    raise Malformed(f"the server is slow: a part of the file took more than {3 * limit:g} seconds")
                if not wanted:
                    return
            if wanted:
                raise _Broken(f"the server's answer ends {wanted:,} bytes early")
            yield b"", total

    def _spend(self, count: int) -> None:
        self.spent += count
        if self.spent > MOST:
            raise Malformed(f"its headers are longer than the {MOST:,} bytes that are read of a model in all")

    def _expected(self, response: Any, url: str, first: int, count: int, whole: bool) -> tuple[int, int]:
        """The length of the response's body and of the file; raises where it is not the part that was requested."""
        status = int(response.status_code)
        if status not in (200, 206):
            raise _refusal(status, response.headers, first)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Malformed("the server compresses its answers, and was told not to")
        if self._etags.setdefault(url, response.headers.get("ETag", "")) != response.headers.get("ETag", ""):
            raise Malformed("it was changed while it was read")
        if status == 200:
            length = _number(response.headers.get("Content-Length"))
            if whole:
                return _listed(length, count)
            if length is None or first or length > count:
                raise Malformed("the server sends the whole file and not the part that was asked for")
            return length, length
        return _ranged(response.headers, first, count)


def _session(hub: Any) -> Any:
    try:
        return hub.utils.get_session()
    except (ImportError, ValueError) as error:  # a kind of proxy that the client does not know, or needs a package for
        raise Malformed(f"the proxy that the environment names cannot be used: {errors.first_line(error)}") from None


@contextmanager
def _opened(session: Any, url: str, headers: dict[str, str], limit: float) -> Iterator[tuple[Any, Iterator[bytes]]]:
    """A response and the pieces of its body. The client uses httpx, and before huggingface_hub 1 requests."""
    if callable(session.stream):
        with session.stream("GET", url, headers=headers, timeout=limit) as response:
            yield response, response.iter_raw()
    else:
        with session.get(url, headers=headers, timeout=limit, stream=True) as response:
            read = response.raw.read1  # returns what has arrived, however little; urllib3 2
            yield response, iter(lambda: read(_PIECE, decode_content=False), b"")


def _listed(length: int | None, most: int) -> tuple[int, int]:
    if length is None:
        raise Malformed("the server does not say how long its answer is")
    if length > most:
        raise Malformed(f"the list of its files has {length:,} bytes, and {most:,} are the most that is read")
    return length, length


def _ranged(headers: Any, first: int, count: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None:
        raise Malformed("the server does not say which part of the file it sends")
    start, last, total = map(int, match.groups())
    length = _number(headers.get("Content-Length"))
    if start != first or last != min(first + count, total) - 1 or length not in (None, last - start + 1):
        raise Malformed("the server sends another part of the file than was asked for")
    return last - start + 1, total


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def _refusal(status: int, headers: Any, first: int) -> Exception:
    """The error for a status; the server's own text is not repeated."""
    if status == 404:
        return Gone(_WORDS[404])
    words = f"the hub answers {status}" + (f": {_WORDS[status]}" if status in _WORDS else "")
    if status == 416:
        return Malformed(f"it is empty, or has no byte {first:,}")
    if status in _BUSY:
        return _Broken(words, float(_number(headers.get("Retry-After")) or 0))
    if status == 401 and headers.get("X-Error-Code") == "GatedRepo":
        return Malformed(f"the hub answers 401: {_WORDS[403]}")
    return Malformed(words)


_BREAKS = {"ReadError", "RemoteProtocolError", "CloseError", "ProtocolError", "IncompleteRead"}
_CLIENTS = {"httpx", "httpx2", "httpcore", "httpcore2", "huggingface_hub", "requests", "urllib3"}


@contextmanager
def _client_errors() -> Iterator[None]:
    """Turn the client's exceptions into ours, by the names of their classes, which depend on the client's version."""
    try:
        yield
    except (Malformed, _Broken, GeneratorExit, errors.ProfileError):
        raise
    except Exception as error:
        kind = type(error).__name__
        if "Timeout" in kind:
            raise Malformed("the server does not answer in time; HF_HUB_DOWNLOAD_TIMEOUT is the limit") from None
        if kind in _BREAKS:
            raise _Broken("the server breaks off its answers") from None
        if type(error).__module__.partition(".")[0] in _CLIENTS:
            raise Malformed(f"the hub cannot be reached ({errors.first_line(error)[:120]})") from None
        raise


# One file -------------------------------------------------------------------------------------------------------------


class RemoteBytes:
    """A file's bytes, fetched when they are read; always from the file's start up to the furthest that was read."""

    def __init__(self, hub: Hub, place: HubFile) -> None:
        self._hub, self._place = hub, place
        self._content = bytearray()
        self._next = _PIECE
        self._length = -1
        self._more(1)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            start, stop, step = at.indices(self._length)
            self._more(stop)
            return bytes(self._content[start:stop:step])
        self._more(at + 1)
        return self._content[at]

    def find(self, text: bytes, first: int, end: int) -> int:
        self._more(min(end, self._length))
        return self._content.find(text, first, end)

    def _more(self, end: int) -> None:
        """Fetch all bytes up to `end`, and some more: a reader of headers goes on reading."""
        if end > LONGEST:
            raise Malformed(f"its headers have more than {LONGEST:,} bytes, which are the most that is fetched")
        if end <= len(self._content):
            return
        start = len(self._content)
        count = min(
            max(end - start, self._next), LONGEST - start, *([self._length - start] if self._length >= 0 else [])
        )
        content, length = self._hub.part(self._place, start, count)
        if self._length not in (-1, length):
            raise Malformed("it was changed while it was read")
        self._length = length
        self._content += content
        self._next = min(2 * self._next, 1 << 22)
        if length == 0:
            raise Malformed("it is empty")


class Files:
    """A model's files on the hub, several read at a time. `sizes` has the sizes of those that were opened."""

    def __init__(self, hub: Hub, formats: tuple[Any, ...]) -> None:
        self.formats = formats
        self.sizes: dict[str, int] = {}
        self._hub = hub

    @contextmanager
    def opened(self, path: str) -> Iterator[reading.Bytes]:
        try:
            cached = _cached(_placed(path))
            if cached:
                with reading.opened(cached) as data:
                    self.sizes[path] = len(data)
                    yield data
                return
            remote = RemoteBytes(self._hub, _placed(path))
            self.sizes[path] = len(remote)
            yield remote
        except Malformed as error:
            raise errors.UnreadableCheckpoint(path, str(error)) from None

    def is_file(self, path: str) -> bool:
        """Whether the path names a file on the hub; whether that exists is seen when it is opened."""
        return place(path) is not None

    def each(self, read: Callable[[str], Contents], paths: Sequence[str]) -> list[Contents]:
        if len(paths) > _MOST_FILES:
            raise errors.UnreadableCheckpoint(
                paths[0], f"it is one of {len(paths):,} files, and {_MOST_FILES:,} are read"
            )
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = [pool.submit(read, path) for path in paths]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def names(self, place: HubFile) -> list[str]:
        """The names of the files in a folder, without the folder."""
        try:
            names = self._hub.listing(place)
        except Malformed as error:
            raise errors.UnreadableCheckpoint(place.text, str(error)) from None
        inside = [name.removeprefix(place.name) for name in names if name.startswith(place.name)]
        return [name for name in inside if "/" not in name and _placed_or_none(place, name)]

    def configuration(self, place: HubFile) -> Mapping[str, Any]:
        """The model's configuration beside a file of weights; an empty one where there is none."""
        folder, _, _ = place.name.rpartition("/")
        beside = place._replace(name=f"{folder}/{_CONFIGURATION}".lstrip("/"))
        try:
            with self.opened(beside.text) as data:
                content = data[:_LISTING]
                return parsed(content, "configuration", Budget(beside.text, len(content)))
        except errors.UnreadableCheckpoint as error:
            if isinstance(error.__context__, Gone) or hub_is_off():
                return {}
            raise


def hub_is_off() -> bool:
    return bool(library().constants.HF_HUB_OFFLINE)


def _cached(place: HubFile) -> str:
    """The path of a file in the cache of the hub's own client where the network is off, else empty."""
    if not hub_is_off():
        return ""
    path = library().try_to_load_from_cache(place.repo, place.name, revision=place.revision)
    return path if isinstance(path, str) else ""


def _placed(path: str) -> HubFile:
    file = place(path)
    if file is None:
        raise Malformed("it is no name of a file on the hub")
    return file


def _placed_or_none(folder: HubFile, name: str) -> bool:
    return place(folder._replace(name=folder.name + name).text) is not None
