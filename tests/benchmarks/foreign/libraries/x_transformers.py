"""x-transformers: one small decoder or encoder for each of its options."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import x_transformers
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_SIZE = {"dim": 64, "depth": 2, "heads": 4, "attn_dim_head": 16, "verbose": False}
# Options of the layers by the names that the architectures get.
_LAYERS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "scalenorm": {"use_scalenorm": True},
    "rmsnorm": {"use_rmsnorm": True},
    "simple rmsnorm": {"use_simple_rmsnorm": True},
    "dynamic tanh": {"use_dynamic_tanh": True},
    "derf": {"use_derf": True},
    "alibi": {"alibi_pos_bias": True, "alibi_num_heads": 2},
    "relative position bias": {"rel_pos_bias": True},
    "dynamic position bias": {"dynamic_pos_bias": True, "dynamic_pos_bias_log_distance": False},
    "rotary": {"rotary_pos_emb": True},
    "rotary xpos": {"rotary_pos_emb": True, "rotary_xpos": True},
    "polar": {"polar_pos_emb": True},
    "tied layers": {"weight_tie_layers": True},
    "custom order": {"layers_execute_order": (0, 1, 0, 1, 2, 3)},
    "sandwich": {"sandwich_coef": 1},
    "parallel": {"par_ratio": 2},
    "residual attention": {"residual_attn": True},
    "macaron": {"macaron": True},
    "post norm": {"pre_norm": False},
    "pre and post norm": {"pre_and_post_norm": True},
    "aggregated residuals": {"attn_aggregated_residuals": True, "attn_aggregated_residual_kwargs": {"lora_rank": 16}},
    "gated residual": {"gate_residual": True},
    "orthogonal residual": {"orthog_residual": True},
    "scaled residual": {"scale_residual": True},
    "shifted tokens": {"shift_tokens": 1},
    "sandwich norm": {"sandwich_norm": True},
    "soft clamp": {"softclamp_output": True},
    "layer dropout": {"layer_dropout": 0.5},
    "layer scale": {"use_layerscale": True},
    "u-net skips": {"unet_skips": True},
    "integrated layers": {"integrate_layers": True},
    "hyper connections": {"num_residual_streams": 2},
    "reinjected input": {"reinject_input": True},
    "value residual": {"add_value_residual": True},
    "flash": {"attn_flash": True},
    "flash with rotary": {"attn_flash": True, "rotary_pos_emb": True},
    "flash with alibi": {"attn_flash": True, "alibi_pos_bias": True},
    "talking heads": {"attn_pre_talking_heads": True, "attn_post_talking_heads": True},
    "head scale": {"attn_head_scale": True},
    "sparse top-k": {"attn_sparse_topk": 4},
    "memory keys": {"attn_num_mem_kv": 4},
    "attention on attention": {"attn_on_attn": True},
    "gated values": {"attn_gate_values": True},
    "gated value heads": {"attn_gate_value_heads": True},
    "hard attention": {"attn_hard": True},
    "local attention": {"attn_max_attend_past": 4},
    "qk norm": {"attn_qk_norm": True},
    "qk norm per dim": {"attn_qk_norm": True, "attn_qk_norm_dim_scale": True},
    "qk rmsnorm": {"attn_qk_rmsnorm": True},
    "l2 distance": {"attn_l2_distance": True},
    "sigmoid": {"attn_sigmoid": True},
    "gumbel softmax": {"attn_gumbel_softmax": True},
    "selective": {"attn_selective": True},
    "cog": {"attn_cog_signed": True},
    "one kv head": {"attn_one_kv_head": True},
    "grouped kv heads": {"attn_kv_heads": 2},
    "value dim": {"attn_value_dim_head": 8},
    "zero kv": {"attn_add_zero_kv": True},
    "learned sink": {"attn_head_learned_sink": True},
    "data dependent alibi": {"attn_data_dependent_alibi": True},
    "cope": {"attn_use_cope": True},
    "soft clamped logits": {"attn_softclamp_logits": True},
    "orthogonal values": {"attn_orthog_projected_values": True},
    "laser": {"attn_laser": True},
    "latent q": {"attn_use_latent_q": True, "attn_dim_latent_q": 32},
    "latent kv": {"attn_use_latent_kv": True, "attn_dim_latent_kv": 32},
    "glu": {"ff_glu": True},
    "swiglu": {"ff_glu": True, "ff_swish": True},
    "squared relu": {"ff_relu_squared": True},
    "solu": {"ff_solu": True},
    "norm after activation": {"ff_post_act_ln": True},
    "no bias": {"ff_no_bias": True},
}
_DECODER_ONLY = {"rotary xpos", "selective", "cope"}
# Options of what is around the layers.
_WRAPPERS: Mapping[str, Mapping[str, Any]] = {
    "memory tokens": {"num_memory_tokens": 4},
    "tied embedding": {"tie_embedding": True},
    "sinusoidal positions": {"scaled_sinu_pos_emb": True},
    "l2norm embedding": {"l2norm_embed": True},
    "average pool": {"average_pool_embed": True},
    "class token": {"use_cls_token": True},
    "attention pool": {"attn_pool": True},
    "mixture of softmax": {"mixture_of_softmax": True},
    "sigsoftmax": {"sigsoftmax_logits": True},
    "two output heads": {"num_output_heads": 2},
    "embedding gradient": {"emb_frac_gradient": 0.5},
    "norm after embedding": {"post_emb_norm": True},
}


def _tokens() -> torch.Tensor:
    return torch.randint(0, 256, (2, 32))


def _wrapped(layers: nn.Module, **options: Any) -> nn.Module:
    return x_transformers.TransformerWrapper(num_tokens=256, max_seq_len=32, attn_layers=layers, **options)


def _by_layers(kind: type[nn.Module], options: Mapping[str, Any]) -> tuple[nn.Module, Any]:
    return _wrapped(kind(**_SIZE, **options)), _tokens()


def _by_wrapper(options: Mapping[str, Any]) -> tuple[nn.Module, Any]:
    return _wrapped(x_transformers.Encoder(**_SIZE), **options), _tokens()


def _around(kind: type[nn.Module], **options: Any) -> tuple[nn.Module, Any]:
    """A wrapper for training: it takes tokens and returns a loss."""
    return kind(_wrapped(x_transformers.Decoder(**_SIZE)), **options), _tokens()


def _encoder_decoder() -> tuple[nn.Module, Any]:
    sides = {
        f"{side}_{name}": value
        for side in ("enc", "dec")
        for name, value in (("num_tokens", 256), ("depth", 2), ("heads", 4), ("max_seq_len", 32))
    }
    return x_transformers.XTransformer(dim=64, tie_token_emb=True, **sides), (_tokens(), _tokens())


def _vision() -> tuple[nn.Module, Any]:
    layers = x_transformers.Encoder(**_SIZE)
    model = x_transformers.ViTransformerWrapper(image_size=64, patch_size=16, num_classes=10, attn_layers=layers)
    return model, torch.rand(2, 3, 64, 64)


def _continuous() -> tuple[nn.Module, Any]:
    layers = x_transformers.Decoder(**_SIZE)
    model = x_transformers.ContinuousTransformerWrapper(dim_in=8, dim_out=8, max_seq_len=32, attn_layers=layers)
    return model, torch.rand(2, 32, 8)


def _continuous_autoregressive() -> tuple[nn.Module, Any]:
    model, _ = _continuous()
    return x_transformers.ContinuousAutoregressiveWrapper(model), torch.rand(2, 32, 8)


def _masked() -> tuple[nn.Module, Any]:
    mask = torch.ones(2, 32, dtype=torch.bool)
    mask[1, 20:] = False
    return _wrapped(x_transformers.Encoder(**_SIZE)), {"x": _tokens(), "mask": mask}


def _cross_attender() -> tuple[nn.Module, Any]:
    return x_transformers.CrossAttender(**_SIZE), {"x": torch.rand(2, 8, 64), "context": torch.rand(2, 32, 64)}


def _several_inputs() -> tuple[nn.Module, Any]:
    model = x_transformers.MultiInputTransformerWrapper(
        num_tokens={"note": 20, "pitch": 32}, max_seq_len=32, attn_layers=x_transformers.Decoder(**_SIZE)
    )
    return model, ({"note": torch.randint(0, 20, (2, 32)), "pitch": torch.randint(0, 32, (2, 32))},)


def _values_and_tokens() -> tuple[nn.Module, Any]:
    model = x_transformers.XValTransformerWrapper(
        num_tokens=4, numerical_token_id=3, max_seq_len=32, attn_layers=x_transformers.Decoder(**_SIZE)
    )
    return model, (torch.randint(0, 4, (2, 32)), torch.rand(2, 32))


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"decoder, {name}": partial(_by_layers, x_transformers.Decoder, options) for name, options in _LAYERS.items()},
    **{
        f"encoder, {name}": partial(_by_layers, x_transformers.Encoder, options)
        for name, options in _LAYERS.items()
        if name not in _DECODER_ONLY
    },
    **{f"wrapper, {name}": partial(_by_wrapper, options) for name, options in _WRAPPERS.items()},
    "autoregressive": partial(_around, x_transformers.AutoregressiveWrapper),
    "autoregressive, masked": partial(_around, x_transformers.AutoregressiveWrapper, mask_prob=0.15),
    "non-autoregressive": lambda: (
        x_transformers.NonAutoregressiveWrapper(_wrapped(x_transformers.Encoder(**_SIZE)), mask_id=0, steps=4),
        _tokens(),
    ),
    "belief state": partial(_around, x_transformers.BeliefStateWrapper),
    "encoder and decoder": _encoder_decoder,
    "vision": _vision,
    "continuous": _continuous,
    "continuous autoregressive": _continuous_autoregressive,
    "masked encoder": _masked,
    "cross attender": _cross_attender,
    "several inputs": _several_inputs,
    "values and tokens": _values_and_tokens,
    "MLP over weights": lambda: (
        x_transformers.NeoMLP(dim_in=5, dim_out=7, dim_hidden=16, depth=2, dim_model=64),
        torch.rand(3, 5),
    ),
}
