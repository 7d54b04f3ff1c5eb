"""The CRDs in the test API server, and objects that they accept, to be made wrong one by one."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.harness.access import Answer
    from tests.cluster.harness.api_server import ApiServer

FOLDER: Final = Path(__file__).parents[2] / "schemas" / "crds"
GROUP: Final = "/apis/sealer.dev/v1alpha1"


class _Absent:
    """Stands for a field that is to be left out; says the same in every process that runs tests."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()
ENTRY: Final = "kq3vt7aa"
KEY_ID: Final = "0123456789abcdef0123456789abcdef"
WRAPPED: Final = "A" * 1558 + "=="
ITEM: Final = f"{ENTRY}:{'A' * 106}=="
PUBLIC_KEY: Final = (
    "-----BEGIN PUBLIC KEY-----\n"
    + "\n".join(["A" * 64] * 25 + ["A" * 52])
    + "\n-----END PUBLIC KEY-----\n"
)
CANARY: Final = "made-up-value-that-nobody-may-quote"

Object = dict[str, Any]
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def sealer_crds(api_server: ApiServer) -> ApiServer:
    """Provide the API server with the CRDs established."""
    api_server.kubectl("apply", "--server-side", "-f", str(FOLDER))
    api_server.kubectl("wait", "--for=condition=Established", "--timeout=120s", "-f", str(FOLDER))
    return api_server


@dataclass(frozen=True, slots=True)
class Change:
    """One field set to a value, or taken away.

    Attributes:
        name: what the change is, for the test's id.
        place: where the field stands.
        value: what it becomes; ABSENT takes it away.
        says: part of the refusal; empty where the object is accepted.
    """

    name: str
    place: Place
    value: object = field(repr=False)
    says: str = ""

    def of(self, manifest: Object) -> Object:
        """Return the changed object."""
        changed = copy.deepcopy(manifest)
        inner: Any = changed
        for step in self.place[:-1]:
            inner = inner[step] if isinstance(step, int) else inner.setdefault(step, {})
        if self.value is ABSENT:
            del inner[self.place[-1]]
        else:
            inner[self.place[-1]] = self.value
        return changed


def each(changes: Sequence[Change]) -> pytest.MarkDecorator:
    """Run a test for each change, called by its name."""
    return pytest.mark.parametrize("change", changes, ids=[change.name for change in changes])


def sealed_secret(name: str = "db") -> Object:
    """Return a SealedSecret of the right form; nothing opens it."""
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name},
        "spec": {
            "scope": "strict",
            "seals": {
                ENTRY: {
                    "format": "v1",
                    "sealedAt": "2026-11-22T10:00:00Z",
                    "commitment": "A" * 43 + "=",
                    "recipients": [{"key": KEY_ID, "wrapped": WRAPPED}],
                }
            },
            "encryptedData": {"password": ITEM, "username": ITEM},
            "template": {
                "kind": "Secret",
                "type": "Opaque",
                "immutable": False,
                "metadata": {"labels": {"app": "shop"}, "annotations": {"team": "payments"}},
                "data": {"URL": "postgres://{{ username }}@db/shop"},
            },
        },
    }


def shared_secret(name: str = "db") -> Object:
    """Return a SharedSecret."""
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"name": name},
        "spec": {"displayName": "Shop database", "description": "For the web shop."},
    }


def sealing_key(name: str = KEY_ID) -> Object:
    """Return a SealingKey of the right form; there is no such key."""
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": name},
        "spec": {
            "format": "v1",
            "publicKey": PUBLIC_KEY,
            "role": "Cluster",
            "decidedBy": "admin",  # where sealer is installed, whoever decides has to say so
        },
    }


def path(manifest: Object, namespace: str = "") -> str:
    """Return the path of an object's collection, or of the cluster's."""
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{GROUP}{place}/{manifest['kind'].lower()}s"


def create(api: ApiServer, manifest: Object, namespace: str = "", *, dry: bool = False) -> Answer:
    """Create an object, strictly validated; with `dry` only as if."""
    query = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
    return api.request("POST", path(manifest, namespace) + query, manifest)


def replace(
    api: ApiServer, manifest: Object, namespace: str = "", *, status: bool = False
) -> Answer:
    """Put an object, or its status, in the place of the one of its name, whatever that is."""
    at = f"{path(manifest, namespace)}/{manifest['metadata']['name']}"
    metadata = api.request("GET", at).body["metadata"]
    whole = {**manifest, "metadata": metadata}
    return api.request("PUT", f"{at}/status" if status else at, whole)


def assert_judged(answer: Answer, change: Change) -> None:
    """Check that the answer is what the change deserves, and quotes no value."""
    text = str(answer.body.get("message", ""))
    if change.says:
        assert answer.status == 422, answer.body
        assert change.says in text
    else:
        assert answer.status in (200, 201), text
    assert CANARY not in text
    assert "warnings" not in answer.body
