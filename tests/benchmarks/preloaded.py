"""What `tests.benchmarks.readings` imports once, for all the processes that are forked then."""

from contextlib import suppress
from importlib import import_module

for _name in (
    "torch", "torchvision", "timm", "profiler.engine.run.running", "tests.benchmarks.forked", "fvcore.nn", "thop",
    "ptflops", "torchprofile", "calflops", "torchinfo", "torch.utils.flop_counter",
    "deepspeed.profiling.flops_profiler",
):  # fmt: skip
    with suppress(Exception):
        import_module(_name)
