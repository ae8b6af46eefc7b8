"""Our shape rules against torch: where a rule answers, torch says the same; where torch refuses, so does the rule."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from profiler.engine.containers.layouts import layout_of
from profiler.engine.meta.operators import Manner, manner
from profiler.engine.meta.shapes import SHAPES
from profiler.engine.record.insides import inside_bytes, on_meta_alone, taken_apart

_aten = torch.ops.aten
sizes = st.integers(1, 9)
halves = st.sampled_from([torch.float32, torch.bfloat16, torch.float64])


def _same_as_torch(func: Any, *args: Any, device: str = "meta", **kwargs: Any) -> bool:
    """Whether the rule had an answer; fails when it differs from torch's."""
    with torch.inference_mode():
        found = SHAPES[func](*args, **kwargs)
        if found is None:
            return False
        expected = func(*(a.to(device) if isinstance(a, torch.Tensor) else a for a in args), **kwargs)
        assert found is layout_of(expected)
        inside, apart = inside_bytes(func, args, kwargs, found), taken_apart(func, *on_meta_alone(func, args, kwargs))
        assert (inside or found.storage_bytes) == max(apart, found.storage_bytes)
        return True


@st.composite
def images(draw: Any, rank: int = 2, channels: int | None = None, device: str = "meta") -> torch.Tensor:
    """A batch of images: contiguous or channels last, of some floating dtype, such as 2x4x7x5."""
    shape = [draw(st.integers(1, 3)), channels or draw(st.integers(1, 8)), *(draw(sizes) for _ in range(rank))]
    dtype = draw(halves)
    layout = draw(st.sampled_from(["row-major", "channels last", "tokens first"])) if rank == 2 else "row-major"
    if layout == "tokens first":  # as attention leaves them: the batch's stride is small, also where its size is 1
        n, c, h, w = shape
        return torch.empty(h * w, n, c, dtype=dtype, device=device).permute(1, 2, 0).unflatten(2, (h, w))
    tensor = torch.empty(shape, dtype=dtype, device=device)
    return tensor.to(memory_format=torch.channels_last) if layout == "channels last" else tensor


def _like_the_cpu_kernel(func: Any, x: torch.Tensor, *args: Any) -> None:
    """Against the kernel that runs: for channels-last images, torch's metadata functions say something else."""
    try:
        with torch.inference_mode():
            expected = func(x, *args)
    except RuntimeError:
        assert SHAPES[func](x, *args) is None
    else:
        answered = _same_as_torch(func, x, *args, device="cpu")
        assert answered or not layout_of(x).is_row_major or not expected.numel()


