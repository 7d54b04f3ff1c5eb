"""What the CLI asks of a cluster, with the rights of whoever runs it. It changes nothing there.

Every foreign exception becomes a `ClusterError` that says what was asked for and what to do; texts
of the API server are not repeated, except its one-word reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from sealer.errors import ClusterError, UsageError
from sealer.manifests import bitnami
from sealer.manifests.models import API_VERSION
from sealer.service_proxy import Answer

_TIMEOUT_SECONDS = (5, 30)
"""To connect, and between two bytes of an answer."""
_PAGE_OBJECTS = 500
"""Objects in one answer of a list, as kubectl asks for."""
_FORBIDDEN, _MISSING, _UNAUTHENTICATED = 403, 404, 401
_MAX_ANSWER_BYTES = 8 << 20
"""Of what a service answers: more than twice what the API server takes for one object."""

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which cluster, as kubectl's options say it; empty for kubectl's own defaults."""

    kubeconfig: Path | None = None
    context: str = ""


class Reader(Protocol):
    """What the CLI needs of a cluster."""

    def sealing_keys(self) -> list[Object]:
        """All SealingKeys."""

    def sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret as the cluster has it, or None."""

    def bitnami_sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret of sealed-secrets as the cluster has it, or None."""


class Cluster:
    """A cluster, reached as kubectl would."""

    def __init__(self, connection: Connection) -> None:
        """Read the kubeconfig; nothing is sent yet.

        Raises:
            UsageError: there is no such context.
            ClusterError: there is no usable kubeconfig.
        """
        self._client = _client(connection)
        self._api = client.CustomObjectsApi(self._client)
        self._listed: dict[tuple[str, str], dict[str, Object] | None] = {}

    def sealing_keys(self) -> list[Object]:
        """All SealingKeys, in the order of the API server.

        Raises:
            ClusterError: they cannot be read.
        """
        return list(
            self._pages(
                "SealingKeys",
                lambda **page: self._api.list_cluster_custom_object(
                    *_of(API_VERSION), "sealingkeys", **page
                ),
            )
        )

    def sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret, or None where there is none.

        The namespace is listed once; who may not list reads each object by its name.

        Raises:
            ClusterError: it cannot be read.
        """
        return self._sealed_secret(API_VERSION, namespace, name)

    def bitnami_sealed_secret(self, namespace: str, name: str) -> Object | None:
        """One SealedSecret of sealed-secrets, or None where there is none, as `sealed_secret`.

        Raises:
            ClusterError: it cannot be read.
        """
        return self._sealed_secret(bitnami.API_VERSION, namespace, name)

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
            raise _unreachable(what) from None
        if len(content) > _MAX_ANSWER_BYTES:
            raise ClusterError(f"the answer to {what} is too large")
        return Answer(answer.status, answer.headers.get("Retry-After", ""), content)

    def _sealed_secret(self, version: str, namespace: str, name: str) -> Object | None:
        place = (version, namespace)
        if place not in self._listed:
            self._listed[place] = self._list(version, namespace)
        listed = self._listed[place]
        if listed is not None:
            return listed.get(name)
        try:
            found = self._api.get_namespaced_custom_object(
                *_of(version), namespace, "sealedsecrets", name, _request_timeout=_TIMEOUT_SECONDS
            )
        except (ApiException, HTTPError) as error:
            if isinstance(error, ApiException) and error.status == _MISSING:
                return None
            raise _failure(error, f"SealedSecret {namespace}/{name}") from None
        return cast("Object", found)

    def _list(self, version: str, namespace: str) -> dict[str, Object] | None:
        try:
            objects = self._pages(
                f"SealedSecrets in {namespace}",
                lambda **page: self._api.list_namespaced_custom_object(
                    *_of(version), namespace, "sealedsecrets", **page
                ),
            )
            return {str(item["metadata"]["name"]): item for item in objects}
        except _ForbiddenError:
            return None

    def _pages(self, what: str, ask: Any) -> Iterator[Object]:  # noqa: ANN401 - a client call
        token = ""
        while True:
            try:
                page = ask(limit=_PAGE_OBJECTS, _continue=token, _request_timeout=_TIMEOUT_SECONDS)
            except (ApiException, HTTPError) as error:
                raise _failure(error, what) from None
            yield from page.get("items", [])
            token = page.get("metadata", {}).get("continue") or ""
            if not token:
                return


def current_context(kubeconfig: Path | None) -> str:
    """The name of the context that kubectl would use; `cluster` where there is no kubeconfig."""
    try:
        _, active = config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            _place(kubeconfig)
        )
    except ConfigException:
        return "cluster"
    return str(active["name"])


def _of(version: str) -> tuple[str, str]:
    group, _, name = version.partition("/")
    return group, name


def _place(kubeconfig: Path | None) -> str | None:
    # The library looks at the environment when it is imported; it may have changed since.
    return str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or None


class _ForbiddenError(ClusterError):
    """Not allowed; some callers know another way."""


def _client(connection: Connection) -> client.ApiClient:
    try:
        made: client.ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
            config_file=_place(connection.kubeconfig),
            context=connection.context or None,
            persist_config=False,
        )
    except ConfigException as error:
        if connection.context and "context" in str(error).lower():
            raise UsageError(
                f"there is no context {connection.context} in the kubeconfig",
                hint="`kubectl config get-contexts` lists them",
            ) from None
        return _in_cluster()
    return made


def _in_cluster() -> client.ApiClient:
    settings = client.Configuration()
    try:
        config.load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=settings
        )
    except ConfigException:
        raise ClusterError(
            "no cluster is configured",
            hint="name one with --kubeconfig or KUBECONFIG, or work on a directory with --keyring",
        ) from None
    return client.ApiClient(settings)


def _failure(error: ApiException | HTTPError, what: str) -> ClusterError:
    if not isinstance(error, ApiException):
        return _unreachable(what)
    if error.status == _FORBIDDEN:
        return _ForbiddenError(
            f"you may not read {what} (403)", hint="ask whoever grants rights in this cluster"
        )
    if error.status == _MISSING:
        return ClusterError(
            f"the cluster knows no {what} (404)",
            hint="is sealer installed there? `sealer install --image … | kubectl apply -f -`",
        )
    if error.status == _UNAUTHENTICATED:
        return ClusterError(
            f"not logged in, so {what} cannot be read (401)", hint="log in as for kubectl"
        )
    return ClusterError(f"the API server refused {what} ({error.status})", hint="try again")


def _unreachable(what: str) -> ClusterError:
    return ClusterError(
        f"the API server cannot be reached for {what}", hint="does `kubectl version` answer?"
    )
