"""The way from the CLI to an API server, with the rights of whoever runs it.

The Kubernetes client is met here, and in `kubeconfig`, which sets it up. Every foreign exception
becomes a `ClusterError` that says what was asked for and what to do; texts of the API server are
not repeated, because they may quote what they are about, but for those of our own policies. Writing
is conditional: on a version, or on an identity.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from sealer.errors import ClusterError
from sealer.kubeconfig import Connection, client_of
from sealer.manifests.models import GROUP
from sealer.service_proxy import Answer

FIELD_MANAGER: Final = "sealer-cli"
_TIMEOUT_SECONDS = (5, 30)
"""To connect, and between two bytes of an answer."""
_PAGE_OBJECTS = 500
"""Objects in one answer of a list, as kubectl asks for."""
_MAX_ANSWER_BYTES = 8 << 20
"""Of what a service answers: more than twice what the API server takes for one object."""
_MERGE = "application/merge-patch+json"
_OWN_POLICY: Final = re.compile(
    r"ValidatingAdmissionPolicy 'sealer-[a-z-]+' with binding '[^']*' denied request: (.+)",
    re.DOTALL,
)

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API server has it; the core group is empty."""

    kind: str
    group: str
    version: str
    plural: str

    def named(self, namespace: str, name: str) -> str:
        """What messages call one object of it."""
        return f"{self.kind} {namespace}/{name}" if namespace else f"{self.kind} {name}"


SEALED_SECRETS: Final = Resource("SealedSecret", GROUP, "v1alpha1", "sealedsecrets")
BITNAMI_SEALED_SECRETS: Final = Resource("SealedSecret", "bitnami.com", "v1alpha1", "sealedsecrets")
SEALING_KEYS: Final = Resource("SealingKey", GROUP, "v1alpha1", "sealingkeys")
SECRETS: Final = Resource("Secret", "", "v1", "secrets")
NAMESPACES: Final = Resource("Namespace", "", "v1", "namespaces")
EVENTS: Final = Resource("Event", "events.k8s.io", "v1", "events")
_REVIEWS: Final = Resource("SelfSubjectReview", "authentication.k8s.io", "v1", "selfsubjectreviews")


class Forbidden(ClusterError):
    """Not allowed; some callers know another way."""


class Changed(ClusterError):
    """Something is there already, or is not as it was seen; look again."""


class Missing(ClusterError):
    """There is no such object, namespace or kind."""


