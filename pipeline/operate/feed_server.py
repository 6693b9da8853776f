"""`python -m pipeline.operate.feed_server`: serve the demo feed on loopback, as a news site would.

Files are sent as they lie there, with ETag and Last-Modified; `robots.txt` is one of them.
"""

import argparse
import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_TYPES = {
    ".xml": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}


class _File(NamedTuple):
    body: bytes
    media_type: str
    etag: str
    modified_at: datetime


class FeedServer(ThreadingHTTPServer):
    """Serves the files below `root` on 127.0.0.1; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0) -> None:
        self.root = root.resolve()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def origin(self) -> str:
        """Return the address it answers at."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def find(self, path: str) -> _File | None:
        """Return the file of a path, or None where there is none below the root."""
        file = (self.root / unquote(path).lstrip("/")).resolve()
        if not file.is_relative_to(self.root) or not file.is_file():
            return None
        body = file.read_bytes()
        return _File(
            body,
            _TYPES.get(file.suffix, "application/octet-stream"),
            f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            datetime.fromtimestamp(int(file.stat().st_mtime), tz=UTC),
        )


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two small writes: else each answer waits 40 ms

    def do_GET(self) -> None:
        file = self.server.find(urlsplit(self.path).path)
        if file is None:
            self._send(404, b"", {})
            return
        headers = {
            "Content-Type": file.media_type,
            "ETag": file.etag,
            "Last-Modified": format_datetime(file.modified_at, usegmt=True),
        }
        if self._has(file):
            self._send(304, b"", headers)
        else:
            self._send(200, file.body, headers)

    def _has(self, file: _File) -> bool:
        """Tell whether the client has this very file; an ETag, where given, decides alone (RFC 9110, 13.2.2)."""
        etags, since = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
        if etags is not None:
            return file.etag in (each.strip() for each in etags.split(","))
        try:
            return since is not None and file.modified_at <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            return False

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    FeedServer(options.root, options.port).serve_forever()


if __name__ == "__main__":
    main()
