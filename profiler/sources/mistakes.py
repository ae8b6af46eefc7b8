"""What did a user mean whose text names no model? One line with the remedy, printed before torch is imported."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Sequence

from profiler import errors
from profiler.errors import ProfileError
from profiler.records.spec import Spec
from profiler.sources import zoos
from profiler.sources.definitions import definitions, remedy

_HUB = "hf"
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
_ON_HUB = re.compile(r"(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<model>[^?#]+)")
_PART_OF_URL = re.compile(r"/(?:resolve|blob|tree|raw)/[^/]+(?=/|$)")
_HUB_NAME = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)
_CONFIGURATION = re.compile(r"[A-Za-z]\w*Config")
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}$")
_SURE = 0.7  # similarity to a name of a zoo from which on that one is meant
_NICKNAMES = {"huggingface": _HUB, "hub": _HUB, "tv": "torchvision"}


def check_text(text: str) -> None:
    """Raise for a URL, and for an empty text."""
    if not text.strip():
        raise errors.BadSpec(text, "it is empty; name a model, like resnet34 (profile-model list has the names)")
    url = _URL.fullmatch(text.strip().removeprefix(f"{_HUB}:"))
    if url is not None:
        raise ProfileError(f"{text} is a URL, of which nothing is fetched; {_instead_of_url(**url.groupdict())}")


def _instead_of_url(scheme: str, rest: str) -> str:
    model = _ON_HUB.match(rest)
    if model is not None:
        return f"write {_HUB}:{_PART_OF_URL.sub('', model['model'].rstrip('/'))}"
    if scheme.lower() == "file":
        return f"write {rest}"
    return "download it, and name the file"


# Code -----------------------------------------------------------------------------------------------------------------


def check_code(spec: Spec) -> None:
    """Raise where it is clear from a file's text that `FILE.py:CALLABLE` names nothing; likewise `module:CALLABLE`."""
    where = spec.prefix or ""
    if where.endswith(".py"):
        _check_file(where, where, spec.target)
        return
    origin = _origin(where.partition(".")[0])
    if origin is None:
        raise _no_such_package(where, spec)
    if "." not in where and origin.endswith(f"{where}.py"):
        _check_file(origin, where, spec.target)


def no_callable(path: str) -> ProfileError:
    """The error for `FILE.py` without a callable."""
    return errors.BadSpec(path, remedy(path, definitions(path).candidates))


def no_such_callable(where: str, name: str, candidates: Sequence[str]) -> ProfileError:
    near = errors.nearest(name, candidates)
    hint = f"did you mean {', '.join(near)}?" if near else remedy(where, tuple(candidates))
    return ProfileError(f"nothing is called {name!r} in {where}; {hint}")


def _check_file(path: str, where: str, target: str) -> None:
    if not os.path.isfile(path):
        raise errors.no_such_file(path)
    defined = definitions(path)
    if defined.is_complete and target.partition(".")[0] not in defined.names:
        raise no_such_callable(where, target, defined.candidates)


def _origin(package: str) -> str | None:
    """The file of a module or package that can be imported, "" where it is in none."""
    sys.path.insert(0, "")  # the current folder comes first, as it does for `python -m`
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a name that no module can have, or a module without a spec
        return "" if package in sys.modules else None
    finally:
        sys.path.remove("")
    return None if spec is None else spec.origin or ""


def _no_such_package(where: str, spec: Spec) -> ProfileError:
    file = f"{where.replace('.', os.sep)}.py" if os.sep not in where else f"{where}.py"
    near = _NICKNAMES.get(where) or next(iter(errors.nearest(where, (*zoos.ZOOS, _HUB), 1, 0.7)), None)
    if os.path.isfile(file):
        hint = f"did you mean {file}:{spec.target}?"
    elif near is not None:
        hint = f"did you mean {near}:{spec.target}?"
    else:
        hint = (
            "write torchvision:NAME, timm:NAME, hf:NAME, FILE.py:CALLABLE, or the name of a package that is installed"
        )
    return ProfileError(f"no package is called {where!r}; {hint}")


# Names ----------------------------------------------------------------------------------------------------------------


def no_such_name(spec: Spec, missing: Iterable[errors.MissingPackage]) -> ProfileError:
    """The error for a name that no zoo has. `missing` are the errors of zoos that are not installed."""
    if _is_path(spec.target):
        return errors.no_such_file(spec.target)
    reasons = [_suggestion(spec), *dict.fromkeys(map(str, missing))]
    return ProfileError(f"no model is called {spec.target!r}; {'; '.join(reasons)}")


def no_such_in_zoo(zoo: str, spec: Spec) -> ProfileError:
    others = [f"{other}:{spec.target}" for other in zoos.ZOOS if other != zoo and spec.target in _of(other)]
    names = zoos.of(zoo)
    near = others or _same(spec.target, names) or errors.nearest(spec.target, names)
    hint = f"did you mean {', '.join(near)}?" if near else f"profile-model list '{zoo}:*' has the names"
    return ProfileError(f"no model is called {spec.target!r} in {zoo}; {hint}")


def _of(zoo: str) -> list[str]:
    """The names of a zoo; none where it is not installed."""
    try:
        return zoos.of(zoo)
    except errors.MissingPackage:
        return []


def _suggestion(spec: Spec) -> str:
    """What to write instead of a name."""
    name, names = spec.target, list(zoos.every())
    zoo, _, rest = name.partition("/")
    if same := _same(name, names):
        return f"did you mean {', '.join(same)}?"
    if zoo in zoos.ZOOS:
        return f"did you mean {zoo}:{rest}?"
    if _CONFIGURATION.fullmatch(name):
        return f"did you mean {_HUB}:{spec.text}?"
    if (code := _as_code(name)) is not None:
        return code
    if len(name.split()) > 1:
        return "a name has no spaces in it; several models are a word each, like profile-model resnet18 resnet34"
    near = errors.nearest(name, names)
    hints = [f"did you mean {', '.join(near)}?"] if near else []
    if _HUB_NAME.fullmatch(name) and not errors.nearest(name, names, 1, _SURE):
        hints.append(f"a model of the Hugging Face hub is written {_HUB}:{spec.text}")
    return "; ".join(hints) or "profile-model list has the names"


def _is_path(name: str) -> bool:
    """Whether it is written as a path, which `ORGANISATION/NAME` is not unless there is a folder ORGANISATION."""
    first, _, rest = name.partition(os.sep)
    if rest:
        return first in ("", ".", "..", "~") or os.sep in rest or os.path.isdir(first)
    return _SUFFIX.search(name) is not None and _as_code(name) is None


def _as_code(name: str) -> str | None:
    """`torchvision.models.resnet34` and `nets.build`: a dot where a colon is meant; or a file without its suffix."""
    if os.path.isfile(f"{name}.py"):
        return remedy(f"{name}.py", definitions(f"{name}.py").candidates)
    module, _, target = name.rpartition(".")
    if not module or not name.replace(".", "").isidentifier():
        return None
    if os.path.isfile(file := f"{module.replace('.', os.sep)}.py"):
        return f"did you mean {file}:{target}?"
    return f"did you mean {module}:{target}?" if _origin(module.partition(".")[0]) is not None else None


def _same(name: str, names: Iterable[str]) -> list[str]:
    """The names that differ only in case and in the separators of their parts."""
    plain = re.sub(r"[\W_]", "", name).lower()
    return [each for each in names if re.sub(r"[\W_]", "", each.rpartition(":")[2]).lower() == plain]
