"""Every example runs, and prints what it promises. Expected values are written as products of their factors."""

import contextlib
import io
import runpy
from pathlib import Path

import pytest

NEEDS = {"ensemble": "timm", "figures": "matplotlib", "kv_cache": "transformers", "which_gpu": "transformers"}
EXAMPLES = Path(__file__).parent.parent / "examples"
MB = 1024 * 1024

RESNET34 = 21_797_672  # parameters, as torchvision publishes them
FC = 512 * 1000 + 1000
HEAD = 512 * 10 + 10
ORDINARY, SEPARABLE = 3 * 3 * 256 * 512, 3 * 3 * 256 + 256 * 512  # weights, each used at 14x14 positions
SERESNET, DPN = 66_821_848, 37_668_392  # parameters, as timm's results tables publish them
SMOOTH = 3 * 8 * 64
MOBILENET = 3_504_872  # parameters, as torchvision publishes them, and so below

BN1 = 64 * 112 * 112  # elements that resnet34's first batch norm takes
POINTWISE = 32 * 112 * 112 * 16  # mobilenet_v2's first 1x1 convolution
SQUEEZE, EXPAND = 55 * 55 * 64 * 16, 55 * 55 * 16 * 64
STACK = 8 * 8 * 16 * 32 + 8 * 8 * 32 * 64 + 64 * 10