@given(data=st.data(), rank=st.sampled_from([1, 2, 3]))
def test_convolution(data: st.DataObject, rank: int) -> None:
    groups = data.draw(st.sampled_from([1, 2, 4]))
    x = data.draw(images(rank, channels=4, device="cpu"))
    weight = torch.zeros(8, 4 // groups, *(data.draw(st.integers(1, 4)) for _ in range(rank)), dtype=x.dtype)
    bias = data.draw(st.sampled_from([None, torch.zeros(8, dtype=x.dtype)]))
    stride, padding, dilation = (data.draw(st.integers(low, 3)) for low in (1, 0, 1))
    if not layout_of(x).is_row_major:  # oneDNN of torch 2.14.1 crashes where a whole window lies in the padding
        padding = min(padding, dilation * (min(weight.shape[2:]) - 1))
    settings = [[setting] * rank for setting in (stride, padding, dilation)]
    func = (_aten.conv1d, _aten.conv2d, _aten.conv3d)[rank - 1].default
    _like_the_cpu_kernel(func, x, weight, bias, *settings, groups)


@given(data=st.data(), groups=st.sampled_from([1, 2, 4]), extra=st.integers(0, 2))
def test_transposed_convolution(data: st.DataObject, groups: int, extra: int) -> None:
    x = data.draw(images(channels=4, device="cpu"))
    weight = torch.zeros(4, 2, *(data.draw(st.integers(1, 4)) for _ in range(2)), dtype=x.dtype)
    bias = data.draw(st.sampled_from([None, torch.zeros(2 * groups, dtype=x.dtype)]))
    stride, padding, dilation = ([data.draw(st.integers(low, 3))] * 2 for low in (1, 0, 1))
    args = (weight, bias, stride, padding, [extra] * 2, groups, dilation)
    _like_the_cpu_kernel(_aten.conv_transpose2d.input, x, *args)


@given(
    x=images(),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_max_pool2d(x: torch.Tensor, kernel: int, stride: int, padding: int, dilation: int) -> None:
    args = (x, [kernel], [stride], [padding], [dilation])
    try:
        with torch.inference_mode():
            _aten.max_pool2d.default(*args)
    except RuntimeError:
        assert SHAPES[_aten.max_pool2d.default](*args) is None
    else:
        _same_as_torch(_aten.max_pool2d.default, *args)


_LIKE_INPUT = [
    func
    for func in SHAPES
    if func._schema.name.split("::")[1].rstrip("_")
    in {"relu", "hardtanh", "hardswish", "hardsigmoid", "silu", "sigmoid", "tanh", "gelu", "leaky_relu", "elu", "mish"}
]


@pytest.mark.parametrize("func", _LIKE_INPUT, ids=str)
@given(x=images())
def test_elementwise(func: Any, x: torch.Tensor) -> None:
    assert _same_as_torch(func, x) == layout_of(x).is_row_major


def test_every_elementwise_rule_is_tested() -> None:
    rules = [func for func, rule in SHAPES.items() if rule.__name__ == "elementwise"]
    assert sorted(map(str, rules)) == sorted(map(str, _LIKE_INPUT))


@pytest.mark.parametrize("func", [f for f, rule in SHAPES.items() if rule.__name__ == "binary"], ids=str)
@given(x=images(), kept=st.lists(st.booleans(), min_size=4, max_size=4), rank=st.integers(0, 4))
def test_binary(func: Any, x: torch.Tensor, kept: list[bool], rank: int) -> None:
    shape = [size if keep else 1 for size, keep in zip(x.shape, kept, strict=True)][4 - rank :]
    answered = _same_as_torch(func, x, torch.empty(shape, dtype=x.dtype, device="meta"))
    assert answered == layout_of(x).is_row_major
    assert SHAPES[func](x, torch.empty((7, *x.shape), dtype=x.dtype, device="meta")) is None


@given(x=images(), affine=st.booleans())
def test_batch_norm(x: torch.Tensor, affine: bool) -> None:
    each = torch.empty(x.shape[1], dtype=x.dtype, device="meta")
    scale = each if affine else None
    assert (
        _same_as_torch(_aten.batch_norm.default, x, scale, scale, each, each, False, 0.1, 1e-5, True)
        == layout_of(x).is_row_major
    )
    wrong = torch.empty(x.shape[1] + 1, dtype=x.dtype, device="meta")
    assert SHAPES[_aten.batch_norm.default](x, scale, scale, wrong, wrong, False, 0.1, 1e-5, True) is None


@given(x=images(channels=4, device="cpu"), groups=st.sampled_from([1, 2, 4]), affine=st.booleans())
def test_group_norm(x: torch.Tensor, groups: int, affine: bool) -> None:
    scale = torch.zeros(4, dtype=x.dtype) if affine else None
    _like_the_cpu_kernel(_aten.group_norm.default, x, groups, scale, scale, 1e-5, True)
    assert SHAPES[_aten.group_norm.default](x, 3, scale, scale) is None


@given(x=images(), rank=st.integers(1, 3))
def test_layer_norm(x: torch.Tensor, rank: int) -> None:
    shape = list(x.shape[-rank:])
    weight = torch.empty(shape, dtype=x.dtype, device="meta")
    assert _same_as_torch(_aten.layer_norm.default, x, shape, weight, weight) == layout_of(x).is_row_major
    assert SHAPES[_aten.layer_norm.default](x, [shape[0] + 1, *shape[1:]]) is None


@given(x=images(), size=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_adaptive_avg_pool2d(x: torch.Tensor, size: tuple[int, int]) -> None:
    assert _same_as_torch(_aten.adaptive_avg_pool2d.default, x, list(size)) == layout_of(x).is_row_major


@given(x=images(), dim=st.integers(-5, 4))
def test_softmax(x: torch.Tensor, dim: int) -> None:
    answered = SHAPES[_aten.softmax.int](x, dim) is not None
    assert answered == (layout_of(x).is_row_major and -4 <= dim < 4)
    if answered:
        _same_as_torch(_aten.softmax.int, x, dim)


@given(data=st.data(), leading=st.lists(sizes, min_size=1, max_size=3), width=sizes, out=sizes, dtype=halves)
def test_linear(data: st.DataObject, leading: list[int], width: int, out: int, dtype: torch.dtype) -> None:
    x = torch.empty(*leading, width, dtype=dtype, device="meta")
    weight = torch.empty(out, width, dtype=dtype, device="meta")
    bias = data.draw(st.sampled_from([None, torch.empty(out, dtype=dtype, device="meta")]))
    assert _same_as_torch(_aten.linear.default, x, weight, bias)
    assert SHAPES[_aten.linear.default](x, torch.empty(out, width + 1, dtype=dtype, device="meta")) is None


@given(
    order=st.permutations(range(3)),
    shape=st.tuples(sizes, sizes, sizes, sizes),
    keys=sizes,
    causal=st.booleans(),
    mask=st.sampled_from([None, torch.bool, torch.float32]),
    sliced=st.booleans(),
)
def test_attention_is_laid_out_as_the_cpu_kernel_does(
    order: list[int], shape: tuple[int, ...], keys: int, causal: bool, mask: torch.dtype | None, sliced: bool
) -> None:
    """Against the kernel that runs, since torch decomposes attention on meta."""
    n, heads, length, channels = shape
    stored = [(n, heads, length)[i] for i in order]
    query = torch.zeros(*stored, channels * (2 if sliced else 1))[..., :channels].permute(
        *(order.index(i) for i in range(3)), 3
    )
    key = torch.zeros(n, heads, keys, channels)
    causal = causal and mask is None
    given_mask = None if mask is None else torch.zeros(length, keys, dtype=mask)
    func = _aten.scaled_dot_product_attention.default
    assert _same_as_torch(func, query, key, key, given_mask, 0.0, causal, device="cpu")


def test_every_rule_belongs_to_an_operator_that_makes_or_overwrites_tensors() -> None:
    assert {manner(func) for func in SHAPES} == {Manner.FRESH, Manner.INPLACE}


@given(
    rows=st.integers(1, 12),
    width=st.integers(1, 6),
    out=st.integers(1, 6),
    form=st.sampled_from(["rows by stack", "stack by columns", "shared", "stacks"]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_grouped_mm_is_laid_out_as_the_cpu_kernel_does(
    rows: int, width: int, out: int, form: str, dtype: torch.dtype
) -> None:
    """Sizes are multiples of four: rows of 16 bytes in float32, and in the others where they are of eight."""
    k, n, groups = 4 * width, 4 * out, 3
    shapes = {
        "rows by stack": ((rows, k), (groups, k, n), rows),
        "stack by columns": ((groups, rows, k), (k, n), n),
        "shared": ((4 * rows, k), (k, n), k),
        "stacks": ((groups, rows, k), (groups, k, n), None),
    }
    first, second, total = shapes[form]
    a, b = torch.zeros(first, dtype=dtype), torch.zeros(second, dtype=dtype)
    offsets = None if total is None else torch.full((groups,), total, dtype=torch.int32)
    given_offsets = () if offsets is None else (offsets,)
    func = _aten._grouped_mm.default
    found = SHAPES[func](a, b, *given_offsets)
    try:
        expected = func(a, b, *given_offsets)
    except RuntimeError:
        return
    assert found is None or found is layout_of(expected)
    assert found is not None or dtype is not torch.float32
