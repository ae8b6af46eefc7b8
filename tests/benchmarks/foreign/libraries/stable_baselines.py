"""Stable-Baselines3: policies of reinforcement learning; a forward pass draws an action."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy
import torch
from gymnasium import spaces
from stable_baselines3.common import policies, torch_layers
from stable_baselines3.dqn.policies import CnnPolicy as QCnnPolicy
from stable_baselines3.dqn.policies import MlpPolicy as QMlpPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import nn

from tests.benchmarks.foreign.libraries import Builder

_BOX, _IMAGE = spaces.Box(-1, 1, (8,)), spaces.Box(0, 255, (3, 64, 64), dtype=numpy.uint8)
_DISCRETE, _CONTINUOUS = spaces.Discrete(4), spaces.Box(-1, 1, (2,))
_ACTIONS: Mapping[str, spaces.Space[Any]] = {
    "discrete": _DISCRETE,
    "continuous": _CONTINUOUS,
    "several discrete": spaces.MultiDiscrete([3, 2]),
    "binary": spaces.MultiBinary(3),
}


def _rate(_: float) -> float:
    return 1e-3


def _actor_critic(actions: str, **options: Any) -> tuple[nn.Module, Any]:
    return policies.ActorCriticPolicy(_BOX, _ACTIONS[actions], _rate, **options), torch.rand(4, 8)


def _images(policy: type[nn.Module]) -> tuple[nn.Module, Any]:
    return policy(_IMAGE, _DISCRETE, _rate), torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)


def _several() -> tuple[nn.Module, Any]:
    space = spaces.Dict({"state": _BOX, "image": _IMAGE})
    observed = {"state": torch.rand(2, 8), "image": torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)}
    return policies.MultiInputActorCriticPolicy(space, _DISCRETE, _rate), (observed,)


ARCHITECTURES: Mapping[str, Builder] = {
    **{f"actor and critic, {name}": partial(_actor_critic, name) for name in _ACTIONS},
    "actor and critic, state dependent": partial(_actor_critic, "continuous", use_sde=True),
    "actor and critic, wide": partial(_actor_critic, "discrete", net_arch={"pi": [64, 64], "vf": [128]}),
    "actor and critic, images": partial(_images, policies.ActorCriticCnnPolicy),
    "actor and critic, several inputs": _several,
    "Q network": lambda: (QMlpPolicy(_BOX, _DISCRETE, _rate), torch.rand(4, 8)),
    "Q network, images": partial(_images, QCnnPolicy),
    "SAC": lambda: (SACPolicy(_BOX, _CONTINUOUS, _rate), torch.rand(4, 8)),
    "TD3": lambda: (TD3Policy(_BOX, _CONTINUOUS, _rate), torch.rand(4, 8)),
    "NatureCNN": lambda: (torch_layers.NatureCNN(_IMAGE, normalized_image=False), torch.rand(2, 3, 64, 64)),
}
