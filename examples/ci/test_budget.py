"""A budget as a test of your own: it fails with a sentence for each limit that the model is over."""

from torchvision.models import mobilenet_v2

from profiler import profile


def test_the_model_fits_the_phone():
    profile(mobilenet_v2(), "1x3x224x224").check(max_params="4M", max_size="15MB", max_macs="320M")
