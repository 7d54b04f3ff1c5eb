"""An API server of a few lines that keeps key Secrets, copies and SealingKeys, and can fail.

It keeps the rules that the life of keys relies on: what is created must not be there, what is
changed must still be what was seen.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.apiserver import Answer, ApiServer

Object = dict[str, Any]


class Killed(BaseException):
    """The process ends here."""


@dataclass
class KeyServer(ApiServer):
    """Secrets by name, and SealingKeys by name.

    Attributes:
        before: is told each write before it is done, and may end everything or be somebody else.
        after: the same once it is done.
    """

    secrets: dict[str, Object] = field(default_factory=dict)
    published: dict[str, Object] = field(default_factory=dict)
    before: Callable[[str, str], None] = lambda _method, _name: None
    after: Callable[[str, str], None] = lambda _method, _name: None
    status: int = 0
    versions: int = 0

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        **_: object,
    ) -> Answer:
        """Answer as an API server does."""
        if method == "GET":
            return Answer(200, {"items": self._listed(path, (params or {}).get("labelSelector"))})
        assert isinstance(body, Mapping)
        name = path.rpartition("/")[2] if method != "POST" else str(body["metadata"]["name"])
        self.before(method, name)
        answer = Answer(self.status, {}) if self.status else self._write(method, name, body)
        self.after(method, name)
        return answer

    def annotations(self, name: str) -> Mapping[str, str]:
        """What a Secret notes."""
        noted: Mapping[str, str] = self.secrets[name]["metadata"]["annotations"]
        return noted

    def states(self) -> list[str]:
        """States of the keys in the order of their ordinals."""
        keys = sorted(
            (name for name in self.secrets if not name.endswith("-backup")),
            key=lambda name: int(name.rpartition("-")[2]),
        )
        return [self.annotations(name)["sealer.dev/state"] for name in keys]

    def touch(self, name: str) -> None:
        """Somebody else changes a Secret."""
        self.secrets[name]["metadata"]["resourceVersion"] = self._version()

    def _listed(self, path: str, labels: str | None) -> list[Object]:
        if labels is None:
            assert path.endswith("/sealingkeys")
            return copy.deepcopy(list(self.published.values()))
        label = labels.removesuffix("=true")
        found = (item for item in self.secrets.values() if label in item["metadata"]["labels"])
        return copy.deepcopy(list(found))

    def _write(self, method: str, name: str, body: Mapping[str, Any]) -> Answer:
        there = self.secrets.get(name)
        if method == "POST":
            if there is not None:
                return Answer(409, {"reason": "AlreadyExists"})
            self._put(name, dict(body), uid=f"u-{self._version()}")
            return Answer(201, {})
        if there is None:
            return Answer(404, {})
        seen, live = body["metadata"], there["metadata"]
        if (seen["uid"], seen["resourceVersion"]) != (live["uid"], live["resourceVersion"]):
            return Answer(409, {"reason": "Conflict"})
        if method == "PATCH":
            notes = {**live["annotations"], **seen["annotations"]}
            kept = {key: text for key, text in notes.items() if text is not None}
            body = {**there, "metadata": {**live, "annotations": kept}}
        self._put(name, dict(body), uid=live["uid"])
        return Answer(200, {})

    def _put(self, name: str, item: Object, *, uid: str) -> None:
        metadata = {**item["metadata"], "uid": uid, "resourceVersion": self._version()}
        self.secrets[name] = copy.deepcopy({**item, "metadata": metadata})

    def _version(self) -> str:
        self.versions += 1
        return str(self.versions)
