"""Which files are checkpoints? By their names, which a command that names none of them has no reader for."""

from __future__ import annotations

INDEX = ".index.json"
SUFFIXES = (".safetensors", ".gguf", ".pt", ".pth", ".pth.tar", ".ckpt", ".bin", ".npz")
