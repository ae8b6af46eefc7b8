"""Is a counter installed, and is what its import name finds really that counter? Found out without importing it."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from profiler import counters, errors


def missing(counter: counters.Counter) -> str | None:
    """Why a counter cannot be run, and what to do; None where it can."""
    package = counter.MODULE.partition(".")[0]
    rivals = _rivals(package)
    provider = _provider(package, rivals) if len(rivals) > 1 else counter.DISTRIBUTION
    if version(counter.DISTRIBUTION) is None and provider in (None, counter.DISTRIBUTION):
        return str(_counter_missing(counter.DISTRIBUTION))
    if provider != counter.DISTRIBUTION:
        return str(_counter_hidden(counter.DISTRIBUTION, package, provider))
    return None if find_spec(package) else str(_counter_missing(counter.DISTRIBUTION))


def _rivals(package: str) -> tuple[str, ...]:
    """The distributions that own an import name: of several, one hides the others."""
    owners = (tool.DISTRIBUTION for tool in map(counters.tool, counters.names()) if package == tool.MODULE)
    return tuple(dict.fromkeys(owners))


def version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _provider(package: str, rivals: tuple[str, ...]) -> str | None:
    """Which distribution the files are from that an import of the package would find."""
    spec = find_spec(package)
    origin = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
    return next((name for name in rivals if origin and _installed(name, origin)), None)


def _installed(distribution: str, file: Path) -> bool:
    """Whether a file is from a distribution: it lists the file, and with these contents where it says so."""
    for candidate in metadata.distributions(name=distribution):
        for listed in candidate.files or ():
            if listed.name == file.name and Path(str(listed.locate())).resolve() == file:
                return listed.hash is None or listed.hash.value == _digest(file, listed.hash.mode)
    return False


def _digest(file: Path, algorithm: str) -> str:
    """As the file lists of distributions write it."""
    digest = hashlib.new(algorithm, file.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


# What is said ---------------------------------------------------------------------------------------------------------


def _counter_missing(distribution: str) -> errors.ProfileError:
    return errors.ProfileError(f"{distribution} is not installed; pip install {distribution}")


def _counter_hidden(distribution: str, package: str, provider: str | None) -> errors.ProfileError:
    """Two distributions own one import name."""
    whose = f"{provider}'s" if provider else "that of neither"
    remedy = f"pip uninstall {provider} && " if provider else ""
    return errors.ProfileError(
        f"the package {package!r} that is installed is {whose}, not {distribution}'s; "
        f"{remedy}pip install --force-reinstall {distribution}"
    )
