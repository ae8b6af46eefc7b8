"""What does each verb take? The reference of the command line: a page for each, from what `--help` is made of."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from profiler.cli import help, verbs

DOCS = Path(__file__).parents[1]
PLACE = "cli/"  # in the navigation, and in links
TITLE = re.compile(r"^# (.*)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages where the navigation names their folder."""
    config.nav = _placed(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, one a verb, and one of the main job and of what all have in common."""
    pages = {"index": main_page(), **{name: verb_page(name) for name in verbs.built_in()}}
    for name, content in pages.items():
        files.append(File.generated(config, f"{PLACE}{name}.md", content=content))
    return files


def _placed(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_placed(entry) for entry in nav]
    if isinstance(nav, dict):
        return {heading: _placed(entry) for heading, entry in nav.items()}
    return [f"{PLACE}{name}.md" for name in ("index", *verbs.built_in())] if nav == PLACE else nav


def main_page() -> str:
    described = help.about(None)
    lines = ["# Commands", "", *described.paragraphs, "", "```text", described.usage]
    lines += ["profile-model VERB ... [OPTIONS]", "```", "", "```text"]
    longest = max(len(example) for example, _ in help.EXAMPLES)
    lines += [f"{example:{longest}}  {words}" for example, words in help.EXAMPLES]
    lines += ["```", "", help.EXIT_STATUS, "", "## Verbs", "", "| to | verb | what it tells |", "|---|---|---|"]
    for job, names in help.by_job().items():
        for at, name in enumerate(names):
            summary = _escaped(help.about(name).paragraphs[0])
            lines.append(f"| {job if at == 0 else ''} | [{name}]({name}.md) | {summary} |")
    lines += ["", "## Options without a verb", "", *_options(described)]
    return "\n".join(lines) + "\n"


def verb_page(name: str) -> str:
    """What a verb does and takes, and the pages that show it."""
    described = help.about(name)
    lines = [f"# {name}", ""]
    for paragraph in described.paragraphs:
        words, example, command = paragraph.replace("\n", " ").partition("Example: ")
        lines += [_escaped(words), "", *(["```text", command, "```", ""] if example else [])]
    lines += ["## Usage", "", "```text", described.usage, "```", "", *_options(described), *_shown_on(name)]
    return "\n".join(lines) + "\n"


def _options(described: help.Help) -> Iterator[str]:
    for heading, options in described.groups.items():
        yield from (f"### {heading}", "", '<div class="options" markdown>', "", "| option | what |", "|---|---|")
        yield from (f"| `{option}` | {_escaped(words)} |" for option, words in options)
        yield from ("", "</div>", "")


def _shown_on(name: str) -> Iterator[str]:
    """The pages that have the verb run."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
    shown = [(page, text) for page, text in texts.items() if f"$ profile-model {name} " in text]
    if shown:
        yield from ("## Shown on", "")
        yield from (f"- [{TITLE.findall(text)[0]}](../{page})" for page, text in shown)


def _escaped(words: str) -> str:
    """As it stands, but for what is between backticks."""
    parts = html.escape(words, quote=False).split("`")
    return "`".join(re.sub(r"([*_\[\]|])", r"\\\1", part) if at % 2 == 0 else part for at, part in enumerate(parts))
