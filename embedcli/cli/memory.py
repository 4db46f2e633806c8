"""The memory before a model: vectors of texts that come again, for the commands that want it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedcli.embeds import Embeds, Streams


def remembering(embedder: "Embeds", device: str) -> "Streams":
    """Return `embedder` behind a memory of what it computed before, here or in other processes."""
    from embedcli import places
    from embedcli.cache import Cached, Store
    from embedcli.engine import machine
    from embedcli.models import hashes

    spec = embedder.spec
    fingerprint = f"{hashes.of_model(spec)} {spec!r} {machine.kernels(device)}"
    return Cached(embedder, Store(places.vectors()), fingerprint)
