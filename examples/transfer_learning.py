"""A frozen resnet34 with a new head for 10 classes: how many parameters are trained, and how many only come along?

Run it with `python examples/transfer_learning.py`.
"""

from torch import nn
from torchvision.models import resnet34

from profiler import profile

MB = 1024 * 1024


def frozen_backbone(classes: int) -> nn.Module:
    """A resnet34 of which only the new last layer is trained."""
    model = resnet34(weights=None)  # the weights' values change no count
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, classes)
    return model


def main() -> None:
    whole = profile(resnet34(weights=None), (1, 3, 224, 224))
    head = profile(frozen_backbone(classes=10), (1, 3, 224, 224))

    for words, found in (("trained whole, 1000 classes", whole), ("frozen, new head for 10 classes", head)):
        totals = found.totals
        print(words)
        print(f"  parameters {totals.params:>12,}  {totals.param_bytes / MB:.2f} MB")
        print(f"  trainable  {totals.trainable_params:>12,}  {totals.trainable_params / totals.params:.3%}")
        print(f"  frozen     {totals.frozen_params:>12,}")
        print(f"  MACs       {totals.macs:>12,}")

    print("\nWhere the trainable parameters are:")
    for layer in head.layers:
        if layer.own.trainable_params:
            print(f"  {layer.path}: {layer.own.trainable_params:,}")


if __name__ == "__main__":
    main()
