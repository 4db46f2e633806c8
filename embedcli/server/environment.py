"""Ollama's variables, read as Ollama reads them (`envconfig/config.go`): nonsense is a default."""

import os

from embedcli.errors import InputError
from embedcli.server import address, duration
from embedcli.server.address import Address

KEEP_ALIVE = 300.0  # seconds


def host() -> Address:
    """Return where `$OLLAMA_HOST` says to listen."""
    return address.parse(_read("OLLAMA_HOST"))


def origins() -> str:
    """Return the web origins of `$OLLAMA_ORIGINS`, by comma."""
    return _read("OLLAMA_ORIGINS")


def keep_alive() -> float:
    """Return for how many seconds `$OLLAMA_KEEP_ALIVE` keeps an idle model."""
    try:
        return duration.from_option(_read("OLLAMA_KEEP_ALIVE"))
    except InputError:
        return KEEP_ALIVE


def most_models() -> int:
    """Return how many models `$OLLAMA_MAX_LOADED_MODELS` lets be loaded; 0 leaves it to us."""
    text = _read("OLLAMA_MAX_LOADED_MODELS")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _read(name: str) -> str:
    """Return a variable without the blanks and quotes around it; empty where it is not set."""
    return os.environ.get(name, "").strip().strip("\"'")
