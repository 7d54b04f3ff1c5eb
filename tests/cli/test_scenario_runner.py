"""The runner and its canary notice what they are there to notice."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.canary import Canary
from tests.cli.scenario import Scenario

_VALUE = "made-up-password"
_FILES = """
-- secret.yaml --
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData: {password: made-up-password}
"""
_SEAL = "$ sealer seal --sealing-key keys/new.pem secret.yaml > sealed.yaml\n"
_UNSEAL = "sealer unseal --keyring keys/ring sealed.yaml"


def _play(steps: str) -> None:
    Scenario(f"canary {_VALUE}\n{_SEAL}{steps}\n{_FILES}", Canary()).play()


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (f"$ {_UNSEAL}", "stdout holds made-up, made-up-password"),
        (
            f"reveal {_UNSEAL}\ncopy secret.yaml left.yaml",
            "left.yaml holds made-up, made-up-password",
        ),
        ("$ sealer seal -i --sealing-key keys/new.pem sealed.yaml", "exit code 3"),
        ("!4 sealer version", "exit code 0"),
        ("$ sealer version\nstdout: nothing of the kind", "does not hold for\nsealer"),
        ("$ sealer version\nno stdout: sealer", "does not hold for\nsealer"),
        ("frobnicate", "no such step"),
    ],
)
def test_a_scenario_fails_where_it_should(steps: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        _play(steps)
    Path("left.yaml").unlink(missing_ok=True)


def test_a_scenario_passes_where_it_should() -> None:
    _play(f"reveal {_UNSEAL} > opened.yaml\nfile opened.yaml: ^kind: Secret$")


@pytest.mark.parametrize(
    "content",
    [
        _VALUE.encode(),
        base64.b64encode(_VALUE.encode()),
        base64.b64encode(b"x" + _VALUE.encode() + b"y"),
        base64.b64encode(b"xy" + _VALUE.encode() + b"z"),
        _VALUE.encode().hex().encode(),
        json.dumps({"a": [_VALUE]}).encode(),
    ],
)
def test_the_canary_knows_a_value_in_its_disguises(content: bytes) -> None:
    canary = Canary()
    canary.plant(_VALUE)
    assert canary.found_in(b"before " + content + b" after") == [_VALUE]
    assert canary.found_in(b"made-up-something-else") == []


def test_the_canary_fixture_can_be_planted(canary: Canary, tmp_path: Path) -> None:
    allowed = tmp_path / "plain"
    allowed.write_text(canary.plant(_VALUE))
    canary.allow(allowed)
    (tmp_path / "leak").write_text(_VALUE)
    with pytest.raises(AssertionError, match="leak holds made-up-password"):
        canary.check_files(tmp_path)
    (tmp_path / "leak").unlink()
