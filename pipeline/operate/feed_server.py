"""`python -m pipeline.operate.feed_server`: serve the demo feed on loopback, as a news site would.

A page's address depends on the port, so `{origin}` in a file stands for it. ETag and 304 come from the
content, `robots.txt` is one of the files.
"""

import argparse
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TYPES = {
    ".xml": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
# Pages that lie about their charset, as real ones do: stored in CP1252, declared as UTF-8.
_STORED_AS = {".cp1252": "cp1252"}


class FeedServer(ThreadingHTTPServer):
    """Serves the files below `root` on 127.0.0.1."""

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0) -> None:
        self.root = root.resolve()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def origin(self) -> str:
        """Return the address it answers at."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def content(self, path: str) -> tuple[bytes, str] | None:
        """Return body and type of a path, or None where there is no such file."""
        file = (self.root / unquote(path).lstrip("/")).resolve()
        if not file.is_relative_to(self.root) or not file.is_file():
            return None
        stored = next((name for mark, name in _STORED_AS.items() if mark in file.suffixes), "utf-8")
        body = file.read_bytes().replace(b"{origin}", self.origin.encode())
        if stored != "utf-8":
            body = body.decode("utf-8").encode(stored)
        return body, _TYPES.get(file.suffix, "application/octet-stream")


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = self.server.content(urlsplit(self.path).path)
        if found is None:
            self._send(404, b"", "text/plain", None)
            return
        body, media_type = found
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == etag:
            self._send(304, b"", media_type, etag)
        else:
            self._send(200, body, media_type, etag)

    def _send(self, status: int, body: bytes, media_type: str, etag: str | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
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
