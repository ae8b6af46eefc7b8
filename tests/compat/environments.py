"""An environment of its own for a version of torch, with the releases of the other libraries that go with it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Versions:
    """Which releases go together: of torch and torchvision by number, of transformers an old one or the newest."""

    torch: str
    torchvision: str
    transformers: str

    @property
    def requirements(self) -> tuple[str, ...]:
        return f"torch=={self.torch}.*", f"torchvision=={self.torchvision}.*", f"transformers=={self.transformers}.*"


# transformers 5 needs torch 2.6 by now; its last release before is tried on two versions.
VERSIONS = (
    Versions("2.5", "0.20", "4.57"),
    Versions("2.6", "0.21", "5"),
    Versions("2.8", "0.23", "4.57"),
    Versions("2.10", "0.25", "5"),
    Versions("2.12", "0.27", "5"),
    Versions("2.14", "0.29", "5"),
    Versions("2.15", "0.29", "5"),
)


class Unavailable(Exception):
    """pip has no such version, or none for this machine; the text is its last line."""


@contextmanager
def made(versions: Versions) -> Iterator[Path]:
    """The interpreter of an environment that has these versions, until the block ends. Raises `Unavailable`."""
    with TemporaryDirectory(prefix=f"torch-{versions.torch}-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir")
        done = subprocess.run(
            (*pip, f"{ROOT}[hf,timm]", *versions.requirements), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unavailable(_last_error(done.stderr))
        yield python


@contextmanager
def library(release: str) -> Iterator[Path]:
    """A folder with a release of transformers and what it needs in another version, until the block ends."""
    with TemporaryDirectory(prefix=f"transformers-{release}-") as folder:
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder)
        subprocess.run((*pip, f"transformers=={release}.*", "huggingface_hub<1", "tokenizers<0.23"), check=True)
        yield Path(folder)


def _last_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("ERROR: ")]
    return lines[-1].removeprefix("ERROR: ") if lines else "pip failed"


def measure(python: str, to: Path, files: Path, first: Path | None = None) -> None:
    """Run the models with an interpreter; what they are goes to a file. Exported models are shared in a folder.

    first: where modules are looked for first.
    """
    environment = os.environ | ({} if first is None else {"PYTHONPATH": str(first)})
    command = (python, "-m", "tests.compat.measure", str(to.resolve()), str(files.resolve()))
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
