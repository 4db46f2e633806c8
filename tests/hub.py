"""A hub of one's own on 127.0.0.1, which the real huggingface_hub takes for the real one.

It answers what the library asks: what a repo is, which files a commit has, and the files, with
ranges, hashes and the hub's own error codes. It can be told to misbehave.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "5090578d9565bb06545b4552f76e6bc2c93e4a66"  # as the catalogue pins embeddinggemma
_LARGE = 10_000  # bytes; beyond, the hub keeps a file by its sha256, as `lfs`


@dataclass
class Repo:
    """Files by name, and how they are guarded."""

    files: dict[str, bytes]
    commit: str = COMMIT
    gated: bool = False
    broken: dict[str, bytes] = field(default_factory=dict)  # sent in place of a file
    described: dict[str, object] = field(default_factory=dict)  # said of it in place of the truth


@dataclass
class Hub:
    """What is served, how badly, and what was asked for."""

    repos: dict[str, Repo] = field(default_factory=dict)
    url: str = ""
    down: int = 0  # a status that every request gets
    cut: Counter[str] = field(default_factory=Counter)  # how many GETs of a file end half way
    fail: set[str] = field(default_factory=set)  # files that answer 500 once their cuts are over
    hold: Event | None = None  # no file is sent before it is set
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range

    def sent(self) -> list[str]:
        """The names of the files that were asked for with GET."""
        paths = [path for method, path, _ in self.asked if method == "GET"]
        found = [re.fullmatch(r"/[^/]+/[^/]+/resolve/[0-9a-f]{40}/(.+)", path) for path in paths]
        return [match[1] for match in found if match]


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` until the end of the block."""

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.asked.append((self.command, path, self.headers.get("Range", "")))
        if self.served.down:
            self._send(self.served.down, b"{}")
        elif match := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/(revision|tree)/(.+)", path):
            self._describe(match[1], match[2], match[3])
        elif match := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/[0-9a-f]{40}/(.+)", path):
            self._file(self.served.repos[match[1]], match[2])
        else:
            self._send(404, b"{}")

    def _describe(self, name: str, what: str, revision: str) -> None:
        repo = self.served.repos.get(name)
        if repo is None:
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", repo.commit):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif what == "tree":
            entries = [{"type": "file", "path": n, **_entry(b)} for n, b in repo.files.items()]
            self._send(200, json.dumps(entries).encode())
        else:
            siblings = [{"rfilename": n, **_sibling(b)} for n, b in repo.files.items()]
            about = {"id": name, "sha": repo.commit, "private": False, "siblings": siblings}
            self._send(200, json.dumps(about | repo.described).encode())

    def _file(self, repo: Repo, name: str) -> None:
        if repo.gated:
            self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
            return
        told = _entry(repo.files[name])
        content = repo.broken.get(name, repo.files[name])
        heads = {"ETag": f'"{told["oid"]}"', "X-Repo-Commit": repo.commit}
        if "lfs" in told:
            heads |= {
                "X-Linked-Etag": f'"{told["lfs"]["oid"]}"',
                "X-Linked-Size": str(len(content)),
            }
        if self.command == "HEAD":
            self._send(200, content, heads)
        else:
            self._content(name, content, heads)

    def _content(self, name: str, content: bytes, heads: dict[str, str]) -> None:
        if self.served.hold is not None:
            self.served.hold.wait()
        start = int(re.sub(r"\D", "", self.headers.get("Range", "0")) or 0)
        if start:
            heads |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        if self.served.cut[name]:
            self.served.cut[name] -= 1
            self._send(206 if start else 200, content[start:], heads, half=True)
        elif name in self.served.fail:
            self._send(500, b"{}")
        else:
            self._send(206 if start else 200, content[start:], heads)

    def _send(
        self, status: int, body: bytes, heads: dict[str, str] | None = None, *, half: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (heads or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.close_connection = True


def _entry(content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"size": len(content), "oid": oid}
    if len(content) > _LARGE:
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return entry


def _sibling(content: bytes) -> dict[str, Any]:
    entry = _entry(content)
    lfs = entry.get("lfs")
    told = {"lfs": {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": 130}} if lfs else {}
    return {"size": entry["size"], "blobId": entry["oid"], **told}
