"""The models: of torchvision, timm and transformers, layers of torch's own, training steps, and an exported file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from profiler import Profile, profile


@dataclass(frozen=True, slots=True)
class Case:
    """A model's name in the table, and how its profile is made; the folder has files that environments share."""

    name: str
    run: Callable[[Path], Profile]


TORCHVISION = (
    "alexnet", "convnext_tiny", "deeplabv3_mobilenet_v3_large", "densenet121", "efficientnet_b0",
    "fasterrcnn_mobilenet_v3_large_320_fpn", "googlenet", "maxvit_t", "mobilenet_v3_large", "r3d_18", "regnet_y_400mf",
    "resnet34", "shufflenet_v2_x1_0", "ssdlite320_mobilenet_v3_large", "swin_t", "vit_b_16",
)  # fmt: skip
TIMM = ("timm:coatnet_nano_rw_224", "timm:convnextv2_atto", "timm:efficientformer_l1", "timm:mixer_s32_224")
TRANSFORMERS = (
    "hf:BertConfig(num_hidden_layers=2)",
    "hf:CLIPConfig()",
    "hf:GPT2Config(n_layer=2)",
    "hf:LlamaConfig(num_hidden_layers=2,hidden_size=256,intermediate_size=512,num_attention_heads=4)",
    "hf:MambaConfig(num_hidden_layers=2)",
    "hf:MixtralConfig(num_hidden_layers=1,hidden_size=256,intermediate_size=512,num_attention_heads=4,num_key_value_heads=2)",
    "hf:T5Config(num_layers=2)",
    "hf:ViTConfig(num_hidden_layers=2)",
    "hf:WhisperConfig(encoder_layers=1,decoder_layers=1)",
)


class Applied(nn.Module):
    """A layer, and what is done with it and the input."""

    def __init__(self, layer: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x: Any) -> Any:
        return self.function(self.layer, x)


def _encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def _packed(layer: nn.Module, x: Any) -> Any:
    lengths = torch.tensor([7, 5, 2])
    return layer(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))[0].data


def _masked(layer: nn.Module, x: Any) -> Any:
    """Attention that returns its weights, called by keywords."""
    return layer(query=x, key=x, value=x, need_weights=True)[0]


def _flexible(layer: nn.Module, x: Any) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    heads = layer(x).unflatten(-1, (4, 16)).transpose(1, 2)
    return flex_attention(heads, heads, heads)


def _compiled() -> nn.Module:
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    model.compile(backend="eager")
    return model


class Classifier(nn.Module):
    """Words, a recurrent layer and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.layer, self.head = nn.Embedding(100, 16), nn.GRU(16, 32), nn.Linear(32, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(self.words(ids))[0][-1])


Live = tuple[str, Callable[[], nn.Module], Any]
OWN: tuple[Live, ...] = (
    ("LSTM", lambda: nn.LSTM(16, 32, num_layers=2, bidirectional=True), (9, 2, 16)),
    ("packed LSTM", lambda: Applied(nn.LSTM(16, 32, batch_first=True), _packed), (3, 7, 16)),
    ("GRU", Classifier, "9x2:int64"),
    ("encoder", _encoder, (2, 10, 64)),
    ("attention", lambda: Applied(nn.MultiheadAttention(64, 4, batch_first=True), _masked), (2, 10, 64)),
    ("flex attention", lambda: Applied(nn.Linear(64, 64), _flexible), (2, 128, 64)),
    ("compiled", _compiled, (2, 16)),
    ("transposed convolution", lambda: nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2), (2, 8, 9, 9)),
)
TRAINED: tuple[tuple[str, Callable[[], nn.Module] | str, Any, dict[str, Any]], ...] = (
    ("training: resnet18", "resnet18", None, {"optimizer": "sgd"}),
    ("training: vit_b_16", "vit_b_16", None, {"optimizer": "adamw"}),
    ("training: resnet18, bfloat16", "resnet18", None, {"amp": "bfloat16"}),
    ("training: encoder", _encoder, (2, 10, 64), {"optimizer": "adam"}),
    ("training: LSTM", lambda: nn.LSTM(16, 32), (9, 2, 16), {"optimizer": "adam"}),
    ("training: GRU", Classifier, "9x2:int64", {"optimizer": "adamw"}),
)


def _spec(spec: str, folder: Path) -> Profile:
    return profile(spec)


def _live(build: Callable[[], nn.Module], inputs: Any, folder: Path) -> Profile:
    return profile(build(), inputs)


def _trained(model: Callable[[], nn.Module] | str, inputs: Any, more: dict[str, Any], folder: Path) -> Profile:
    return profile(model if isinstance(model, str) else model(), inputs, train=True, **more)


def _export(to: Path) -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(layers, nn.Linear(8, 4)).eval()
    torch.export.save(torch.export.export(model, (torch.randn(2, 3, 16, 16),)), to)


def _own_file(folder: Path) -> Profile:
    with TemporaryDirectory() as temporary:
        _export(Path(temporary) / "model.pt2")
        return profile(str(Path(temporary) / "model.pt2"))


def _shared_file(folder: Path) -> Profile:
    """The file of the environment that comes first."""
    path = folder / "model.pt2"
    if not path.exists():
        _export(path)
    return profile(str(path))


MODELS: tuple[Case, ...] = (
    *(Case(spec.partition("(")[0], partial(_spec, spec)) for spec in (*TORCHVISION, *TIMM, *TRANSFORMERS)),
    *(Case(name, partial(_live, build, inputs)) for name, build, inputs in OWN),
    *(Case(name, partial(_trained, model, inputs, more)) for name, model, inputs, more in TRAINED),
    Case("exported here", _shared_file),
    Case("exported there", _own_file),
)
