"""Does the hub have a model? Looked up before anything large is imported, so that an error is reported at once."""

from __future__ import annotations

import re
from pathlib import Path

from profiler import errors
from profiler.errors import Malformed
from profiler.sources.checkpoints import hub

FILE = "config.json"
CLASS = re.compile(r"[A-Za-z]\w*Config")
_LONGEST = 1 << 20  # bytes of a configuration


class NoConfiguration(errors.ProfileError):
    """The hub answers, and has no configuration of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is no folder here, and the hub has no config.json of it; give a file of its weights, like "
            f"hf:{name}/FILE.safetensors, or a class such as hf:LlamaConfig(num_hidden_layers=2)"
        )


def is_folder(target: str) -> bool:
    """Whether a target is a path; `ORGANISATION/NAME` is a model of the hub unless there is such a folder."""
    return Path(target).is_dir() or target.startswith((".", "/", "~")) or target.endswith(FILE)


def is_name(target: str) -> bool:
    """Whether a target is one of the hub's models, by its name."""
    return CLASS.fullmatch(target) is None and not is_folder(target)


def reaches(target: str) -> bool:
    """Whether the hub has a model's configuration; false where it does not answer, and the cache has it.

    Raises `NotInHub` or `NoConfiguration`.
    """
    try:
        hub.Hub().part(hub.HubFile(target, "main", FILE), 0, _LONGEST)
        return True
    except hub.Gone:
        raise NoConfiguration(target) from None
    except Malformed as error:
        if not isinstance(hub.library().try_to_load_from_cache(target, FILE), str):
            raise errors.not_in_hub(target, error) from None
        return False


def is_weights_alone(spec: str) -> bool:
    """Whether a model of the hub without a configuration has weights, as those in GGUF do."""
    place = hub.place(f"{spec}/")
    if place is None:
        return False
    try:
        names = hub.Hub().listing(place)
    except Malformed:
        return False
    return any(name.endswith((".gguf", ".safetensors")) for name in names)
