"""SealedSecrets of sealed-secrets, as the real kubeseal seals, for a cluster to open."""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.cluster.harness.processes import eventually
from tests.cluster.installing import apply_stream
from tests.cluster.kubeseal import put_both_keys
from tests.cluster.running import APPLY, Namespace, running_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.cluster.harness.access import Answer
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import ProgramFinder
    from tests.cluster.running import Controller
    from tests.rsa_keys import RsaKey

Object = dict[str, Any]

BITNAMI: Final = "/apis/bitnami.com/v1alpha1"
PREFIX: Final = "sealedsecrets.bitnami.com/"
_MERGE: Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Theirs:
    """A namespace with objects of sealed-secrets.

    Attributes:
        kubeseal: the program.
        certificate: file with the certificate to seal to.
    """

    api: ApiServer
    namespace: str
    kubeseal: Path
    certificate: Path

    @classmethod
    def sealing_to(
        cls, key: RsaKey, place: tuple[ApiServer, str], find_program: ProgramFinder, folder: Path
    ) -> Theirs:
        """One in a namespace of a cluster; the key's certificate is put into a folder."""
        certificate = folder / "sealing.pem"
        certificate.write_text(key.certificate())
        return cls(*place, find_program("kubeseal"), certificate)

    @property
    def secrets(self) -> Namespace:
        """The Secrets of the namespace."""
        return Namespace(self.api, self.namespace)

    def seal(
        self,
        name: str,
        data: Mapping[str, bytes],
        *flags: str,
        certificate: Path | None = None,
        **fields: Any,  # noqa: ANN401 - fields of a Secret
    ) -> Object:
        """What kubeseal makes of a Secret."""
        metadata = {"name": name, "namespace": self.namespace, **fields.pop("metadata", {})}
        values = {key: base64.b64encode(value).decode() for key, value in data.items()}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": values}
        done = subprocess.run(
            [self.kubeseal, "--cert", certificate or self.certificate, "--format=json", *flags],
            input=json.dumps(secret | fields),
            capture_output=True,
            text=True,
            check=True,
        )
        sealed: Object = json.loads(done.stdout)
        return sealed

    def apply(self, manifest: Object) -> Answer:
        """Apply an object server-side."""
        path = f"{self.path(manifest['metadata']['name'])}?fieldManager=tests&force=true"
        answer = self.api.request("PATCH", path, manifest, content_type=APPLY)
        assert answer.status in (200, 201), answer.body
        return answer

    def give(self, name: str, data: Mapping[str, bytes], *flags: str, **fields: Any) -> Object:  # noqa: ANN401
        """Seal, apply, wait until it is open, and return the object."""
        return self.give_sealed(self.seal(name, data, *flags, **fields))

    def give_sealed(self, manifest: Object) -> Object:
        """Apply, wait until it is open, and return the object."""
        applied = self.apply(manifest).body["metadata"]
        return self.synced(applied["name"], generation=applied["generation"])

    def get(self, name: str) -> Object:
        """Return an object."""
        answer = self.api.request("GET", self.path(name))
        assert answer.status == 200, answer.body
        found: Object = answer.body
        return found

    def delete(self, name: str) -> None:
        """Delete an object."""
        assert self.api.request("DELETE", self.path(name)).status == 200

    def patch(self, name: str, change: Object) -> Object:
        """Merge a change into an object, as a person would."""
        answer = self.api.request("PATCH", self.path(name), change, content_type=_MERGE)
        assert answer.status == 200, answer.body
        patched: Object = answer.body
        return patched

    def synced(self, name: str, *, status: str = "True", generation: int = 1) -> Object:
        """Wait until the condition Synced says so at a generation, and return the object."""

        def probe() -> Object:
            found = self.get(name)
            said = found.get("status", {})
            assert said.get("observedGeneration", 0) >= generation, said
            assert [each["status"] for each in said["conditions"]] == [status], said
            return found

        return eventually(probe, what=f"{name} to be {status}")

    def refused(self, name: str, reason: str, *, generation: int = 1) -> str:
        """Wait until it is refused for a reason, and return the message."""

        def probe() -> str:
            (condition,) = self.synced(name, status="False", generation=generation)["status"][
                "conditions"
            ]
            assert condition["reason"] == reason, condition
            return str(condition["message"])

        return eventually(probe, what=f"{name} to be refused: {reason}")

    def path(self, name: str = "") -> str:
        """Where an object stands."""
        return f"{BITNAMI}/namespaces/{self.namespace}/sealedsecrets/{name}".rstrip("/")


def owners(secret: Object) -> list[tuple[str, str]]:
    """Who owns a Secret: API group and uid."""
    return [
        (each["apiVersion"].partition("/")[0], each["uid"])
        for each in secret["metadata"].get("ownerReferences", [])
    ]


def install_crd(api: ApiServer, crds: Path) -> None:
    """Make the kind known."""
    api.kubectl("apply", "--server-side", "-f", str(crds))
    api.kubectl("wait", "--for=condition=Established", "--timeout=120s", "-f", str(crds))
    path = f"{BITNAMI}/sealedsecrets"
    eventually(lambda: api.request("GET", path).status == 200, what="the kind to be served")


@contextmanager
def serving_both_keys(
    api: ApiServer, *flags: str, keys: str, install: Sequence[str], name: str
) -> Iterator[Controller]:
    """Run our controller for objects of sealed-secrets, with an older and a newer key.

    Args:
        api: where it is installed already.
        flags: of the controller.
        keys: the namespace of the key Secrets.
        install: what `sealer install` is told.
        name: of the controller's files.
    """
    install_crd(api, require_crds(Tool.SEALED_SECRETS))
    apply_stream(api, *install)
    put_both_keys(api, namespace=keys)
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={keys}", *flags)
    with running_controller(api, *flags, name=name) as running:
        yield running
