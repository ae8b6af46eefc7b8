"""How does a report become a file?"""

from __future__ import annotations

import os
from typing import Any

from profiler import errors
from profiler.answers.report.compute import reported
from profiler.records.files import writing
from profiler.render.formats import html


def write(answer: Any, path: str | os.PathLike[str], title: str = "") -> None:
    """One HTML file about what an answer is about, whole or not at all; raises `errors.ProfileError`."""
    if not isinstance(path, (str, os.PathLike)) or not str(path).lower().endswith(html.SUFFIXES):
        raise _is_html(path)
    with writing.result(str(path)) as file:
        print(html.whole(reported(answer, title), title), file=file)


# Error messages -------------------------------------------------------------------------------------------------------


def _is_html(path: object) -> errors.ProfileError:
    return errors.ProfileError(f"a report is a page for a browser, and {path!r} is no name of one; call it FILE.html")
