"""How good are predicted times? Models are predicted and measured, none of which was used in the calibration.

    python -m tests.benchmarks.latency [--device cpu] [--threads N] [--calibration FILE] [--quick]

Beside the predictions stand time proportional to FLOPs, at the factor that suits these very models best, and what the
machine's peak and bandwidth bound from below.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from profiler import profile
from profiler.answers.calibrate.compute import calibrate
from profiler.devices.calibration import file
from profiler.devices.calibration.predict import Calibration, Machine
from profiler.devices.device import Device
from profiler.devices.roofline import Roofline

MODELS = (
    "alexnet vgg11 resnet18 resnet50 resnext50_32x4d wide_resnet50_2 densenet121 googlenet inception_v3 squeezenet1_1 "
    "shufflenet_v2_x1_0 mobilenet_v2 mobilenet_v3_large mnasnet1_0 efficientnet_b0 efficientnet_v2_s regnet_y_400mf "
    "regnet_x_1_6gf convnext_tiny vit_b_32 vit_b_16 swin_t maxvit_t "
    "timm:deit_tiny_patch16_224 timm:mixer_s32_224 timm:gmlp_s16_224 timm:resmlp_12_224 timm:poolformer_s12 "
    "timm:xcit_nano_12_p16_224 timm:edgenext_xx_small timm:repvgg_a0 timm:ghostnet_100 timm:hardcorenas_a "
    "timm:tinynet_a timm:rexnet_100 timm:fbnetc_100 timm:dla34 timm:hrnet_w18_small timm:res2net50_26w_4s "
    "timm:convmixer_768_32 timm:cspresnet50 timm:mobileone_s0 timm:levit_128 timm:pit_xs_224 timm:cait_xxs24_224"
).split()
QUICK = MODELS[2:30:6]
BATCHES = (1, 8)
_ROUNDS, _LEAST, _SECONDS = 2, 3, 0.4  # measurements of a model are in so many places of the run


def main() -> None:
    arguments = _arguments()
    warnings.filterwarnings("ignore")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    names, calibration = QUICK if arguments.quick else MODELS, _calibration(arguments)
    measured: dict[tuple[str, int], list[float]] = {}
    predicted: dict[tuple[str, int], tuple[float, float, float, float, float]] = {}
    bound = Roofline(_device(calibration.machine))
    for turn in range(_ROUNDS):
        for name in names:
            model, side = _built(name).to(arguments.device), 299 if name == "inception_v3" else 224
            for batch in BATCHES:
                if not turn:
                    shown = profile(model, f"{batch}x3x{side}x{side}")
                    whole = calibration.times(shown.trace).whole
                    predicted[name, batch] = (*whole, bound.times(shown.trace).whole.seconds, shown.totals.flops or 0)
                x = torch.randn(batch, 3, side, side, device=arguments.device)
                measured.setdefault((name, batch), []).append(_seconds(model, x))
            del model
            gc.collect()
    _report({key: min(times) for key, times in measured.items()}, predicted)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--calibration", help="a file of `profile-model calibrate`; by default this machine is calibrated"
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="that the calibration takes")
    parser.add_argument("--quick", action="store_true", help="five models")
    return parser.parse_args()


def _calibration(arguments: argparse.Namespace) -> Calibration:
    if arguments.calibration:
        return file.read(arguments.calibration)

    @contextmanager
    def silent(_: str) -> Iterator[Any]:
        yield lambda _: None

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "here.toml")
        return calibrate(path, arguments.device, arguments.threads, arguments.seconds, ("float32",), silent).calibration


def _device(machine: Machine) -> Device:
    """This machine as a data sheet has it."""
    rates = dict(machine.peak)
    return Device(
        name="here", title=machine.title, kind=machine.device, vendor="", year=0, memory_bytes=1,
        memory_bandwidth=machine.memory_bandwidth, peak=rates, vector=rates, launch_overhead=machine.call_seconds,
        link=None, link_bandwidth=None, sources=(),
    )  # fmt: skip


def _built(name: str) -> torch.nn.Module:
    import timm
    import torchvision

    if name.startswith("timm:"):
        return timm.create_model(name.removeprefix("timm:")).eval()
    settings = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **settings).eval()


def _seconds(model: torch.nn.Module, x: torch.Tensor) -> float:
    """The median of some runs."""

    def run() -> float:
        start = time.perf_counter()
        model(x)
        if x.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    with torch.inference_mode():
        run(), run()
        times: list[float] = []
        end = time.perf_counter() + _SECONDS
        while len(times) < _LEAST or time.perf_counter() < end:
            times.append(run())
    return median(times)


def _report(measured: dict[tuple[str, int], float], predicted: dict[tuple[str, int], tuple[float, ...]]) -> None:
    keys = list(measured)
    real = np.array([measured[key] for key in keys])
    whole, low, high, bound, flops = np.array([predicted[key] for key in keys]).T
    print(f"{'model':32} batch  measured ms  predicted ms   error")
    for (name, batch), a, b in zip(keys, real, whole, strict=True):
        print(f"{name:32} {batch:5} {a * 1e3:12.2f} {b * 1e3:13.2f} {100 * (b / a - 1):+6.1f} %")
    factor = np.exp(np.mean(np.log(real) - np.log(flops)))
    print(f"{len(keys)} runs of {len(keys) // len(BATCHES)} models")
    for words, times in (("predicted", whole), ("FLOPs", flops * factor), ("peak and bandwidth", bound)):
        errors = np.abs(times / real - 1)
        print(
            f"{words:20} median error {100 * np.median(errors):5.1f} %, 90th percentile "
            f"{100 * np.quantile(errors, 0.9):5.1f} %, Spearman {_spearman(times, real):.3f}"
        )
    print(f"{np.mean((low <= real) & (real <= high)):.0%} of the measured times are in the interval predicted")


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    main()
