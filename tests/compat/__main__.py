"""The command: an environment a version, a table of what differs. Exit status 1 where a difference has no reason."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.compat import results, table
from tests.compat.environments import VERSIONS, Unavailable, Versions, library, made, measure
from tests.compat.results import Results
from tests.compat.table import Column


def main(argv: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(argv)
    with TemporaryDirectory() as temporary:
        folder = chosen.results or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [versions for versions in VERSIONS if versions.torch in chosen.versions]
        columns = [Column(each.torch, _here(each.transformers, folder), _there(each, folder)) for each in wanted]
    print(table.written(columns))
    return 0 if all(column.is_explained for column in columns) else 1


def _here(release: str, folder: Path) -> Results:
    """What the models are in this environment, with a release of transformers."""
    path = folder / f"here-{release}.json"
    if not path.exists() and version("transformers").startswith(f"{release}."):
        measure(sys.executable, path, folder)
    elif not path.exists():
        with library(release) as first:
            measure(sys.executable, path, folder, first)
    return results.read(path)


def _there(wanted: Versions, folder: Path) -> Results | str:
    """What the models are in an environment of these versions; why there is none, otherwise."""
    path = folder / f"torch-{wanted.torch}.json"
    if not path.exists():
        print(f"torch {wanted.torch} ...", file=sys.stderr, flush=True)
        try:
            with made(wanted) as python:
                measure(str(python), path, folder)
        except Unavailable as error:
            return str(error)
        except subprocess.CalledProcessError as error:
            return f"the models could not be run: exit status {error.returncode}"
    return results.read(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    known = [wanted.torch for wanted in VERSIONS]
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {', '.join(known)}; all by default")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER",
        help="where to keep what each version gave; a version that is there already is not run again",
    )  # fmt: skip
    parser.set_defaults(versions=known)
    return parser


if __name__ == "__main__":
    sys.exit(main())
