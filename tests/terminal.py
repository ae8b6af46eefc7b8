"""What does a terminal get? The command run in a pseudo-terminal of some size, or what it writes to one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[^\[])")
_UNSET = ("CI", "NO_COLOR", "COLUMNS", "LINES", "GITHUB_STEP_SUMMARY", "COLORTERM")


def shown(
    argv: tuple[str, ...], columns: int, lines: int, folder: Path, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """The exit status of a command, and all that its standard output and error write to a terminal of that size."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    settings = {name: value for name, value in os.environ.items() if name not in _UNSET}
    settings |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"} | dict(env or {})
    command = [sys.executable, "-m", "profiler", *argv]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=folder, env=settings, close_fds=True
    )
    os.close(follower)
    written = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux says so where the last one has closed it
            break
        if not part:
            break
        written += part
    os.close(leader)
    return process.wait(), written.decode("utf-8").replace("\r\n", "\n")


def without_escapes(text: str) -> str:
    return ESCAPES.sub("", text)
