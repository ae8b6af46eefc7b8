"""How is something told apart from what it was? By a digest of its text or of its bytes."""

from __future__ import annotations

try:  # as `random` does it: `hashlib` loads OpenSSL, which takes longer than all that is looked up here
    from _blake2 import blake2b
except ImportError:  # an implementation of Python without it
    from hashlib import blake2b

SIZE = 20  # bytes


def of_bytes(content: bytes) -> bytes:
    return blake2b(content, digest_size=SIZE).digest()


def of_text(text: str) -> str:
    return of_bytes(text.encode(errors="surrogatepass")).hex()
