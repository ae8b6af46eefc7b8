"""Which layers of a small network could go? Trained for a second, then each block is left out alone.

Run it with `python examples/which_layers.py`.
"""

import torch
from torch import Tensor, nn

from profiler import sensitivity

WIDTH = 12


class Block(nn.Module):
    """Adds something to what it takes; where its gate is 0, nothing."""

    def __init__(self, gate: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH))
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * self.inner(x)


def main() -> None:
    torch.manual_seed(0)
    points = torch.randn(128, 2)
    classes = (points[:, 0] * points[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(2, WIDTH), Block(1.0), Block(0.0), Block(1.0), nn.Linear(WIDTH, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(points), classes).backward()
        optimizer.step()
    data = [(points, classes)]

    answer = sensitivity(model, data=data, samples=len(points))
    for row in answer.layers:
        if row.kind == "Block":
            print(f"block {row.path}: {row.macs} MACs{', costs much, matters little' * row.costs_much}")

    for row in sensitivity(model, data=data, samples=len(points), by="remove", each="[123]").rows:
        saved = f"{row.saved_bytes:,} bytes and {row.saved_macs} MACs less"
        print(f"without block {row.path}: {saved}, the output {'changes' if row.effect.change else 'stays'}")


if __name__ == "__main__":
    main()
