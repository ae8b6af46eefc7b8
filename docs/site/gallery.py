"""What do results look like? The gallery: a command for each kind of page and figure, run as the site is built."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from profiler.cli import verbs
from profiler.cli.main import main

FOLDER = "gallery"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a command writes into a file. verb: None of the main job."""

    title: str
    words: str
    verb: str | None
    arguments: str
    file: str

    @property
    def command(self) -> str:
        return " ".join(part for part in (self.verb, self.arguments, "-o", self.file) if part)


EXHIBITS = (
    Exhibit("A model", "One file that needs no network: where its cost is, to look around in.", "report",
            "resnet34 --device raspberry-pi-5", "model.html"),
    Exhibit("Several models", "What each costs, beside the accuracy that torchvision publishes.", None,
            "resnet18 resnet34 resnet50 mobilenet_v2 efficientnet_b0 --metrics published", "models.html"),
    Exhibit("What a change cost", "Two models, layer beside layer.", "diff", "resnet18 resnet34", "diff.html"),
    Exhibit("A figure for a paper", "Accuracy against cost; the suffix says in which format.", "plot",
            "resnet18 resnet34 resnet50 mobilenet_v2 efficientnet_b0 --metrics published", "models.svg"),
)  # fmt: skip


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page, and what the commands of the verbs that there are have written."""
    shown = [exhibit for exhibit in EXHIBITS if exhibit.verb is None or exhibit.verb in verbs.built_in()]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for exhibit in shown:
            if main(shlex.split(exhibit.command)) != 0:
                raise PluginError(f"profile-model {exhibit.command} fails")
            content = Path(exhibit.file).read_bytes()
            files.append(File.generated(config, f"{FOLDER}/{exhibit.file}", content=content))
    lines = ["# Gallery", "", "Each is what the command above it writes, made as this page was.", ""]
    content = "\n".join([*lines, *(line for exhibit in shown for line in _page(exhibit))])
    files.append(File.generated(config, f"{FOLDER}.md", content=content))
    return files


def _page(exhibit: Exhibit) -> Iterator[str]:
    place = f"{FOLDER}/{exhibit.file}"
    yield from (f"## {exhibit.title}", "", exhibit.words, "")
    yield from ("```text", f"profile-model {exhibit.command}", "```", "")
    if exhibit.file.endswith(".html"):
        yield f'<iframe class="exhibit" src="{place}" title="{exhibit.title}"></iframe>'
        yield from ("", f"[The file by itself]({place})")
    else:
        yield f"[![{exhibit.title}]({place}){{ .exhibit-image }}]({place})"
    yield ""
