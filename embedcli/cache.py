"""Vectors kept for texts that come again: a small SQLite file, keyed by hashes, never by texts.

A cache must not change a result. So the key names everything that a vector depends on, each row
carries a checksum, and whatever goes wrong here, the vector is computed as if there were no cache.
"""

import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from embedcli.embeds import Engine
from embedcli.errors import EmbedError, TextTooLong, VectorError
from embedcli.feed import Feed
from embedcli.outcomes import Outcome, vectors
from embedcli.records import DEFAULTS, Embedded, Options

LIMIT = 1_000_000_000  # bytes; about 600,000 vectors of 384 values

_CHUNK = 1024  # texts looked up at once
_ROOM = 4_000_000  # characters of the texts that are read ahead
_LEAST = 1000  # characters that a text counts for at least: short ones are not free
_KEYS = 500  # in one question; SQLite's oldest limit is 999
_PATIENCE = 5.0  # seconds that a process waits for another to finish writing
_HOUR = 3600  # seconds; how finely last use is remembered, so that reading seldom writes
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS vectors (
        key BLOB PRIMARY KEY, vector BLOB, tokens INTEGER, truncated INTEGER,
        checksum INTEGER, used INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_use ON vectors (used);
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cache holds."""

    rows: int
    size: int  # bytes of the file


class Store:
    """Vectors by key, in one file that several processes may use at once."""

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        """Name the file, made when first written; it keeps to about `limit` bytes."""
        self.path = path
        self._limit = limit

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Embedded]:
        """Return what is kept for `keys`; what is damaged counts as absent."""
        found: dict[bytes, Embedded] = {}
        with suppress(sqlite3.Error, OSError):
            database = self._open()
            with database:
                for start in range(0, len(keys), _KEYS):
                    found |= _rows(database, keys[start : start + _KEYS])
                _mark_used(database, found)
            database.close()
        return found

    def keep(self, rows: Iterable[tuple[bytes, Embedded]]) -> None:
        """Remember `rows`, and forget the longest unused where there is too much."""
        values = [_values(key, embedded) for key, embedded in rows]
        try:
            self._write(values)
        except (sqlite3.OperationalError, OSError):
            return  # another process is writing, or the disk is full: then it is not kept
        except sqlite3.DatabaseError:
            self.clear()  # not a database any more

    def contents(self) -> Contents:
        """Return how much is kept."""
        if not self.path.exists():
            return Contents(0, 0)
        rows = 0
        with suppress(sqlite3.Error, OSError):
            database = self._open()
            (rows,) = database.execute("SELECT count(*) FROM vectors").fetchone()
            database.close()
        return Contents(rows, self.path.stat().st_size)

    def clear(self) -> None:
        """Forget everything."""
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(self.path.name + ending).unlink()

    def _write(self, values: Sequence[tuple[object, ...]]) -> None:
        database = self._open()
        with database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?,?,?,?,?,?)", values)
            while _size(database) > self._limit:
                oldest = "SELECT key FROM vectors ORDER BY used LIMIT max(1, ?)"
                database.execute(f"DELETE FROM vectors WHERE key IN ({oldest})", [len(values)])
        database.close()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # nobody else's to read
        database = sqlite3.connect(self.path, timeout=_PATIENCE)
        with suppress(sqlite3.OperationalError):  # another is just setting it, for the file
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_SCHEMA)
        return database


class Cached:
    """A model with a memory: a text is looked up before its vector is computed."""

    def __init__(self, engine: Engine, store: Store, fingerprint: str) -> None:
        """Join them; `fingerprint` names everything that a vector depends on beside its options."""
        self._engine = engine
        self._store = store
        self._fingerprint = fingerprint.encode()

    def stream(self, texts: Iterable[str], options: Options = DEFAULTS) -> Iterator[Embedded]:
        """Yield the vectors of `texts` in order, computed or as they were computed before.

        An error comes after the results of the texts before it, as from an `Embedder`.
        """
        return vectors(self.outcomes(texts, options))

    def outcomes(self, texts: Iterable[str], options: Options = DEFAULTS) -> Generator[Outcome]:
        """Yield as `stream` does; in the place of a text that has no vector stands its error."""
        latest = _Chunk([], {}, Future(), {}, {})

        def begin(some: list[str]) -> _Chunk:
            nonlocal latest
            latest = self._begin(some, options, latest)
            return latest

        feed = Feed(texts, room=_ROOM, weigh=lambda text: max(len(text), _LEAST))
        # One chunk is being computed while the one before it is taken.
        chunks = feed.begun(begin, size=_CHUNK, ahead=2)
        with closing(chunks):
            for chunk in chunks:
                self._finish(chunk, options)
                known = chunk.before | chunk.results
                yield from map(known.__getitem__, chunk.keys)

    def _begin(self, texts: Sequence[str], options: Options, before: "_Chunk") -> "_Chunk":
        """Look `texts` up, and hand in those that are neither kept nor under way `before`."""
        keys = [self._key(text, options) for text in texts]
        found = self._store.find(keys)
        if not options.truncate:  # what would be an error must not come from here as a vector
            found = {key: row for key, row in found.items() if not row.truncated}
        known = found.keys() | before.missing.keys()
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        computed: Future[list[Embedded]] = Future()
        try:
            computed = self._engine.submit(list(missing.values()), options)
        except EmbedError as error:  # of one text, whose turn has not come yet
            computed.set_exception(error)
        return _Chunk(keys, missing, computed, {**found}, before.results)

    def _finish(self, chunk: "_Chunk", options: Options) -> None:
        """Fill in what was missing, and keep it."""
        computed: Iterable[Outcome]
        try:
            computed = chunk.computed.result()
        except (TextTooLong, VectorError):
            computed = self._engine.outcomes(chunk.missing.values(), options)
        new = dict(zip(chunk.missing, computed, strict=True))
        chunk.results.update(new)
        rows = [(key, row) for key, row in new.items() if isinstance(row, Embedded)]
        if rows:
            self._store.keep(rows)

    def _key(self, text: str, options: Options) -> bytes:
        hashed = hashlib.blake2b(self._fingerprint, digest_size=16)
        hashed.update(repr(astuple(options)).encode() + b"\0" + text.encode())
        return hashed.digest()


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some texts on their way."""

    keys: list[bytes]
    missing: dict[bytes, str]  # texts that are being computed
    computed: Future[list[Embedded]]
    results: dict[bytes, Outcome]  # of the chunk's own, once it is finished
    before: dict[bytes, Outcome]  # of the chunk before it, which may be under way yet

    def cancel(self) -> None:
        """Leave what has not been computed."""
        self.computed.cancel()


def _rows(database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Embedded]:
    marks = ",".join("?" * len(keys))
    asked = f"SELECT key, vector, tokens, truncated, checksum FROM vectors WHERE key IN ({marks})"
    return {
        key: Embedded(np.frombuffer(vector, "<f4"), tokens, bool(truncated))
        for key, vector, tokens, truncated, checksum in database.execute(asked, keys)
        if _checksum(vector, tokens, truncated) == checksum
    }


def _values(key: bytes, embedded: Embedded) -> tuple[object, ...]:
    vector = embedded.vector.astype("<f4", copy=False).tobytes()
    receipt = (embedded.tokens, embedded.truncated)
    return (key, vector, *receipt, _checksum(vector, *receipt), int(time.time() // _HOUR))


def _checksum(vector: bytes, tokens: int, truncated: bool) -> int:
    return zlib.crc32(b"%d %d" % (tokens, truncated), zlib.crc32(vector))


def _mark_used(database: sqlite3.Connection, keys: Iterable[bytes]) -> None:
    now = int(time.time() // _HOUR)
    stale = "UPDATE vectors SET used = ? WHERE key = ? AND used < ?"
    database.executemany(stale, [(now, key, now) for key in keys])


def _size(database: sqlite3.Connection) -> int:
    """Return the bytes in use: pages that are free are filled before the file grows."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
