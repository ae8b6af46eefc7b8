"""What torch.nn, torchvision or timm calls, we know: no operator of theirs is unknown, and no formula refuses it."""

import inspect
import itertools

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch_recorder import in_registry, meta, signatures, training_signatures
from torchvision import ops

from profiler.ops import cost, is_known


def ints(*shape: int) -> torch.Tensor:
    return meta(*shape, dtype=torch.long)


class Call(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


IMAGES = {1: (2, 4, 9), 2: (2, 4, 9, 9), 3: (2, 4, 9, 9, 9)}


def by_rank(rank: int):
    """The layers that exist for 1, 2 and 3 dimensions."""
    x = meta(*IMAGES[rank])

    def layer(name):
        return getattr(nn, f"{name}{rank}d")

    for padding_mode in ("zeros", "reflect", "replicate", "circular"):
        yield layer("Conv")(4, 8, 3, padding=1, padding_mode=padding_mode), x
    yield layer("Conv")(4, 8, 3, padding="same", groups=2), x
    yield layer("ConvTranspose")(4, 8, 3, stride=2, output_padding=1), x
    for name in ("MaxPool", "AvgPool"):
        yield layer(name)(3, stride=2, padding=1, ceil_mode=True), x
    yield layer("MaxPool")(3, return_indices=True), x
    yield layer("LPPool")(2, 3), x
    for name, size in itertools.product(("AdaptiveAvgPool", "AdaptiveMaxPool"), (1, 2)):
        yield layer(name)(size), x
    yield layer("AdaptiveMaxPool")(2, return_indices=True), x
    yield layer("MaxUnpool")(2), x, ints(*IMAGES[rank])
    for name in ("BatchNorm", "InstanceNorm"):
        yield layer(name)(4, affine=True, track_running_stats=True), x
        yield layer(name)(4, affine=False, track_running_stats=False), x
    yield layer("Dropout")(), x
    yield layer("ConstantPad")(1, 2.0), x
    for name in ("ReflectionPad", "ReplicationPad", "ZeroPad", "CircularPad"):
        yield layer(name)(1), x
    if rank > 1:
        yield layer("FractionalMaxPool")(2, output_size=3), x
    for mode in ("nearest", "nearest-exact", *{1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}[rank]):
        yield nn.Upsample(scale_factor=2, mode=mode), x


ACTIVATIONS = [
    "ReLU",
    "ReLU6",
    "ELU",
    "CELU",
    "SELU",
    "GELU",
    "SiLU",
    "Mish",
    "Sigmoid",
    "Tanh",
    "Hardtanh",
    "Hardswish",
    "Hardsigmoid",
    "Hardshrink",
    "Softshrink",
    "Tanhshrink",
    "Softplus",
    "Softsign",
    "LogSigmoid",
    "LeakyReLU",
    "RReLU",
    "PReLU",
    "GLU",
    "Softmax",
    "Softmin",
    "LogSoftmax",
    "Dropout",
    "AlphaDropout",
    "FeatureAlphaDropout",
    "Identity",
    "Flatten",
]
IN_PLACE = [
    "ReLU",
    "ReLU6",
    "ELU",
    "CELU",
    "SELU",
    "SiLU",
    "Mish",
    "Hardtanh",
    "Hardswish",
    "Hardsigmoid",
    "LeakyReLU",
    "RReLU",
    "Dropout",
]
PAIR_LOSSES = [
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "HuberLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "KLDivLoss",
    "PoissonNLLLoss",
    "SoftMarginLoss",
    "HingeEmbeddingLoss",
    "MultiLabelSoftMarginLoss",
]


def others():
    x, image = meta(2, 4), meta(*IMAGES[2])
    for name in ACTIVATIONS:
        yield getattr(nn, name)(**({"dim": 1} if "Softm" in name or name == "LogSoftmax" else {})), x
    for name in IN_PLACE:
        yield getattr(nn, name)(inplace=True), x
    yield nn.GELU("tanh"), x
    yield nn.Threshold(0.1, 2), x
    yield nn.Softmax2d(), image
    yield nn.Linear(4, 5), x
    yield nn.Bilinear(4, 4, 7), x, x
    yield nn.Fold((4, 5), (2, 2)), meta(2, 12, 12)
    yield nn.Unfold(3, padding=1), image
    yield nn.SyncBatchNorm(4), image
    yield nn.LayerNorm((4, 9)), meta(2, 4, 9)
    yield nn.LayerNorm(9, elementwise_affine=False), meta(2, 4, 9)
    yield nn.GroupNorm(2, 4), image
    yield nn.RMSNorm(4), x
    yield nn.LocalResponseNorm(2), image
    yield nn.CrossMapLRN2d(2), torch.randn(2, 4, 5, 5)
    yield nn.Embedding(9, 4, padding_idx=0), ints(3, 4)
    yield nn.Embedding(9, 4, max_norm=1.0), ints(3, 4)
    for mode in ("sum", "mean", "max"):
        yield nn.EmbeddingBag(9, 4, mode=mode), ints(3, 4)
    yield nn.EmbeddingBag(9, 4, mode="sum"), ints(12), ints(3), meta(12)
    yield nn.ChannelShuffle(2), image
    yield nn.PixelShuffle(2), image
    yield nn.PixelUnshuffle(3), image
    yield nn.Unflatten(1, (2, 2)), x
    yield nn.CosineSimilarity(), x, x
    yield nn.PairwiseDistance(), x, x
    yield nn.UpsamplingNearest2d(scale_factor=2), image
    yield nn.UpsamplingBilinear2d(scale_factor=2), image
    yield nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10]), torch.randn(3, 8), torch.tensor([1, 7, 15])
    yield nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)), torch.randn(2, 4)
    yield nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)), x


