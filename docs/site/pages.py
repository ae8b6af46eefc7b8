"""Which files of the repository are pages of the site? Those of docs, README and its like, and whatever they link to.

A page is the file as it stands. What differs on the site is done here: links that lead out of `docs` go to pages that
show those files, and the name of a file that an example is written to is its title.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCUMENTS = {"README.md": "index.md", "CHANGELOG.md": "CHANGELOG.md", "CONTRIBUTING.md": "CONTRIBUTING.md"}
EXAMPLES = "examples"
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#:\s]+)(?P<anchor>#[^)]*)?(?=\))")
NAMED_FENCE = re.compile(r"^```(?P<language>\w+) (?P<name>\S+)$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of `docs`."""
    for name, page in DOCUMENTS.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    files.append(File.generated(config, f"{EXAMPLES}.md", content=_examples()))
    for target in sorted({*_linked(files), *(ROOT / EXAMPLES).glob("*.*")}):
        files.append(File.generated(config, _page(target), content=_shown(target), inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links and the titles of blocks as the site has them."""
    source = _source(page.file.src_uri)
    if source is not None:
        markdown = _outside_blocks(markdown, lambda text: LINK.sub(lambda link: _link(link, source, page), text))
    return NAMED_FENCE.sub(r'```\g<language> title="\g<name>"', markdown)


def _source(page: str) -> Path | None:
    """The file of the repository that a page is; None of a page that is made for the site."""
    document = next((name for name, at in DOCUMENTS.items() if at == page), f"docs/{page}")
    return ROOT / document if (ROOT / document).exists() else None


def _page(target: Path) -> str:
    """The page that a file or folder of the repository is shown on."""
    path = target.relative_to(ROOT).as_posix()
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return DOCUMENTS.get(path) or (f"{path}.md" if target.is_dir() else f"files/{path}.md")


def _targets(source: Path) -> Iterator[Path]:
    for text in BLOCK.split(source.read_text(encoding="utf-8")):
        yield from ((source.parent / link["path"]).resolve() for link in LINK.finditer(text))


def _linked(files: Files) -> Iterator[Path]:
    """Files that a page links to, and that are no pages yet."""
    for page in files.documentation_pages():
        source = _source(page.src_uri)
        for target in _targets(source) if source is not None else ():
            if target.is_file() and files.get_file_from_path(_page(target)) is None:
                yield target


def _link(link: re.Match[str], source: Path, page: Page) -> str:
    target = (source.parent / link["path"]).resolve()
    if not target.is_relative_to(ROOT) or not target.exists():
        return link[0]  # which the build refuses
    path = os.path.relpath(_page(target), os.path.dirname(page.file.src_uri) or ".")
    return f"{path}{link['anchor'] or ''}"


def _outside_blocks(markdown: str, change: Callable[[str], str]) -> str:
    blocks, texts = BLOCK.findall(markdown), [change(text) for text in BLOCK.split(markdown)]
    return "".join(text + block for text, block in zip(texts, [*blocks, ""], strict=True))


def _shown(path: Path) -> str:
    """A page that is one file, in a block; of a notebook, a block for each cell of code."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = [("".join(cell["source"]), cell["cell_type"] == "code") for cell in cells]
        return "\n\n".join(f"````python\n{text}\n````" if is_code else text for text, is_code in texts) + "\n"
    language = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml"}.get(path.suffix, "text")
    name = path.relative_to(ROOT).as_posix()
    search = "" if path.suffix == ".py" else "---\nsearch:\n  exclude: true\n---\n"
    return f"{search}# {name}\n\n````{language}\n{path.read_text(encoding='utf-8')}````\n"


def _examples() -> str:
    """A list of the examples: the first sentence of each, and where it stands."""
    lines = ["# Examples", "", "Scripts that run on their own, with `python examples/NAME.py`, and a notebook.", ""]
    for path in sorted((ROOT / EXAMPLES).glob("*.py")):
        words = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        lines.append(f"- [{path.name}]({_page(path)}): {words}")
    lines += [f"- [{path.name}]({_page(path)})" for path in sorted((ROOT / EXAMPLES).glob("*.ipynb"))]
    return "\n".join(lines) + "\n"
