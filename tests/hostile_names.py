"""Which names and labels would do harm if they were not shown as text? And what shows that one has not?

`TEN` has one of each kind, for a test of one format; `HOSTILE` has more. `assert_harmless` holds for whatever is
printed, and `CHECKS` has what else holds for a format.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection
from html.parser import HTMLParser

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</td></tr></table></html>",
    "\u202egnp\u2066\u2069\u200b\u200f",
    "two\nlines\r\nthree\u2028four\x85five",
    "\n::error title=x::forged",
    "::error::forged",
    "##[error]forged",
    "%0A::warning::forged",
    "\x1b[2J\x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]52;c;eA==\x07",
    "\x9b31mred\x9d0;t\x9c",
    "back\b\b\b\x7f\rover",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\\input{/etc/passwd}%",
    "$x_1^2$ & \\\\ # ~",
    "`[a](javascript:alert(1))` | ![x](http://x)",
    "lone \ud800 half",
    "nul \x00 nul",
    "\U000e0041\U000e0042",
    "x" * 10_000,
    "{{ 7*7 }} ${7*7} {0}",
    "</script></style></title>--><svg/onload=alert(1)>",
    "[bold red]rich[/] [link=http://x]x[/link] :smile:",
)
TEN = {
    "a script": HOSTILE[0],
    "an event handler": HOSTILE[1],
    "closing tags": HOSTILE[2],
    "another reading direction": HOSTILE[3],
    "line breaks": HOSTILE[4],
    "a command to a job": HOSTILE[5],
    "commands to a terminal": HOSTILE[9],
    "10,000 characters": HOSTILE[23],
    "the end of a script and of a style": HOSTILE[25],
    "markup of a console": HOSTILE[26],
}
FORBIDDEN = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)
TAGS = {"table", "thead", "tbody", "tr", "th", "td", "caption", "p", "b"}  # of a table
PAGE_TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "main"}  # around it
REPORT_TAGS = {"script", "noscript", "h2", "ul", "li"}  # of a page to look into, which has its data and its code
ATTRIBUTES = {"style", "id", "class", "colspan"}
PAGE_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name"}
REPORT_ATTRIBUTES = {"type", "data-encoding"}
REPORT_SCRIPTS = 2


def assert_harmless(text: str, annotations: bool = False) -> None:
    """No character that a terminal, a log or a reader's eye is led astray by. annotations: ours may be there."""
    found = FORBIDDEN.search(text)
    assert found is None, (found, text[max(0, found.start() - 40) : found.end() + 20])
    assert "##[" not in text
    for line in text.splitlines():
        if line.lstrip().startswith("::"):
            assert annotations
            assert re.match(r"::(error|warning) title=profile-model::", line)


class Markup(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts = 0
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.scripts += tag == "script"
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def check_html(page: str, tags: Collection[str] = (), attributes: Collection[str] = ()) -> None:
    """Nothing is markup but what tables, documents and reports are made of, and these tags and attributes."""
    found = Markup(page)
    if 'id="report-data"' in page:
        assert found.scripts == REPORT_SCRIPTS
        tags, attributes = {*tags, *REPORT_TAGS}, {*attributes, *REPORT_ATTRIBUTES}
    assert found.tags <= TAGS | PAGE_TAGS | {*tags}
    assert found.attributes <= ATTRIBUTES | PAGE_ATTRIBUTES | {*attributes}


def check_csv(out: str) -> None:
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"\s*[=+\-@]", cell) or re.fullmatch(r"[+-]?[\d.]+(?:e[+-]?\d+)?", cell), cell


def check_markdown(out: str) -> None:
    assert re.search(r"(?<!\\)(?:\\\\)*<[a-z/!]", out) is None
    assert re.search(r"(?<!\\)(?:\\\\)*\]\(", out) is None


def check_latex(out: str) -> None:
    lines = [line for line in out.splitlines() if not line.startswith("%")]
    assert not any("\\input" in line or "javascript:alert(1))`" in line for line in lines)


def check_json(out: str) -> None:
    json.loads(out)


CHECKS: dict[str, Callable[[str], None]] = {
    "html": check_html, "csv": check_csv, "markdown": check_markdown, "github": check_markdown,
    "latex": check_latex, "json": check_json,
}  # fmt: skip