def recurrent():
    for kind, options in itertools.product(
        ("RNN", "LSTM", "GRU"), ({}, {"bias": False}, {"num_layers": 2, "bidirectional": True})
    ):
        yield getattr(nn, kind)(4, 6, **options), meta(3, 2, 4)
        yield getattr(nn, kind)(4, 6, **options), torch.randn(3, 2, 4)
        packed = nn.utils.rnn.pack_padded_sequence(torch.randn(3, 2, 4), [3, 2])
        yield Call(getattr(nn, kind)(4, 6, **options).__call__), packed
    yield nn.LSTM(4, 6, proj_size=3), meta(3, 2, 4)
    yield nn.RNN(4, 6, nonlinearity="relu"), meta(3, 2, 4)
    for cell in (nn.RNNCell(4, 6), nn.RNNCell(4, 6, nonlinearity="relu"), nn.LSTMCell(4, 6), nn.GRUCell(4, 6)):
        yield cell, meta(2, 4)
    for x in (meta(2, 5, 8), torch.randn(2, 5, 8)):
        yield nn.MultiheadAttention(8, 2, batch_first=True), x, x, x
        yield nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True), x, x, x
        for norm_first in (True, False):
            yield nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first), x
            yield nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first), x, x
        yield nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), x
        yield nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2), x, x
        yield nn.Transformer(8, 2, 1, 1, 16, batch_first=True), x, x


def losses():
    x, classes = meta(3, 5), ints(3)
    for name in PAIR_LOSSES:
        yield getattr(nn, name)(), x, x
    yield nn.GaussianNLLLoss(), torch.randn(3, 5), torch.randn(3, 5), torch.rand(3, 5)
    for target in (classes, x):
        yield nn.CrossEntropyLoss(label_smoothing=0.1), x, target
    yield nn.CrossEntropyLoss(), meta(2, 3, 4, 4), ints(2, 4, 4)
    for loss in (nn.NLLLoss, nn.NLLLoss2d):
        yield loss(), meta(2, 3, 4, 4), ints(2, 4, 4)
    yield nn.NLLLoss(), x, classes
    yield nn.MultiMarginLoss(), torch.randn(3, 5), torch.tensor([1, 2, 3])
    yield nn.MultiLabelMarginLoss(), torch.randn(3, 5), torch.randint(0, 4, (3, 5))
    yield nn.MarginRankingLoss(), meta(3), meta(3), meta(3)
    yield nn.CosineEmbeddingLoss(), x, x, meta(3)
    yield nn.TripletMarginLoss(swap=True), x, x, x
    yield nn.TripletMarginWithDistanceLoss(), x, x, x
    lengths = torch.tensor([8, 8]), torch.tensor([3, 3])
    yield nn.CTCLoss(), torch.randn(8, 2, 5).log_softmax(2), torch.randint(1, 5, (2, 3)), *lengths
    if hasattr(nn, "LinearCrossEntropyLoss"):
        yield nn.LinearCrossEntropyLoss(4, 5), meta(3, 4), classes


