"""PEFT: adapters of many kinds on a small model of torch's own layers, and on one of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import peft
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from tests.benchmarks.foreign.libraries import Builder


class Base(nn.Module):
    """What is adapted: a convolution, an embedding and linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.convolution = nn.Embedding(50, 32), nn.Conv1d(32, 32, 3, padding=1)
        self.first, self.second, self.head = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.convolution(self.embedding(tokens).transpose(1, 2)).transpose(1, 2)
        found: torch.Tensor = self.head(self.second(self.first(hidden).relu()).relu())
        return found


_LINEAR = {"target_modules": ["first", "second"]}
_CONFIGS: Mapping[str, Any] = {
    "LoRA": lambda: peft.LoraConfig(r=4, **_LINEAR),
    "LoRA dropout": lambda: peft.LoraConfig(r=4, lora_dropout=0.1, **_LINEAR),
    "LoRA everywhere": lambda: peft.LoraConfig(r=4, target_modules=["first", "embedding", "convolution"]),
    "DoRA": lambda: peft.LoraConfig(r=4, use_dora=True, **_LINEAR),
    "rsLoRA": lambda: peft.LoraConfig(r=4, use_rslora=True, **_LINEAR),
    "LoRA with saved head": lambda: peft.LoraConfig(r=4, modules_to_save=["head"], **_LINEAR),
    "LoHa": lambda: peft.LoHaConfig(r=4, **_LINEAR),
    "LoKr": lambda: peft.LoKrConfig(r=4, **_LINEAR),
    "AdaLoRA": lambda: peft.AdaLoraConfig(init_r=4, target_r=2, total_step=10, **_LINEAR),
    "IA3": lambda: peft.IA3Config(target_modules=["first", "second"], feedforward_modules=["second"]),
    "OFT": lambda: peft.OFTConfig(r=4, oft_block_size=0, **_LINEAR),
    "BOFT": lambda: peft.BOFTConfig(boft_block_size=4, **_LINEAR),
    "VeRA": lambda: peft.VeraConfig(r=4, **_LINEAR),
    "FourierFT": lambda: peft.FourierFTConfig(n_frequency=16, **_LINEAR),
    "HRA": lambda: peft.HRAConfig(r=4, **_LINEAR),
    "VBLoRA": lambda: peft.VBLoRAConfig(r=4, num_vectors=8, vector_length=4, topk=2, **_LINEAR),
    "LN tuning": lambda: peft.LNTuningConfig(target_modules=["first"]),
    "Bone": lambda: peft.MissConfig(r=4, **_LINEAR),
}
_PROMPTS: Mapping[str, Any] = {
    "prompt tuning": lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "prefix tuning": lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "P-tuning": lambda: peft.PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=16),
    "LoRA": lambda: peft.LoraConfig(task_type="CAUSAL_LM", r=4),
    "IA3": lambda: peft.IA3Config(task_type="CAUSAL_LM"),
}


def _gpt2() -> nn.Module:
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=4, vocab_size=64, n_positions=32))


def _llama() -> nn.Module:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes))


def _on_base(name: str) -> tuple[nn.Module, Any]:
    return peft.get_peft_model(Base(), _CONFIGS[name]()), torch.randint(0, 50, (2, 12))


def _on_gpt2(name: str) -> tuple[nn.Module, Any]:
    return peft.get_peft_model(_gpt2(), _PROMPTS[name]()), {"input_ids": torch.randint(0, 64, (2, 12))}


def _merged() -> tuple[nn.Module, Any]:
    model = peft.get_peft_model(Base(), peft.LoraConfig(r=4, **_LINEAR))
    return model.merge_and_unload(), torch.randint(0, 50, (2, 12))


def _two_adapters() -> tuple[nn.Module, Any]:
    model = peft.get_peft_model(Base(), peft.LoraConfig(r=4, **_LINEAR))
    model.add_adapter("other", peft.LoraConfig(r=8, **_LINEAR))
    model.set_adapter("other")
    return model, torch.randint(0, 50, (2, 12))


ARCHITECTURES: Mapping[str, Builder] = {
    **{name: partial(_on_base, name) for name in _CONFIGS},
    **{f"GPT-2, {name}": partial(_on_gpt2, name) for name in _PROMPTS},
    "Llama, LoRA": lambda: (
        peft.get_peft_model(_llama(), peft.LoraConfig(task_type="CAUSAL_LM", r=4)),
        {"input_ids": torch.randint(0, 64, (2, 12))},
    ),
    "merged": _merged,
    "two adapters": _two_adapters,
}
