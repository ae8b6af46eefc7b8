"""`python -m tests.benchmarks.largest`: does the largest batch that is found fit, and the next one not, in a real run?

Each model is run for real on the CPU, without oneDNN, at the batch that was found and at one more, while torch's
profiler tells of every allocation. Parameters, buffers and inputs are added. "tensors" is without what kernels hold for
themselves, which no prediction holds; "real" is with it. Exit status 1 where the tensors say otherwise than the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torchvision
from tabulate import tabulate
from torch import nn

from profiler import largest
from profiler.records.quantities import size
from tests.benchmarks.allocations import peak_bytes, record


class Case(NamedTuple):
    """A model, one input as a shape whose batch has a name, and the limit."""

    name: str
    build: Callable[[], nn.Module]
    shape: str
    fits: str


CASES = (
    Case("resnet34", lambda: torchvision.models.get_model("resnet34"), "{batch}x3x224x224", "256MB"),
    Case("vit_b_16", lambda: torchvision.models.get_model("vit_b_16"), "{batch}x3x224x224", "512MB"),
    Case("LSTM(64, 256), 2 layers", lambda: nn.LSTM(64, 256, 2), "50x{batch}x64", "64MB"),
)
_HEADINGS = ("model", "limit, bytes", "batch", "predicted", "tensors", "real", "tensors fit")


def main() -> int:
    """Print a row for the answer and one for the next batch, for each case."""
    rows = [row for case in CASES for row in _rows(case)]
    print(tabulate(rows, _HEADINGS, tablefmt="github", intfmt=","))
    is_right = all(fit == ("yes" if i % 2 == 0 else "no") for i, (*_, fit) in enumerate(rows))
    return 0 if is_right else 1


def _rows(case: Case) -> Iterator[tuple[Any, ...]]:
    model, limit = case.build().eval(), size(case.fits)
    found = largest(model, "batch", case.fits, case.shape)
    assert found.next is not None
    for probe in (found.fitting, found.next):
        tensors, real = _measured(model, case.shape, probe.value)
        fits = "yes" if tensors <= limit else "no"
        yield case.name, limit, probe.value, probe.peak_bytes, tensors, real, fits


def _measured(model: nn.Module, shape: str, batch: int) -> tuple[int, int]:
    """What is needed at once, without what kernels hold for themselves, and with it."""
    sizes = [int(size) for size in shape.replace("{batch}", str(batch)).split("x")]
    given = torch.rand(sizes)

    def infer() -> Any:
        with torch.inference_mode():
            return model(given)

    before = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers(), given))
    recording = record(infer)
    return before + peak_bytes(recording.tensors), before + peak_bytes(recording.allocations)


if __name__ == "__main__":
    sys.exit(main())