def functions():
    """What models call without a layer."""
    image, small = meta(2, 3, 8, 8), meta(2, 4, 5, 2)
    for mode in ("bilinear", "bicubic"):
        yield lambda x, mode=mode: functional.interpolate(x, size=(3, 7), mode=mode, antialias=True), image
        yield lambda x, g, mode=mode: functional.grid_sample(x, g, mode=mode, align_corners=False), image, small
    yield lambda x, g: functional.grid_sample(x, g, align_corners=True), meta(2, 3, 8, 8, 8), meta(2, 4, 5, 6, 3)
    yield lambda theta: functional.affine_grid(theta, (2, 3, 4, 5), align_corners=False), meta(2, 2, 3)
    for name in ("fft", "ifft", "fft2", "ifft2", "irfft2", "fftn", "ifftn", "irfft", "irfftn", "hfft"):
        yield getattr(torch.fft, name), meta(2, 8, 8, dtype=torch.complex64)
    for name in ("rfft", "rfft2", "rfftn", "ihfft"):
        yield getattr(torch.fft, name), meta(2, 8, 8)
    yield lambda x: torch.stft(x, 16, window=meta(16), return_complex=True), meta(2, 64)
    yield torch.cdist, meta(3, 4), meta(5, 4)
    yield functional.pdist, meta(3, 4)
    yield lambda x: torch.var_mean(x, 1), image
    boxes = torch.tensor([[0, 1.0, 1, 5, 5], [0, 2.0, 2, 6, 6]])
    x = torch.randn(1, 4, 8, 8)
    yield lambda x: ops.roi_align(x, boxes, 3, sampling_ratio=2), x
    yield lambda x: ops.ps_roi_align(x, boxes, 2, sampling_ratio=2), x
    yield lambda x: ops.roi_pool(x, boxes, 2), x
    yield lambda x: ops.ps_roi_pool(x, boxes, 2), x
    yield lambda x, o: ops.deform_conv2d(x, o, torch.randn(6, 4, 3, 3)), x, torch.randn(1, 18, 6, 6)


def choices():
    """What returns integers, and has no gradient."""
    yield lambda x: functional.one_hot(x, 5), ints(4)
    yield lambda x: ops.nms(x, torch.rand(3), 0.5), torch.rand(3, 4)


LAYERS = [*by_rank(1), *by_rank(2), *by_rank(3), *others(), *recurrent(), *losses()]
FUNCTIONS = [(Call(function), *inputs) for function, *inputs in functions()]
CHOICES = [(Call(function), *inputs) for function, *inputs in choices()]


def unknown(run, *inputs) -> set[str]:
    """The operators without an entry, and those whose formula refused."""
    return {s.op for s in signatures(run, *inputs) if not in_registry(s.op) or (is_known(s.op) and cost(s) is None)}


def on_the_inputs_device(layer, inputs):
    return layer.to("meta") if all(isinstance(t, torch.Tensor) and t.is_meta for t in inputs) else layer


def cases(layers):
    return [pytest.param(layer, inputs, id=f"{type(layer).__name__}-{n}") for n, (layer, *inputs) in enumerate(layers)]


@pytest.mark.parametrize(("layer", "inputs"), cases(LAYERS + FUNCTIONS + CHOICES))
def test_every_operator_of_a_layer_is_known(layer, inputs) -> None:
    assert unknown(on_the_inputs_device(layer, inputs).eval(), *inputs) == set()


CHANGED_BY_TRAINING = nn.modules.batchnorm._NormBase | nn.modules.dropout._DropoutNd | nn.RReLU | nn.RNNBase


@pytest.mark.parametrize(("layer", "inputs"), cases(row for row in LAYERS if isinstance(row[0], CHANGED_BY_TRAINING)))
def test_every_operator_of_a_layer_in_training_is_known(layer, inputs) -> None:
    assert unknown(on_the_inputs_device(layer, inputs).train(), *inputs) == set()


def with_gradients(layer, inputs):
    """The inputs, those of numbers with gradients: of a loss the first alone. No leaves, which stay as they are."""
    trained = 1 if isinstance(layer, nn.modules.loss._Loss) else len(inputs)
    return [with_gradient(x) if n < trained and isinstance(x, torch.Tensor) else x for n, x in enumerate(inputs)]


