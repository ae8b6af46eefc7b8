"""The figures of a paper, from two variants of a network: where its cost lies, and what the variants cost.

pip install '.[plot]'
python examples/figures.py
"""

import tempfile
from pathlib import Path

from torch import nn

from profiler import plot, profile


def network(width: int) -> nn.Module:
    """Two convolutions and a classifier, for images of 32x32."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 10),
    )


variants = {f"width {width}": profile(network(width), (1, 3, 32, 32)) for width in (8, 16, 32)}
accuracies = {"width 8": 71.2, "width 16": 78.9, "width 32": 80.1}  # made up: nobody trained them

folder = Path(tempfile.mkdtemp())
figures = {
    "accuracy.pdf": plot(
        list(variants.values()),
        labels=list(variants),
        metrics={name: {"accuracy": value} for name, value in accuracies.items()},
    ),
    "depth.pdf": variants["width 16"].plot("depth", width="two"),
    "memory.pdf": plot(network(16), "memory", inputs=(1, 3, 32, 32), train=True),
    "scan.pdf": plot(network(16), scan="batch=1,2,4", y="memory", inputs=(1, 3, 32, 32)),
}
for name, figure in figures.items():
    figure.savefig(folder / name)
    words = [text.get_text() for axes in figure.axes for text in (axes.yaxis.label, axes.xaxis.label)]
    legends = [legend for axes in figure.axes if (legend := axes.get_legend()) is not None]
    written = [text.get_text() for legend in legends for text in legend.get_texts()]
    print(f"{name}: {figure.get_size_inches()[0]:g} inches, {', '.join(word for word in words if word)}", *written)
