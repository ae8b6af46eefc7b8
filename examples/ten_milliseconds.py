"""Which models can at all run in 10 ms on a Raspberry Pi 5? Not those whose lower bound is above it.

Run it with `python examples/ten_milliseconds.py`.
"""

from profiler import profile

DEVICE, MOST_SECONDS = "raspberry-pi-5", 10e-3
MODELS = (
    "resnet18",
    "vgg11",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "shufflenet_v2_x1_0",
    "efficientnet_b0",
    "squeezenet1_1",
)


def main() -> None:
    for name in MODELS:
        times = profile(name).on(DEVICE).times
        assert times is not None
        least, unfused = times.whole.low, times.whole.high
        verdict = "cannot" if least > MOST_SECONDS else "may, if fused" if unfused > MOST_SECONDS else "may"
        print(f"{name:20} {times.word} {1e3 * least:6.2f} ms, nothing fused {1e3 * unfused:6.2f} ms: {verdict}")


if __name__ == "__main__":
    main()
