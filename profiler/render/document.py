"""What is around a page of HTML that stands by itself? One file that reads nothing else, in light, in dark, on paper.

Its Content-Security-Policy lets nothing be fetched and no script run but the one that the page was written with, which
is told by its digest: a name that somehow became markup could do nothing
(https://www.w3.org/TR/CSP3/#framework-directive-source-list).
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path

from profiler.errors import shown
from profiler.records.versions import __version__

STYLE = Path(__file__).with_name("document.css")
_LONGEST = 200  # characters of a title


def document(title: str, body: str, *, style: str | None = None, script: str = "") -> str:
    """A whole document in UTF-8 around markup that is safe already; the title is text.

    style: the page's own, instead of that of pages of tables. script: at the end of its body.
    """
    css = STYLE.read_text(encoding="utf-8") if style is None else style
    name = shown(title)
    name = escape(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f'<meta name="generator" content="profile-model {escape(__version__)}">',
            f"<title>{name}</title>",
            f"<style>{css}</style>",
            "</head>",
            "<body>",
            body,
            *([f"<script>{script}</script>"] if script else []),
            "</body>",
            "</html>",
        ]
    )


def _policy(style: str | None, script: str) -> str:
    """`unsafe-inline` is for the `style` attributes that cells have; nothing that a style names can be fetched."""
    styles = "'unsafe-inline'" if style is None else _digest(style)
    scripts = f" script-src {_digest(script)};" if script else ""
    return f"default-src 'none'; style-src {styles};{scripts} img-src data:; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
