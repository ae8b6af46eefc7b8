"""When is a fully connected (FC) layer a convolution, and what does a 1x1 convolution cost?

Run it with `python examples/pointwise_vs_fc.py`.
"""

from torch import nn

from profiler import ProfileError, profile


def show(words: str, model: nn.Module, shape: tuple[int, ...]) -> int:
    """Print a model's costs on one line; returns its MACs."""
    found = profile(model, shape)
    output = "x".join(map(str, found.layers[0].output.shape))
    print(f"  {words:36} {output:>14} {found.totals.params:>13,} {found.totals.macs:>13,}")
    return found.totals.macs


def heading(words: str) -> None:
    print(f"\n{words}\n  {'':36} {'output':>14} {'parameters':>13} {'MACs':>13}")


def main() -> None:
    heading("On a 1x1 image, a 1x1 convolution is an FC layer:")
    as_image = nn.Unflatten(1, (1000, 1, 1))
    show("Linear 512 -> 1000", nn.Sequential(nn.Flatten(), nn.Linear(512, 1000), as_image), (1, 512, 1, 1))
    show("Conv2d 1x1, 512 -> 1000", nn.Conv2d(512, 1000, 1), (1, 512, 1, 1))

    heading("An FC layer on a flattened CxHxW image is a convolution whose kernel is HxW:")
    fc = nn.Sequential(nn.Flatten(), nn.Linear(512 * 7 * 7, 4096))
    show("Flatten, Linear 512*7*7 -> 4096", fc, (1, 512, 7, 7))
    show("Conv2d 7x7, 512 -> 4096", nn.Conv2d(512, 4096, 7), (1, 512, 7, 7))

    heading("A 1x1 convolution keeps HxW. Its MACs grow with H*W, its parameters do not:")
    pointwise = nn.Conv2d(512, 1000, 1)
    for size in (1, 7, 14):
        show(f"Conv2d 1x1 on 512x{size}x{size}", pointwise, (1, 512, size, size))

    print("\nAn FC layer accepts one size only:")
    try:
        profile(fc, (1, 512, 14, 14))
    except ProfileError as refusal:
        print(f"  {refusal}")

    heading("Depthwise 3x3 and then pointwise 1x1, against an ordinary 3x3 convolution:")
    ordinary = show("Conv2d 3x3, 256 -> 512", nn.Conv2d(256, 512, 3, padding=1, bias=False), (1, 256, 14, 14))
    depthwise = nn.Conv2d(256, 256, 3, padding=1, groups=256, bias=False)
    pair = nn.Sequential(depthwise, nn.Conv2d(256, 512, 1, bias=False))
    separable = show("depthwise, pointwise", pair, (1, 256, 14, 14))
    print(f"  ratio {separable / ordinary:.4f}; the textbook says 1/Cout + 1/k² = {1 / 512 + 1 / 3**2:.4f}")


if __name__ == "__main__":
    main()
