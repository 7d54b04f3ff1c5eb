"""Namespaces with owners, SharedSecrets with values, and Secrets that are to be synced."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.people import GROUP, MERGE, Object, shared_secret
from tests.cluster.running import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory

ADA: Final = "ada@example.com"
OWNER: Final = "sealer.dev/owner"
MANAGED: Final = {"annotations": {"sealer.dev/managed": "true"}}
_OPAQUE: Final = "Opaque"


@dataclass(frozen=True, slots=True)
class Shared:
    """A SharedSecret of the tests, with values."""

    shop: Namespace
    name: str

    @property
    def labels(self) -> dict[str, str]:
        """What a Secret that asks to be synced from it bears."""
        return {
            "sealer.dev/shared-secret": self.name,
            "sealer.dev/shared-secret-namespace": self.shop.name,
        }

    def grant(self, *lines: Object) -> None:
        """Replace its access list."""
        self.shop.patch("SharedSecret", self.name, {"spec": {"access": list(lines)}})

    def change(self, values: Mapping[str, str | None]) -> None:
        """Change values; None takes one out."""
        encoded = {
            key: None if value is None else base64.b64encode(value.encode()).decode()
            for key, value in values.items()
        }
        self.shop.patch("Secret", self.name, {"data": encoded})

    @property
    def told(self) -> Object:
        """Its `status.targets`."""
        found: Object = self.shop.get("SharedSecret", self.name)["status"].get("targets", {})
        return found

    def says(self, *, total: int, synced: int) -> list[Object]:
        """Wait until its status counts targets like this; those in trouble."""

        def probe() -> list[Object]:
            told = self.told
            assert (told.get("total", 0), told.get("synced", 0)) == (total, synced), told
            return [{"listed": told.get("troubled", [])}]

        (found,) = eventually(probe, what=f"{synced} of {total} targets to be synced")
        listed: list[Object] = found["listed"]
        return listed

    def troubles(self, target: Namespace, name: str, reason: str) -> str:
        """Wait until a target is in trouble for a reason, and return the message."""

        def probe() -> str:
            for each in self.told.get("troubled", []):
                if (each["namespace"], each["name"]) == (target.name, name):
                    assert each["reason"] == reason, each
                    return str(each["message"])
            raise AssertionError(self.told)

        return eventually(probe, what=f"{name} to be in trouble for {reason}")


@pytest.fixture
def web(shop: Namespace, new_namespace: NamespaceFactory) -> Iterator[Namespace]:
    """Provide a namespace that Ada owns; what is in trouble there is not tried again for ever."""
    web = Namespace(shop.api, new_namespace("web"))
    own(shop.api, web.name, ADA)
    yield web
    shop.api.request("DELETE", f"/api/v1/namespaces/{web.name}/secrets")


def sync_line(*users: str, teams: Sequence[str] = ()) -> Object:
    """Return a line of an access list that grants `sync`."""
    return {"name": "sync", "verbs": ["sync"], "users": list(users), "teams": list(teams)}


def share(
    shop: Namespace,
    name: str,
    values: Mapping[str, str],
    *access: Object,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,  # noqa: ANN401 - fields
) -> Shared:
    """Make a SharedSecret with values."""
    shop.make_secret(name, values, metadata=MANAGED)
    manifest = shared_secret(name, *access, **spec)
    manifest["metadata"]["annotations"] = dict(annotations or {})
    assert shop.apply(manifest).status == 201
    return Shared(shop, name)


def own(api: ApiServer, namespace: str, user: str = "", *, groups: Sequence[str] = ()) -> None:
    """Say as the administrator whose a namespace is; without a user and groups: nobody's."""
    owner = json.dumps({**({"user": user} if user else {}), "groups": list(groups)})
    annotations = {OWNER: owner if user or groups else None}
    path = f"/api/v1/namespaces/{namespace}"
    answer = api.request(
        "PATCH", path, {"metadata": {"annotations": annotations}}, content_type=MERGE
    )
    assert answer.status == 200, answer.body


def ask(  # noqa: PLR0913 - parts of a Secret
    target: Namespace,
    name: str,
    shared: Shared,
    *,
    data: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    type_: str = _OPAQUE,
    **fields: Any,  # noqa: ANN401 - fields
) -> Object:
    """Make a Secret that asks to be synced."""
    metadata: Object = {
        "labels": shared.labels,
        "annotations": dict(annotations or {}),
        **fields.pop("metadata", {}),
    }
    return target.make_secret(name, data or {}, metadata=metadata, type=type_, **fields)


def has(target: Namespace, name: str, values: Mapping[str, str]) -> Object:
    """Wait until a Secret has exactly these values; return it."""
    wanted = {key: value.encode() for key, value in values.items()}

    def probe() -> Object:
        found = target.values(name)
        assert found == wanted, sorted(found)
        return target.get("Secret", name)

    return eventually(probe, what=f"Secret {name} to have {sorted(wanted)}")


def events(target: Namespace, name: str) -> list[tuple[str, str, str]]:
    """Type, reason and note of the Events about a Secret, in order."""
    path = f"/apis/events.k8s.io/v1/namespaces/{target.name}/events"
    items = target.api.request("GET", path).body["items"]
    about = [item for item in items if item["regarding"]["name"] == name]
    about.sort(key=lambda item: str(item["eventTime"]))
    return [(item["type"], item["reason"], item["note"]) for item in about]


def sharedsecret_path(shared: Shared) -> str:
    """Where a SharedSecret stands."""
    return f"{GROUP}/namespaces/{shared.shop.name}/sharedsecrets/{shared.name}"
