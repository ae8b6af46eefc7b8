"""An optimiser's step: no operator of it is unknown, and whichever way torch makes it, it costs the same."""

import pytest
import torch
from test_laws import arithmetic
from torch import nn, optim
from torch_recorder import in_registry, meta, signatures, sum_of, total

from profiler.ops import cost, is_known
from profiler.ops.optimizer import FOREACH

# Arguments that make an optimiser do all it can.
OPTIMIZERS = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.1, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    (optim.AdamW, {}),
    (optim.AdamW, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.Adagrad, {}),
    (optim.Adagrad, {"weight_decay": 0.1}),
    (optim.Adamax, {"weight_decay": 0.1}),
    (optim.NAdam, {"weight_decay": 0.1}),
    (optim.RAdam, {"weight_decay": 0.1}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    (optim.Adadelta, {"weight_decay": 0.1}),
    (optim.ASGD, {"weight_decay": 0.1}),
    (optim.Rprop, {}),
    (optim.Adafactor, {"weight_decay": 0.1}),
]
FUSED = [(kind, options) for kind, options in OPTIMIZERS if kind in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad)]
# Over lists torch arranges the arithmetic of these differently, or has no lists for them.
OTHERWISE = (optim.RAdam, optim.ASGD, optim.Rprop, optim.Adafactor)
LISTS = [(kind, options) for kind, options in OPTIMIZERS if kind not in OTHERWISE]


def trained(*shapes):
    """Real numbers, and few: some optimisers look at them."""
    parameters = [nn.Parameter(torch.ones(shape)) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    return parameters


def later_step(kind, shapes=((8, 4), (7,)), **options):
    """The operators of a sixth step: in the first ones some optimisers start otherwise."""
    optimizer = kind(trained(*shapes), lr=0.1, **options)
    for _ in range(5):
        optimizer.step()

    def step():
        with torch.inference_mode(False):
            optimizer.step()

    return signatures(step)


def unknown(found):
    return {s.op for s in found if not in_registry(s.op) or (is_known(s.op) and cost(s) is None)}


def names(examples):
    return [f"{kind.__name__}-{n}" for n, (kind, _) in enumerate(examples)]


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=names(OPTIMIZERS))
def test_every_operator_of_a_step_is_known(kind, options, foreach) -> None:
    found = later_step(kind, foreach=foreach, **options)
    assert unknown(found) == set()
    assert sum_of(found).muls > 0


def test_muon() -> None:
    """For matrices alone; its orthogonalisation is matrix products."""
    found = later_step(optim.Muon, shapes=((8, 4),))
    assert unknown(found) == set()
    assert sum_of(found).macs > 0


@pytest.mark.parametrize(("kind", "options"), FUSED, ids=names(FUSED))
def test_a_fused_step_is_the_loop(kind, options) -> None:
    """Over lists; the number of the step, which grows by 1 in a tensor of its own, is an operator in both."""
    fused, loop = (sum_of(later_step(kind, **{way: True}, **options)) for way in ("fused", "foreach"))
    assert arithmetic(fused) == arithmetic(loop)


@pytest.mark.parametrize(("kind", "options"), LISTS, ids=names(LISTS))
def test_a_step_over_lists_is_the_loop(kind, options) -> None:
    over_lists, loop = (sum_of(later_step(kind, foreach=way, **options)) for way in (True, False))
    assert arithmetic(over_lists) == arithmetic(loop)


BINARY = ("add", "sub", "mul", "div", "pow", "maximum", "minimum")
AT_A_NUMBER = ("clamp_min", "clamp_max")
TERNARY = ("addcmul", "addcdiv")


@pytest.mark.parametrize("name", FOREACH.split())
def test_an_operator_on_lists_is_the_operator_on_each(name) -> None:
    shapes = ((8, 4), (7,))
    operands = {**dict.fromkeys(BINARY, 2), **dict.fromkeys(TERNARY, 3), "lerp": 2}.get(name, 1)
    lists = [[meta(*shape) for shape in shapes] for _ in range(operands)]
    extra = (0.1,) if name in (*AT_A_NUMBER, "lerp") else ()
    single = torch.linalg.vector_norm if name == "norm" else getattr(torch, name)

    def one_by_one():
        return [single(*own, *extra) for own in zip(*lists, strict=True)]

    on_lists = total(getattr(torch, f"_foreach_{name}"), *lists, *extra)
    assert on_lists == total(one_by_one)
    assert sum(arithmetic(on_lists)) > 0
