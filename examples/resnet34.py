"""resnet34 from Python: its totals, one layer, and the five layers that cost most.

Run it with `python examples/resnet34.py`.
"""

from profiler import profile

MB = 1024 * 1024


def main() -> None:
    resnet34 = profile("resnet34")  # built without weights, fed 1x3x224x224

    totals = resnet34.totals
    print(f"{totals.params:,} parameters, {totals.param_bytes / MB:.2f} MB")
    print(f"{totals.macs:,} MACs, {totals.flops:,} FLOPs")
    activations, peak = totals.activation_bytes / MB, totals.peak_activation_bytes / MB
    print(f"activations: {activations:.2f} MB in all, {peak:.2f} MB at most at once")

    conv1 = resnet34["conv1"]
    print(f"\n{conv1.path} ({conv1.kind}): {conv1.params:,} parameters, {conv1.macs:,} MACs")

    print("\nThe five layers with the most MACs:")
    leaves = [layer for layer in resnet34.layers if layer.kind in ("Conv2d", "Linear")]
    for layer in sorted(leaves, key=lambda layer: layer.macs, reverse=True)[:5]:
        print(f"  {layer.path:16} {layer.macs:>11,} MACs  {layer.macs / totals.macs:.1%}")


if __name__ == "__main__":
    main()
