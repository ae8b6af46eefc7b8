"""Can a server be connected to at all? Asked first, since a client without a network waits for a minute."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

from profiler import errors
from profiler.errors import Malformed

_CONNECTING = 1.0  # seconds


def check_connection(url: str) -> None:
    """Raise where no connection can be made within a second.

    Without a network the look-up of a host name can take a minute, and no time limit of the client's applies to it.
    """
    host, port = _nearest_host(url)
    failures: list[OSError] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), _CONNECTING).close()
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECTING)
    if thread.is_alive() or failures:
        why = errors.first_line(failures[0]) if failures else f"it does not answer within {_CONNECTING:g} second"
        raise Malformed(f"the hub cannot be reached ({host}:{port}: {why})")


def _nearest_host(url: str) -> tuple[str, int]:
    """The host and port to connect to: the server's, or those of the proxy that the environment sets for it."""
    target = urlsplit(url)
    from urllib.request import getproxies, proxy_bypass  # imports a client of HTTP and OpenSSL

    proxies = {} if proxy_bypass(target.hostname or "") else getproxies()
    proxy = proxies.get(target.scheme) or proxies.get("all") or url
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 1080)
    except ValueError:  # no number, or one that no port has
        raise Malformed("the environment names a proxy or a hub by what is no address") from None
