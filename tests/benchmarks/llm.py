"""`python -m tests.benchmarks.llm`: a language model of 405 billion parameters on this machine.

Prints what it takes to profile the prefill of 4,096 tokens, from the configuration on and behind all imports: seconds
for building the model without weights, for the run on the meta device, and for the totals; and the most memory that the
process had so far. Each depth is run once in a process of its own, so that none finds what another has remembered.
What the imports left is set aside for the garbage collector: its walk over all of it, a quarter of a second, would fall
on one part or another by chance.

Then the ratio of 126 to 32 layers, in time and in MACs; and both phases at a context of 131,072 tokens. Nothing is
asserted.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence

DEEP, SHALLOW = 126, 32
SEQ, LONG = 4096, 131_072
_MB = 1024 * 1024
# The published shape of Llama 3.1 405B.
_SHAPE = (
    "hf:LlamaConfig(hidden_size=16384, intermediate_size=53248, num_hidden_layers={layers}, num_attention_heads=128, "
    "num_key_value_heads=8, vocab_size=128256, max_position_embeddings=131072)"
)


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    if given:
        print(json.dumps(_measured(*map(int, given))))
        return 0
    deep, shallow, long = _apart(DEEP, SEQ), _apart(SHALLOW, SEQ), _apart(DEEP, LONG)
    print("\n".join([*_lines(deep), "", *_ratios(deep, shallow), "", *_lines(long)]))
    return 0


# One measurement ------------------------------------------------------------------------------------------------------


def _apart(layers: int, seq: int) -> dict[str, float]:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.llm", str(layers), str(seq)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(layers: int, seq: int) -> dict[str, float]:
    warnings.simplefilter("ignore")
    from transformers.models.llama import modeling_llama  # noqa: F401  what building imports

    from profiler.answers.generate.phases import Phase
    from profiler.api.profiling import Profile
    from profiler.engine.run.phases import Phases
    from profiler.records.spec import Feed
    from profiler.sources import load

    gc.collect()
    gc.freeze()
    imported, clock = _resident_mb(), [time.perf_counter()]
    subject = load(_SHAPE.format(layers=layers), Feed(seq=seq))
    clock.append(time.perf_counter())
    phases = Phases(subject)  # type: ignore[arg-type]  it is no saved trace
    prefill = Phase(Profile(phases.prefill()))
    clock.append(time.perf_counter())
    totals, attention = prefill.profile.totals, prefill.attention_macs
    clock.append(time.perf_counter())
    after_prefill = _resident_mb()
    decode = Phase(Profile(phases.decode()))
    step = {"decode_macs": decode.macs, "decode_share": decode.attention_macs / decode.macs}
    clock.append(time.perf_counter())
    names = ("build", "run", "totals", "decode")
    return {
        **{name: end - start for name, start, end in zip(names, clock, clock[1:], strict=False)},
        **step,
        "layers": layers,
        "seq": seq,
        "params": totals.params,
        "calls": len(prefill.trace.calls),
        "macs": totals.macs,
        "share": attention / totals.macs,
        "cache_bytes": prefill.cache_bytes,
        "imported_mb": imported,
        "resident_mb": after_prefill,
    }


def _resident_mb() -> float:
    """The most so far; Linux counts in kilobytes, macOS in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / _MB if sys.platform == "darwin" else most / 1024


# What is printed ------------------------------------------------------------------------------------------------------


def _lines(found: dict[str, float]) -> list[str]:
    whole = _prefill_s(found)
    return [
        f"{found['layers']} layers, {found['params']:,} parameters, {found['seq']:,} tokens",
        f"  prefill   {whole:.2f} s: build {found['build']:.2f}, run {found['run']:.2f}, totals {found['totals']:.2f}",
        f"            {found['macs']:,} MACs, {found['share']:.1%} of them attention",
        f"  cache     {found['cache_bytes']:,} bytes in float32",
        f"  decode    {found['decode']:.2f} s more",
        f"            {found['decode_macs']:,} MACs a token, {found['decode_share']:.1%} of them attention",
        f"  resident  {found['resident_mb']:,.0f} MB at most, {found['imported_mb']:,.0f} of them after imports",
    ]


def _prefill_s(found: dict[str, float]) -> float:
    return found["build"] + found["run"] + found["totals"]


def _ratios(deep: dict[str, float], shallow: dict[str, float]) -> list[str]:
    depth = deep["layers"] / shallow["layers"]
    time_ratio, macs = _prefill_s(deep) / _prefill_s(shallow), deep["macs"] / shallow["macs"]
    parts = ", ".join(f"{name} ×{deep[name] / shallow[name]:.2f}" for name in ("build", "run", "totals"))
    return [
        f"{deep['layers']} to {shallow['layers']} layers, ×{depth:.2f}:",
        f"  time ×{time_ratio:.2f} ({parts})",
        f"  MACs ×{macs:.2f}, operator calls ×{deep['calls'] / shallow['calls']:.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
