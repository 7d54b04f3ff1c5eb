"""People with client certificates and programs with tokens, and what they try on a SharedSecret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.cluster.harness.access import Answer, Client
    from tests.cluster.harness.api_server import ApiServer

GROUP: Final = "/apis/sealer.dev/v1alpha1"
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who sends requests.

    Attributes:
        name: the user's name, as the API server knows it.
        may: the verbs of access lists that they have been granted.
    """

    name: str
    send: Client = field(repr=False)
    may: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get at something.

    Attributes:
        name: for messages.
        verbs: those of access lists that open it; none: nobody gets in.
    """

    name: str
    method: str
    path: str
    verbs: frozenset[str]
    body: object = None
    content_type: str = "application/json"

    def is_open_to(self, person: Person) -> bool:
        """Try it."""
        answer = person.send(self.method, self.path, self.body, content_type=self.content_type)
        assert answer.status in (200, 201, 403), (self.name, person.name, answer.body)
        return answer.status != 403


def ways_to(namespace: str, name: str, values: str) -> list[Way]:
    """Every way to a SharedSecret and the Secret of its values; what they change is a dry run."""
    reading = frozenset({"view", "update", "delete"})
    found = [*_ways(f"{GROUP}/namespaces/{namespace}/sharedsecrets", name, reading | {"sync"})]
    found += _ways(f"/api/v1/namespaces/{namespace}/secrets", values, reading)
    status = {"status": {"observedGeneration": 1}}
    path = f"{GROUP}/namespaces/{namespace}/sharedsecrets/{name}/status?dryRun=All"
    return [*found, Way("patch the status", "PATCH", path, frozenset(), status, MERGE)]


def _ways(folder: str, name: str, reading: frozenset[str]) -> list[Way]:
    changing, deleting, nobody = frozenset({"update"}), frozenset({"delete"}), frozenset[str]()
    kind = "Secret" if "/api/v1/" in folder else "SharedSecret"
    version = "v1" if kind == "Secret" else "sealer.dev/v1alpha1"
    one, dry = f"{folder}/{name}", "?dryRun=All"
    selected = f"fieldSelector=metadata.name={name}"
    applied = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
    return [
        Way(f"get {kind}", "GET", one, reading),
        Way(f"merge {kind}", "PATCH", one + dry, changing, {}, MERGE),
        Way(f"patch {kind}", "PATCH", one + dry, changing, [], JSON_PATCH),
        Way(f"apply {kind}", "PATCH", f"{one}{dry}&fieldManager=x", changing, applied, APPLY),
        Way(f"delete {kind}", "DELETE", one + dry, deleting),
        Way(f"list {kind}", "GET", folder, nobody),
        Way(f"list one {kind}", "GET", f"{folder}?{selected}", nobody),
        Way(f"watch {kind}", "GET", f"{folder}?watch=true&timeoutSeconds=1", nobody),
        Way(f"watch one {kind}", "GET", f"{folder}?watch=1&timeoutSeconds=1&{selected}", nobody),
        Way(f"delete all {kind}", "DELETE", folder + dry, nobody),
        Way(f"create {kind}", "POST", folder + dry, nobody, {**applied, "metadata": {"name": "n"}}),
        Way(f"get another {kind}", "GET", f"{folder}/other", nobody),
    ]


def may_sync(person: Person, namespace: str, name: str) -> bool:
    """Ask the API server whether somebody has the right that a sync asks for."""
    about = {
        "verb": "sync",
        "group": "sealer.dev",
        "resource": "sharedsecrets",
        "namespace": namespace,
        "name": name,
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = person.send("POST", path, {"spec": {"resourceAttributes": about}})
    return bool(answer.body["status"]["allowed"])


def person(api: ApiServer, name: str, *, team: str = "", may: Iterable[str] = ()) -> Person:
    """Return somebody with a client certificate, in a team."""
    client = api.client_for(name, groups=[team] if team else [])
    return Person(name, client, frozenset(may))


def program(api: ApiServer, namespace: str, name: str, *, may: Iterable[str] = ()) -> Person:
    """Make a service account, and return a program that uses its token."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    assert api.request("POST", path, {"metadata": {"name": name}}).status in (201, 409)
    user = f"system:serviceaccount:{namespace}:{name}"
    return Person(user, api.client_for_service_account(namespace, name), frozenset(may))


def give_rights(
    api: ApiServer, namespace: str, user: str, rights: Mapping[str, Iterable[str]]
) -> None:
    """Give a user these rights in a namespace, and no others, by a Role of the tests' own.

    Args:
        api: the API server.
        namespace: where.
        user: the user's name.
        rights: verbs by resource, such as `sharedsecrets` or `secrets`.
    """
    rules = [
        {
            "apiGroups": [""] if resource == "secrets" else ["sealer.dev"],
            "resources": [resource],
            "verbs": list(verbs),
        }
        for resource, verbs in rights.items()
    ]
    folder, named = f"{_RBAC}/namespaces/{namespace}", {"metadata": {"name": f"rights-{user}"}}
    role = {**named, "rules": rules}
    if api.request("POST", f"{folder}/roles", role).status == 409:
        assert api.request("PUT", f"{folder}/roles/rights-{user}", role).status == 200
    bound: Object = {
        **named,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": f"rights-{user}",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    assert api.request("POST", f"{folder}/rolebindings", bound).status in (201, 409)


def shared_secret(name: str, *access: Object, **spec: Any) -> Object:  # noqa: ANN401 - fields
    """Return a SharedSecret."""
    listed = {"access": list(access)} if access else {}
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SharedSecret",
        "metadata": {"name": name},
        "spec": {**spec, **listed},
    }


def put_access(api: ApiServer, namespace: str, name: str, *access: Object) -> Answer:
    """Replace an access list as the administrator."""
    path = f"{GROUP}/namespaces/{namespace}/sharedsecrets/{name}"
    body = {"spec": {"access": list(access)}}
    return api.request("PATCH", path, body, content_type=MERGE)
