"""Our controller as a process against the test API server, and SealedSecrets for it to open.

It runs as its own service account with the rights that `sealer install` gives it. All tests of a
module share its namespace and keys; they keep apart by the namespaces of their objects.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from sealer.crypto.keys import SealingKey, UnsealingKey
from sealer.crypto.scope import Scope
from sealer.install import DEFAULT_NAMESPACE
from sealer.manifests.models import Metadata, Secret, SharedSecret
from sealer.sealing import seal
from tests.cluster.harness.processes import Server, eventually, free_port
from tests.cluster.installing import ROOT, SERVICE_ACCOUNT, apply_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.cluster.harness.access import Answer
    from tests.cluster.harness.api_server import ApiServer

_RUN: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('controller', run_name='__main__', alter_sys=True)"
)
GROUP: Final = "/apis/sealer.dev/v1alpha1"
USER: Final = f"system:serviceaccount:{DEFAULT_NAMESPACE}:{SERVICE_ACCOUNT}"
SECRETS: Final = f"/api/v1/namespaces/{DEFAULT_NAMESPACE}/secrets"
ROOT_COMMAND: Final = (sys.executable, "-c", _RUN, str(ROOT))
"""Starts the controller wherever the working directory is."""
_QUICK: Final = ("--no-leader-elect", "--retry-max=1", "--log-format=json")

Object = dict[str, Any]


@dataclass(slots=True)
class Controller:
    """A controller process.

    Attributes:
        url: where its health answers and metrics are.
        server: the process, to be stopped, killed and started again.
        kubeseal_port: where it answers kubeseal, if it serves sealed-secrets.
    """

    url: str
    server: Server
    kubeseal_port: int = 0

    def answer(self, path: str) -> tuple[int, str]:
        """Return status and text of one of its HTTP answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:  # noqa: S310 - ours
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        return self.answer("/readyz")[0] == 200

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all lines with these labels."""
        total = 0.0
        for line in self.answer("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            found, _, text = series.partition("{")
            wanted = all(f'{key}="{label}"' in text for key, label in labels.items())
            if found == name and wanted:
                total += float(value)
        return total

    def log(self) -> str:
        """Return everything it has logged."""
        return self.server.log.read_text()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold it still for the length of a `with` block."""
        os.killpg(self.server.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.server.pid, signal.SIGCONT)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.server.start()
        self.server.wait_ready(self.ready)

    def restart(self, *, grace: float = 10) -> None:
        """Stop and start it; with a grace of 0 it is killed."""
        self.server.stop(grace=grace)
        self.start()


def make_controller(
    api: ApiServer, *flags: str, name: str = "controller", defaults: Sequence[str] = _QUICK
) -> Controller:
    """Make a controller that is not started yet; flags come after the tests' own."""
    config = api.kubeconfig_for_service_account(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
    port, kubeseal_port = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "controller",
        f"--kubeconfig={config}",
        f"--listen=127.0.0.1:{port}",
        f"--bitnami-listen=127.0.0.1:{kubeseal_port}",
        *defaults,
        *flags,
    ]
    env = {name: text for name, text in os.environ.items() if not name.startswith("SEALER_")}
    log = api.directory / f"{name}-{port}.log"
    server = Server(command, log=log, env=env, cwd=ROOT)
    return Controller(f"http://127.0.0.1:{port}", server, kubeseal_port)


@contextmanager
def running_controller(
    api: ApiServer, *flags: str, name: str = "controller"
) -> Iterator[Controller]:
    """Run a controller for the length of a `with` block."""
    controller = make_controller(api, *flags, name=name)
    try:
        controller.start()
        yield controller
    finally:
        controller.server.stop()


