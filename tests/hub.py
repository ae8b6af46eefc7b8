"""A small server that speaks the hub's protocol, well or badly: lists of files, parts of them, redirects, refusals.

It counts the bytes that it sent, so that a test can say how many were fetched.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Answer = Callable[["Request"], None]


@dataclass
class Server:
    """files: contents by `ORGANISATION/NAME/FILE`. misbehaves: by a part of the path, what is done instead.

    `largest` pretends that a file is so long: what is behind its content is zeros.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    misbehaves: dict[str, Answer] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    requests: list[str] = field(default_factory=list)
    url: str = ""


class Request(BaseHTTPRequestHandler):
    server_version = "hub"
    protocol_version = "HTTP/1.1"
    state: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.state.requests.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        for part, answer in list(self.state.misbehaves.items()):
            if part in self.path:
                answer(self)
                return
        self.well()

    def well(self) -> None:
        """As the hub does: a list, or a redirect to where the bytes are, and those."""
        listed = re.fullmatch(r"/api/models/([^/]+/[^/?]+)(/revision/[^/?]+)?(\?.*)?", self.path)
        resolved = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if listed:
            self._list(listed[1])
        elif resolved:
            name = f"{resolved[1]}/{resolved[3]}"
            if name in self.state.files:
                self.answer(302, b"", Location=f"{self.state.url}/cdn/{name}", ETag='"1"')
            else:
                self.refuse(404, "EntryNotFound")
        elif self.path.startswith("/cdn/"):
            self.part(self.path.removeprefix("/cdn/"))
        else:
            self.refuse(404, "RepoNotFound")

    def _list(self, repo: str) -> None:
        names = [name.removeprefix(f"{repo}/") for name in self.state.files if name.startswith(f"{repo}/")]
        if not names:
            self.refuse(401, "RepoNotFound")
            return
        content = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
        self.answer(200, json.dumps(content).encode())

    def asked(self, total: int) -> tuple[int, int]:
        """The first byte of a range, and the one behind its last."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            return 0, total
        return int(found[1]), min(int(found[2]) + 1 if found[2] else total, total)

    def part(self, name: str) -> None:
        content = self.state.files[name]
        total = self.state.largest.get(name, len(content))
        first, end = self.asked(total)
        if first >= total:
            self.refuse(416, "")
            return
        body = content[first:end]
        body += bytes(end - first - len(body))
        status = 206 if "Range" in self.headers else 200
        self.answer(status, body, **{"Content-Range": f"bytes {first}-{end - 1}/{total}", "ETag": '"1"'})

    def refuse(self, status: int, code: str, **headers: str) -> None:
        more = {"X-Error-Code": code, "X-Error-Message": "\x1b[31mnot for you"} if code else {}
        self.answer(status, b'{"error": "no"}', **more, **headers)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, text in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.write(body)

    def write(self, body: bytes) -> None:
        try:
            for at in range(0, len(body), 1 << 14):
                self.wfile.write(body[at : at + (1 << 14)])
                self.state.sent += len(body[at : at + (1 << 14)])
        except OSError:  # whoever asked has gone
            self.close_connection = True


class Quiet(ThreadingHTTPServer):
    """Clients that hang up are what these tests are about."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Server]:
    state = Server(dict(files))
    handler = type("Handler", (Request,), {"state": state})
    server = Quiet(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


# What a server may do instead -----------------------------------------------------------------------------------------


def refuses(status: int, code: str = "", **headers: str) -> Answer:
    return lambda request: request.refuse(
        status, code, **{name.replace("_", "-"): text for name, text in headers.items()}
    )


def says(body: bytes, status: int = 200, **headers: str) -> Answer:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda request: request.answer(status, body, **names)


def ignores_ranges(size: int) -> Answer:
    """The whole file, however long, whatever part was asked for."""

    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(size))
        request.end_headers()
        for _ in range(0, size, 1 << 20):
            request.write(bytes(1 << 20))
            if request.close_connection:
                return

    return answer


def endless(request: Request) -> None:
    """Chunks without end, and no length."""
    request.send_response(206)
    request.send_header("Content-Range", "bytes 0-65535/100000000")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    for _ in range(10_000):
        request.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        if request.close_connection:
            return


def shorter(request: Request) -> None:
    """Half of what it says; then it hangs up. What it is asked for the next time it gives in full."""
    name = request.path.removeprefix("/cdn/")
    content = request.state.files[name]
    first, end = request.asked(len(content))
    request.send_response(206)
    request.send_header("Content-Length", str(end - first))
    request.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(content)}")
    request.send_header("ETag", '"1"')
    request.end_headers()
    request.write(content[first : (first + end) // 2])
    request.close_connection = True
    request.state.misbehaves.clear()


def always_shorter(request: Request) -> None:
    shorter(request)
    request.state.misbehaves["/cdn/"] = always_shorter


def once(answer: Answer) -> Answer:
    """The first time alone."""

    def answered(request: Request) -> None:
        request.state.misbehaves.clear()
        answer(request)

    return answered


def sleeps(seconds: float) -> Answer:
    return lambda request: time.sleep(seconds)


def drips(request: Request) -> None:
    """A byte now and then, each in time."""
    request.send_response(206)
    request.send_header("Content-Length", "1000")
    request.send_header("Content-Range", "bytes 0-999/1000")
    request.end_headers()
    for _ in range(1000):
        request.write(b"x")
        if request.close_connection:
            return
        time.sleep(0.1)
