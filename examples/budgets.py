"""Does it fit? Three models of torchvision for a device that gives a model 12 MB of weights and 400 million MACs."""

from profiler import CheckFailed, profile

LIMITS = {"max_size": "12MB", "max_macs": "400M", "max_peak_memory": "32MB"}

for name in ("mobilenet_v3_small", "squeezenet1_1", "mobilenet_v2"):
    try:
        check = profile(name).check(**LIMITS)
    except CheckFailed as failed:
        print(f"does not fit: {failed}\n")
    else:
        print(f"{check}\n")
