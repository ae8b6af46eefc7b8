"""The architectures on which conventions are compared with the counters themselves, by spec.

Convolutional networks, transformers, and what lies between; the small member of each family, since each is run for
real by every counter. timm's are of as many of its files, which are its families.
"""

from __future__ import annotations

TORCHVISION = tuple(
    """
    resnet34 mobilenet_v2 vit_b_16 swin_t convnext_tiny
    alexnet densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 mobilenet_v3_small
    regnet_x_400mf regnet_y_400mf resnet18 resnet50 resnext50_32x4d shufflenet_v2_x0_5 squeezenet1_1 swin_v2_t vgg11
    vgg11_bn vit_b_32 wide_resnet50_2 lraspp_mobilenet_v3_large ssdlite320_mobilenet_v3_large
    """.split()
)

TIMM = tuple(
    f"timm:{name}"
    for name in """
    beit_base_patch16_224 botnet26t_256 gernet_s cait_xxs24_224 coat_lite_tiny convit_tiny convnextv2_atto cpubone_nano
    crossvit_9_240 csatv2 cs3darknet_s cspnext_tiny davit_tiny deit_tiny_patch16_224 densenet121 dla46_c dpn68
    edgenext_xx_small efficientformer_l1 efficientformerv2_s0 tinynet_e efficientvim_m1 efficientvit_b0 efficientvit_m0
    eva02_tiny_patch14_224 fasternet_t0 fastvit_t8 focalnet_tiny_srf gcvit_xxtiny ghostnet_050 hardcorenas_a hgnetv2_b0
    hiera_tiny_224 hrnet_w18_small iformer_t inception_next_atto lcnetv2_small levit_128s lowformer_b0 mambaout_femto
    test_coatnet maxvit_rmlp_pico_rw_256 poolformer_s12 resmlp_12_224 gmlp_ti16_224 mobilenetv3_small_050 mobilevit_xxs
    mvitv2_tiny nest_tiny eca_nfnet_l0 pit_ti_224 pvt_v2_b0 rdnet_tiny regnetz_005 repghostnet_050 repvit_m0_9
    res2net50_14w_8s resnest14d seresnext26t_32x4d resnetv2_18 rexnet_100 selecsls42 legacy_seresnet18 sequencer2d_s
    shvit_s1 skresnet18 starnet_s1 swiftformer_xs swin_tiny_patch4_window7_224 swinv2_cr_tiny_224 tiny_vit_5m_224
    tnt_s_legacy_patch16_224 twins_svt_small visformer_tiny vit_tiny_patch16_224 vit_tiny_r_s16_p8_224
    vit_relpos_small_patch16_224 vitamin_small_224 volo_d1_224 ese_vovnet19b_slim_dw xcit_nano_12_p16_224
    """.split()
)

ARCHITECTURES = (*TORCHVISION, *TIMM)
