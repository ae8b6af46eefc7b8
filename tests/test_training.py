"""A training step: what the backward pass costs and whose it is, what is alive, and that nothing of it stays."""

from __future__ import annotations

import copy
import dataclasses
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from hypothesis import given
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop

from profiler import ProfileError, errors, profile
from profiler.figures.memory import live_bytes, peak_bytes
from profiler.ops import cost
from profiler.records.trace import BACKWARD, FORWARD, RECOMPUTE, Trace
from tests.laws import share
from tests.strategies import trees
from tests.test_laws import _same, _state


class Forward(nn.Module):
    """A model whose forward pass is a function of itself and its inputs."""

    def __init__(self, function: Callable[..., Any], **children: Any) -> None:
        super().__init__()
        self.function = function
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, *args: Any) -> Any:
        return self.function(self, *args)


def trained(model: nn.Module, inputs: Any, **asked: Any) -> Trace:
    return profile(model, inputs, train=True, **asked).trace


def macs(trace: Trace, kind: str) -> dict[str, int]:
    """The MACs of one phase, by the path of the layer that is charged."""
    found: Counter[str] = Counter()
    for phase in trace.phases:
        if phase.kind == kind:
            for call in trace.calls[phase.first : phase.last]:
                price = cost(trace.signatures[call.signature])
                assert price is not None, trace.signatures[call.signature]
                if price.macs:
                    found[trace.modules[call.module].path] += int(price.macs)
    return dict(found)


def total(trace: Trace, kind: str) -> int:
    return sum(macs(trace, kind).values())


# As many products as torch counts -------------------------------------------------------------------------------------