def _ablation(name: str, widths: tuple[int, int, int] = (16, 32, 64), se: bool = True, separable: bool = False) -> str:
    """A row's first words: its parameters and MACs, from the layers' own products."""
    a, b, c = widths
    first = 3 * 3 * 3 * a
    second, third = (3 * 3 * a + a * b, 3 * 3 * b + b * c) if separable else (3 * 3 * a * b, 3 * 3 * b * c)
    squeezes = [2 * width * (width // 4) for width in (b, c)] if se else []
    biases = [width // 4 + width for width in (b, c)] if se else []
    head = c * 10
    params = first + second + third + 2 * (a + b + c) + sum(squeezes) + sum(biases) + head + 10
    macs = 32 * 32 * first + 16 * 16 * second + 8 * 8 * third + sum(squeezes) + head
    amount = f"{macs / 1e6:.3f} M" if macs >= 1e6 else f"{macs / 1e3:.1f} k"
    return f"{name} {params:,} ×{params / ABLATED[0]:.2f} {amount} ×{macs / ABLATED[1]:.2f}"


ABLATED = (  # the whole network's parameters and MACs, once more and in plain sight
    3 * 3 * 3 * 16 + 3 * 3 * 16 * 32 + 3 * 3 * 32 * 64 + 2 * (16 + 32 + 64)
    + (2 * 32 * 8 + 8 + 32) + (2 * 64 * 16 + 16 + 64) + (64 + 1) * 10,
    32 * 32 * 3 * 3 * 3 * 16 + 16 * 16 * 3 * 3 * 16 * 32 + 8 * 8 * 3 * 3 * 32 * 64
    + 2 * 32 * 8 + 2 * 64 * 16 + 64 * 10,
)  # fmt: skip

NORMS = 2 * 8512  # resnet34's, for as many output channels of convolutions
INT8 = (
    (RESNET34 - NORMS - 1000) + 4 * (8512 + 1000) + 4 * (NORMS + 1000)
)  # weights, their scales, and the rest as it is
EACH = 4 * (3 * 224 * 224 + 2 * BN1)  # an image, and what is alive of it where most is
WHOLE = 4 * (RESNET34 + NORMS) + 8 * 36  # parameters, running statistics, and how many batches they are of
BATCH = (256 * MB - WHOLE) // EACH

# vgg11 on a Raspberry Pi 5: convolutions wait for 4 cores x 16 FLOPs x 2.4 GHz, pooling and FC layers for the memory.
CONVOLUTIONS = 3 * 3 * (
    224**2 * 3 * 64 + 112**2 * 64 * 128 + 56**2 * (128 * 256 + 256 * 256)
    + 28**2 * (256 * 512 + 512 * 512) + 14**2 * 2 * 512 * 512
)  # fmt: skip
POOLED = (64 * 224**2 + 128 * 112**2 + 256 * 56**2 + 512 * 28**2 + 512 * 14**2) * 5 // 4 + 2 * 512 * 7**2
DENSE = sum(m * n + m + 2 * n for m, n in ((25088, 4096), (4096, 4096), (4096, 1000)))
VGG11_MS = 1e3 * (2 * CONVOLUTIONS / (4 * 16 * 2.4e9) + 4 * (POOLED + DENSE) / 17.07e9)

LLAMA = 32 * (4096 * 4096 * 2 + 3 * 4096 * 14336) + 4096 * 128256  # weights in products, without keys' and values'
ATTENDS = 32 * 2 * 32 * 128  # MACs for each token that was read: 32 layers, scores and values, 32 heads of 128


def _cached(heads: int, context: int) -> str:
    """A row's first words: 32 layers, keys and values of so many heads of 128, in 2 bytes each; attention's share."""
    attention = ATTENDS * (context + 1)
    share = attention / (attention + LLAMA + 32 * 2 * 4096 * heads * 128)
    return f"{heads} {context:,} {2 * 2 * 32 * heads * 128 * context / MB:,.2f} {share:.1%}"


LINEAR = 32 * (2 * 4096 * 4096 + 2 * 4096 * 8 * 128 + 3 * 4096 * 11008) + 4096 * 32000  # Llama 2's, eight heads of keys
INT4 = LINEAR // 2 + LINEAR // 128 * (16 + 4) // 8  # with a scale and a zero point for 128 of them
TABLE, NORMS = 32000 * 4096, (2 * 32 + 1) * 4096
EIGHT_USERS = 2 * 32 * 8 * (2048 + 1) * 8 * 128 * 2  # bytes of their keys and values

# Convolutions of 3 to 16 and 16 to 32 channels and ten classes: what is alive of an image at the peak, and the weights.
FIGURED = 4 * (3 * 32 * 32 + 2 * 16 * 32 * 32)
FIGURED_WEIGHTS = 4 * ((3 * 9 + 1) * 16 + (16 * 9 + 1) * 32 + (32 + 1) * 10)

# What must be printed, each as the words of one line in their order.
PROMISED = {
    "what_fits": [
        f"fp16: {2 * RESNET34:,} bytes, {2 * RESNET34 / MB:.2f} MB, fits",
        f"int8: {INT8:,} bytes, {INT8 / MB:.2f} MB, fits",
        f"MACs = {(3_663_761_408 - 512 * 1000) // 224**2:,}·size² + {512 * 1000:,}",
        f"at 256, which was not scanned: {(3_663_761_408 - 512 * 1000) // 7**2 * 8**2 + 512 * 1000:,}",
        f"batch: {BATCH}, {256 * MB - WHOLE - BATCH * EACH:,} bytes are left, and {BATCH + 1} do not fit",
    ],
    "which_gpu": [
        f"float16: {(LINEAR + TABLE) * 2 // 2 + NORMS * 2:,} bytes of weights each, {EIGHT_USERS // 2:,} of cache",
        f"int4: {INT4 + (TABLE + NORMS) * 2:,} bytes of weights each, {EIGHT_USERS:,} of cache",
    ],
    "kv_cache": [
        *(_cached(heads, context) for heads in (32, 8) for context in (1024, 8192, 131072)),
        f"cache = {2 * 2 * 32 * 32 * 128:,}·context bytes",
        f"cache = {2 * 2 * 32 * 8 * 128:,}·context bytes",
    ],
    "resnet34": [
        f"{RESNET34:,} parameters, {RESNET34 * 4 / MB:.2f} MB",
        "3,663,761,408 MACs",
        f"conv1 (Conv2d): {7 * 7 * 3 * 64:,} parameters, {64 * 112 * 112 * 3 * 7 * 7:,} MACs",
        f"layer1.0.conv1 {64 * 56 * 56 * 64 * 3 * 3:,} MACs",
    ],
    "pointwise_vs_fc": [
        f"Linear 512 -> 1000 1x1000x1x1 {FC:,} {512 * 1000:,}",
        f"Conv2d 1x1, 512 -> 1000 1x1000x1x1 {FC:,} {512 * 1000:,}",
        f"Flatten, Linear 512*7*7 -> 4096 1x4096 {(512 * 7 * 7 + 1) * 4096:,} {512 * 7 * 7 * 4096:,}",
        f"Conv2d 7x7, 512 -> 4096 1x4096x1x1 {(512 * 7 * 7 + 1) * 4096:,} {512 * 7 * 7 * 4096:,}",
        f"Conv2d 1x1 on 512x1x1 1x1000x1x1 {FC:,} {512 * 1000:,}",
        f"Conv2d 1x1 on 512x7x7 1x1000x7x7 {FC:,} {7 * 7 * 512 * 1000:,}",
        f"Conv2d 1x1 on 512x14x14 1x1000x14x14 {FC:,} {14 * 14 * 512 * 1000:,}",
        "Sequential fails on input 1x512x14x14",
        f"Conv2d 3x3, 256 -> 512 1x512x14x14 {ORDINARY:,} {14 * 14 * ORDINARY:,}",
        f"depthwise, pointwise 1x512x14x14 {SEPARABLE:,} {14 * 14 * SEPARABLE:,}",
        f"ratio {SEPARABLE / ORDINARY:.4f}",
    ],
    "transfer_learning": [
        f"trainable {RESNET34:,} 100.000%",
        f"parameters {RESNET34 - FC + HEAD:,} {(RESNET34 - FC + HEAD) * 4 / MB:.2f} MB",
        f"trainable {HEAD:,} {HEAD / (RESNET34 - FC + HEAD):.3%}",
        f"frozen {RESNET34 - FC:,}",
        f"MACs {3_663_761_408 - 512 * 1000 + 512 * 10:,}",
        f"fc: {HEAD:,}",
    ],
    "ensemble": [
        f"ensemble {SERESNET + DPN:,} {(SERESNET + DPN) * 4 / MB:.2f}",
        f"legacy_seresnet152 {SERESNET:,}",
        f"dpn92 {DPN:,}",
        f"{2 * (1000 + 999) + 1000:,} additions, {2 * 1000 + 1000:,} divisions, {2 * 1000:,} exponentials",
    ],
    "cross_check": [
        *(
            f"{path} {macs:,} {macs:,} {macs:,}"
            for path, macs in (
                ("conv1", 64 * 112 * 112 * 3 * 7 * 7),
                ("layer1.0.conv1", 64 * 56 * 56 * 64 * 3 * 3),
                ("layer2.0.downsample.0", 128 * 28 * 28 * 64),
                ("fc", 512 * 1000),
                ("features.1.conv.1", POINTWISE),
                ("features.3.squeeze", SQUEEZE),
                ("features.3.expand1x1", EXPAND),
                ("features.3.expand3x3", EXPAND * 3 * 3),
                ("5", 64 * 10),
                ("1", 64 * 10),
            )
        ),
        f"bn1 0 {2 * BN1:,} {4 * BN1:,}",
        f"features.1.conv.2 0 {2 * 16 * 112 * 112:,} {4 * 16 * 112 * 112:,}",
        f"avgpool 0 {512 * 7 * 7:,} {512 * (7 * 7 + 1):,}",
        "the whole model 3,663,761,408 3,671,262,720 3,678,739,456",
        f"the whole model {STACK:,} {STACK + 2 * 32 * 64 + 64 * 64:,} {STACK + 4 * 32 * 64 + 64 * (64 + 1):,}",
        "not explained 0 0",
    ],
    "ablation": [
        "Model Params Rel. Params MACs Rel. MACs MB",
        _ablation("full"),
        _ablation("without SE blocks", se=False),
        _ablation("uniform width", widths=(32, 32, 32)),
        _ablation("depthwise separable", separable=True).replace(" ×0.26", "* ×0.26").replace(" k ", " k* "),
        "Marked is the best of a column: the least Params, MACs.",
    ],
    "budgets": [
        f"mobilenet_v3_small size {2_542_856 * 4 / MB:.2f} MB 12.00 MB",
        f"squeezenet1_1 size {1_235_496 * 4 / MB:.2f} MB 12.00 MB",
        f"does not fit: mobilenet_v2, size: {MOBILENET * 4 / MB:.2f} MB against 12 MB (max_size)",
        f", {MOBILENET * 4 / MB - 12:.2f} MB over; most is in classifier.1 ({(1280 + 1) * 1000 * 4 / MB:.2f} MB",
    ],
    "ten_milliseconds": [
        f"vgg11 lower bound {VGG11_MS:.2f} ms",
        "mobilenet_v2 lower bound 5.52 ms, nothing fused 11.67 ms: may, if fused",
        "mobilenet_v3_small lower bound",
    ],
    "figures": [
        "accuracy.pdf: 3.5 inches, accuracy, MACs (M) Pareto front",
        "depth.pdf: 7.16 inches, Parameters (k), MACs (M), Activations (KB), Layers of Sequential",
        "memory.pdf: 3.5 inches, Memory (MB), Operator calls of Sequential",
        f"scan.pdf: 3.5 inches, Peak memory (MB), Batch size {FIGURED:,}·batch + {FIGURED_WEIGHTS:,} bytes",
    ],
    "which_layers": [
        f"block 1: {2 * 12 * 12} MACs",
        f"block 2: {2 * 12 * 12} MACs, costs much, matters little",
        f"without block 2: {4 * 2 * (12 * 12 + 12):,} bytes and {2 * 12 * 12} MACs less, the output stays",
        f"without block 3: {4 * 2 * (12 * 12 + 12):,} bytes and {2 * 12 * 12} MACs less, the output changes",
    ],
    "custom_operator": [
        f"FLOPs {2 * 8 * 64 * 16 + 8 * 16:,}, and not counted: {{'signals.smooth.default': 1}}",
        f"FLOPs {2 * 8 * 64 * 16 + 8 * 16 + SMOOTH:,}, and not counted: nothing",
        f"smooth: {SMOOTH:,} FLOPs more",
    ],
}


def run(name: str) -> list[str]:
    """The lines that an example prints, with single blanks."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def missing(promised: list[str], lines: list[str]) -> list[str]:
    return [words for words in promised if not any(words in line for line in lines)]


@pytest.mark.parametrize("name", PROMISED)
def test_example(name, restored_registries) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    lines = run(name)
    assert missing(PROMISED[name], lines) == [], lines


def test_every_example_is_promised_something() -> None:
    assert set(PROMISED) == {path.stem for path in EXAMPLES.glob("*.py")}


def test_a_promise_that_is_not_kept_is_seen() -> None:
    assert missing(["fc: 5,130", "fc: 5,120"], ["  fc: 5,130"]) == ["fc: 5,120"]
