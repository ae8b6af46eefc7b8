"""The models whose peak is predicted and measured, by spec.

All of torchvision's classification models, and timm's of forty of its files, chosen for the operators they run.
"""

from __future__ import annotations

from torchvision import models

TORCHVISION = tuple(models.list_models(module=models))

TIMM = tuple(
    f"timm:{name}"
    for name in """
    resnet50 seresnet50 resnetv2_50 mobilenetv3_small_100 efficientnet_b0 convnext_nano vit_tiny_patch16_224
    deit_tiny_patch16_224 swin_tiny_patch4_window7_224 mixer_s16_224 gmlp_ti16_224 levit_128s mobilevit_xxs
    mobilevitv2_050 poolformer_s12 regnetz_005 densenet121 vgg11 xcit_nano_12_p16_224 cait_xxs24_224 ghostnet_050
    hrnet_w18_small nf_resnet50 eca_nfnet_l0 coatnet_nano_rw_224 maxvit_tiny_rw_224 beit_base_patch16_224
    botnet26t_256 halonet26t lambda_resnet26t crossvit_9_240 fastvit_t8 focalnet_tiny_srf mambaout_femto mvitv2_tiny
    pvt_v2_b0 res2net50_14w_8s sequencer2d_s twins_svt_small volo_d1_224
    """.split()  # noqa: SIM905  a long list of names
)

MODELS = (*TORCHVISION, *TIMM)
