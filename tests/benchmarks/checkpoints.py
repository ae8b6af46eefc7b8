"""`python -m tests.benchmarks.checkpoints`: how long does it take to read a checkpoint's headers?

Files are as large as their tensors say and have nothing on the disk but headers (`os.truncate`), so that a model of
hundreds of gigabytes is read where there is no room for it. Each is read several times in this process; the median is
shown, for the file and for a thousand of its tensors, with the time until a profile with all its totals is there.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tabulate import tabulate

from profiler.api.profiling import profile
from profiler.sources import checkpoints
from tests.checkpoints import writers

TIMES = 5
_HEADINGS = ("checkpoint", "GB", "files", "tensors", "headers, ms", "a thousand, ms", "profile, ms", "a thousand, ms")


class Case(NamedTuple):
    name: str
    write: Callable[[Path], Path]


def llama(
    layers: int, width: int, inner: int, keys: int, words: int = 128_256
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors of a Llama: nine a layer, and three."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {"model.embed_tokens.weight": ("BF16", (words, width))}
    attention = {"q_proj": (width, width), "k_proj": (keys, width), "v_proj": (keys, width), "o_proj": (width, width)}
    mlp = {"gate_proj": (inner, width), "up_proj": (inner, width), "down_proj": (width, inner)}
    for i in range(layers):
        under = f"model.layers.{i}"
        found |= {f"{under}.self_attn.{name}.weight": ("BF16", shape) for name, shape in attention.items()}
        found |= {f"{under}.mlp.{name}.weight": ("BF16", shape) for name, shape in mlp.items()}
        found |= {
            f"{under}.{name}.weight": ("BF16", (width,)) for name in ("input_layernorm", "post_attention_layernorm")
        }
    return found | {"model.norm.weight": ("BF16", (width,)), "lm_head.weight": ("BF16", (words, width))}


def _sharded(folder: Path) -> Path:
    return writers.sharded(folder, llama(126, 16_384, 53_248, 1_024), 191)


def _experts(folder: Path) -> Path:
    """As many tensors as a mixture of experts has: 61 layers of 256 experts of three matrices."""
    shapes = {"gate_proj": (2048, 7168), "up_proj": (2048, 7168), "down_proj": (7168, 2048)}
    tensors = {
        f"model.layers.{layer}.mlp.experts.{expert}.{name}.weight": ("F8_E4M3", shape)
        for layer in range(61)
        for expert in range(256)
        for name, shape in shapes.items()
    }
    return writers.sharded(folder, tensors, 163)


def _gguf(folder: Path) -> Path:
    """Q4_K, with a vocabulary in its metadata."""
    rows, end = [], 0
    for name, (_, shape) in llama(126, 16_384, 53_248, 1_024).items():
        rows.append((name, tuple(reversed(shape)), 12, end))
        end += writers.product(shape) // 256 * 144
    words = b"".join(writers.text(f"word{i}") for i in range(128_256))
    pair = writers.pair(
        "tokenizer.ggml.tokens", writers.ARRAY, (8).to_bytes(4, "little") + (128_256).to_bytes(8, "little") + words
    )
    path = folder / "model.gguf"
    content = writers.gguf(rows, 0, [pair])
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(len(content) + end)
    return path


def _torch(folder: Path) -> Path:
    """A thousand tensors with the optimizer's state of each."""
    state = {f"layers.{i}.weight": torch.zeros(64, 64) for i in range(1000)}
    moments = {
        i: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(64, 64), "exp_avg_sq": torch.zeros(64, 64)}
        for i in range(1000)
    }
    kept: dict[str, Any] = {
        "model": state,
        "optimizer": {"state": moments, "param_groups": [{"params": list(range(1000))}]},
    }
    torch.save(kept, folder / "training.pt")
    return folder / "training.pt"


CASES = (
    Case("Llama-3.1-405B, safetensors, bfloat16", _sharded),
    Case("61 × 256 experts, safetensors, float8", _experts),
    Case("Llama-3.1-405B, GGUF, q4_k", _gguf),
    Case("1,000 tensors with AdamW's state, torch", _torch),
)


def main() -> int:
    """Print a row for each checkpoint; 1 where a thousand tensors take a second or more."""
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(tuple(_row(case.name, str(case.write(Path(folder))))))
    print(tabulate(rows, _HEADINGS, tablefmt="github", floatfmt=",.1f", intfmt=","))
    return int(any(row[-1] >= 1000 for row in rows))


def _row(name: str, path: str) -> Iterator[Any]:
    found = checkpoints.read(path)
    tensors = len(found.entries)
    yield name
    yield sum(place.size_bytes for place in found.storages) / 10**9
    yield len(found.paths)
    yield tensors
    for work in (lambda: checkpoints.read(path), lambda: profile(path).totals):
        spent = statistics.median(map(_timed, [work] * TIMES))
        yield 1000 * spent
        yield 1000 * 1000 * spent / tensors


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
