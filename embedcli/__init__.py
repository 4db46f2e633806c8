"""Text to vectors with ONNX embedding models, on your own machine.

>>> from embedcli import load
>>> load("all-minilm").embed(["why is the sky blue?"]).shape
(1, 384)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedcli.engine.embedder import Embedder
    from embedcli.errors import EmbedError
    from embedcli.load import load
    from embedcli.records import Embedded, Options

__version__ = "0.1.0"
__all__ = ["EmbedError", "Embedded", "Embedder", "Options", "__version__", "load"]

# Where each public name lives; imported on first use, so that `embed --help` stays light.
_HOMES = {
    "EmbedError": "embedcli.errors",
    "Embedded": "embedcli.records",
    "Embedder": "embedcli.engine.embedder",
    "Options": "embedcli.records",
    "load": "embedcli.load",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'embedcli' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # `load` the function must win over `load` the module
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
