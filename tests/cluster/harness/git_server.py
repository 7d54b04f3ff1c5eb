"""Git repositories served over HTTP on loopback: `git http-backend` behind Python's HTTP server.

Anybody may read and push. It ignores the user's Git configuration.
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CLEAN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


class GitServer:
    """Serves the bare repositories of one folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(directory))
        self._thread = threading.Thread(target=self._http.serve_forever, name="git-server")

    def create(self, name: str, *, branch: str = "main") -> str:
        """Make an empty bare repository and return its URL."""
        path = self.directory / f"{name}.git"
        environment = {**os.environ, **_CLEAN}
        init = ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(path)]
        subprocess.run(init, check=True, env=environment)
        allow = ["git", "-C", str(path), "config", "http.receivepack", "true"]
        subprocess.run(allow, check=True, env=environment)
        return f"http://127.0.0.1:{self._http.server_port}/{name}.git"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering; the repositories stay."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@contextmanager
def running_git_server(directory: Path) -> Iterator[GitServer]:
    """Serve the repositories of a folder for the length of a `with` block."""
    server = GitServer(directory)
    server.start()
    try:
        yield server
    finally:
        server.close()


def _handler(root: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Hands each request to `git http-backend` in the way of CGI (RFC 3875)."""

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self._body())

        def log_message(self, *_: object) -> None:
            """Say nothing: pytest's output is for the tests."""

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _answer(self, body: bytes) -> None:
            outcome = subprocess.run(
                ["git", "http-backend"],
                input=body,
                stdout=subprocess.PIPE,
                check=False,
                env={**os.environ, **_CLEAN, **self._cgi(len(body))},
            )
            head, _, content = outcome.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines())
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _cgi(self, length: int) -> dict[str, str]:
            path, _, query = self.path.partition("?")
            return {
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_ADDR": self.client_address[0],
            }

    return Handler
