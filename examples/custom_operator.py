"""An operator of your own: unknown at first, which every report says, and then a formula in three lines.

Run it with `python examples/custom_operator.py`.
"""

import torch
from torch import Tensor, nn

from profiler import Cost, formula, profile


@torch.library.custom_op("signals::smooth", mutates_args=())
def smooth(x: Tensor, weight: float) -> Tensor:
    """Each sample becomes a weighted mean of itself and the one before."""
    return weight * x + (1 - weight) * x.roll(1, dims=-1)


@smooth.register_fake
def _(x: Tensor, weight: float) -> Tensor:
    return torch.empty_like(x)  # only the shape: this is what a run without values calls


class Smoothed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(smooth(x, 0.75))


def main() -> None:
    before = profile(Smoothed(), (8, 64))
    print(f"FLOPs {before.totals.flops:,}, and not counted: {before.unknown_ops}")

    # For each element two multiplications and one addition. Arguments come as shapes, and so does the result, `out`.
    @formula("signals.smooth")
    def smooth_cost(x, weight, *, out):
        return Cost(muls=2 * out.numel, adds=out.numel)

    after = profile(Smoothed(), (8, 64))
    print(f"FLOPs {after.totals.flops:,}, and not counted: {after.unknown_ops or 'nothing'}")
    print(f"smooth: {after.totals.flops - before.totals.flops:,} FLOPs more")


if __name__ == "__main__":
    main()