class Block(nn.Module):
    """Of a decoder: causal attention and a feed-forward part."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, _ = x.shape
        split = (part.view(n, length, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(*split, is_causal=True).transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    """A small GPT, whose embedding is its head."""

    def __init__(self, width: int = 16, heads: int = 2, vocabulary: int = 50) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(10, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.tokens(x) + self.positions(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.norm(hidden))


def _encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def _scores_again(heads: int, length: int, channels: int, batch: int) -> int:
    """What a kernel that keeps no scores multiplies once more in its backward pass."""
    fused = sdpa_backward_flop(*[(batch, heads, length, channels)] * 4)
    return fused // 2 - 4 * batch * heads * length * length * channels


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    # and what each attention multiplies more than torch's plain formula, which its counter sees
    "resnet18": (torchvision.models.resnet18, (2, 3, 64, 64), 0),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, (2, 3, 64, 64), 0),
    "LSTM": (lambda: nn.LSTM(8, 12, 2, batch_first=True), (3, 5, 8), 0),
    "GRU": (lambda: nn.GRU(8, 12, 2, bidirectional=True), (3, 5, 8), 0),
    "encoder": (_encoder, (3, 5, 16), _scores_again(heads=2, length=5, channels=8, batch=3)),
    "decoder": (Decoder, (3, 7), _scores_again(heads=2, length=7, channels=8, batch=3)),
}


def _counted_by_torch(model: nn.Module, x: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        output = model.to("meta").train()(x)
        ends = [y for y in (output if isinstance(output, tuple) else (output,)) if torch.is_tensor(y)]
        torch.autograd.backward(ends, [torch.ones_like(y) for y in ends])
    return counter.get_total_flops() // 2


def _too_many_of_groups(model: nn.Module, forward: dict[str, int]) -> int:
    """torch's counter takes the weight gradient of a grouped convolution for that of a dense one."""
    layers = [(path, layer) for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    return sum((conv.groups - 1) * forward[path] for path, conv in layers if conv.weight.requires_grad)


@pytest.mark.parametrize("frozen", [False, True], ids=["whole", "half frozen"])
@pytest.mark.parametrize("name", MODELS)
def test_macs_are_half_of_what_torch_counts(name: str, frozen: bool) -> None:
    make, shape, again = MODELS[name]
    model = make()
    parameters = list(model.parameters())
    for parameter in parameters[: len(parameters) // 2 if frozen else 0]:
        parameter.requires_grad_(False)
    x = torch.empty(shape, device="meta", dtype=torch.int64 if name == "decoder" else None)
    trace = trained(model, x)
    forward, backward = macs(trace, FORWARD), macs(trace, BACKWARD)
    attentions = {"encoder": "layers.{}.self_attn", "decoder": "blocks.{}"}.get(name, "{}")
    with_backward = [attentions.format(i) for i in range(2) if attentions.format(i) in backward]
    assert trace.engine == "meta"
    expected = _counted_by_torch(model, x) - _too_many_of_groups(model, forward) + again * len(with_backward)
    assert sum(forward.values()) + sum(backward.values()) == expected
    assert len(with_backward) == (0 if not again else 1 if frozen else 2)


@share(50)
@given(trees())
def test_every_call_is_some_layers_and_layers_sum_to_the_total(tree: tuple[nn.Module, tuple[int, ...]]) -> None:
    model, shape = tree
    with torch.random.fork_rng():
        depends = model(torch.rand(shape)).requires_grad
    if not depends:
        with pytest.raises(errors.ProfileError):
            trained(model, shape)
        return
    found = profile(model, shape, train=True)
    trace = found.trace
    ran = {call.module for call in trace.module_calls}
    holders = {weight.module for weight in trace.parameters}  # a weight that is used from outside its module
    assert {call.module for call in trace.calls} <= ran | holders
    assert [phase.kind for phase in trace.phases] == [FORWARD, BACKWARD]
    assert found.totals.macs == total(trace, FORWARD) + total(trace, BACKWARD) == found.layers[0].total.cost.macs


# Whose it is ----------------------------------------------------------------------------------------------------------


def test_two_branches() -> None:
    model = Forward(lambda m, x: m.a(x) + m.b(x), a=nn.Linear(4, 5), b=nn.Linear(4, 5, bias=False))
    trace = trained(model, (3, 4))
    once = 3 * 4 * 5
    assert macs(trace, FORWARD) == macs(trace, BACKWARD) == {"a": once, "b": once}  # nobody wants the input's gradient


def test_residual_additions() -> None:
    model = Forward(lambda m, x: x + m.a(x + m.b(x)), a=nn.Linear(4, 4), b=nn.Linear(4, 4))
    once = 3 * 4 * 4
    assert macs(trained(model, (3, 4)), BACKWARD) == {"a": 2 * once, "b": once}


def test_a_shared_layer_is_charged_for_each_of_its_uses() -> None:
    layer = nn.Linear(4, 4)
    trace = trained(Forward(lambda m, x: m.b(m.a(x)), a=layer, b=layer), (3, 4))
    once = 3 * 4 * 4
    assert macs(trace, FORWARD) == {"a": 2 * once}
    assert macs(trace, BACKWARD) == {"a": 2 * once + once}


def test_multihead_attention_uses_a_weight_of_its_output_layer() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    model = Forward(lambda m, x: m.a(*[m.first(x)] * 3, need_weights=False)[0], first=nn.Linear(8, 8), a=attention)
    trace = trained(model, (2, 5, 8))
    linear, scores = 2 * 5 * 8 * 8, 2 * 2 * 5 * 5 * 4
    assert macs(trace, FORWARD) == {"first": linear, "a": 3 * linear + 2 * scores, "a.out_proj": linear}
    assert macs(trace, BACKWARD) == {"first": linear, "a": 2 * 3 * linear + 5 * scores, "a.out_proj": 2 * linear}


def test_a_weight_that_is_used_from_outside_its_layer() -> None:
    model = Forward(lambda m, x: F.linear(x, m.a.weight) @ m.b.weight, a=nn.Linear(4, 4), b=nn.Linear(4, 4))
    once = 3 * 4 * 4
    assert macs(trained(model, (3, 4)), BACKWARD) == {"b": 2 * once, "a": once}


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, weight = ctx.saved_tensors
        return gradient @ weight.t(), x.t() @ gradient


def test_a_custom_function() -> None:
    middle = Forward(lambda m, x: _Product.apply(x, m.weight), weight=nn.Parameter(torch.rand(4, 5)))
    trace = trained(nn.Sequential(nn.Linear(4, 4), middle, nn.Linear(5, 2)), (3, 4))
    assert macs(trace, BACKWARD) == {"0": 3 * 4 * 4, "1": 2 * 3 * 4 * 5, "2": 2 * 3 * 5 * 2}


def test_a_gradient_inside_the_forward_pass_belongs_to_it() -> None:
    def gradient(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_()
        return torch.autograd.grad(m.layer(x).sum(), x, create_graph=True)[0]

    trace = trained(Forward(gradient, layer=nn.Linear(4, 5)), (3, 4))
    once = 3 * 4 * 5
    assert total(trace, FORWARD) == 2 * once
    assert total(trace, BACKWARD) == once


# Checkpoints ----------------------------------------------------------------------------------------------------------

IN, INNER, OUT = 3 * 4 * 4, 3 * 4 * 6, 3 * 4 * 2


def _block() -> nn.Module:
    """Ends with an operator that keeps its output, so torch runs all of it again."""
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4), nn.Tanh())


def _with_checkpoint(run: Callable[[Any, torch.Tensor], torch.Tensor], reentrant: bool) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.head(checkpoint(lambda y: run(m, y), m.first(x), use_reentrant=reentrant))

    return Forward(
        forward, first=nn.Linear(4, 4), block=_block(), head=nn.Linear(4, 2), w=nn.Parameter(torch.ones(4, 4))
    )


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_of_the_models_own(reentrant: bool) -> None:
    trace = trained(_with_checkpoint(lambda m, y: m.block(y), reentrant), (3, 4))
    block = {"block.0": INNER, "block.2": INNER}
    assert trace.engine == "meta"
    assert macs(trace, FORWARD) == {"first": IN, **block, "head": OUT}
    assert macs(trace, RECOMPUTE) == block
    assert macs(trace, BACKWARD) == {"first": IN, **{path: 2 * n for path, n in block.items()}, "head": 2 * OUT}


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_a_checkpoint_runs_outside_of_layers_is_its_modules(reentrant: bool) -> None:
    """The product is the root's own, and is followed by a layer that it could be confused with."""
    trace = trained(_with_checkpoint(lambda m, y: m.block(y @ m.w), reentrant), (3, 4))
    assert macs(trace, RECOMPUTE) == {"": IN, "block.0": INNER, "block.2": INNER}
    assert macs(trace, BACKWARD)[""] == 2 * IN


def test_checkpoints_that_are_asked_for() -> None:
    model = nn.Sequential(nn.Linear(4, 4), _block(), nn.Linear(4, 2))
    plain, again = trained(model, (3, 4)), trained(model, (3, 4), recompute=["1"])
    assert macs(again, RECOMPUTE) == {"1.0": INNER, "1.2": INNER}
    for kind in (FORWARD, BACKWARD):
        assert macs(again, kind) == macs(plain, kind)
    assert [phase.kind for phase in again.phases] == [FORWARD, BACKWARD, RECOMPUTE, BACKWARD]
    found = profile(model, (3, 4), train=True, recompute=["1"])
    assert found.totals.macs == sum(total(again, kind) for kind in (FORWARD, BACKWARD, RECOMPUTE))
    assert found["1"].macs == 2 * INNER * (1 + 1 + 2)


def test_torch_stops_when_it_has_what_it_needs() -> None:
    """A last Linear keeps its input alone: it is not run again."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4)))
    assert macs(trained(model, (3, 4), recompute=["1"]), RECOMPUTE) == {"1.0": INNER}


@pytest.mark.parametrize("patterns", [["blocks.*"], ["blocks"], ["blocks*"], ["*"], ["blocks.0", "blocks.?", "blocks"]])
def test_attention_in_checkpoints(patterns: list[str]) -> None:
    """Fused when it is run again, too; a list of modules never runs, those that it holds do."""
    x = torch.zeros((3, 7), dtype=torch.int64)
    trace = trained(Decoder(), x, recompute=patterns)
    forward, again = macs(trace, FORWARD), macs(trace, RECOMPUTE)
    assert trace.engine == "meta"
    for block in ("blocks.0", "blocks.1"):
        attention = 2 * 3 * 2 * 7 * 7 * 8
        linear = {f"{block}.{name}": forward[f"{block}.{name}"] for name in ("qkv", "out", "up")}
        assert {path: n for path, n in again.items() if path.startswith(block)} == {block: attention, **linear}
    assert macs(trace, BACKWARD) == macs(trained(Decoder(), x), BACKWARD)


def test_a_checkpoint_by_the_second_name_of_a_shared_layer() -> None:
    model = Forward(lambda m, x: m.b(m.a(x)), a=_block())
    model.b = model.a
    for patterns in (["a"], ["b"], ["a", "b"]):
        assert macs(trained(model, (3, 4), recompute=patterns), RECOMPUTE) == {"a.0": 2 * INNER, "a.2": 2 * INNER}


@pytest.mark.parametrize(("parameter", "option"), [("freeze", "--freeze"), ("recompute", "--recompute")])
def test_patterns_that_match_nothing(parameter: str, option: str) -> None:
    with pytest.raises(errors.ProfileError, match=f"{option} layer9"):
        trained(nn.Sequential(nn.Linear(4, 4)), (3, 4), **{parameter: ["0", "layer9*"]})


# What is alive --------------------------------------------------------------------------------------------------------


def kept(trace: Trace) -> int:
    """What the forward pass leaves for the backward pass, its output included."""
    call = next(phase.first for phase in trace.phases if phase.kind == BACKWARD)
    return sum(s.size_bytes for s in trace.storages if 0 <= s.born < call and (s.died is None or s.died > call))


N, C, S = 5, 6, 4
IMAGE = 4 * N * C * S * S


@pytest.mark.parametrize(
    ("layers", "freeze", "expected"),
    [  # a last Flatten is a view; the first convolution's input is the caller's
        ([nn.Conv2d(C, C, 1), nn.ReLU()], [], IMAGE),  # what ReLU returns is all it wants
        ([nn.Conv2d(C, C, 1), nn.ReLU(inplace=True)], [], IMAGE),
        ([nn.Conv2d(C, C, 1), nn.SiLU()], [], 2 * IMAGE),  # SiLU wants its input
        ([nn.Conv2d(C, C, 1), nn.Sigmoid()], [], IMAGE),
        ([nn.Conv2d(C, C, 1), nn.BatchNorm2d(C)], [], 2 * IMAGE + 2 * 4 * C),  # its input, means and deviations
        ([nn.Conv2d(C, C, 1), nn.BatchNorm2d(C), nn.ReLU()], [], 2 * IMAGE + 2 * 4 * C),
        ([nn.Conv2d(C, C, 1), nn.Dropout()], [], 2 * IMAGE),  # on a CPU the mask is of the input's own dtype
        ([nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 1)], [], 2 * IMAGE),
        (
            [nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 1)],
            ["1"],
            2 * IMAGE,
        ),  # torch's convolutions keep their input all the same
        ([nn.Conv2d(C, C, 1), nn.BatchNorm2d(C), nn.Conv2d(C, C, 1)], ["0", "1"], 2 * IMAGE),
        ([nn.Conv2d(C, C, 1), nn.ReLU(), nn.Conv2d(C, C, 1)], ["0"], 2 * IMAGE),
        ([nn.Conv2d(C, C, 1), nn.MaxPool2d(2)], [], IMAGE + IMAGE // 4 + IMAGE // 2),  # its input, and int64 indices
    ],
)
def test_what_is_kept_for_the_backward_pass(layers: list[nn.Module], freeze: list[str], expected: int) -> None:
    assert kept(trained(nn.Sequential(*layers), (N, C, S, S), freeze=freeze)) == expected


def test_frozen_layers_keep_nothing() -> None:
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(5)))
    row = 4 * 3 * 8
    assert kept(trained(model, (3, 8))) == 5 * row
    assert kept(trained(model, (3, 8), freeze=["0", "1", "2"])) == 3 * row  # two inputs and the output
    assert kept(trained(model, (3, 8), freeze=["4"])) == 4 * row  # no gradient of a weight wants the last input
    assert kept(trained(model, (3, 8), freeze=["1", "2", "3"])) == 2 * row


def test_checkpoints_keep_their_inputs() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(*(nn.Linear(8, 8) for _ in range(5))), nn.Linear(8, 8))
    row = 4 * 3 * 8
    assert kept(trained(model, (3, 8))) == 7 * row
    assert kept(trained(model, (3, 8), recompute=["1"])) == 3 * row


@pytest.mark.parametrize(("n", "a", "b", "c"), [(16, 2, 8, 4), (2, 100, 8, 4)])
def test_peak_of_a_small_step(n: int, a: int, b: int, c: int) -> None:
    """In ReLU's backward pass, or in the first layer's, by which time ReLU's output and its gradient are gone.

    The output and what a loss hands back are alive throughout.
    """
    trace = trained(nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c)), (n, a))
    throughout = 2 * n * c
    of_last, of_first = b * c + c, a * b + b
    in_relu, in_first = 3 * n * b + of_last, n * b + of_last + of_first
    assert peak_bytes(trace) == 4 * (throughout + max(in_relu, in_first))


def test_gradients_are_as_large_as_what_is_trained() -> None:
    model = torchvision.models.resnet18()
    for freeze in ([], ["layer1*", "conv1"]):
        trace = trained(model, (2, 3, 64, 64), freeze=freeze)
        frozen = [p for path, p in model.named_parameters() if freeze and path.startswith(("layer1", "conv1"))]
        expected = sum(p.nbytes for p in model.parameters()) - sum(p.nbytes for p in frozen)
        assert sum(s.size_bytes for s in trace.storages if s.role == "gradient") == expected
        assert sum(w.tensor.size_bytes for w in trace.parameters if w.trainable) == expected


# Left as it was -------------------------------------------------------------------------------------------------------


def _unhinged(run: str) -> Callable[..., Any]:
    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            raise ValueError("as asked")

    def forward(m: Any, x: torch.Tensor) -> Any:
        m.steps += 1
        m.log.append(x)
        m.extra = x
        m.norm.eval()
        out = m.out(m.norm(m.inner(x)))
        if run == "forward":
            raise ValueError("as asked")
        if run == "values":
            out = out[out.sum(1) > out.sum(1).median() - 1]
        return Raises.apply(out) if run == "backward" else out

    return forward


@pytest.mark.parametrize(
    "asked", [{}, {"freeze": ["inner"]}, {"recompute": ["inner"]}, {"optimizer": "adamw"}], ids=str
)
@pytest.mark.parametrize("run", ["", "forward", "backward", "values"])
def test_the_model_comes_back_untouched(run: str, asked: dict[str, Any]) -> None:
    children = {"inner": nn.Linear(4, 6), "norm": nn.BatchNorm1d(6), "out": nn.Linear(6, 3)}
    model = Forward(_unhinged(run), **children, steps=0, log=[])
    model.out.eval()
    model.inner.bias.requires_grad_(False)
    model.out.weight.grad = torch.ones(3, 6)
    model.inner.register_forward_hook(lambda *_: None)
    x, threads = torch.rand(5, 4), threading.active_count()
    before, own = _state(model), copy.copy(model.__dict__)
    if run in ("forward", "backward"):
        with pytest.raises(ProfileError, match="as asked") as raised:
            trained(model, x, **asked)
        assert "\n" not in str(raised.value)
    else:
        assert trained(model, x, **asked).engine == ("cpu" if run else "meta")
    assert _same(before, _state(model))
    assert (model.__dict__, model.log, model.steps) == (own, [], 0)
    assert "forward" not in vars(model.inner)
    assert threading.active_count() == threads


def test_modules_in_evaluation_are_trained_and_come_back() -> None:
    norm = nn.BatchNorm2d(3).eval()
    trace = trained(norm, (2, 3, 4, 4))
    assert not norm.training
    assert any(signature.op.startswith("aten.native_batch_norm_backward") for signature in trace.signatures)
    assert kept(trace) == 4 * (2 * 3 * 4 * 4) + 2 * 4 * 3  # its output, and the batch's own statistics


def test_torchs_checkpoints_are_torchs_again() -> None:
    before = torch.utils.checkpoint._CheckpointFrame.__init__
    with pytest.raises(ProfileError):
        trained(Forward(_unhinged("forward")), (2, 3))
    assert torch.utils.checkpoint._CheckpointFrame.__init__ is before


# What can be trained --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        nn.ReLU(),
        nn.Linear(4, 5).requires_grad_(False),
        Forward(lambda m, x: m.layer(x).argmax(-1), layer=nn.Linear(4, 5)),
        Forward(lambda m, x: m.layer(x).detach(), layer=nn.Linear(4, 5)),
        Forward(lambda m, x: {"scores": None, "count": 3}, layer=nn.Linear(4, 5)),
    ],
)
def test_models_that_cannot_be_trained(model: nn.Module) -> None:
    with pytest.raises(errors.ProfileError, match=r"no output of .* depends on a parameter that is trained"):
        trained(model, (3, 4))


def test_everything_frozen_cannot_be_trained() -> None:
    with pytest.raises(errors.ProfileError, match="see that it has parameters and which are frozen"):
        trained(nn.Sequential(nn.Linear(4, 4)), (3, 4), freeze=["*"])


@dataclasses.dataclass
class Answer:
    """What some models return."""

    logits: torch.Tensor
    hidden: tuple[torch.Tensor, ...]
    loss: torch.Tensor | None = None


ONCE = 3 * 4 * 4
OUTPUTS: dict[str, tuple[Callable[[Any, torch.Tensor], Any], dict[str, int]]] = {
    "dict": (lambda m, x: {"a": m.a(x), "b": [m.b(x)]}, {"a": ONCE, "b": ONCE}),
    "dataclass": (lambda m, x: Answer(m.a(x), (m.b(x), x)), {"a": ONCE, "b": ONCE}),
    "one without gradient": (lambda m, x: (m.a(x), m.b(x).detach(), m.b(x).argmax(-1)), {"a": ONCE}),
    "the same twice": (lambda m, x: [m.a(x)] * 2, {"a": ONCE}),
    "one of the other": (lambda m, x: ((y := m.a(x)), m.b(y)), {"a": ONCE, "b": 2 * ONCE}),
    "scalar": (lambda m, x: m.b(m.a(x)).sum(), {"a": ONCE, "b": 2 * ONCE}),
    "views": (lambda m, x: m.a(x).chunk(2, -1), {"a": ONCE}),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_of_any_kind(name: str) -> None:
    function, expected = OUTPUTS[name]
    trace = trained(Forward(function, a=nn.Linear(4, 4), b=nn.Linear(4, 4)), (3, 4))
    assert macs(trace, BACKWARD) == expected


@pytest.mark.parametrize(
    "wrap",
    [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm],
    ids=["weight_norm", "parametrized weight_norm", "spectral_norm"],
)
def test_reparametrized_layers(wrap: Callable[[nn.Module], nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(4, 4), wrap(nn.Linear(4, 5)))
    before = _state(model)
    trace = trained(model, (3, 4), optimizer="momentum")
    assert trace.engine == "meta"
    expected = sum(p.nbytes for p in model.parameters())
    assert sum(s.size_bytes for s in trace.storages if s.role == "gradient") == expected
    assert macs(trace, BACKWARD)["1"] >= 2 * 3 * 4 * 5
    assert macs(trace, BACKWARD)["0"] == 3 * 4 * 4
    assert _same(before, _state(model))


def test_old_spectral_norm() -> None:
    model = nn.utils.spectral_norm(nn.Linear(4, 5))
    before = _state(model)
    trace = trained(model, (3, 4))
    assert sum(s.size_bytes for s in trace.storages if s.role == "gradient") == 4 * (4 * 5 + 5)
    assert _same(before, _state(model))


def test_lazy_layers() -> None:
    model = nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(2))
    trace = trained(model, (3, 4), optimizer="adamw")
    assert macs(trace, BACKWARD) == {"0": 3 * 4 * 5, "2": 2 * 3 * 5 * 2}
    assert isinstance(model[0].weight, nn.UninitializedParameter)


def test_tied_weights_have_one_gradient_and_one_state() -> None:
    model = Decoder()
    trace = trained(model, torch.zeros((3, 7), dtype=torch.int64), optimizer="momentum")
    expected = sum(parameter.nbytes for parameter in model.parameters())
    for role in ("gradient", "state"):
        assert sum(s.size_bytes for s in trace.storages if s.role == role) == expected


# Where values decide --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.b(m.a(x)) if m.a(x).sum().item() is not None else x,
        lambda m, x: m.b((y := m.a(x))[(y > y - 1).all(1)]),
        lambda m, x: m.b(m.a(x)[torch.nonzero(x[:, 0] >= 0)[:, 0]]),
    ],
    ids=["item", "mask", "nonzero"],
)
def test_values_decide_on_real_tensors(function: Callable[..., Any]) -> None:
    model = Forward(function, a=nn.Linear(4, 5), b=nn.Linear(5, 2))
    x = torch.rand(3, 4)
    before = _state(model)
    trace = trained(model, x, optimizer="adam")
    assert trace.engine == "cpu"
    assert macs(trace, BACKWARD) == {"a": 3 * 4 * 5, "b": 2 * 3 * 5 * 2}
    expected = sum(parameter.nbytes for parameter in model.parameters())
    assert sum(s.size_bytes for s in trace.storages if s.role == "gradient") == expected
    assert sum(s.size_bytes for s in trace.storages if s.role == "state") == 2 * expected + 4 * 4
    assert _same(before, _state(model))


def test_meta_and_cpu_agree() -> None:
    """The same step where values are asked for, and where they are not."""

    def forward(m: Any, x: torch.Tensor, asks: bool) -> torch.Tensor:
        return m.inner(x * 1 if not asks or x.sum().item() is not None else x)

    convolution = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 5))
    for inner, x in ((convolution, torch.rand(2, 3, 6, 6)), (_encoder(), torch.rand(2, 5, 16))):
        dry, wet = (
            trained(Forward(lambda m, x, a=asks: forward(m, x, a), inner=inner), x, optimizer="adam")
            for asks in (False, True)
        )
        assert (dry.engine, wet.engine) == ("meta", "cpu")
        for kind in (FORWARD, BACKWARD):
            assert macs(dry, kind) == macs(wet, kind)
        assert kept(dry) == kept(wet)
        assert max(live_bytes(dry)) <= max(live_bytes(wet)) <= max(live_bytes(dry)) + 4
