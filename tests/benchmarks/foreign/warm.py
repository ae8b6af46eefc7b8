"""Imported once by the process that the others are forked from: what torch imports when it is first used, is there."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from profiler import profile

warnings.simplefilter("ignore")
torch.set_num_threads(1)  # so that no thread is running when a process is forked
with FlopCounterMode(display=False):
    nn.Linear(2, 2)(torch.rand(1, 2))
profile(nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.LayerNorm(2)), (1, 2))