def with_gradient(x: torch.Tensor) -> torch.Tensor:
    numbers = x.is_floating_point() or x.is_complex()
    return x.detach().requires_grad_().clone() if numbers else x


def unknown_in_training(layer, inputs) -> set[str]:
    if isinstance(layer, nn.FractionalMaxPool3d):  # whose backward operator has no meta kernel
        inputs = [torch.randn(x.shape) for x in inputs]
    layer = on_the_inputs_device(layer, inputs).train()
    found = training_signatures(layer, *with_gradients(layer, inputs))
    return {s.op for s in found if not in_registry(s.op) or (is_known(s.op) and cost(s) is None)}


@pytest.mark.parametrize(("layer", "inputs"), cases(LAYERS + FUNCTIONS))
def test_every_operator_of_a_backward_pass_is_known(layer, inputs) -> None:
    assert unknown_in_training(layer, inputs) == set()


CONTAINERS = [
    "Module",
    "Container",
    "Sequential",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "ParameterDict",
    "DataParallel",
    "RNNBase",
    "RNNCellBase",
]


def test_every_layer_of_torch_nn_has_its_turn() -> None:
    exported = {name for name, kind in vars(nn).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)}
    tried = {type(layer).__name__ for layer, *_ in LAYERS}
    tried |= {f"Lazy{name}" for name in tried}  # a lazy layer turns into its class when it first runs
    assert exported - tried - set(CONTAINERS) == set()


@pytest.fixture
def custom():
    """An operator that nobody has a formula for, with a gradient that has none either."""
    library = torch.library.Library("coverage", "DEF")
    library.define("mystery(Tensor x) -> Tensor")
    library.impl("mystery", lambda x: x + 1, "CompositeExplicitAutograd")
    torch.library.register_autograd("coverage::mystery", lambda _, grad: torch.ops.coverage.mystery(grad), lib=library)
    yield torch.ops.coverage.mystery
    library._destroy()


def test_an_unknown_operator_would_be_seen(custom) -> None:
    assert unknown(custom, torch.eye(3)) == {"coverage.mystery.default"}
    assert unknown_in_training(Call(custom), [torch.eye(3)]) == {"coverage.mystery.default"}
    assert unknown(lambda x: ops.roi_align(x, torch.zeros(1, 5), 3), torch.randn(1, 4, 8, 8)) == {
        "torchvision.roi_align.default"
    }


def built_on_meta(build) -> nn.Module:
    try:
        with torch.device("meta"):
            return build().eval()
    except (RuntimeError, NotImplementedError):  # it computes its widths with tensors
        return build().eval().to("meta")


def torchvision_models():
    for name in torchvision.models.list_models():
        kind = torchvision.models.get_model_builder(name).__module__.split(".")[2]
        if kind == "quantization":
            continue
        options = {"weights_backbone": None} if kind in ("detection", "segmentation") else {}
        size = 299 if "inception" in name else 224
        inputs = {
            "video": [(2, 3, 16, 224, 224)],
            "optical_flow": [(2, 3, 128, 128)] * 2,
            "detection": [(3, 320, 320)],
        }.get(kind, [(2, 3, size, size)])
        yield name, kind, options, inputs


@pytest.mark.registry
@pytest.mark.parametrize(("name", "kind", "options", "inputs"), torchvision_models())
def test_torchvision(name, kind, options, inputs) -> None:
    def build():
        return torchvision.models.get_model(name, weights=None, **options)

    if kind == "detection":  # finds boxes, which needs numbers
        assert unknown(build().eval(), [torch.rand(shape) for shape in inputs]) == set()
    else:
        inputs = [meta(*shape) for shape in inputs]
        assert unknown(built_on_meta(build), *inputs) == set()
        assert unknown_in_training(built_on_meta(build), inputs) == set()


def timm_models():
    timm = pytest.importorskip("timm")
    return sorted({name for module in timm.list_modules() for name in timm.list_models(module=module)[::25]})


@pytest.mark.registry
@pytest.mark.parametrize("name", timm_models())
def test_timm(name) -> None:
    import timm

    model = built_on_meta(lambda: timm.create_model(name))
    x = meta(2, *model.default_cfg.get("input_size", (3, 224, 224)))
    assert unknown(model, x) == set()
    assert unknown_in_training(model, [x]) == set()
