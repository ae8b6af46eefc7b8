"""What does a workflow on GitHub show? A summary of the job, which is Markdown, and annotations.

How both are written is documented in GitHub's "Workflow commands for GitHub Actions"; which characters are escaped in
annotations, in its toolkit: `packages/core/src/command.ts` of actions/toolkit.
"""

from __future__ import annotations

import os
from typing import Literal

from profiler.render.formats import markdown

NAME = "github"
SUFFIXES = ()  # Markdown's files are Markdown's
_SUMMARY = "GITHUB_STEP_SUMMARY"

write, answer = markdown.write, markdown.answer


def summary() -> str | None:
    """The file that holds the summary of the job, to which every step appends; None where there is no job."""
    return os.environ.get(_SUMMARY) or None


def annotation(level: Literal["error", "warning"], message: str, title: str = "profile-model") -> str:
    """A line of stdout that the job's page shows as an error or a warning."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
