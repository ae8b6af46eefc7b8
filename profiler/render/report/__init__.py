"""How does a report become one HTML file that needs nothing else? The data, and the application that shows them.

Its source is `web/`; what is built of that, `assets/`.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from profiler.render import numbers
from profiler.render.document import document
from profiler.render.tables import Unit

_LARGE = 500_000  # characters, from which data are compressed
_STATIC = """<main id="report"><noscript><h1>{title}</h1>
{totals}
<p>The tables and pictures of this page need JavaScript, which is all in this file and loads nothing.</p>
</noscript></main>
{data}"""


def page(report: Mapping[str, Any]) -> str:
    """The file of what `web/src/data.ts` calls a `Report`: standard JSON types alone, by its keys."""
    body = _STATIC.format(
        title=escape(report["title"]),
        totals="\n".join(_totals(model) for model in report["models"]),
        data=_embedded(json.dumps(report, ensure_ascii=False, separators=(",", ":"), allow_nan=False)),
    )
    return document(report["title"], body, style=_asset("report.css"), script=_asset("report.js"))


def _totals(model: Mapping[str, Any]) -> str:
    """What a reader sees whose browser runs no script."""
    lines = (
        f"<li>{escape(total['label'])}: {escape(_text(total))}. {escape(total['formula'])}</li>"
        for total in model["totals"]
    )
    notes = (f"<li>{escape(note['text'])}</li>" for note in model["notes"])
    return _lines([f"<h2>{escape(model['label'])}</h2>", "<ul>", *lines, "</ul>", "<ul>", *notes, "</ul>"])


def _text(total: Mapping[str, Any]) -> str:
    value, unit = total["value"], Unit(total["unit"])
    return numbers.text(value, unit) + f" {unit.value}" * (unit in (*numbers.BYTES, *numbers.SECONDS))


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _embedded(data: str) -> str:
    """JSON in an element that no browser runs; much of it is compressed, which takes a tenth of the room."""
    if len(data) <= _LARGE:
        harmless = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        return f'<script type="application/json" id="report-data">{harmless}</script>'
    packed = base64.b64encode(gzip.compress(data.encode(), mtime=0)).decode()
    return f'<script type="application/octet-stream" id="report-data" data-encoding="gzip">{packed}</script>'


@cache
def _asset(name: str) -> str:
    """What was built of `web/`; it closes no element of the page that it stands in."""
    text = files("profiler.render.report").joinpath("assets", name).read_text(encoding="utf-8")
    assert not any(end in text.lower() for end in ("</script", "</style")), f"{name} would end its element"
    return text
