"""What happens to files: bits flip, ends are missing, pieces are moved; and what somebody changes on purpose."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

_NUMBERS = [0, 1, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
_PIECES = [
    b"(", b"t", b"R", b".", b"\x85", b"[[[[", b"{{", b'"', b"-1", b"1e999", b"NaN", b"\xff\xfe", b"PK\x05\x06", b"..",
    b"9" * 30, b"\0", b"\x1b[31m", b",", b"\n", b"=", b"'", b"\\u0000", b"\xe2\x80\xae",
]  # fmt: skip
_VALUES: list[Any] = [
    None, True, -1, 0, 3, 0.5, 1 << 40, 1 << 62, 1 << 70, -(1 << 63), 1e308, "", "x", "\x1b[31m", "a" * 5000, [], {},
    [[]], {"a": 1}, [1] * 70, "torch.ops.aten.nonzero.default", "torch.ops.aten.unbind.int",
]  # fmt: skip
Change = Callable[[random.Random, bytes], bytes]


def _flipped(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content))]


def _numbered(chance: random.Random, content: bytes) -> bytes:
    at, form = chance.randrange(len(content)), chance.choice("BHIQ")
    size = struct.calcsize(form)
    return content[:at] + (chance.choice(_NUMBERS) % 256**size).to_bytes(size, "little") + content[at + size :]


def _put(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + chance.choice(_PIECES) + content[at:]


def _moved(chance: random.Random, content: bytes) -> bytes:
    at, source, length = chance.randrange(len(content)), chance.randrange(len(content)), chance.randrange(1, 64)
    return content[:at] + content[source : source + length] + content[at + chance.choice([0, length]) :]


def _in_json(chance: random.Random, content: bytes) -> bytes:
    """Something in a JSON document is replaced or left out."""
    try:
        found = json.loads(content)
    except ValueError:
        return _flipped(chance, content)
    place, key = found, None
    while isinstance(place, (dict, list)) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
        if not isinstance(place[key], (dict, list)) or not place[key] or chance.random() < 0.2:
            break
        place = place[key]
    if key is not None and isinstance(place, (dict, list)):
        if chance.random() < 0.3:
            del place[key]
        else:
            place[key] = chance.choice(_VALUES)
    return json.dumps(found).encode()


def _in_zip(chance: random.Random, content: bytes) -> bytes:
    """A record of a zip is damaged, and the archive is right."""
    file = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
            names = old.namelist()
            weighted = [name for name in names if name.endswith((".json", ".pkl"))] * 8 + names
            chosen = chance.choice(weighted)
            for name in names:
                record = old.read(name)
                damaged = chance.choice([_in_json, _in_json, _flipped, _put, _cut]) if name == chosen else None
                new.writestr(name, damaged(chance, record) if damaged and record else record)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError):
        return _flipped(chance, content)
    return file.getvalue()


def _in_gzip(chance: random.Random, content: bytes) -> bytes:
    """What is packed is damaged, and packed again."""
    try:
        return gzip.compress(_in_json(chance, gzip.decompress(content)), 1, mtime=0)
    except (OSError, EOFError, zlib.error):
        return _flipped(chance, content)


_ANY: list[Change] = [_flipped, _flipped, _cut, _numbered, _put, _moved]


def damaged(content: bytes, seed: int) -> bytes:
    """A file after one to three changes, the same for the same seed."""
    chance = random.Random(seed)
    changes = list(_ANY)
    if content[:4] == b"PK\x03\x04":
        changes += [_in_zip] * 12
    elif content[:2] == b"\x1f\x8b":
        changes += [_in_gzip] * 12
    elif content[:1] == b"{":
        changes += [_in_json] * 8
    for _ in range(chance.choice([1, 1, 2, 3])):
        content = chance.choice(changes)(chance, content) or b"\0"
    return content
