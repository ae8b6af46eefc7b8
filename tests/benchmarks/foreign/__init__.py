"""Models of libraries that the profiler has never seen: does each that runs on a CPU profile, and come back whole?

Each is profiled from a live object and from a spec, in inference and as a training step, on meta tensors and on real
ones; its parameters are held against `sum(numel)`, its MACs against torch's FlopCounterMode, and a fingerprint of the
model, its inputs and the process before the profile against the one after it. Nobody's forward is altered.

The libraries come from PyPI alone and are not among this project's dependencies. In an environment that has torch:

    python3.11 -m venv foreign
    echo ENVIRONMENT_WITH_TORCH/lib/python3.11/site-packages > foreign/lib/python3.11/site-packages/torch.pth
    foreign/bin/pip install --no-deps -r tests/benchmarks/foreign/requirements.txt
    foreign/bin/python -m tests.benchmarks.foreign --json results.jsonl

`--no-deps` keeps pip from installing another torch; the requirements list what is needed besides. `python -m
tests.benchmarks.foreign vit_pytorch --filter 'simple*'` is a quick look, `--show --json results.jsonl` prints the
tables again. A file in `libraries/` is a library.
"""
