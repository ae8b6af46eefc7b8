"""What a forward pass may do besides computing: by the kind of state that it changes."""

from __future__ import annotations

import functools
import random
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrizations, prune
from torch.utils._python_dispatch import TorchDispatchMode

from tests.untouched.hostile import WIDTH, Behaviour, Plain

TABLE: dict[str, Any] = {}
DEEP: dict[str, Any] = {"in": {"in": {}}}
KNOWN: dict[str, Any] = {"x": torch.ones(1)}
LISTED: list[Any] = [1]
SET: set[Any] = set()
OBJECT = Plain()
WEAK: Any = weakref.WeakKeyDictionary()
BOUND: Any = None
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__] = function
    return function


def _several(kind: str, changes: dict[str, Behaviour]) -> None:
    BEHAVIOURS.update({f"{kind}: {name}": change for name, change in changes.items()})


def _of(module: str, change: Callable[[Any], Any]) -> Behaviour:
    return lambda m, x: change(getattr(m, module))


# What modules register, and their attributes ---

_several(
    "registry",
    {
        "parameter in an empty one": lambda m, x: setattr(m.bare, "scale", nn.Parameter(torch.ones(x.shape[-1]))),
        "buffer in an empty one": lambda m, x: m.bare.register_buffer("seen", torch.zeros(1)),
        "module in an empty one": lambda m, x: setattr(m.bare, "lin", nn.Linear(x.shape[-1], 4)),
        "parameter of the input": lambda m, x: setattr(m, "new", nn.Parameter(x.detach().clone())),
        "parameter replaced": lambda m, x: setattr(m.lin, "weight", nn.Parameter(torch.zeros(WIDTH, WIDTH))),
        "parameter deleted": lambda m, x: delattr(m.norm, "weight"),
        "parameter None": lambda m, x: setattr(m.norm, "bias", None),
        "buffer set": lambda m, x: setattr(m, "kept", m.kept + 1),
        "buffer of the input": lambda m, x: setattr(m, "kept", x[0]),
        "buffer deleted": lambda m, x: delattr(m, "kept"),
        "order": lambda m, x: m._modules.update(lin=m._modules.pop("lin")),
        "module replaced": lambda m, x: setattr(m, "bare", nn.Tanh()),
        "module deleted": lambda m, x: delattr(m, "bare"),
        "class": lambda m, x: setattr(m.bare, "__class__", nn.Tanh),
        "hook": lambda m, x: m.lin.register_forward_hook(lambda *_: None),
        "hook of a bare one": lambda m, x: m.bare.register_forward_pre_hook(lambda *_: None),
        "hook for a state_dict": lambda m, x: m.register_state_dict_pre_hook(lambda *_: None),
        "hook removed": lambda m, x: m.lin._forward_hooks.clear(),
        "hook replaced": lambda m, x: m.lin._forward_hooks.update(dict.fromkeys(m.lin._forward_hooks, lambda *_: None)),
        "backward hook": lambda m, x: m.head.register_full_backward_hook(lambda *_: None),
        "hook of all modules": lambda m, x: register_module_forward_hook(lambda *_: None),
        "modes": lambda m, x: m.norm.train(),
        "all modes": lambda m, x: m.train(not m.training),
        "weight norm": lambda m, x: parametrizations.weight_norm(m.head),
        "spectral norm": lambda m, x: parametrizations.spectral_norm(m.head),
        "pruned": lambda m, x: prune.l1_unstructured(m.head, "weight", amount=2),
        "flat weights": lambda m, x: setattr(m.rnn, "weight_hh_l0", nn.Parameter(torch.zeros(4 * WIDTH, WIDTH))),
        "attribute": lambda m, x: setattr(m, "new", 1),
        "attribute of a layer": lambda m, x: setattr(m.lin, "new", {"x": x}),
        "attribute deleted": lambda m, x: delattr(m, "listed"),
        "forward": lambda m, x: setattr(m.bare, "forward", lambda y: y),
    },
)


@behaviour
def persistence(m: Any, x: torch.Tensor) -> None:
    del m.passing
    m.register_buffer("passing", torch.ones(4), persistent=True)
    m.register_buffer("kept", m.kept, persistent=False)


# Tensors ---

