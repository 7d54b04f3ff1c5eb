"""What the API server was asked, by whom: its audit log, read so that tests can count.

The server writes a request into the log before it handles it, so whatever a client has an answer
for is in here. Bodies are never recorded. Health checks and the server's requests to itself are
left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that reached the API server.

    Attributes:
        verb: get, list, watch, create, update, patch, delete, deletecollection.
        resource: plural name, with the subresource after a slash: `sealedsecrets/status`.
        group: API group; empty for the core group.
        code: HTTP status of the answer; None while it is not finished.
    """

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int | None
    uri: str


class AuditLog:
    """Reads the log of one API server.

    Args:
        path: the log.
        at_once: whether its policy has requests logged when they come in, before they are handled.
    """

    def __init__(self, path: Path, *, at_once: bool = True) -> None:
        self.path = path
        self._at_once = at_once

    def mark(self) -> int:
        """Return a place in the log; requests that come later can be asked for by it."""
        return self.path.stat().st_size if self.path.exists() else 0

    def requests(
        self,
        *,
        since: int = 0,
        user: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
    ) -> list[Request]:
        """Return the requests in the order in which they came, only those that match.

        Args:
            since: a place that `mark` returned.
            user: user name, such as `system:serviceaccount:NAMESPACE:NAME`.
            verb: as in RBAC.
            resource: plural name; `secrets` does not include `secrets/status`.
            namespace: empty for cluster-scoped resources.
        """
        wanted = {"user": user, "verb": verb, "resource": resource, "namespace": namespace}
        return [
            request
            for request in self._read(since)
            if all(want in (None, getattr(request, name)) for name, want in wanted.items())
        ]

    def _read(self, since: int) -> list[Request]:
        received: dict[str, Request] = {}
        for event in self._events(since):
            audit_id = event["auditID"]
            is_first = event["stage"] == "RequestReceived" or not self._at_once
            if is_first or audit_id in received:
                received[audit_id] = _request(event)
        return list(received.values())

    def _events(self, since: int) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(since)
            whole_lines = log.read().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole_lines.splitlines()]


def _request(event: dict[str, Any]) -> Request:
    target = event.get("objectRef", {})
    resource = target.get("resource", "")
    if "subresource" in target:
        resource += "/" + target["subresource"]
    finished = event["stage"] in ("ResponseComplete", "Panic")
    return Request(
        user=event["user"].get("username", ""),
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code") if finished else None,
        uri=event["requestURI"],
    )
