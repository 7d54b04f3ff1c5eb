"""An API server in memory, as far as SharedSecrets, Secrets and RBAC objects need one.

It answers as the real one does: conflicts by uid and resourceVersion, 404, 409 for names that are
taken. `writes_left` has it die before a write, for tests of a controller that is killed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from controller.apiserver import JSON, JSON_PATCH, Answer
from controller.cluster import path_of
from controller.status import Ref

Object = dict[str, Any]


class Killed(BaseException):
    """The process ends here."""


class MemoryApi:
    """Objects by their path.

    Attributes:
        objects: what is there.
        log: method and path of each request.
        writes_left: how many writes are done before the process ends; None: all.
        failing: paths that are not answered properly.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.log: list[str] = []
        self.writes_left: int | None = None
        self.failing: set[str] = set()
        self._version = 100

    def put(self, path: str, item: Mapping[str, Any], *, uid: str = "") -> Object:
        """Have an object, as it is after a write."""
        self._version += 1
        made: Object = json.loads(json.dumps(item))
        metadata = made.setdefault("metadata", {})
        metadata["uid"] = uid or metadata.get("uid") or f"uid-{self._version}"
        metadata["resourceVersion"] = str(self._version)
        self.objects[path] = made
        return made

    async def request(  # noqa: PLR0911, PLR0913 - as ApiServer's, and each case answers
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - JSON
        *,
        content_type: str = JSON,
        accept: str = JSON,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Answer a request."""
        del accept, params
        path = unquote(path)
        self.log.append(f"{method} {path}")
        if path in self.failing:
            return Answer(503, {})
        if method != "GET":
            self._count()
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            return Answer(409, {}) if path in self.objects else Answer(201, self.put(path, body))
        place = path.removesuffix("/status")
        there = self.objects.get(place)
        if there is None:
            return Answer(404, {})
        match method:
            case "GET":
                return Answer(200, copy.deepcopy(there))
            case "DELETE":
                return self._delete(place, there, body)
            case "PATCH" if content_type == JSON_PATCH:
                return self._status(place, there, body)
            case "PATCH":
                return self._change(place, there, _merged(there, body), body)
            case _:
                return self._change(place, there, body, body)

    def _count(self) -> None:
        if self.writes_left is not None:
            if not self.writes_left:
                raise Killed
            self.writes_left -= 1

    def _delete(self, path: str, there: Object, body: Object) -> Answer:
        if body["preconditions"]["uid"] != there["metadata"]["uid"]:
            return Answer(409, {})
        del self.objects[path]
        return Answer(200, {})

    def _status(self, path: str, there: Object, operations: list[Object]) -> Answer:
        version, status = operations
        if version["value"] != there["metadata"]["resourceVersion"]:
            return Answer(409, {})
        return Answer(200, self.put(path, {**there, "status": status["value"]}))

    def _change(self, path: str, there: Object, new: Object, asked: Object) -> Answer:
        for name in ("uid", "resourceVersion"):
            if asked["metadata"].get(name) != there["metadata"][name]:
                return Answer(409, {})
        return Answer(200, self.put(path, new))


def place_of(ref: Ref) -> str:
    """Where an object stands in `objects`."""
    return unquote(path_of(ref))


def _merged(there: Any, change: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(there, dict) or not isinstance(change, dict):
        return change
    return {**there, **{name: _merged(there.get(name), each) for name, each in change.items()}}
