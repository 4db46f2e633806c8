"""Where this program keeps files of its own: all of it can be deleted, and is made again."""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from embedcli.errors import ModelError


def own() -> Path:
    """Return the folder of what is kept: `$EMBED_CACHE`, or `embedcli` in the user's cache."""
    if told := os.environ.get("EMBED_CACHE"):
        return Path(told).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "embedcli"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "embedcli"
    return xdg() / "embedcli"


def vectors() -> Path:
    """Return the file of vectors that are kept for texts that come again."""
    return own() / "vectors.db"


def hub() -> Path:
    """Return the hub's own cache, by the hub's own rules, without importing it.

    Raises:
        ModelError: it is there, or something in its place, and the system lets nobody in.
    """
    folder = _hub()
    try:
        os.stat(f"{folder}/.")  # noqa: PTH116  # a Path would lose the dot, which asks to enter
    except FileNotFoundError:
        pass  # it is made with the first model
    except OSError as error:
        raise ModelError(
            f"cannot read the models in `{folder}`: {error.strerror}",
            hint="set HF_HUB_CACHE to a folder of yours",
        ) from error
    return folder


def takes(folder: Path) -> int:
    """Return the bytes of the files below a folder, each once: links do not count."""
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # gone since it was listed
                facts = os.lstat(os.path.join(root, name))  # noqa: PTH118
                size += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return size


def xdg() -> Path:
    """Return the folder of caches on Unix."""
    told = os.environ.get("XDG_CACHE_HOME")
    return _expanded(told) if told else Path.home() / ".cache"


def _hub() -> Path:
    """Return where the variables of huggingface_hub's `constants.py` point, in its order."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if told := os.environ.get(name):
            return _expanded(told)
    home = os.environ.get("HF_HOME")
    return (_expanded(home) if home else xdg() / "huggingface") / "hub"


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()
