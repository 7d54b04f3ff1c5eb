"""A network of pods that needs no right: what the API server proxies to a pod ends on loopback.

The API server's service proxy takes no loopback address for a pod's, and other addresses of a
machine cannot be had without being its root, or not at all. So the API server is told to go through
a SOCKS proxy, as a cluster behind a firewall is: what it decides it decides itself, and then asks
for a connection to a pod's address; here it is known which loopback port stands for that. Go's HTTP
client uses no proxy for what is on loopback, so nothing else of the API server comes this way.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 60
_VERSION, _NO_LOGIN, _IPV4 = 5, 0, 1
_SUCCEEDED, _UNREACHABLE = 0, 4


class PodNetwork:
    """Addresses of pods, and the loopback ports that stand for them."""

    def __init__(self) -> None:
        """Listen on a port of its own."""
        self._ports: dict[tuple[str, int], int] = {}
        self._server = _Proxy(self._ports)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """An environment in which programs in Go reach pods through here."""
        kept = {name: text for name, text in inherited.items() if "_proxy" not in name.lower()}
        return kept | {"HTTP_PROXY": f"socks5://127.0.0.1:{self._server.server_address[1]}"}

    def put(self, address: str, port: int, *, loopback: int) -> None:
        """From now on, a loopback port is what listens on a port of a pod (IPv4)."""
        self._ports[address, port] = loopback

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Proxy(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, ports: Mapping[tuple[str, int], int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.ports = ports


class _Connection(StreamRequestHandler):
    """One connection (RFC 1928): hello, request, and then bytes both ways."""

    server: _Proxy
    rbufsize = 0  # what comes after the request is not for the request's reader

    def handle(self) -> None:
        self.rfile.read(self.rfile.read(2)[1])  # the ways to log in that are offered
        self.wfile.write(bytes([_VERSION, _NO_LOGIN]))
        kind = self.rfile.read(4)[3]
        raw, port = struct.unpack("!4sH", self.rfile.read(6)) if kind == _IPV4 else (b"", 0)
        loopback = self.server.ports.get((str(ipaddress.IPv4Address(raw)), port)) if raw else None
        if loopback is None:
            self._reply(_UNREACHABLE)
            return
        try:
            pod = socket.create_connection(("127.0.0.1", loopback), timeout=_SECONDS)
        except OSError:
            self._reply(_UNREACHABLE)
            return
        with pod:
            self._reply(_SUCCEEDED)
            back = threading.Thread(target=_copy, args=(pod, self.connection))
            back.start()
            _copy(self.connection, pod)
            back.join()

    def _reply(self, code: int) -> None:
        self.wfile.write(bytes([_VERSION, code, 0, _IPV4]) + bytes(6))


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # one side is gone: the other one sees its end
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
