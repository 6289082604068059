"""A hub on the loopback address: one repository, files in parts, and lines that break."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


class LocalHub:
    """Serves the files of a folder as one repository.

    breaks_at: bytes of a large file after which the line falls, and stays so until `mended`. asked: names of
    files, with their ranges.
    """

    def __init__(self, repository: str, folder: Path) -> None:
        self.repository, self.folder = repository, folder
        self.breaks_at: int | None = None
        self.broken = False
        self.gated = False
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def mended(self) -> None:
        """The line holds again."""
        self.breaks_at = None

    def files(self) -> dict[str, bytes]:
        """All files by name."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir()) if path.is_file()}


class _Handler(BaseHTTPRequestHandler):
    """Answers as the hub does."""

    hub: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing is written."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        if self.hub.gated:
            return self._send(403, b"{}", body, {"X-Error-Code": "GatedRepo"})
        if path.startswith(f"/api/models/{self.hub.repository}"):
            revision = path.rpartition("/")[2]
            if "/revision/" in path and revision not in ("main", COMMIT):
                return self._send(404, b"{}", body, {"X-Error-Code": "RevisionNotFound"})
            named = [{"rfilename": name, "size": len(data)} for name, data in self.hub.files().items()]
            answer = {"id": self.hub.repository, "sha": COMMIT, "siblings": named}
            return self._send(200, json.dumps(answer).encode(), body, {})
        name = path.rpartition("/")[2]
        if path == f"/{self.hub.repository}/resolve/{COMMIT}/{name}" and name in self.hub.files():
            return self._file(name, self.hub.files()[name], body)
        return self._send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})

    def _file(self, name: str, data: bytes, body: bool) -> None:
        etag = hashlib.sha256(data).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range", "")
        if body:
            self.hub.asked.append((name, wanted))
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        breaks = None
        if body and self.hub.breaks_at is not None and name.endswith(".safetensors"):
            breaks = 0 if self.hub.broken else self.hub.breaks_at
            self.hub.broken = True
        self._send(206 if start else 200, data[start:], body, headers, breaks)

    def _send(
        self, code: int, data: bytes, body: bool, headers: dict[str, str], breaks: int | None = None
    ) -> None:
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data if breaks is None else data[:breaks])
        if breaks is not None:
            self.close_connection = True


@contextmanager
def serving(hub: LocalHub) -> Iterator[LocalHub]:
    """Serve it while this lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="local hub", daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
