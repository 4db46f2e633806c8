"""SHA-256 of files, without reading what the hub's cache has hashed already."""

import hashlib
import re
from pathlib import Path

from embedcli.models.spec import ModelSpec

_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256(path: Path) -> str:
    """Return a file's hash. A large file of the hub's cache is a link to a blob of that name."""
    blob = path.resolve()
    if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name):
        return blob.name
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_model(spec: ModelSpec) -> dict[str, str]:
    """Return the hash of each file that vectors depend on: graph, all weights, tokenizer.

    Of a model on a server, what the server gives in their place.
    """
    if spec.digest is not None:
        return {"server": spec.digest}
    files = (*spec.files, *(layer.weights for layer in spec.dense), spec.tokenizer)
    return {str(file.relative_to(spec.folder)): sha256(file) for file in files}