_several(
    "weight",
    {
        "buffer of a graph": lambda m, x: m.kept.copy_(m.lin(x)[0]),
        "to the input's device": _of("lin", lambda part: part.to(part.weight.device)),
        "to a device": lambda m, x: m.lin.to(x.device),
        "to a dtype": lambda m, x: m.rnn.to(torch.float64),
        "to as the input": lambda m, x: m.lin.to(x),
        "to meta": lambda m, x: m.rnn.to("meta"),
        "to empty": lambda m, x: m.rnn.to_empty(device="meta"),
        "half": lambda m, x: m.rnn.half(),
        "applied": lambda m, x: m.rnn._apply(lambda t: t + 1),
        "data": lambda m, x: setattr(m.lin.weight, "data", m.lin.weight.data.to(x.device)),
        "data of another shape": lambda m, x: setattr(m.rnn.weight_hh_l0, "data", torch.zeros(2)),
        "data meta": lambda m, x: setattr(m.rnn.weight_hh_l0, "data", torch.zeros(2, device="meta")),
        "data of the input": lambda m, x: setattr(m.scale, "data", x[0].clone()),
        "data of a buffer": lambda m, x: setattr(m.kept, "data", m.kept + 1),
        "swapped": lambda m, x: torch._C._swap_tensor_impl(m.scale, nn.Parameter(torch.zeros(WIDTH))),
        "two swapped": lambda m, x: torch._C._swap_tensor_impl(m.rnn.bias_hh_l0, m.rnn.bias_ih_l0),
        "set": lambda m, x: m.kept.set_(torch.zeros(7)),
        "resized": lambda m, x: m.kept.resize_(2, 8),
        "resized away": lambda m, x: m.passing.resize_(0),
        "unsqueezed": lambda m, x: m.kept.unsqueeze_(0),
        "filled": lambda m, x: m.kept.fill_(7),
        "parameter filled": lambda m, x: m.scale.detach().fill_(7),
        "view filled": lambda m, x: m.kept[1:].zero_(),
        "copied to": lambda m, x: m.kept.copy_(x[0]),
        "written with out": lambda m, x: torch.add(m.kept, 1, out=m.passing),
        "constant filled": lambda m, x: m.constant.fill_(7),
        "statistics": lambda m, x: nn.functional.batch_norm(x, m.norm.running_mean, m.norm.running_var, training=True),
        "frozen": lambda m, x: m.scale.requires_grad_(False),
        "thawed": lambda m, x: m.kept.requires_grad_(),
        "gradient": lambda m, x: setattr(m.head.bias, "grad", torch.ones(WIDTH)),
        "gradient gone": lambda m, x: setattr(m.lin.weight, "grad", None),
        "all gradients gone": lambda m, x: m.zero_grad(),
        "hook": lambda m, x: m.head.weight.register_hook(lambda grad: grad * 0),
        "second hook": lambda m, x: m.scale.register_hook(lambda grad: grad * 0),
        "hooks cleared": lambda m, x: (m.scale._backward_hooks or {}).clear(),
        "hook after": lambda m, x: m.head.bias.register_post_accumulate_grad_hook(lambda p: None),
        "attribute": lambda m, x: setattr(m.scale, "kept", x),
        "attribute gone": lambda m, x: delattr(m.lin.weight, "note"),
        "class": lambda m, x: setattr(m.kept, "__class__", nn.Buffer),
    },
)

# What hangs on modules ---

_several(
    "held",
    {
        "list": lambda m, x: m.listed.append(x),
        "list emptied": lambda m, x: m.listed.clear(),
        "dict": lambda m, x: m.mapped.update(x=x),
        "dict entry gone": lambda m, x: m.mapped.pop("a"),
        "nested list": lambda m, x: m.nested["seen"].append(x),
        "nested dict": lambda m, x: m.nested["by"].setdefault("x", {}).update(x=[x]),
        "deque": lambda m, x: m.recent.extend([x, x, x]),
        "ordered": lambda m, x: m.ordered.move_to_end("a"),
        "set": lambda m, x: m.names.add(x),
        "array": lambda m, x: m.array.fill(1),
        "in a tuple": lambda m, x: (m.pair[0].append(x), m.pair[1].update(x=x)),
        "object": lambda m, x: setattr(m.plain, "table", x * 1),
        "object's number": lambda m, x: setattr(m.plain, "count", 5),
        "object's new attribute": lambda m, x: setattr(m.plain, "new", x),
        "in an object": lambda m, x: m.plain.inner["seen"].append(x),
        "slot": lambda m, x: setattr(m.slotted, "table", x * 1),
        "unset slot": lambda m, x: setattr(m.slotted, "unset", x),
        "hidden module moved": lambda m, x: m.hidden[0].to("meta"),
        "hidden module replaced": lambda m, x: m.hidden.__setitem__(0, nn.Linear(2, 2)),
        "plain tensor set": lambda m, x: setattr(m, "constant", x[0]),
        "generator of torch": lambda m, x: torch.rand(3, generator=m.draws),
        "generator of NumPy": lambda m, x: m.drawing.random(3),
        "generator of Python": lambda m, x: m.seeds.random(),
        "class attribute": lambda m, x: setattr(type(m), "cached", x * 1),
        "class number": lambda m, x: setattr(type(m), "calls", 9),
        "new class attribute": lambda m, x: setattr(type(m), "new", x * 1),
        "class dict": lambda m, x: type(m).tables.update(x=x * 1),
    },
)

