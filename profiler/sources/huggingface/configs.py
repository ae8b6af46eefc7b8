"""Which configuration does a spec name? A folder's `config.json`, a model of the hub, or a class with its arguments."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from profiler import errors
from profiler.records.files import reading as files
from profiler.records.spec import Spec
from profiler.sources.hub import CLASS, FILE, is_folder, reaches
from profiler.sources.libraries import imported

_LONGEST = 16 << 20  # bytes of a configuration; one with the labels of 21,000 classes has one of them
# Settings of every class that are not fields: which code computes attention and experts.
_IMPLEMENTATIONS = {"attn_implementation", "experts_implementation"}


class BadConfig(errors.ProfileError):
    def __init__(self, spec: str, error: Exception) -> None:
        reason = " ".join(str(error).split())
        super().__init__(
            f"{spec} is no configuration of a model ({reason[:_LONGEST]}{'...' * (len(reason) > _LONGEST)}); mend it"
        )


def transformers() -> Any:
    return imported("transformers", "transformers huggingface_hub")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the library's warnings about missing weights and unusual settings.

    It imports other libraries, such as torchao, for which torch warns about how they register their classes.
    """
    of_library, of_torch = transformers().logging, logging.getLogger("torch.utils._pytree")
    before, level = of_library.get_verbosity(), of_torch.level
    of_library.set_verbosity_error()
    of_torch.setLevel(logging.ERROR)
    try:
        yield
    finally:
        of_library.set_verbosity(before)
        of_torch.setLevel(level)


def config_of(spec: Spec, trusts_code: bool) -> Any:
    """The configuration that a spec names, with the spec's arguments put in. Raises `errors.ProfileError`."""
    if CLASS.fullmatch(spec.target):
        return _of_class(spec)
    return _of_folder(spec, trusts_code) if is_folder(spec.target) else _of_hub(spec, trusts_code)


def _of_class(spec: Spec) -> Any:
    cls = getattr(transformers(), spec.target, None)
    if cls is None:
        raise _no_such_model(spec.target, _class_names(), "transformers")
    names = _settings(cls)
    for name in spec.kwargs:
        if name not in names:
            raise _no_such_setting(spec.target, name, names)
    try:
        return cls(**spec.kwargs)
    except Exception as error:  # each class checks its settings in its own way
        raise BadConfig(spec.text, error) from error


def _class_names() -> list[str]:
    return [cls.__name__ for cls in transformers().CONFIG_MAPPING.values()]


def _settings(cls: Any) -> set[str]:
    """The names that a configuration accepts: its fields, and aliases of them."""
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set(vars(cls()))
    return fields | set(getattr(cls, "attribute_map", {})) | _IMPLEMENTATIONS


def _of_folder(spec: Spec, trusts_code: bool) -> Any:
    folder = Path(spec.target.removesuffix(FILE) or ".").expanduser()
    try:
        files.content(folder / FILE, _LONGEST)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise errors.no_such_file(str(folder / FILE)) from None
    except OSError as error:
        raise BadConfig(spec.text, ValueError(error.strerror or str(error))) from None
    return _read(spec, str(folder), trusts_code)


def _of_hub(spec: Spec, trusts_code: bool) -> Any:
    """Read through the cache of the hub's own client, which fetches `config.json` where it is missing.

    That client retries an unreachable hub for most of a minute, so one request is made before.
    """
    if not reaches(spec.target):
        return _read(spec, spec.target, trusts_code, local_files_only=True)
    try:
        return _read(spec, spec.target, trusts_code)
    except BadConfig as error:
        if isinstance(error.__cause__, OSError):
            raise errors.not_in_hub(spec.target, error.__cause__) from error
        raise


def _read(spec: Spec, where: str, trusts_code: bool, **more: bool) -> Any:
    """`trust_remote_code` is always passed: without it the library would ask on the terminal."""
    try:
        config, unused = transformers().AutoConfig.from_pretrained(
            where, trust_remote_code=trusts_code, return_unused_kwargs=True, **more, **spec.kwargs
        )
    except Exception as error:  # the file can hold anything
        if not trusts_code and "trust_remote_code" in str(error):
            raise _needs_trust(spec.text) from None
        raise BadConfig(spec.text, error) from error
    for name in unused:
        if name not in ("trust_remote_code", *more):
            raise _no_such_setting(type(config).__name__, name, _settings(type(config)))
    return config


# Error messages -------------------------------------------------------------------------------------------------------


def _no_such_setting(config: str, name: str, names: Iterable[str]) -> errors.ProfileError:
    near = errors.nearest(name, names)
    hint = f"did you mean {', '.join(near)}?" if near else "see its documentation for what it has"
    return errors.ProfileError(f"{config} has no setting {name!r}; {hint}")


def _needs_trust(spec: str) -> errors.ProfileError:
    return errors.ProfileError(
        f"{spec} comes with code of its own, which is not run; read it, and add --trust-remote-code if you trust it"
    )


def _no_such_model(name: str, names: Iterable[str], where: str = "") -> errors.ProfileError:
    near = errors.nearest(name, names)
    hint = f"did you mean {', '.join(near)}?" if near else "profile-model list has the names"
    return errors.ProfileError(f"no model is called {name!r}{f' in {where}' if where else ''}; {hint}")
