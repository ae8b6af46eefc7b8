"""Our shape rules against torch: where a rule answers, torch says the same; where torch refuses, so does the rule."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from profiler.engine.containers.layouts import layout_of
from profiler.engine.meta.operators import Manner, manner
from profiler.engine.meta.rules import SHAPES
from profiler.engine.record.insides import inside_bytes, on_meta_alone, taken_apart
from tests.laws import share

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


@st.composite
def operands(draw: Any, count: int = 1, repeats: bool = False) -> list[torch.Tensor]:
    """Of one shape, or repeated to it, with dimensions in any order and perhaps gaps: 4x1x3 by 1x5x3."""
    whole = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dtype = draw(halves)
    tensors = []
    for _ in range(count):
        shape = [1 if repeats and draw(st.booleans()) else size for size in whole]
        shape = shape[draw(st.integers(0, len(shape) - 1)) if repeats else 0 :]
        order = draw(st.permutations(range(len(shape))))
        stored = torch.zeros([*(shape[dim] for dim in order), 2 if draw(st.booleans()) else 1], dtype=dtype)[..., 0]
        tensors.append(stored.permute([order.index(dim) for dim in range(len(shape))]))
    return tensors


def _rules(*names: str) -> list[Any]:
    return [func for func, rule in SHAPES.items() if rule.__name__ in names]


def _settings(func: Any) -> tuple[float, ...]:
    """What an operator cannot do without, besides a tensor."""
    required = [each for each in func._schema.arguments[1:] if not each.has_default_value()]
    return (0.5,) * (1 if "clamp" in str(func) else len(required))


@pytest.mark.parametrize("func", _rules("unary", "overwritten", "with_number"), ids=str)
@given(operands=operands())
@share(30)
def test_elementwise(func: Any, operands: list[torch.Tensor]) -> None:
    if any("not implemented for" in text for text in (_refusal(func, *operands, *_settings(func)),)):
        return  # a function that CPUs have for larger floats alone
    assert _same_as_torch(func, *operands, *_settings(func), device="cpu")


def _refusal(func: Any, *args: Any) -> str:
    try:
        func(*args)
    except RuntimeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("func", _rules("binary", "compared", "overwritten_by_two"), ids=str)
@given(operands=operands(2, repeats=True))
@share(50)
def test_two_operands(func: Any, operands: list[torch.Tensor]) -> None:
    if func._overloadname == "Scalar":
        assert _same_as_torch(func, operands[0], 2, device="cpu")
        return
    if func._overloadname == "Tensor" and func not in _rules("compared"):
        assert _same_as_torch(func, operands[0].clone(memory_format=torch.preserve_format), 2, device="cpu")
    if func._schema.is_mutable and torch.broadcast_shapes(*(x.shape for x in operands)) != operands[0].shape:
        assert SHAPES[func](*operands) is None
        return
    assert _same_as_torch(func, *operands, device="cpu")
    if operands[0].shape[-1] != 1:
        assert SHAPES[func](operands[0], torch.zeros(9, dtype=operands[0].dtype)) is None


@pytest.mark.parametrize("func", _rules("masked_fill"), ids=str)
@given(operands=operands(2, repeats=True))
def test_masked_fill(func: Any, operands: list[torch.Tensor]) -> None:
    x, mask = operands[0], operands[1] == 0
    if torch.broadcast_shapes(x.shape, mask.shape) != x.shape:
        assert SHAPES[func](x, mask, 1.0) is None
    else:
        assert _same_as_torch(func, x, mask, 1.0, device="cpu") == layout_of(x).is_row_major


@pytest.mark.parametrize("func", _rules("mean", "spread", "norm"), ids=str)
@given(x=images(), dims=st.lists(st.integers(-5, 4), max_size=3), keepdim=st.booleans())
@share(50)
def test_reduction(func: Any, x: torch.Tensor, dims: list[int], keepdim: bool) -> None:
    args = (x, 2, dims, keepdim) if "norm" in str(func) else (x, dims)
    named = {} if "norm" in str(func) else {"keepdim": keepdim}
    is_wrong = any(not -4 <= dim < 4 for dim in dims) or len({dim % 4 for dim in dims}) < len(dims)
    if is_wrong:
        assert SHAPES[func](*args, **named) is None
    else:
        assert _same_as_torch(func, *args, **named) == layout_of(x).is_row_major


@pytest.mark.parametrize("func", _rules("triangle", "clipped"), ids=str)
@given(x=images())
def test_row_major_alone(func: Any, x: torch.Tensor) -> None:
    assert _same_as_torch(func, x) == layout_of(x).is_row_major


@given(operands=operands(3, repeats=True), dim=st.integers(-5, 5))
def test_cat(operands: list[torch.Tensor], dim: int) -> None:
    try:
        _aten.cat.default(operands, dim)
    except (RuntimeError, IndexError):
        assert SHAPES[_aten.cat.default](operands, dim) is None
    else:
        assert _lists_like_torch(_aten.cat.default, operands, dim) == all(layout_of(x).is_row_major for x in operands)


@given(operands=operands(3), dim=st.integers(-5, 5))
def test_stack(operands: list[torch.Tensor], dim: int) -> None:
    try:
        _aten.stack.default(operands, dim)
    except (RuntimeError, IndexError):
        assert SHAPES[_aten.stack.default](operands, dim) is None
    else:
        assert _lists_like_torch(_aten.stack.default, operands, dim)


def _lists_like_torch(func: Any, tensors: list[torch.Tensor], dim: int) -> bool:
    answer = SHAPES[func](tensors, dim)
    assert answer is None or answer is layout_of(func(tensors, dim))
    return answer is not None


@pytest.mark.parametrize("func", _rules("product", "sum_with_product"), ids=str)
@given(data=st.data(), n=sizes, m=sizes, k=sizes, other=sizes, batch=st.integers(1, 3), dtype=halves)
def test_product(
    func: Any, data: st.DataObject, n: int, m: int, k: int, other: int, batch: int, dtype: torch.dtype
) -> None:
    lead = [batch] if "b" in func._opname.replace("add", "") else []
    x = torch.zeros(*lead, k, n, dtype=dtype).mT if data.draw(st.booleans()) else torch.zeros(*lead, n, k, dtype=dtype)
    y, wrong = torch.zeros(*lead, k, m, dtype=dtype), torch.zeros(*lead, k + other, m, dtype=dtype)
    bias = [torch.zeros(m, dtype=dtype)] if "add" in func._opname else []
    assert _same_as_torch(func, *bias, x, y, device="cpu")
    assert SHAPES[func](*bias, x, wrong) is None


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


@given(x=images(device="cpu"), rank=st.integers(1, 3))
def test_layer_norm(x: torch.Tensor, rank: int) -> None:
    """Of a channels-last tensor with sizes of 1, torch says otherwise on meta tensors than its kernel does."""
    shape = list(x.shape[-rank:])
    weight = torch.empty(shape, dtype=x.dtype)
    assert _same_as_torch(_aten.layer_norm.default, x, shape, weight, weight, device="cpu")
    assert SHAPES[_aten.layer_norm.default](x, [shape[0] + 1, *shape[1:]]) is None


@given(x=images(), size=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_adaptive_avg_pool2d(x: torch.Tensor, size: tuple[int, int]) -> None:
    assert _same_as_torch(_aten.adaptive_avg_pool2d.default, x, list(size)) == layout_of(x).is_row_major


@pytest.mark.parametrize("func", _rules("upsample"), ids=str)
@given(data=st.data())
@share(50)
def test_upsample(func: Any, data: st.DataObject) -> None:
    rank = int(func._opname[-2])
    x = data.draw(images(rank, device="cpu"))
    size = data.draw(st.lists(st.integers(1, 5), min_size=rank, max_size=rank))
    align = [] if "nearest" in func._opname else [False]
    answer = SHAPES[func](x, size, *align)
    assert (answer is not None) == layout_of(x).is_row_major
    assert answer is None or answer is layout_of(func(x, size, *align))
    assert SHAPES[func](x, [*size, 2], *align) is None


@given(x=images(), channels=st.booleans())
def test_prelu(x: torch.Tensor, channels: bool) -> None:
    shape = (1, x.shape[1], 1, 1) if channels else (1, 1, 1, 1)
    weight = torch.empty(shape, dtype=x.dtype, device="meta")
    assert _same_as_torch(_aten._prelu_kernel.default, x, weight) == layout_of(x).is_row_major


@given(x=images(), affine=st.booleans())
def test_batch_norm_by_its_own_statistics(x: torch.Tensor, affine: bool) -> None:
    scale = torch.empty(x.shape[1], dtype=x.dtype, device="meta") if affine else None
    args = (x, scale, scale, None, None, True, 0.1, 1e-5)
    is_single = x.dtype is not torch.bfloat16
    assert _each_like_torch(_aten.native_batch_norm.default, *args) == (layout_of(x).is_row_major and is_single)


@given(order=st.permutations(range(3)), shape=st.tuples(sizes, sizes, sizes, sizes), dtype=halves)
def test_attention_kernel(order: list[int], shape: tuple[int, ...], dtype: torch.dtype) -> None:
    stored = torch.zeros([*(shape[dim] for dim in order), shape[3]], dtype=dtype)
    query, key = stored.permute([*(order.index(dim) for dim in range(3)), 3]), torch.zeros(shape, dtype=dtype)
    assert _each_like_torch(_aten._scaled_dot_product_flash_attention_for_cpu.default, query, key, key)


def _each_like_torch(func: Any, *args: Any) -> bool:
    answer = SHAPES[func](*args)
    assert answer is None or all(a is layout_of(b) for a, b in zip(answer, func(*args), strict=True))
    return answer is not None


@pytest.mark.parametrize("func", [_aten._softmax.default, _aten._log_softmax.default, _aten.log_softmax.int], ids=str)
@given(x=images(), dim=st.integers(-5, 4))
@share(50)
def test_softmax_kernels(func: Any, x: torch.Tensor, dim: int) -> None:
    named = () if func is _aten.log_softmax.int else (False,)
    answered = SHAPES[func](x, dim, *named) is not None
    assert answered == (layout_of(x).is_row_major and -4 <= dim < 4)
    if answered:
        _same_as_torch(func, x, dim, *named)


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
