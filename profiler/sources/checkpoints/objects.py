"""What stands for objects of classes that a pickle names? Inert records: nothing is imported or called.

`torch.save(model)` writes a whole model as such objects: each module's state has dicts of its parameters, its buffers
and its children, which are read like a state_dict. Names of Python's own modules are refused but for a few types of
data, for no model needs `os.system`.
"""

from __future__ import annotations

import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from profiler.sources.checkpoints.rebuilding import TensorRef

# Types of data from Python's own modules that a pickle may have besides tensors.
_OF_PYTHON: Mapping[str, str] = {
    "argparse": "Namespace",
    "builtins": "getattr object slice frozenset list dict tuple int float str bool range",
    "collections": "defaultdict deque",
    "copyreg": "_reconstructor",
    "datetime": "date datetime timedelta",
    "enum": "Enum",
    "functools": "partial",
    "pathlib": "Path PosixPath PurePosixPath WindowsPath PureWindowsPath",
    "pathlib._local": "Path PosixPath",
    "types": "SimpleNamespace",
}
_DATA = frozenset(f"{module}.{name}" for module, names in _OF_PYTHON.items() for name in names.split())
_PARAMETERS, _BUFFERS, _MODULES = "_parameters", "_buffers", "_modules"


class Foreign(NamedTuple):
    """A name of a class or function that torch's own pickles do not use."""

    name: str


class Object:
    """Stands for the result of a call of a class or a function: its name, the arguments, and the state set later."""

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: Any = ()) -> None:
        self.name = name
        self.args = args
        self.state: Any = None

    def attribute(self, name: str) -> Any:
        """An attribute from the object's state, which is a dict, or a pair of which the last is a dict."""
        state = self.state
        if type(state) is tuple and state and isinstance(state[-1], dict):
            state = {**(state[0] if isinstance(state[0], dict) else {}), **state[-1]}
        return state.get(name) if isinstance(state, dict) else None

    @property
    def is_module(self) -> bool:
        """Whether it has what every `torch.nn.Module` has."""
        return all(isinstance(self.attribute(name), dict) for name in (_PARAMETERS, _BUFFERS, _MODULES))

    def members(self) -> Iterator[tuple[Any, Any]]:
        """A module's tensors and modules by their names, in the order of a state_dict, with which are buffers."""
        if not self.is_module:
            return
        for name in (_PARAMETERS, _BUFFERS, _MODULES):
            for key, value in self.attribute(name).items():
                is_tensor = isinstance(value, TensorRef)
                yield key, value._replace(is_buffer=name == _BUFFERS) if is_tensor else value


def may_stand(name: str) -> bool:
    """Whether an inert object may stand for a name: of Python's own modules for types of data alone.

    Old protocols have the names of Python 2's modules: `commands` for `subprocess`, `copy_reg` for `copyreg`.
    """
    module, _, last = name.rpartition(".")
    module, last = NAME_MAPPING.get((module, last), (IMPORT_MAPPING.get(module, module), last))
    return f"{module}.{last}" in _DATA or module.partition(".")[0] not in sys.stdlib_module_names