# The program around it ---


@functools.lru_cache(maxsize=8)
def _cached(size: int, device: Any) -> torch.Tensor:
    return torch.empty(size, size, device=device)


@functools.cache
def _of_input(x: torch.Tensor) -> torch.Tensor:
    return x * 2


def _bind(m: Any, x: torch.Tensor) -> None:
    global BOUND  # noqa: PLW0603
    BOUND = x + 1


def _closes(size: int) -> Callable[[Any], Any]:
    kept: Any = None

    def keeping(x: Any) -> Any:
        nonlocal kept
        kept = kept if kept is not None else x * size
        return kept

    return keeping


_keeping = _closes(2)

_several(
    "program",
    {
        "dict": lambda m, x: TABLE.setdefault("x", x * 1),
        "dict of dicts": lambda m, x: TABLE.setdefault("x", {}).setdefault("y", []).append(x * 1),
        "deep": lambda m, x: DEEP["in"]["in"].update(x=(x * 1, [x * 2])),
        "value replaced": lambda m, x: KNOWN.update(x=x * 1),
        "key": lambda m, x: TABLE.update({x * 1: 1}),
        "list": lambda m, x: LISTED.append(x * 1),
        "set": lambda m, x: SET.add(x * 1),
        "object": lambda m, x: setattr(OBJECT, "table", x * 1),
        "new object": lambda m, x: TABLE.update(o=_with_table(x)),
        "weak keys": lambda m, x: WEAK.update({m: x * 1}),
        "variable": _bind,
        "closure": lambda m, x: m.counting(x * 1),
        "closure of the program": lambda m, x: _keeping(x),
        "cache": lambda m, x: _cached(3, x.device),
        "cache by tensor": lambda m, x: _of_input(x),
        "attribute of a function": lambda m, x: setattr(_bind, "kept", x * 1),
        "parameter": lambda m, x: TABLE.update(p=nn.Parameter(x.detach().clone())),
        "data": lambda m, x: TABLE.update(d=(x * 1).data, v=(x * 1)[0], w=m.scale.detach(), t=m.head.weight.t()),
        "weight's product": lambda m, x: TABLE.update(w=m.head.weight @ m.head.weight),
        "namespace": lambda m, x: TABLE.update(n=types.SimpleNamespace(x=x * 1)),
        "method": lambda m, x: TABLE.update(f=functools.partial(torch.add, x * 1)),
    },
)


def _with_table(x: torch.Tensor) -> Plain:
    made = Plain()
    made.table = x * 1
    return made


# Random states, settings, and what the thread is in ---


class _Passing(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


_several(
    "random",
    {
        "torch": lambda m, x: torch.rand(3),
        "torch seeded": lambda m, x: torch.manual_seed(1),
        "Python": lambda m, x: random.random(),
        "Python seeded": lambda m, x: random.seed(1),
        "NumPy": lambda m, x: numpy.random.rand(3),
        "NumPy normal": lambda m, x: numpy.random.randn(),
        "NumPy seeded": lambda m, x: numpy.random.seed(1),
        "dropout": lambda m, x: nn.functional.dropout(torch.ones(3), 0.5),
    },
)
_several(
    "setting",
    {
        "dtype": lambda m, x: torch.set_default_dtype(torch.float64),
        "device": lambda m, x: torch.set_default_device("meta"),
        "threads": lambda m, x: torch.set_num_threads(1 + torch.get_num_threads() % 2),
        "precision": lambda m, x: torch.set_float32_matmul_precision("medium"),
        "deterministic": lambda m, x: torch.use_deterministic_algorithms(True, warn_only=True),
        "cudnn": lambda m, x: torch._C._set_cudnn_benchmark(True),
        "cudnn deterministic": lambda m, x: torch._C._set_cudnn_deterministic(True),
        "attention": lambda m, x: torch.backends.cuda.enable_flash_sdp(False),
        "fast path": lambda m, x: torch.backends.mha.set_fastpath_enabled(False),
        "anomaly": lambda m, x: torch.autograd.set_detect_anomaly(True),
        "printing": lambda m, x: torch.set_printoptions(precision=2),
        "gradients": lambda m, x: torch.set_grad_enabled(not torch.is_grad_enabled()),
        "autocast": lambda m, x: torch.set_autocast_enabled("cpu", True),
        "autocast's dtype": lambda m, x: torch.set_autocast_dtype("cpu", torch.float16),
        "autocast entered": lambda m, x: torch.autocast("cpu", dtype=torch.bfloat16).__enter__(),
        "dispatch mode": lambda m, x: _Passing().__enter__(),
        "function mode": lambda m, x: torch.overrides.BaseTorchFunctionMode().__enter__(),
        "saved tensors": lambda m, x: torch.autograd.graph.save_on_cpu().__enter__(),
    },
)
