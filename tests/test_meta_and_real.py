"""A run on meta tensors and one on real tensors are told apart by nothing: calls, layouts and memory, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from profiler import Profile, ProfileError, profile
from profiler.engine.run.running import trace
from profiler.engine.run.subject import Subject
from profiler.figures.memory import live_bytes
from profiler.records.conditions import AS_IT_IS, Conditions, Training
from profiler.records.trace import Signature

_DEVICES = ("cpu", "meta")  # the one value that may differ
# Numbers become tensors by the one on a CPU and by the other elsewhere.
_OF_NUMBERS = ("aten.lift_fresh.default", "aten.scalar_tensor.default")


class Forward(nn.Module):
    """A model of one function, with a weight, buffers that are views of each other, and constants in attributes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.rand(4, 6))
        self.vector = nn.Parameter(torch.rand(4))
        self.register_buffer("table", torch.arange(24.0).reshape(4, 6))
        self.register_buffer("same_table", self.table)
        self.register_buffer("part_of_table", self.table[1:3])
        self.register_buffer("ids", torch.arange(4))
        self.attribute = torch.linspace(0, 1, 4)
        self.array = np.arange(4, dtype=np.float32)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def both(model: nn.Module, inputs: tuple[Any, ...], under: Conditions = AS_IT_IS) -> tuple[Profile, Profile]:
    """The profile on meta tensors, and the one on real ones."""
    subject = Subject(model, "model", "live", inputs)
    dry, wet = (Profile(trace(subject, under, real=real)) for real in (False, True))
    assert (dry.trace.engine, wet.trace.engine) == _DEVICES[::-1]
    return dry, wet


def signatures(found: Profile) -> list[Signature]:
    """Of the calls in order, without the device that tensors were asked for on."""
    return [signature for signature in _all(found) if signature.op not in _OF_NUMBERS]


def live(found: Profile) -> list[int]:
    """The bytes that are alive at each of these calls."""
    at_calls = zip(live_bytes(found.trace), _all(found), strict=True)
    return [size for size, signature in at_calls if signature.op not in _OF_NUMBERS]


def _all(found: Profile) -> list[Signature]:
    return [_anywhere(found.trace.signatures[call.signature]) for call in found.trace.calls]


def _anywhere(signature: Signature) -> Signature:
    kwargs = tuple((name, None if value in _DEVICES else value) for name, value in signature.kwargs)
    args = tuple(None if value in _DEVICES else value for value in signature.args)
    return Signature(signature.op, args, kwargs, signature.output)


def assert_alike(dry: Profile, wet: Profile) -> None:
    assert signatures(dry) == signatures(wet)
    assert dry.totals.activation_bytes == wet.totals.activation_bytes
    assert live(dry) == live(wet)
    assert dry.totals == wet.totals


FORWARDS: list[Callable[..., Any]] = []


def forward(function: Callable[..., Any]) -> Callable[..., Any]:
    """A forward pass of `self` (a `Forward`), x (5 x 4 of float32) and index (5 of int64, all below 4)."""
    FORWARDS.append(function)
    return function


@forward
def fill_rows(self: Any, x: Tensor, index: Tensor) -> Tensor:
    out = torch.zeros(3, *x.shape, device=x.device)
    for step in range(3):
        out[step] = x * step
    return out[0] + out[2]


@forward
def fill_columns(self: Any, x: Tensor, index: Tensor) -> Tensor:
    out = x.new_zeros(5, 8)
    out[:, :4] = x
    out[:, 4:].copy_(x).mul_(2)
    return out.view(5, 2, 4).sum(1)


@forward
def fill_by_index(self: Any, x: Tensor, index: Tensor) -> Tensor:
    out = torch.ones(6, 4)
    out[index] = x
    return out.t() @ x.new_ones(6, 2)


@forward
def fill_by_mask(self: Any, x: Tensor, index: Tensor) -> Tensor:
    mask = torch.ones(5, 5, device=x.device).tril_().bool()
    scores = (x @ x.t()).masked_fill(~mask, float("-inf"))
    return scores.softmax(-1)


@forward
def two_views_of_filled(self: Any, x: Tensor, index: Tensor) -> Tensor:
    out = torch.empty(10, 4)
    top, bottom = out[:5], out[5:]
    top.copy_(x)
    bottom.copy_(x)
    del top, bottom
    return out.view(2, 5, 4)[1] + x


@forward
def kept_views(self: Any, x: Tensor, index: Tensor) -> list[Tensor]:
    out = torch.zeros(2, 5, 4)
    out[0] = x
    views = [out[0], out[1], out.flatten(), out.transpose(0, 2)]
    del out
    return [view + 1 for view in views]


