"""How does an operator run on meta tensors where some of its arguments are real? A stand-in takes the place of each.

Its storage counts as that of the real tensor, whose values are never read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from profiler import errors
from profiler.engine.containers.layouts import MARK, META, layout_of
from profiler.engine.meta.kernels import returned
from profiler.engine.meta.operators import each_tensor
from profiler.engine.record.insides import by_parts, has_parts
from profiler.engine.record.known_tensors import KnownTensor, KnownTensors
from profiler.engine.record.needs import ValueRequests


class OnMeta:
    """Runs operators on meta tensors, and makes the stand-ins for real ones."""

    def __init__(self, tensors: KnownTensors, needs: ValueRequests) -> None:
        self._tensors = tensors
        self._needs = needs

    def run(self, func: Any, args: Any, kwargs: Any, tensors: list[KnownTensor], may_be_apart: bool = False) -> Any:
        """What an operator returns on meta tensors; whatever it raises is noted.

        may_be_apart: whether a composite one may be run by its parts.
        """
        if kwargs or not all(info.is_meta for info in tensors) or any(type(a) is torch.device for a in args):
            args, kwargs = self.all_in_place(args, kwargs)
        try:
            out = by_parts(func, args, kwargs) if may_be_apart and has_parts(func) else func(*args, **kwargs)
            return returned(func, out, args, kwargs)
        except (RuntimeError, NotImplementedError, ValueError, IndexError, TypeError) as error:
            self._needs.add(errors.first_line(error))
            raise

    def all_in_place(self, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments, with meta tensors in place of all real ones."""
        return [self.in_place(value) for value in args], {name: self.in_place(value) for name, value in kwargs.items()}

    def in_place(self, value: Any) -> Any:
        """What stands on the meta device in place of an argument."""
        if isinstance(value, Tensor):
            return value if value.is_meta else self.stand_in(value)
        if isinstance(value, torch.device):
            return META
        if isinstance(value, (list, tuple)):
            return type(value)(self.in_place(item) for item in value)
        return value

    def stand_in(self, tensor: Tensor) -> Tensor:
        """A meta tensor with a real one's metadata, whose storage counts as the real one's."""
        info = self._tensors.info_of(tensor)
        if info.layout.tensor.form is not None:
            raise self._needs.of_values(f"a {info.layout.tensor.form} tensor")
        if info.stand_in is None:
            with torch.inference_mode(tensor.is_inference()):  # a view of an ordinary tensor must be an ordinary one
                stand_in = info.layout.empty()
            stand_in.__dict__[MARK] = KnownTensor(info.run, info.layout, info.storage, False, True, info.owners)
            if tensor.is_leaf and tensor.requires_grad:  # kernels ask
                stand_in.requires_grad_()
            self._tensors.lifetimes.stands_for(stand_in, info.storage)
            info.stand_in = stand_in
        return info.stand_in

    def original(self, out: Any, args: Any, kwargs: Any) -> Tensor | None:
        """The argument itself where an operator returned it, as `.to` does with nothing to change: not its stand-in."""
        if not isinstance(out, Tensor):
            return None
        arguments = each_tensor((args, tuple(kwargs.values())))
        return next((tensor for tensor in arguments if self._tensors.info_of(tensor).stand_in is out), None)

    def take_values_of_written(self, func: Any, args: Any, kwargs: Any) -> None:
        """A real tensor that meta values were written to has none any more; one that was resized cannot be followed."""
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            for tensor in each_tensor(value):
                if not tensor.is_meta:
                    info = self._tensors.info_of(tensor)
                    if layout_of(self.stand_in(tensor)) is not info.layout:
                        raise self._needs.of_values(str(func))
                    self._tensors.valueless.add(info.storage)
