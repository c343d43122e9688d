"""Servers that say what a test wants at each path."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Said = tuple[int, str, bytes]
"""Status, content type and body."""


def say(tree: Any, status: int = 200) -> Said:
    return status, "application/json", json.dumps(tree).encode()


def listed(*models: str, owner: str = "somebody") -> dict[str, Said]:
    rows = [{"id": model, "object": "model", "owned_by": owner} for model in models]
    return {"/v1/models": say({"object": "list", "data": rows})}


@contextmanager
def saying(paths: Mapping[str, Said | Callable[[], Iterator[bytes]]], asked: list[Any] | None = None) -> Iterator[str]:
    """Serve the paths; yield the root. asked: takes the path and the headers of every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append((self.path, dict(self.headers)))
            said = paths.get(self.path, (404, "text/plain", b"no"))
            status, kind, body = (200, "application/json", said()) if callable(said) else (*said[:2], iter([said[2]]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            try:
                for part in body:
                    self.wfile.write(part)
            except ConnectionError:
                pass

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