@forward
def outlived_by_its_view(self: Any, x: Tensor, index: Tensor) -> Tensor:
    """The constant itself goes, and its view that was taken beside a meta tensor stays."""
    wide = torch.arange(5.0).view(5, 1)
    wide = wide.expand_as(x)
    x = x + 1
    x = x + 1
    return x * wide


@forward
def scattered(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return x.new_zeros(7, 4).scatter_add(0, index.view(-1, 1).expand_as(x), x)


@forward
def scattered_in_place(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return torch.zeros(7, 4).scatter_add_(0, index[:, None].expand(-1, 4), x).index_add_(0, index, x)


@forward
def written_buffer(self: Any, x: Tensor, index: Tensor) -> Tensor:
    self.table[:, :4] = x[:4]
    return self.part_of_table.sum() + self.same_table.view(-1)[3] + x


@forward
def input_in_place(self: Any, x: Tensor, index: Tensor) -> Tensor:
    x.add_(1)
    x[1:].mul_(2)
    return x[0] + x.view(-1)[:4]


@forward
def input_replaced(self: Any, x: Tensor, index: Tensor) -> Tensor:
    index = index.clone()
    index[0] = 1
    index += 1
    return F.embedding(index.view(1, -1), self.weight.expand(2, 4, 6).reshape(8, 6)) * x.sum()


@forward
def numpy_constant(self: Any, x: Tensor, index: Tensor) -> Tensor:
    constant = torch.from_numpy(self.array)
    return x * constant + constant.view(2, 2).flatten()


@forward
def list_constant(self: Any, x: Tensor, index: Tensor) -> Tensor:
    constant = torch.tensor([1.0, 2.0, 3.0, 4.0], device=x.device)
    return x * constant[None].expand(5, -1) + torch.as_tensor([2.0], dtype=x.dtype)


@forward
def attribute(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return x * self.attribute.view(1, 4).expand_as(x) + self.attribute.to(x.device, x.dtype)


@forward
def same_type(self: Any, x: Tensor, index: Tensor) -> Tensor:
    mask = torch.ones(5, 1).type_as(x)
    return x * mask + self.table.type_as(x)[0, :4] + self.vector.float() + x.float() + x.to(x)


@forward
def other_type(self: Any, x: Tensor, index: Tensor) -> Tensor:
    mask = torch.ones(5, 1).to(torch.float64).type_as(x)
    return (x.double() * mask + self.vector.half()).float() + index.float().view(-1, 1)


@forward
def folded_product(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return (
        x.expand(3, 5, 4).transpose(0, 1) @ self.weight.float()
        + (x.expand(3, 5, 4) @ self.vector.to(x))[..., None].sum()
    )


@forward
def positions(self: Any, x: Tensor, index: Tensor) -> Tensor:
    where = torch.arange(5, device=x.device).unsqueeze(1)
    rates = torch.exp(torch.arange(0, 4, 2, device=x.device).float() * -0.5)
    table = torch.zeros(5, 4, device=x.device)
    table[:, 0::2], table[:, 1::2] = torch.sin(where * rates), torch.cos(where * rates)
    return x + table


@forward
def grid(self: Any, x: Tensor, index: Tensor) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(5), torch.arange(4), indexing="ij")
    grid = torch.stack((rows, columns), -1).float()
    return grid.to(x.device).sum(-1) + x


@forward
def joined(self: Any, x: Tensor, index: Tensor) -> Tensor:
    ones = torch.ones(5, 1)
    wide = torch.cat([x, ones, ones.expand(5, 2), self.table.t()[:5]], 1)
    return torch.stack([wide, wide], 1).flatten(1)[:, ::3]


@forward
def split(self: Any, x: Tensor, index: Tensor) -> Tensor:
    first, second = torch.arange(20.0).view(5, 4).type_as(x).chunk(2, -1)
    a, b = x.chunk(2, -1)
    return torch.cat([first * a, second.unbind(0)[0] * b, *x.split([1, 3], -1)], -1)


@forward
def roped(self: Any, x: Tensor, index: Tensor) -> Tensor:
    angles = torch.outer(torch.arange(5.0), torch.tensor([1.0, 0.1]))
    turned = torch.view_as_complex(x.view(5, 2, 2)) * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(1)


@forward
def like(self: Any, x: Tensor, index: Tensor) -> Tensor:
    made = [torch.zeros_like(x), torch.ones_like(index, dtype=x.dtype), x.new_full((5,), 2.0), torch.empty_like(x.t())]
    made[3].fill_(1)
    return made[0] + made[1].view(-1, 1) + made[2][:, None] + made[3].t()


@forward
def selected(self: Any, x: Tensor, index: Tensor) -> Tensor:
    mask = index > 1
    return (
        x[mask]
        + self.vector[index[mask]][:, None]
        + x.index_select(0, torch.tensor([0]))
        + x[torch.tensor([0, 2])].sum(0)
    )


@forward
def gathered(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return torch.gather(x, 1, index.view(-1, 1).repeat(1, 2)) + torch.take_along_dim(x, index[:, None], 1)


@forward
def padded(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return F.pad(x, (1, 2)) * F.pad(torch.ones(5, 4).type_as(x), (1, 2), value=1.0)


@forward
def strided(self: Any, x: Tensor, index: Tensor) -> Tensor:
    windows = torch.arange(6.0).as_strided((4, 2), (1, 1)).type_as(x)
    return x @ windows + x.unfold(1, 2, 1).sum(1)[:, :2]


@forward
def swapped(self: Any, x: Tensor, index: Tensor) -> Tensor:
    turned = torch.ones(4, 5).t().type_as(x)
    return (turned * x).movedim(0, 1).contiguous() + self.table.permute(1, 0)[:5].t().to(x)


@forward
def in_place_chain(self: Any, x: Tensor, index: Tensor) -> Tensor:
    out = torch.zeros(5, 4)
    out.add_(x).clamp_(min=0).t_().mul_(2)
    out += x.t()
    return out.unsqueeze_(0)


@forward
def out_argument(self: Any, x: Tensor, index: Tensor) -> Tensor:
    out = torch.empty(5, 6)
    torch.matmul(x, self.weight, out=out)
    return torch.add(out, 1, out=out)[1:]


@forward
def accumulated(self: Any, x: Tensor, index: Tensor) -> Tensor:
    total = torch.zeros((), device=x.device)
    for row in x:
        total = total + row.sum()
    count = torch.zeros(4)
    count += 1
    return x / count.type_as(x) + total


@forward
def cached_rows(self: Any, x: Tensor, index: Tensor) -> Tensor:
    keys = torch.zeros(2, 8, 4, dtype=x.dtype, device=x.device)
    keys[:, 2:7] = x
    window = keys.narrow(1, 0, 7)
    return F.scaled_dot_product_attention(x.expand(2, 5, 4), window, window)


@forward
def causal_mask(self: Any, x: Tensor, index: Tensor) -> Tensor:
    mask = torch.full((5, 5), float("-inf"), device=x.device).triu_(1)
    q = x.view(1, 1, 5, 4)
    return F.scaled_dot_product_attention(q, q, q, attn_mask=mask[None, None].expand(1, 1, -1, -1).type_as(x))


@forward
def rolled(self: Any, x: Tensor, index: Tensor) -> Tensor:
    window = torch.zeros(5, 4)
    window[1:3] = 1
    return torch.roll(x, 1, 0) * window.roll(1, 0).type_as(x) + x.flip(0) * window.flip(1)


@forward
def one_hot(self: Any, x: Tensor, index: Tensor) -> Tensor:
    return F.one_hot(index, 4).type_as(x) @ self.weight + F.one_hot(index.view(1, -1), 4).float().sum()


@forward
def interpolated(self: Any, x: Tensor, index: Tensor) -> Tensor:
    table = F.interpolate(self.table.view(1, 1, 4, 6), (5, 4), mode="bilinear").to(x.dtype)
    return x + table.squeeze()


@forward
def set_data(self: Any, x: Tensor, index: Tensor) -> Tensor:
    copy = self.weight.data.clone().detach()
    copy[0] = 0
    return x @ copy + x @ self.weight.detach()


@forward
def loop_over_real(self: Any, x: Tensor, index: Tensor) -> Tensor:
    for i in index.tolist():
        x = x + self.table[i, :4]
    return x if index.max() < 10 else x[:1]


@forward
def broadcast(self: Any, x: Tensor, index: Tensor) -> Tensor:
    a, b = torch.broadcast_tensors(x, torch.ones(1, 4))
    return a * b + torch.atleast_3d(torch.ones(5)).squeeze(0).type_as(x)


@forward
def sorted(self: Any, x: Tensor, index: Tensor) -> Tensor:
    values = x.topk(2, -1).values
    order_of_ids = self.ids.argsort(descending=True)
    return values + x[:, order_of_ids][:, :2] + x.sort(-1).values[:, :2]


@forward
def normed(self: Any, x: Tensor, index: Tensor) -> Tensor:
    turned = x.t().expand(2, 4, 5)
    return F.batch_norm(turned, self.attribute, self.attribute) + F.layer_norm(turned, (5,)) + F.group_norm(turned, 2)


@forward
def bags(self: Any, x: Tensor, index: Tensor) -> Tensor:
    found = [F.embedding_bag(index, self.weight, torch.tensor([0, 2]), mode=mode) for mode in ("sum", "mean", "max")]
    return torch.cat([*found, F.embedding_bag(index.view(1, -1), self.weight)])


@forward
def drawn(self: Any, x: Tensor, index: Tensor) -> Tensor:
    noise = torch.randn_like(x) + torch.rand(4) + torch.randperm(4).float() + torch.empty(5, 1).uniform_()
    return (
        F.dropout(x, 0.5, training=True) + noise + torch.bernoulli(torch.full((4,), 0.5)) * torch.normal(0.0, 1.0, (4,))
    )


# Kernels that return what torch does not say of meta tensors ---------------------------------------------------------


@forward
def losses(self: Any, x: Tensor, index: Tensor) -> list[Tensor]:
    target = x.detach().sigmoid()
    kinds = (F.mse_loss, F.smooth_l1_loss, F.huber_loss, F.soft_margin_loss, F.l1_loss, F.binary_cross_entropy)
    return [loss(target, x.sigmoid(), reduction=how) for loss in kinds for how in ("mean", "sum", "none")]


@forward
def channels_last(self: Any, x: Tensor, index: Tensor) -> list[Tensor]:
    image = x.expand(2, 3, 5, 4).contiguous(memory_format=torch.channels_last)
    pooled, where = F.max_pool2d(image, 2, return_indices=True)
    normed = [F.batch_norm(image, self.vector[:3], self.vector[:3]), F.group_norm(image, 3), F.instance_norm(image)]
    return [*normed, F.max_unpool2d(pooled, where, 2), torch.native_group_norm(image, None, None, 2, 3, 20, 1, 1e-5)[0]]


@forward
def decomposed(self: Any, x: Tensor, index: Tensor) -> list[Tensor]:
    square = x[:4] @ x[:4].t() + torch.eye(4)
    return [*torch.linalg.svd(x), torch.linalg.cholesky(square), torch.linalg.inv(square), *torch.linalg.qr(x)]


@pytest.mark.parametrize("function", FORWARDS, ids=lambda function: function.__name__)
def test_meta_and_real_are_alike(function: Callable[..., Any]) -> None:
    inputs = torch.rand(5, 4), torch.tensor([0, 1, 2, 3, 1])
    assert_alike(*both(Forward(function), inputs))
    assert_alike(*both(Forward(function), inputs))  # answered from memory


# Training steps -------------------------------------------------------------------------------------------------------


class Scaled(torch.autograd.Function):
    """Its backward pass adds and subtracts Python's numbers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.tanh(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        steep = (1 + x) + 2
        steep += 1
        return grad * (torch.tanh(x) + steep - 1)


class Spiking(torch.autograd.Function):
    """A step whose gradient is a surrogate's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad / (ctx.saved_tensors[0].abs() * 10 + 1.0).pow(2)


class Stepping(torch.autograd.Function):
    """Its backward pass adds what it goes on to use: a solver's steps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        step = grad * 2
        first, second = step + grad, step + grad
        return first * second


def _steps_of_its_own(self: Any, x: Tensor) -> Tensor:
    return Stepping.apply(x @ self.weight).relu()


def _hook_that_adds(self: Any, x: Tensor) -> Tensor:
    def adds(grad: Tensor) -> Tensor:
        twice = grad * 2
        return (twice + grad) * twice

    hidden = x @ self.weight
    hidden.register_hook(adds)
    return hidden.sigmoid() + hidden


def _own_gradients(self: Any, x: Tensor) -> Tensor:
    return Spiking.apply(Scaled.apply(x @ self.weight))


def _hooked(self: Any, x: Tensor) -> Tensor:
    hidden = x @ self.weight
    hidden.register_hook(lambda grad: grad + 1)
    return hidden.sigmoid()


def _met(self: Any, x: Tensor) -> Tensor:
    """Gradients of three uses of a weight, and of two of an activation, meet."""
    hidden = x @ self.weight
    return hidden * (hidden + 1) @ self.weight.t() @ self.weight


def _complex(self: Any, x: Tensor) -> Tensor:
    turned = torch.complex(x, x) @ self.weight.to(torch.cfloat)
    return torch.view_as_real(turned).sum(-1) * turned.abs()


def _turned_linear(self: Any, x: Tensor) -> Tensor:
    return F.linear(x.expand(3, 5, 4).transpose(0, 1), self.weight.t(), self.weight[0]).relu()


def _bag_of_rows(self: Any, x: Tensor) -> Tensor:
    return F.embedding_bag(torch.tensor([[0, 1], [2, 3]]), self.weight, mode="sum")


TRAINED = [_own_gradients, _steps_of_its_own, _hook_that_adds, _hooked, _met, _complex, _turned_linear, _bag_of_rows]


@pytest.mark.parametrize("function", TRAINED, ids=lambda function: function.__name__[1:])
def test_training_steps_are_alike(function: Callable[..., Any]) -> None:
    assert_alike(*both(Forward(function), (torch.rand(5, 4),), Conditions(training=Training())))


@pytest.mark.parametrize("function", [_steps_of_its_own, _hook_that_adds, _met])
def test_gradients_of_a_real_training_step_are_those_of_a_plain_one(function: Callable[..., Any]) -> None:
    """What torch adds in place is told apart from what a function's own backward adds, and goes on to use."""
    model, x = Forward(function), torch.rand(5, 4)
    gradients: list[Any] = []

    def keep(module: Any, inputs: Any, output: Tensor) -> None:
        module.weight.register_hook(lambda grad: gradients.append(grad.tolist()))  # a tensor would be taken from it

    model.register_forward_hook(keep)
    out = model(x)
    torch.autograd.backward(out, torch.ones_like(out))
    trace(Subject(model, "model", "live", (x,)), Conditions(training=Training()), real=True)
    plain, traced = gradients
    assert plain == traced


RECURRENT = {
    "LSTM": lambda: nn.LSTM(3, 5, batch_first=True),
    "LSTM of two layers, both ways": lambda: nn.LSTM(3, 5, 2, bidirectional=True, batch_first=True),
    "LSTM that projects": lambda: nn.LSTM(3, 5, proj_size=2),
    "LSTM without biases": lambda: nn.LSTM(3, 5, bias=False),
    "GRU": lambda: nn.GRU(3, 5, 2, batch_first=True),
    "RNN": lambda: nn.RNN(3, 5, bidirectional=True, batch_first=True),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_training_steps_of_recurrent_layers_are_alike(name: str) -> None:
    assert_alike(*both(RECURRENT[name](), (torch.rand(2, 4, 3),), Conditions(training=Training())))


class ComplexWeights(nn.Module):
    """Of both kinds, one of them used through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = nn.Parameter(torch.rand(4, 4, dtype=torch.cfloat))
        self.shift = nn.Parameter(torch.rand(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.view_as_real(torch.complex(x, x) @ self.turn + torch.view_as_complex(self.shift))


@pytest.mark.parametrize("optimizer", ["sgd(momentum=0.9)", "adam", "adamw", "rmsprop"])
def test_optimizers_of_complex_weights(optimizer: str) -> None:
    model = ComplexWeights()
    before = model.turn.detach().clone(), model.shift.detach().clone()
    dry, wet = both(model, (torch.rand(3, 4),), Conditions(training=Training(optimizer=optimizer)))
    assert dry.totals.macs == wet.totals.macs == 4 * (3 * 4 * 4) * 2  # the input wants no gradient
    assert torch.equal(before[0], model.turn)
    assert torch.equal(before[1], model.shift)


def test_a_batch_of_one_in_training_is_answered_with_the_remedy() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))
    with pytest.raises(ProfileError, match=r"feed it more samples \(--batch 2\)"):
        profile(model, torch.rand(1, 3, 8, 8), train=True)
    assert profile(model, torch.rand(2, 3, 8, 8), train=True).totals.macs


class Doubled(nn.Module):
    """Two layers whose weights are of a class that computes by itself, as torchao's."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.up(x).relu())


def test_weights_of_a_class_that_computes_by_itself() -> None:
    quantization = pytest.importorskip("torchao.quantization")
    model = Doubled().eval()
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    forward_macs = 4 * 32 * 64 + 4 * 64 * 8
    before = [weight.detach().clone() for name, weight in model.named_parameters() if "bias" in name]
    assert profile(model, torch.rand(4, 32)).totals.macs == forward_macs
    assert profile(model, torch.rand(4, 32), dtype="bfloat16").totals.macs == forward_macs
    # the weights are frozen: what is wanted is the gradient of the activation between the layers, for a bias
    found = profile(model, torch.rand(4, 32), train=True, optimizer="sgd")
    assert found.totals.macs == forward_macs + 4 * 64 * 8
    after = [weight for name, weight in model.named_parameters() if "bias" in name]
    assert all(map(torch.equal, before, after))
