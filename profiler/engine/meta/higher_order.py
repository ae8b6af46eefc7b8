"""How are operators counted that call functions? Loops and branches by their bodies, flex attention as a kernel.

For the time of a run the bodies are called where the model's code calls the operator, above autograd, so that weights
that they close over have gradients; compiled code has the same. Whether a branch is taken and how often a loop turns
are values, which meta tensors do not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import _get_current_dispatch_mode

from profiler.engine.meta.flex import flex_attention
from profiler.engine.meta.recording import RecorderProtocol

Body = Callable[..., Any]


@contextmanager
def by_bodies(kind: type) -> Iterator[None]:
    """Operators that have a rule below follow it wherever a mode of this kind is the innermost one."""
    dispatch: Any = HigherOrderOperator.dispatch

    def dispatched(op: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        mode = _get_current_dispatch_mode() if op._name in _RULES else None
        if not isinstance(mode, kind):
            return dispatch(op, key, *args, **kwargs)
        return _RULES[op._name](mode, op, *args, **kwargs)

    replaced: Any = HigherOrderOperator
    replaced.dispatch = dispatched
    try:
        yield
    finally:
        replaced.dispatch = dispatch


def unseen(recorder: RecorderProtocol, op: Any, args: Any, kwargs: Any) -> Any:
    """One that has no rule, called with no mode active: it is run on real tensors, and its cost is unknown."""
    name = f"higher_order.{op._name}"
    if not recorder.run_real:
        raise recorder.asks_for(name)
    out = op(*args, **kwargs)
    leaves = torch.utils._pytree.tree_leaves
    tensors = [[t for t in leaves(value) if isinstance(t, torch.Tensor)] for value in ((args, kwargs), out)]
    recorder.foreign(name, *tensors)
    return out


def _cond(recorder: RecorderProtocol, _: Any, pred: Any, true_fn: Body, false_fn: Body, operands: Any) -> Any:
    taken = bool(pred)
    recorder.note(f"torch.cond took its {'first' if taken else 'second'} branch, for the values that it was fed")
    return (true_fn if taken else false_fn)(*operands)


def _while_loop(
    recorder: RecorderProtocol, _: Any, cond_fn: Body, body_fn: Body, carried: Any, additional: Any,
    stack_output: bool = False, *__: Any, **___: Any,
) -> Any:  # fmt: skip
    values, stacked = tuple(carried), []
    while bool(cond_fn(*values, *additional)):
        values = body_fn(*values, *additional)
        stacked.append(values)
    recorder.note(f"while_loop turned {len(stacked):,} times, for the values that it was fed")
    if stack_output and stacked:
        return tuple(torch.stack(each) for each in zip(*stacked, strict=True))
    return values if stacked else tuple(value.clone() for value in values)


def _scan(_: Any, __: Any, combine_fn: Body, init: Any, xs: Any, additional_inputs: Any, *___: Any) -> Any:
    from torch._higher_order_ops.scan import generic_scan

    return generic_scan(combine_fn, init, xs, additional_inputs=additional_inputs)


def _as_in_eager(_: Any, op: Any, *args: Any, **kwargs: Any) -> Any:
    return op.py_kernels[torch._C.DispatchKey.CompositeExplicitAutograd](*args, **kwargs)


_RULES: Mapping[str, Callable[..., Any]] = {
    "cond": _cond,
    "while_loop": _while_loop,
    "scan": _scan,
    "map_impl": _as_in_eager,
    "associative_scan": _as_in_eager,
    "flex_attention": flex_attention,
}
