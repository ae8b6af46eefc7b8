"""A builder that is given a wrong argument, or misses one: what it takes is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler import errors, profile

NETS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=1, depth=2):
        super().__init__()

class Wider(Net):
    def __init__(self, extra=1, **rest):
        super().__init__(**rest)

def build(width, *, depth=2, heads): return Net(width, depth)
def hands_on(**kwargs): return Net(**kwargs)
def misses(**kwargs): return build()
def takes_nothing(): return Net()
def takes_any(width, **kwargs): return Net(width, **kwargs)
def raises(width=3): raise TypeError("bad width")
"""
WIDTHS = "it takes num_classes, zero_init_residual, groups, width_per_group, "
REMEDIES = {
    "resnet34(num_clases=10)": f"did you mean num_classes? {WIDTHS}",
    "resnet34(xyz=10)": f"; {WIDTHS}",
    "swin_t(num_clases=10)": "did you mean num_classes? it takes mlp_ratio,",
    "timm:resnet34(num_clases=10)": "did you mean num_classes? it takes num_classes, in_chans,",
    "nets.py:build": "write nets.py:build(width=..., heads=...); it takes width, depth, heads",
    "nets.py:build()": "write nets.py:build(width=..., heads=...); it takes width, depth, heads",
    "nets.py:build(width=3)": "write nets.py:build(width=3, heads=...); it takes width, depth, heads",
    "nets.py:build(width=3, heds=2)": "did you mean heads? it takes width, depth, heads",
    "nets.py:Net(widht=3)": "did you mean width? it takes width, depth",
    "nets.py:hands_on(widht=3)": "did you mean width? it takes width, depth",
    "nets.py:Wider(dept=3)": "did you mean depth? it takes extra, width, depth",
    "nets.py:takes_any(depht=3)": "write nets.py:takes_any(depht=3, width=...); it takes width",
    "nets.py:takes_any(width=1, depht=3)": "did you mean depth? it takes width, depth",
    "nets.py:takes_nothing(a=1)": "it takes no arguments",
    "nets.py:misses": "check its arguments",
    "nets.py:raises": "at nets.py:17); check its arguments",
    "resnet34(num_classes='a')": "check its arguments",
    "torch.nn:Linear(in_feature=3)": "did you mean in_features? it takes in_features, out_features, bias,",
}


@pytest.mark.parametrize("spec", REMEDIES)
def test_the_arguments_are_listed(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.BuilderFailed) as caught:
        profile(spec, (1, 3))
    assert REMEDIES[spec] in str(caught.value)
