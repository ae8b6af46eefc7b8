"""`python -m tests.compat.measure TO FILES`: every model's profile by the installed torch, as one JSON file."""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.compat.models import MODELS, Case


def main(to: Path, files: Path) -> None:
    warnings.simplefilter("ignore")
    models = {case.name: _profiled(case, files) for case in MODELS}
    libraries = {name: version(name) for name in ("torch", "torchvision", "timm", "transformers")}
    to.write_text(json.dumps({"versions": libraries, "models": models}))


def _profiled(case: Case, files: Path) -> dict[str, Any]:
    """What a profile's JSON says; {"error": ...} where there is no profile.

    But not the versions, and how many calls are free: torch comes to the same operations by more views or fewer.
    """
    import torch

    torch.manual_seed(0)
    try:
        found = json.loads(case.run(files).to_json())
    except Exception as error:  # whatever a version does not have is a cell of the table
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    del found["versions"], found["coverage"]
    return {**found, "model": case.name}  # files have names of their own


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
