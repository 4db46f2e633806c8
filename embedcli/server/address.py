"""Where to listen, in the words of Ollama's variable for it."""

import ipaddress
from dataclasses import dataclass

PORT = 11434
_SCHEME_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str = "127.0.0.1"
    port: int = PORT


def parse(text: str) -> Address:
    """Return what `$OLLAMA_HOST` means: `[scheme://]host[:port][/path]`, each part optional.

    A port that is none becomes the default, as in Ollama (`envconfig/config.go`, `Host`).
    """
    scheme, separator, rest = text.rpartition("://")
    default = _SCHEME_PORTS.get(scheme, PORT) if separator else PORT
    where = rest.partition("/")[0]
    host, port = _split(where)
    number = int(port) if port.isascii() and port.isdigit() and int(port) <= 65535 else default
    return Address(host or "127.0.0.1", number)


def _split(where: str) -> tuple[str, str]:
    """Return host and port; a bare IPv6 address has no port."""
    if where.startswith("["):
        host, _, port = where[1:].partition("]")
        return host, port.removeprefix(":")
    if where.count(":") > 1:
        return where, ""
    host, _, port = where.partition(":")
    return host, port


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
