"""ResNet34 and models of 1x1 convolutions, layer by layer against fvcore and thop, which are run for real.

All three count a convolution alike, 1x1 or not. What they differ in is the norms and the pooling: fvcore counts 2 for
each element of a batch norm, thop 4. Every account below closes: nothing is left unexplained.
"""

from torch import nn

from profiler import cross_check


def pointwise_stack() -> nn.Module:
    """What a 1x1 convolution does to an image, an FC layer does to one pixel."""
    return nn.Sequential(
        nn.Conv2d(16, 32, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(64, 10, 1),
    )


def fully_connected() -> nn.Module:
    """The last layer of the stack above, as an FC layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


MODELS = {
    "resnet34": ("resnet34", None, ["conv1", "bn1", "layer1.0.conv1", "layer2.0.downsample.0", "avgpool", "fc"]),
    "mobilenet_v2": ("mobilenet_v2", None, ["features.1.conv.0.0", "features.1.conv.1", "features.1.conv.2"]),
    "squeezenet1_1": ("squeezenet1_1", None, ["features.3.squeeze", "features.3.expand1x1", "features.3.expand3x3"]),
    "pointwise stack": (pointwise_stack(), "1x16x8x8", ["0", "1", "3", "4", "5"]),
    "FC layer": (fully_connected(), "1x64x1x1", ["1"]),
}

for name, (model, inputs, paths) in MODELS.items():
    check = cross_check(model, inputs)
    fvcore, thop = check.layers("fvcore"), check.layers("thop")
    print(f"\n{name:28} {'ours, MACs':>15} {'fvcore':>15} {'thop':>15}")
    for path in paths:
        print(f"  {path:26} {check.profile[path].macs:15,} {fvcore[path]:15,} {thop[path]:15,}")
    ours, by_fvcore, by_thop = check.profile.totals.macs, check["fvcore"].operations, check["thop"].operations
    print(f"  {'the whole model':26} {ours:15,} {by_fvcore.reported:15,} {by_thop.reported:15,}")
    print(f"  {'not explained':26} {'':15} {by_fvcore.remainder:15,} {by_thop.remainder:15,}")
