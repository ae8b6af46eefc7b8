r"""How is a text from somebody else shown? Names of models and layers, labels, exceptions: so that they stay one text.

A text that is printed can move a cursor, retitle a window, turn the reading direction, begin a line of its own or give
a command to the service that runs a job. What would do so is shown as JSON writes it in a string, `\u001b` and `\n`,
which stays valid inside JSON too.

Which characters: controls, separators of lines and paragraphs, halves of surrogate pairs, and whatever Unicode calls
default-ignorable (DerivedCoreProperties.txt), among which are the bidirectional overrides and all that has no width.
"""

from __future__ import annotations

import re

MOST = 4000  # characters of a sentence

_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HALVES = "\ud800-\udfff"
_UNSAFE = re.compile(f"[\0-\x1f\x7f-\x9f\u2028\u2029{_HALVES}{_UNSEEN}]")
_UNSAFE_IN_LINES = re.compile(f"[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029{_HALVES}{_UNSEEN}]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
# What GitHub's runner takes for a command: `##[` anywhere in a line, and `::` where it begins.
# (actions/runner, src/Runner.Common/ActionCommand.cs)
_OLD_COMMAND = "##["
_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def shown(text: str) -> str:
    r"""One text as one line that shows all it has: a line break is `\n`."""
    return _UNSAFE.sub(_escape, text).replace(_OLD_COMMAND, r"##\u005b")


def printable(text: str) -> str:
    """A whole report: its lines stay, and nothing in them is a command to a terminal or a job's log."""
    return _COMMAND.sub(r"\1\\u003a", _UNSAFE_IN_LINES.sub(_escape, text).replace(_OLD_COMMAND, r"##\u005b"))


def sentence(text: str) -> str:
    """What a user is told, in one line: blanks and line breaks are one blank; an endless text is cut in its midst."""
    line = shown(" ".join(text.split()))
    return line if len(line) <= MOST else f"{line[: MOST * 3 // 4]} ... {line[-MOST // 4 :]}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000  # two halves, as JSON has characters beyond its four digits
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
