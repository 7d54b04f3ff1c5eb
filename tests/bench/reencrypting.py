"""A loop of the real `kubeseal --re-encrypt` against the real sealed-secrets controller.

kubeseal reaches its controller through the API server's service proxy, which leads to nothing but
pods, and here are none. So it is given a kubeconfig whose server answers the two requests that it
makes: the Service, and `/v1/rotate`, handed to the controller. That leaves out TLS, authentication
and the way through a real API server, all in kubeseal's favour.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from sealer.manifests.documents import dump
from tests.bench import kubeseal
from tests.bench.measuring import Result, best, last_child, processor_seconds, run
from tests.cluster.harness.access import Credentials, write_kubeconfig
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds, require_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.sealed_secrets import SealedSecretsController

_HOME = "sealed-secrets"
_SERVICE = "sealed-secrets-controller"
_UNLIMITED = ("--kubeclient-qps=-1", "--rate-limit=1000000", "--rate-limit-burst=1000000")
_LOOP = """
program=$1; shift
for file in *.yaml; do
  "$program" --re-encrypt --format yaml "$@" <"$file" >"$file.new" && mv "$file.new" "$file" || exit
done
"""
"""As its manual has it for one file."""


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """What the quickest loop took, and the controller's processor seconds for a loop."""

    loop: Result
    controller: float


def measure(
    api: ApiServer, folder: Path, items: Mapping[str, bytes], *, objects: int, rounds: int
) -> Reencrypted:
    """Seal objects to a key, let the controller make a newer one, and move all files to it.

    Further rounds seal them anew all the same, since kubeseal does not ask whether it is due.
    """
    folder.mkdir()
    api.kubectl("create", "namespace", _HOME)
    program, crds = require_program("sealed-secrets-controller"), require_crds(Tool.SEALED_SECRETS)
    with running_sealed_secrets(api, program, crds, namespace=_HOME, flags=_UNLIMITED) as theirs:
        _write(folder, theirs.certificate(), items, objects=objects)
        _renew(theirs)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        controller = last_child(theirs.server.pid)
        used = processor_seconds(controller)
        with _service_proxy(theirs.url) as url:
            loop = best([_loop(api, url, folder, objects=objects) for _ in range(rounds)])
        used = (processor_seconds(controller) - used) / rounds
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert before.keys() == after.keys()
    assert all(b"encryptedData" in after[name] != before[name] for name in before)
    return Reencrypted(loop, used)


def _write(folder: Path, certificate: bytes, items: Mapping[str, bytes], *, objects: int) -> None:
    for number in range(objects):
        sealed = kubeseal.seal(certificate, items, namespace="shop", name=f"s{number}")
        (folder / f"s{number}.yaml").write_text(dump(sealed))


def _renew(theirs: SealedSecretsController) -> None:
    old = theirs.certificate()
    os.kill(last_child(theirs.server.pid), signal.SIGUSR1)  # its way to be asked for a new key
    eventually(lambda: theirs.certificate() != old, what="a newer key")


def _loop(api: ApiServer, url: str, folder: Path, *, objects: int) -> Result:
    kubeconfig = write_kubeconfig(
        folder.parent / "kubeseal.kubeconfig",
        url=url,
        ca=api.authority.certificate,
        credentials=Credentials(token="anybody"),  # noqa: S106 - nobody looks at it
    )
    flags = (f"--controller-namespace={_HOME}", f"--controller-name={_SERVICE}")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(kubeconfig)}
    command: list[str | Path] = ["sh", "-c", _LOOP, "sh", require_program("kubeseal"), *flags]
    ended = run(command, cwd=folder, env=env)
    return ended.result("kubeseal --re-encrypt, one process a file", objects=objects)


@contextmanager
def _service_proxy(controller: str) -> Iterator[str]:
    host = controller.removeprefix("http://")
    service = f"/api/v1/namespaces/{_HOME}/services/{_SERVICE}"
    rotate = f"/api/v1/namespaces/{_HOME}/services/http:{_SERVICE}:http/proxy/v1/rotate"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ports = [{"name": "http", "port": 8080}]
            found = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}}
            known = self.path == service
            self._answer(200 if known else 404, json.dumps(found).encode() if known else b"{}")

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            connection = http.client.HTTPConnection(host)
            try:
                assert self.path == rotate, self.path
                connection.request("POST", "/v1/rotate", sent)
                answer = connection.getresponse()
                self._answer(answer.status, answer.read())
            finally:
                connection.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
