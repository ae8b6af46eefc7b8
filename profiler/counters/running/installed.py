"""Is a counter installed, and is what its import name finds really that counter? Found out without importing it."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from profiler import errors
from profiler.counters.peers import Peer

# Distributions that own the same import name, one of which hides the other.
_RIVALS = {"thop": ("thop", "ultralytics-thop")}


def missing(peer: Peer) -> str | None:
    """Why a counter cannot be run, and what to do; None where it can."""
    package = peer.MODULE.partition(".")[0]
    rivals = _RIVALS.get(package, ())
    provider = _provider(package, rivals) if rivals else peer.DISTRIBUTION
    if version(peer.DISTRIBUTION) is None and provider in (None, peer.DISTRIBUTION):
        return str(errors.PeerMissing(peer.DISTRIBUTION))
    if provider != peer.DISTRIBUTION:
        return str(errors.PeerHidden(peer.DISTRIBUTION, package, provider))
    return None if find_spec(package) else str(errors.PeerMissing(peer.DISTRIBUTION))


def version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _provider(package: str, rivals: tuple[str, ...]) -> str | None:
    """Which distribution the files are from that an import of the package would find."""
    found = find_spec(package)
    origin = None if found is None or found.origin is None else Path(found.origin).resolve()
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
