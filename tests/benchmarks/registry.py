"""`python -m tests.benchmarks.registry torchvision|timm|transformers`: a whole registry, profiled model by model.

Exit status: 0 when everything is as it should be or documented, 1 when something is not.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import timm_registry, torchvision_registry


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark that the first argument names."""
    chosen = _parser().parse_args(argv)
    warnings.simplefilter("ignore")  # model builders announce their future defaults
    if chosen.registry == "torchvision":
        return torchvision_registry.run(chosen.filter)
    if chosen.registry == "transformers":
        from tests.benchmarks import transformers_registry

        return transformers_registry.run(chosen.filter, chosen.only_every, chosen.json)
    return timm_registry.run(chosen.filter, chosen.only_every, chosen.json, chosen.against_torch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.registry", description=__doc__)
    registries = parser.add_subparsers(dest="registry", required=True)
    torchvision = registries.add_parser("torchvision", help=torchvision_registry.__doc__)
    timm = registries.add_parser("timm", help=timm_registry.__doc__)
    hub = registries.add_parser("transformers", help="default configurations of transformers")
    for registry in (torchvision, timm, hub):
        registry.add_argument("--filter", default="*", metavar="PATTERN", help="only these models, like 'resnet*'")
    for registry in (timm, hub):
        registry.add_argument("--only-every", type=int, default=1, metavar="N", help="a quick look: every Nth model")
        registry.add_argument("--json", type=Path, metavar="FILE", help="write the whole table")
    timm.add_argument("--against-torch", action="store_true", help="run torch's FlopCounterMode on each model, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
