"""Another implementation of docs/format.md, in Go with Go's own HPKE, agrees with ours both ways.

`tests/tools/hpke` was written from the page and shares nothing with the library. Built with the
`go` on PATH or the one that the other tools are built with; Go keeps the result in its own cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sealer.crypto.scope import Kind, Scope
from sealer.errors import SealerError
from tests.tools.build import cache_folder, say_on_stderr
from tests.tools.requirement import unavailable
from tests.tools.toolchain import ToolsUnavailable, find_go, minimum_version
from tests.vectors.builder import (
    ENTRY,
    TIME,
    Draft,
    DraftEntry,
    DraftRecipient,
    Outcome,
    Vector,
    test_keys,
)
from tests.vectors.generate import DATA
from tests.vectors.opening import document_of, open_vector

pytestmark = pytest.mark.e2e

SOURCE = Path(__file__).parents[1] / "tools" / "hpke"
PLACES = [(kind, scope) for kind in Kind for scope in Scope]
VALUES = {
    "empty": b"",
    "password": b"made-up password, not a real one",
    "binary": bytes(range(256)),
    "block": b"x" * 64,
    "large": bytes(range(256)) * 4000,
}


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hpke") / "hpke"
    try:
        minimum = minimum_version((SOURCE / "go.mod").read_text())
        go = find_go(minimum, cache=cache_folder(), say=say_on_stderr)
    except ToolsUnavailable as error:
        unavailable(f"the Go implementation cannot be built: {error}")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    command = [str(go), "build", "-trimpath", "-buildvcs=false", "-o", str(made), "."]
    subprocess.run(command, cwd=SOURCE, env=environment, check=True)
    return made


def _ask(program: Path, requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    questions = "\n".join(json.dumps(request) for request in requests)
    outcome = subprocess.run(
        [program], input=questions, capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def _request(vector: Vector) -> dict[str, Any]:
    held = test_keys()
    seeds = [held[name].seed.hex() for name in vector.keys]
    return {"open": document_of(vector.manifest), "keys": seeds}


def _values(answer: dict[str, Any]) -> dict[str, bytes]:
    return {name: b64decode(text) for name, text in (answer["values"] or {}).items()}


def test_go_gives_the_expected_outcome_for_every_vector(program: Path) -> None:
    asked: dict[str, Vector] = {}
    requests = []
    for path in sorted(DATA.glob("*.txt")):
        vector = Vector.read(path.read_text(encoding="utf-8"))
        try:
            requests.append(_request(vector))
        except SealerError:  # a fault of the YAML; this implementation reads JSON only
            assert vector.expect is Outcome.MALFORMED
        else:
            asked[path.stem] = vector
    answers = dict(zip(asked, _ask(program, requests), strict=True))
    assert len(asked) > 150
    assert {name: answer["outcome"] for name, answer in answers.items()} == {
        name: vector.expect for name, vector in asked.items()
    }
    for name, answer in answers.items():
        digests = {key: hashlib.sha256(value).hexdigest() for key, value in _values(answer).items()}
        assert digests == asked[name].values


@pytest.mark.parametrize(("kind", "scope"), PLACES)
def test_go_opens_what_python_sealed(program: Path, kind: Kind, scope: Scope) -> None:
    draft = Draft(kind=str(kind), scope=str(scope)).seal(VALUES, to=("first", "second"))
    for key in ("first", "second"):
        (answer,) = _ask(program, [_request(draft.opens(keys=(key,)))])
        assert answer["outcome"] == Outcome.SUCCESS
        assert _values(answer) == VALUES


@pytest.mark.parametrize(("kind", "scope"), PLACES)
def test_python_opens_what_go_sealed(program: Path, kind: Kind, scope: Scope) -> None:
    draft = Draft(kind=str(kind), scope=str(scope))
    recipients = [test_keys()[name].public.raw for name in ("first", "second")]
    place = draft.binding
    request = {
        "kind": str(kind),
        "scope": str(scope),
        "namespace": place.namespace,
        "name": place.name,
        "sealedAt": TIME,
        "id": ENTRY,
        "to": [b64encode(raw).decode() for raw in recipients],
        "values": {name: b64encode(value).decode() for name, value in VALUES.items()},
    }
    (made,) = _ask(program, [{"seal": request}])
    entry = made["entry"]
    lines = [DraftRecipient(line["key"], line["wrapped"]) for line in entry["recipients"]]
    draft.entries[ENTRY] = DraftEntry(entry["sealedAt"], entry["commitment"], lines)
    draft.items = made["items"]
    for key in ("first", "second"):
        assert open_vector(draft.opens(keys=(key,))) == (Outcome.SUCCESS, VALUES)
