"""Pictures and videos: open_clip, lightly, lpips, piq, facenet-pytorch, pytorchvideo, denoising-diffusion-pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import open_clip
import piq
import torch
from denoising_diffusion_pytorch import GaussianDiffusion, Unet
from facenet_pytorch import InceptionResnetV1
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from lightly import loss
from lightly.models.modules import heads
from lpips import LPIPS
from pytorchvideo.models import resnet, x3d
from torch import nn
from torchvision.models import resnet18

from tests.benchmarks.foreign.libraries import Builder

_VIT = {"image_size": 32, "patch_size": 8, "layers": 2, "width": 32, "head_width": 8}
_CONV = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16}
_TEXT = {"context_length": 12, "vocab_size": 64, "width": 32, "heads": 4, "layers": 2}


def _clip(vision: Mapping[str, Any], text: Mapping[str, Any]) -> tuple[nn.Module, Any]:
    model = open_clip.CLIP(embed_dim=16, vision_cfg=dict(vision), text_cfg=dict(text))
    size = vision["image_size"]
    return model, (torch.rand(2, 3, size, size), torch.randint(0, 64, (2, 12)))


def _coca() -> tuple[nn.Module, Any]:
    model = open_clip.CoCa(
        embed_dim=32,
        vision_cfg={**_VIT, "attentional_pool": True, "output_tokens": True, "attn_pooler_heads": 4},
        text_cfg={**_TEXT, "embed_cls": True, "output_tokens": True},
        multimodal_cfg={"width": 32, "heads": 4, "layers": 2, "context_length": 12, "vocab_size": 64},
    )
    return model, (torch.rand(2, 3, 32, 32), torch.randint(0, 64, (2, 12)))


class SelfSupervised(nn.Module):
    """A backbone, a head, and a loss between two views."""

    def __init__(self, head: nn.Module, criterion: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head, self.criterion = resnet18(num_classes=64), head, criterion

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.criterion(self.head(self.backbone(one)), self.head(self.backbone(other)))
        return found


def _views() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32)


def _diffusion() -> tuple[nn.Module, Any]:
    return GaussianDiffusion(Unet(dim=8, dim_mults=(1, 2), flash_attn=False), image_size=16, timesteps=20), torch.rand(
        2, 3, 16, 16
    )


def _x3d() -> tuple[nn.Module, Any]:
    return x3d.create_x3d(input_clip_length=4, input_crop_size=64, model_num_class=5), torch.rand(1, 3, 4, 64, 64)


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)


class Quality(nn.Module):
    """A net judged by a measure of pictures."""

    def __init__(self, measure: nn.Module) -> None:
        super().__init__()
        self.net, self.measure = nn.Conv2d(3, 3, 3, padding=1), measure

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.measure(self.net(one).sigmoid(), other)
        return found


_MEASURES: Mapping[str, Any] = {
    "SSIM": lambda: piq.SSIMLoss(data_range=1.0),
    "VIF": lambda: piq.VIFLoss(data_range=1.0),
    "GMSD": lambda: piq.GMSDLoss(data_range=1.0),
    "HaarPSI": lambda: piq.HaarPSILoss(data_range=1.0),
    "VSI": lambda: piq.VSILoss(data_range=1.0),
    "MDSI": lambda: piq.MDSILoss(data_range=1.0),
    "FSIM": lambda: piq.FSIMLoss(data_range=1.0),
}
ARCHITECTURES: Mapping[str, Builder] = {
    "CLIP ViT": lambda: _clip(_VIT, _TEXT),
    "CLIP ResNet": lambda: _clip(_CONV, _TEXT),
    "CLIP ViT, pooled by attention": lambda: _clip(
        {**_VIT, "attentional_pool": True, "attn_pooler_heads": 4, "attn_pooler_queries": 8}, _TEXT
    ),
    "CLIP ViT, patch dropout": lambda: _clip({**_VIT, "patch_dropout": 0.5}, _TEXT),
    "CoCa": _coca,
    "SimCLR": lambda: (SelfSupervised(heads.SimCLRProjectionHead(64, 64, 32), loss.NTXentLoss()), _views()),
    "VICReg": lambda: (SelfSupervised(heads.VICRegProjectionHead(64, 64, 32), loss.VICRegLoss()), _views()),
    "Barlow twins": lambda: (
        SelfSupervised(heads.BarlowTwinsProjectionHead(64, 64, 32), loss.BarlowTwinsLoss()),
        _views(),
    ),
    "SwaV prototypes": lambda: (heads.SwaVPrototypes(64, [16, 8]), torch.rand(4, 64)),
    "DINO head": lambda: (heads.DINOProjectionHead(64, 64, 16, 32), torch.rand(4, 64)),
    **{
        f"LPIPS {net}": lambda net=net: (LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False), _pair())
        for net in ("alex", "squeeze")
    },
    **{name: lambda measure=measure: (Quality(measure()), _pair()) for name, measure in _MEASURES.items()},
    "FaceNet": lambda: (InceptionResnetV1(pretrained=None, classify=True, num_classes=5), torch.rand(2, 3, 96, 96)),
    "PNet": lambda: (PNet(pretrained=False), torch.rand(1, 3, 48, 48)),
    "RNet": lambda: (RNet(pretrained=False), torch.rand(1, 3, 24, 24)),
    "ONet": lambda: (ONet(pretrained=False), torch.rand(1, 3, 48, 48)),
    "X3D": _x3d,
    "video ResNet": lambda: (
        resnet.create_resnet(model_depth=50, model_num_class=5, stem_dim_out=8, head_pool_kernel_size=(4, 2, 2)),
        torch.rand(1, 3, 4, 64, 64),
    ),
    "diffusion": _diffusion,
    "diffusion, its net": lambda: (
        Unet(dim=8, dim_mults=(1, 2), flash_attn=False),
        (torch.rand(1, 3, 16, 16), torch.tensor([3])),
    ),
}
