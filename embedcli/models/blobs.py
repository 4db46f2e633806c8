"""Files as the hub's cache keeps them: contents by hash, and links to them by name.

    models--org--name/blobs/HASH                   a file's contents
    models--org--name/blobs/HASH.part              the first bytes of them, so far
    models--org--name/snapshots/COMMIT/the/name    a link to a blob

The hash is sha256 for large files, and git's sha1 of a blob for small ones.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedcli.errors import ModelError

_READ = 1 << 20  # bytes at a time


@dataclass(frozen=True, slots=True)
class Blob:
    """The contents of one file of a repo."""

    folder: Path  # of the repo
    digest: str

    @property
    def path(self) -> Path:
        """Where the contents lie once they are whole and checked."""
        return self.folder / "blobs" / self.digest

    @property
    def part(self) -> Path:
        """Where they lie until then: what is there is continued, by whatever process."""
        return self.folder / "blobs" / f"{self.digest}.part"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process fetch the same contents; the lock is the hub library's own."""
        from filelock import FileLock

        lock = self.folder.parent / ".locks" / self.folder.name / f"{self.digest}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            yield

    def keep(self, name: str) -> None:
        """Make a whole part the contents, if its hash is right; delete it if not.

        Raises:
            ModelError: it is wrong.
        """
        if self._digest_of_part() != self.digest:
            self.part.unlink()
            raise ModelError(
                f"`{name}` arrived damaged: its hash is not the one that the hub gives",
                hint="run it again; if that does not help, a proxy or mirror changes files",
            )
        self.part.replace(self.path)

    def link(self, path: Path) -> None:
        """Give the contents a name; where links are not allowed, they move there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            path.symlink_to(os.path.relpath(self.path, path.parent))
        except OSError:
            self.path.replace(path)

    def _digest_of_part(self) -> str:
        if len(self.digest) == 64:
            made = hashlib.sha256()
        else:
            made = hashlib.sha1(usedforsecurity=False)
            made.update(f"blob {self.part.stat().st_size}\0".encode())
        with self.part.open("rb") as content:
            while chunk := content.read(_READ):
                made.update(chunk)
        return made.hexdigest()
