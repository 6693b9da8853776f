"""`/healthz` and `/readyz` of one worker, over HTTP, from a thread of their own. Standard library only."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pipeline.errors import Misconfigured
from pipeline.pulse import Pulse


class HealthServer(ThreadingHTTPServer):
    """Answers 200 or 503 with one JSON object.

    `/healthz`: the loop has turned within `stall_seconds`. `/readyz`: it has, and its last turn did its work:
    the group is joined, log and store answered.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, pulse: Pulse, stall_seconds: float) -> None:
        self.pulse = pulse
        self.stall_seconds = stall_seconds
        super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    timeout = 5  # whoever connects and says nothing holds a thread no longer than this

    def do_GET(self) -> None:
        sign = self.server.pulse.sign
        alive = sign.seconds_ago < self.server.stall_seconds
        answers = {"/healthz": alive, "/readyz": alive and sign.trouble is None}
        if self.path not in answers:
            self.send_error(404)
            return
        body = json.dumps({"ok": answers[self.path], **sign._asdict()}).encode()
        self.send_response(200 if answers[self.path] else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A probe every few seconds is no news."""


@contextmanager
def served(host: str, port: int, pulse: Pulse, stall_seconds: float) -> Iterator[None]:
    """Serve while the block runs; port 0 serves nothing. Raises `Misconfigured` where the port is taken."""
    if port == 0:
        yield
        return
    try:
        server = HealthServer(host, port, pulse, stall_seconds)
    except OSError as error:
        raise Misconfigured(
            f"DEPECHE_HEALTH_PORT: nothing can listen on {host}:{port} ({error.strerror});"
            " set another, one for each worker of a machine, or 0 for none"
        ) from error
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