@dataclass(slots=True)
class Namespace:
    """A namespace of one test: seals into it and looks at what became of it."""

    api: ApiServer
    name: str
    key: SealingKey | None = field(default=None)

    def seal(
        self,
        name: str,
        data: Mapping[str, bytes],
        *,
        scope: Scope = Scope.STRICT,
        to: Sequence[SealingKey] = (),
        shared: bool = False,
        **secret: Any,  # noqa: ANN401 - fields of a Secret
    ) -> Object:
        """Return a SealedSecret, sealed to the cluster's key unless told otherwise."""
        metadata = Metadata(
            namespace=self.name,
            name=name,
            labels=secret.pop("labels", {}),
            annotations=secret.pop("annotations", {}),
        )
        sealed = seal(
            Secret(metadata=metadata, data=dict(data), **secret),
            to=to or [self.key or cluster_key(self.api)],
            scope=scope,
            now=datetime.now(UTC),
            shared=SharedSecret(metadata=metadata) if shared else None,
        )
        manifest: Object = json.loads(json.dumps(sealed.to_manifest()))
        return manifest

    def apply(self, manifest: Object, *, manager: str = "tests", force: bool = True) -> Answer:
        """Apply an object server-side."""
        query = f"?fieldManager={manager}&force={str(force).lower()}"
        return self.api.request("PATCH", self._path(manifest) + query, manifest, content_type=APPLY)

    def give(self, name: str, data: Mapping[str, bytes], **options: Any) -> Object:  # noqa: ANN401
        """Seal, apply, wait until it is open, and return the SealedSecret."""
        answer = self.apply(self.seal(name, data, **options))
        assert answer.status in (200, 201), answer.body
        return self.opened(name, generation=answer.body["metadata"]["generation"])

    def create_all(self, manifests: Sequence[Object]) -> None:
        """Create many objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.api.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(listed))

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self.api.request("GET", self._place(kind, "")).body["items"])

    def give_all(self, manifests: Sequence[Object], *, within: float = 120) -> None:
        """Create many objects, and wait until all are open."""
        self.create_all(manifests)
        self.all_opened([manifest["metadata"]["name"] for manifest in manifests], within=within)

    def all_opened(self, names: Sequence[str], *, within: float = 120) -> None:
        """Wait until all of these are open."""

        def probe() -> bool:
            items = self.api.request("GET", self._place("SealedSecret", "")).body["items"]
            found = {item["metadata"]["name"]: conditions(item) for item in items}
            waiting = [name for name in names if found[name]["Ready"]["status"] != "True"]
            assert not waiting, f"{len(waiting)} are not open"
            return True

        eventually(probe, what=f"{len(names)} objects to be open", within=within)

    def get(self, kind: str, name: str) -> Object:
        """Return an object; fails where there is none."""
        answer = self.api.request("GET", self._place(kind, name))
        assert answer.status == 200, answer.body
        found: Object = answer.body
        return found

    def exists(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return self.api.request("GET", self._place(kind, name)).status == 200

    def delete(self, kind: str, name: str) -> None:
        """Delete an object."""
        assert self.api.request("DELETE", self._place(kind, name)).status in (200, 202)

    def patch(self, kind: str, name: str, change: Object) -> Object:
        """Merge a change into an object, as a person would."""
        answer = self.api.request(
            "PATCH",
            self._place(kind, name) + "?fieldManager=somebody",
            change,
            content_type="application/merge-patch+json",
        )
        assert answer.status == 200, answer.body
        patched: Object = answer.body
        return patched

    def make_secret(self, name: str, data: Mapping[str, str], **fields: Any) -> Object:  # noqa: ANN401
        """Create a Secret that is not ours."""
        metadata = {"name": name, **fields.pop("metadata", {})}
        body = {"metadata": metadata, "stringData": dict(data), **fields}
        answer = self.api.request("POST", self._place("Secret", ""), body)
        assert answer.status == 201, answer.body
        made: Object = answer.body
        return made

    def values(self, name: str) -> dict[str, bytes]:
        """Return the values of a Secret."""
        data = self.get("Secret", name).get("data") or {}
        return {key: base64.b64decode(text) for key, text in data.items()}

    def opened(self, name: str, *, generation: int = 1, within: float = 120) -> Object:
        """Wait until a SealedSecret is open at a generation, and return it."""
        return self.condition(name, "Ready", status="True", generation=generation, within=within)

    def refused(self, name: str, reason: str, *, generation: int = 1) -> str:
        """Wait until a SealedSecret is refused for a reason, and return the message."""
        found = self.condition(name, "Ready", reason=reason, generation=generation)
        condition = conditions(found)["Ready"]
        assert condition["status"] == "False"
        return str(condition["message"])

    def condition(
        self, name: str, type_: str, *, generation: int, within: float = 120, **wanted: str
    ) -> Object:
        """Wait until a condition says what is wanted at a generation."""

        def probe() -> Object:
            found = self.get("SealedSecret", name)
            status = found.get("status", {})
            assert status.get("observedGeneration", -1) >= generation, status
            condition = conditions(found)[type_]
            assert {key: condition[key] for key in wanted} == wanted, condition
            return found

        return eventually(probe, what=f"{name} to be {type_} {wanted}", within=within)

    def _path(self, manifest: Object) -> str:
        return self._place(manifest["kind"], manifest["metadata"]["name"])

    def _place(self, kind: str, name: str) -> str:
        prefix = "/api/v1" if kind in ("Secret", "ConfigMap") else GROUP
        return f"{prefix}/namespaces/{self.name}/{kind.lower()}s/{name}".rstrip("/")


APPLY: Final = "application/apply-patch+yaml"


def conditions(item: Object) -> dict[str, Object]:
    """Return the conditions of an object by type; KeyErrors read as 'not yet'."""
    return _Conditions(
        {each["type"]: each for each in item.get("status", {}).get("conditions", [])}
    )


class _Conditions(dict[str, Object]):
    def __missing__(self, type_: str) -> Object:
        raise AssertionError(f"there is no condition {type_}")


def key_secret(key: UnsealingKey, *, ordinal: int, state: str) -> Object:
    """Return a key Secret as `docs/operating.md` describes it."""
    return {
        "metadata": {
            "name": f"unsealing-key-{ordinal}",
            "labels": {"sealer.dev/unsealing-key": "true"},
            "annotations": {"sealer.dev/state": state},
        },
        "type": "sealer.dev/unsealing-key",
        "immutable": True,
        "data": {"unsealing-key.pem": base64.b64encode(key.to_pem().encode()).decode()},
    }


def newer_key_secret(api: ApiServer, key: UnsealingKey) -> Object:
    """Return a key Secret that makes a key the newest; ordinals of lost keys are not used again."""
    items = api.request("GET", f"{GROUP}/sealingkeys").body["items"]
    said = (item.get("status", {}).get("ordinal", 0) for item in items)
    return key_secret(key, ordinal=max([0, *said]) + 10, state="Active")


def sealing_key(public: SealingKey, *, name: str = "") -> Object:
    """Return a SealingKey of role Cluster."""
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": name or public.id},
        "spec": {"format": "v1", "publicKey": public.to_pem(), "role": "Cluster"},
    }


def cluster_key(api: ApiServer) -> SealingKey:
    """Wait for the cluster's newest key and return it."""

    def newest() -> SealingKey:
        answer = api.request("GET", f"{GROUP}/sealingkeys")
        assert answer.status == 200, answer.body  # while the API server starts
        own = [item for item in answer.body["items"] if item["spec"]["role"] == "Cluster"]
        secrets = {item["metadata"]["name"] for item in api.request("GET", SECRETS).body["items"]}
        active = [
            item
            for item in own
            if item.get("status", {}).get("state") == "Active"
            and f"unsealing-key-{item['status']['ordinal']}" in secrets  # else it is lost
        ]
        assert active, "no active SealingKey"
        chosen = max(active, key=lambda item: item["status"]["ordinal"])
        return SealingKey.from_pem(chosen["spec"]["publicKey"])

    return eventually(newest, what="a published key")


def lose_key(api: ApiServer, key: UnsealingKey) -> None:
    """Delete a key Secret, and wait until nobody is told any more to seal to that key."""
    path = f"{GROUP}/sealingkeys/{key.id}"
    ordinal = api.request("GET", path).body["status"]["ordinal"]
    assert api.request("DELETE", f"{SECRETS}/unsealing-key-{ordinal}").status == 200
    eventually(
        lambda: api.request("GET", path).body["status"].get("state") != "Active",
        what="the key to be told as lost",
    )
    cluster_key(api)  # there is another one


@pytest.fixture(scope="module")
def installed_sealer(api_server: ApiServer) -> ApiServer:
    """Provide the API server with what `sealer install` prints applied."""
    apply_stream(api_server)
    return api_server


@pytest.fixture(scope="module")
def controller(installed_sealer: ApiServer) -> Iterator[Controller]:
    """Run one controller for all tests of a module."""
    with running_controller(installed_sealer) as running:
        yield running


@pytest.fixture
def shop(installed_sealer: ApiServer, controller: Controller, namespace: str) -> Namespace:
    """Provide a namespace that nobody else uses, in which the controller works."""
    del controller
    return Namespace(installed_sealer, namespace)
