"""Two of timm's classifiers averaged, in one module: what do they cost together, and what does each bring?

Run it with `python examples/ensemble.py`.
"""

import timm
import torch
from torch import Tensor, nn

from profiler import profile

MB = 1024 * 1024


class Ensemble(nn.Module):
    """The mean of its members' class probabilities."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.members = nn.ModuleDict({name: timm.create_model(name) for name in names})

    def forward(self, image: Tensor) -> Tensor:
        return torch.stack([member(image).softmax(dim=-1) for member in self.members.values()]).mean(dim=0)


def main() -> None:
    with torch.device("meta"):  # shapes are enough: no weights are made, and no memory is taken
        model = Ensemble("legacy_seresnet152", "dpn92")
    found = profile(model, (1, 3, 224, 224))

    print(f"{'':20} {'parameters':>12} {'MB':>8} {'MACs':>15}")
    for layer in found.layers:
        if layer.path in ("", *(f"members.{name}" for name in model.members)):
            size = layer.total.param_bytes / MB
            print(f"{layer.name or 'ensemble':20} {layer.params:>12,} {size:>8.2f} {layer.macs:>15,}")

    own = found.layers[0].own.cost
    print(f"\nSoftmax and mean: {own.adds:,} additions, {own.divs:,} divisions, {own.specials:,} exponentials.")


if __name__ == "__main__":
    main()
