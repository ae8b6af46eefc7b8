"""How does a report become a file?"""

from __future__ import annotations

import os
from typing import Any

from profiler.answers.report.compute import reported
from profiler.records.files import writing
from profiler.render import renderer


def write(answer: Any, path: str | os.PathLike[str], title: str = "") -> None:
    """One HTML file about what an answer is about, whole or not at all; raises `errors.ProfileError`."""
    with writing.result(str(path)) as file:
        print(renderer("html").whole(reported(answer, title), title), file=file)