class ApiServer:
    """An API server, reached as kubectl would."""

    def __init__(self, connection: Connection) -> None:
        """Read the kubeconfig; nothing is sent yet.

        Raises:
            UsageError: there is no such context.
            ClusterError: there is no usable kubeconfig.
        """
        self._client = api = client_of(connection)
        self._unreachable_hint = f"does `{connection.kubectl} version` answer?"
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)
        self._told: datetime | None = None

    def list(
        self, resource: Resource, *, namespace: str = "", labels: str = ""
    ) -> Iterator[Object]:
        """All objects of a kind, page by page; those of all namespaces unless one is named.

        Raises:
            Forbidden, Missing, ClusterError: they cannot be read.
        """
        place = f" in namespace {namespace}" if namespace else ""
        selected = {"label_selector": labels} if labels else {}
        token = ""
        while True:
            page = self._ask(
                f"read {resource.kind}s{place}",
                "list",
                resource,
                namespace=namespace,
                limit=_PAGE_OBJECTS,
                _continue=token,
                **selected,
            )
            yield from page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object | None:
        """One object, or None where there is none.

        Raises:
            Forbidden, ClusterError: it cannot be read.
        """
        verb = "get" if resource.group else "read"
        try:
            return self._ask(
                f"read {resource.named(namespace, name)}",
                verb,
                resource,
                namespace=namespace,
                name=name,
            )
        except Missing:
            return None

    def create(self, resource: Resource, body: Object, *, namespace: str = "") -> Object:
        """Make an object.

        Raises:
            Changed: there is one of its name.
            Missing: there is no such namespace or kind.
            Forbidden, ClusterError: it cannot be made.
        """
        name = str(body.get("metadata", {}).get("name", ""))
        return self._ask(
            f"create {resource.named(namespace, name)}".rstrip(),
            "create",
            resource,
            namespace=namespace,
            body=body,
            field_manager=FIELD_MANAGER,
        )

    def merge(
        self, resource: Resource, name: str, change: Object, *, version: str, namespace: str = ""
    ) -> Object:
        """Merge a change into an object that is still at a version; None takes a field away.

        Args:
            resource: its kind.
            name: its name.
            change: what is to be merged.
            version: its resourceVersion; empty where the change holds whatever else has changed.
            namespace: where it is.

        Raises:
            Changed: it is not at that version any more.
            Missing, Forbidden, ClusterError: it cannot be changed.
        """
        metadata = dict(change.get("metadata", {}))
        if version:
            metadata["resourceVersion"] = version
        return self._ask(
            f"change {resource.named(namespace, name)}",
            "patch",
            resource,
            namespace=namespace,
            name=name,
            body={**change, "metadata": metadata},
            field_manager=FIELD_MANAGER,
            _content_type=_MERGE,
        )

    def delete(self, resource: Resource, name: str, *, uid: str, namespace: str = "") -> None:
        """Delete an object if it is still the one with this identity; none there is as good.

        Raises:
            Changed: another object has its name by now.
            Forbidden, ClusterError: it cannot be deleted.
        """
        try:
            self._ask(
                f"delete {resource.named(namespace, name)}",
                "delete",
                resource,
                namespace=namespace,
                name=name,
                body={"preconditions": {"uid": uid}},
            )
        except Missing:
            return

    def no_later(self, time: datetime) -> datetime:
        """A time, or that of the API server's last answer where its clock had not come so far."""
        return time if self._told is None else min(time, self._told)

    def user(self) -> str:
        """Who runs this, by the name that the API server knows.

        Raises:
            ClusterError: it does not say.
        """
        body = {"apiVersion": f"{_REVIEWS.group}/{_REVIEWS.version}", "kind": _REVIEWS.kind}
        review = self._ask("ask who you are", "create", _REVIEWS, namespace="", body=body)
        return str(review["status"]["userInfo"]["username"])

    def call(self, method: str, path: str, *, what: str, body: bytes | None = None) -> Answer:
        """Send one request to the API server, and once only, whatever it answers.

        Args:
            method: such as `GET`.
            path: from the root of the API server on.
            what: what it is for, for messages.
            body: JSON.

        Raises:
            ClusterError: there is no answer, or one of more than 8 MiB.
        """
        settings = self._client.configuration
        headers = dict(self._client.default_headers)
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        for one in settings.auth_settings().values():
            if one["value"] and one["in"] == "header":
                headers[one["key"]] = one["value"]
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                settings.host.rstrip("/") + path,
                body=body,
                headers=headers,
                timeout=Timeout(*_TIMEOUT_SECONDS),
                retries=False,
                preload_content=False,
            )
            content = answer.read(_MAX_ANSWER_BYTES + 1)
            answer.release_conn()
        except (HTTPError, OSError):
            raise ClusterError(
                f"the API server cannot be reached for {what}",
                hint=self._unreachable_hint,
            ) from None
        if len(content) > _MAX_ANSWER_BYTES:
            raise ClusterError(f"the answer to {what} is too large")
        return Answer(answer.status, answer.headers.get("Retry-After", ""), content)

    def _ask(
        self,
        act: str,
        verb: str,
        resource: Resource,
        *,
        namespace: str,
        **arguments: Any,  # noqa: ANN401 - a client call's
    ) -> Object:
        with _converted(act, resource, hint=self._unreachable_hint):
            if resource.group:
                scope = "namespaced" if namespace else "cluster"
                call = getattr(self._custom, f"{verb}_{scope}_custom_object")
                arguments |= {
                    "group": resource.group,
                    "version": resource.version,
                    "plural": resource.plural,
                }
            else:
                scope = "namespaced_" if namespace else ""
                call = getattr(self._core, f"{verb}_{scope}{resource.kind.lower()}")
            if namespace:
                arguments["namespace"] = namespace
            answer = call(**arguments, _preload_content=False, _request_timeout=_TIMEOUT_SECONDS)
            self._told = _date(answer.headers.get("Date", ""))
            return cast("Object", json.loads(answer.data))


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


@contextmanager
def _converted(act: str, resource: Resource, *, hint: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise _refusal(_Answer.read(error), act, resource) from None
    except (HTTPError, OSError, ValueError):
        raise ClusterError(f"the API server cannot be reached to {act}", hint=hint) from None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A refusal of the API server, as far as it can be repeated.

    Attributes:
        of_what: the kind that it is about, in the plural; it may be another than was asked for.
        policy: what one of our own admission policies says, which quotes nothing but names.
    """

    status: int
    of_what: str = ""
    policy: str = ""

    @classmethod
    def read(cls, error: ApiException) -> _Answer:
        try:
            said = json.loads(error.body or "")
            kind, message = str(said["details"]["kind"]), str(said["message"])
        except (ValueError, TypeError, KeyError):
            return cls(error.status or 0)
        found = _OWN_POLICY.search(message)
        return cls(error.status or 0, kind, found[1] if found else "")


def _refusal(answer: _Answer, act: str, resource: Resource) -> ClusterError:
    status = answer.status
    made: type[ClusterError] = ClusterError
    text, hint = f"the API server refused to {act} ({status})", "try again"
    match status:
        case HTTPStatus.FORBIDDEN:
            made, text = Forbidden, f"you may not {act} (403)"
            hint = answer.policy or "ask whoever grants rights in this cluster"
        case HTTPStatus.NOT_FOUND if answer.of_what == NAMESPACES.plural:
            made, text, hint = Missing, f"cannot {act}: there is no such namespace (404)", ""
        case HTTPStatus.NOT_FOUND:
            made, text, hint = Missing, f"cannot {act}: the cluster does not have that (404)", ""
            if resource.group == GROUP:
                hint = "is sealer installed there? `sealer install --image … | kubectl apply -f -`"
        case HTTPStatus.CONFLICT:
            made, text = Changed, f"somebody else was faster, so we cannot {act} (409)"
        case HTTPStatus.UNAUTHORIZED:
            text, hint = f"not logged in, so we cannot {act} (401)", "log in as for kubectl"
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
            hint = "what is there may be immutable, or a policy of the cluster is against it"
    return made(text, hint=hint)
