"""What do models look like that people write? One of images, one of words at once, one of words one by one."""

import torch
import torch.nn.functional as F
from torch import nn


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.PReLU(), nn.MaxPool2d(2))
        self.norm, self.up = nn.InstanceNorm2d(8, affine=True), nn.Upsample(scale_factor=2, mode="bilinear")
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        x = self.norm(self.stem(x))
        x = x * torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None] / 2
        return torch.cat([self.up(x).clamp(0, 1), F.interpolate(x, scale_factor=2)], 1).std(1)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(50, 16), nn.LayerNorm(16), nn.Linear(16, 50)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True) for _ in range(2))

    def forward(self, ids):
        x = self.embedding(ids) * 16**0.5
        angles = torch.arange(x.shape[1], device=x.device)[:, None] / 10000 ** (torch.arange(8, device=x.device) / 8)
        x = torch.stack((x[..., ::2] * angles.cos(), x[..., 1::2] * angles.sin()), -1).flatten(-2)
        for layer in self.layers:
            x = layer(x)
        x = x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
        return torch.log_softmax(self.head(self.norm(x)), -1)


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(50, 16), nn.LSTM(16, 8, 2, batch_first=True, bidirectional=True)
        self.gru, self.head = nn.GRU(16, 8), nn.Linear(8, 5)

    def forward(self, ids):
        return torch.log_softmax(self.head(self.gru(self.lstm(self.embedding(ids))[0])[0]), -1)
