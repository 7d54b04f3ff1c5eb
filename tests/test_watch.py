"""The canary over the suite sees a leak wherever there may be one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SUITE = """
import base64, logging, os, subprocess, sys
import pytest
from sealer import files
from sealer.crypto import envelope
from sealer.crypto.scope import Binding, Kind, Scope
from sealer.errors import FileError, SealerError

VALUE = "not-" "a-real-password"
OTHER = b"correct horse"
PLACE = Binding(kind=Kind.SECRET, scope=Scope.STRICT, namespace="shop", name="db")


def seal():
    return envelope.seal_item(OTHER, data_key=bytes(32), binding=PLACE, item_key="password")

def test_printed(): print(VALUE)
def test_printed_as_base64(): print(base64.b64encode(b"x" + VALUE.encode()).decode())
def test_printed_as_hex(): print(VALUE.encode().hex())
def test_printed_on_stderr(): print(VALUE, file=sys.stderr)
def test_printed_and_read(capsys):
    print(VALUE)
    capsys.readouterr()
def test_printed_by_a_program():
    subprocess.run([sys.executable, "-c", f"print('{VALUE}')"], capture_output=True)
def test_printed_by_a_program_on_stderr():
    subprocess.run(["sh", "-c", f": unseal; echo {VALUE} >&2"], stderr=subprocess.PIPE)
def test_printed_by_a_fixture(printing): pass
def test_logged(): logging.getLogger("x").warning(VALUE)
def test_told_in_an_error():
    with pytest.raises(SealerError):
        raise FileError(f"{VALUE} is wrong")
def test_told_as_the_place_of_an_error():
    with pytest.raises(SealerError):
        raise FileError("wrong").at(key=VALUE)
def test_left_in_a_file(tmp_path): files.write(tmp_path / "a", VALUE.encode())
def test_left_in_a_target_that_others_can_read(tmp_path):
    (tmp_path / "secrets").mkdir()
    files.write(tmp_path / "secrets" / "a.yaml", VALUE.encode(), mode=0o644)
def test_left_in_git(tmp_path):
    (tmp_path / "a").write_text(VALUE)
    for arguments in (["init", "--quiet"], ["add", "a"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
def test_left_in_a_file_of_a_test_and_changed(tmp_path):
    (tmp_path / "a").write_text(VALUE)
    files.write(tmp_path / "a", VALUE.encode() * 2)
def test_sealed_and_printed():
    seal()
    print(OTHER.decode())
def test_opened_and_printed():
    sealed = seal()
    opened = envelope.open_item(sealed, data_key=bytes(32), binding=PLACE, item_key="password")
    print(opened.hex())

def test_fine_where_nothing_is_told(): seal()
def test_fine_in_an_input(tmp_path): (tmp_path / "a").write_text(VALUE)
def test_fine_in_a_target(tmp_path):
    (tmp_path / "secrets").mkdir()
    files.write(tmp_path / "secrets" / "a.yaml", VALUE.encode(), mode=0o600)
def test_fine_where_it_is_allowed(tmp_path, canary):
    files.write(tmp_path / "a", VALUE.encode())
    canary.allow(tmp_path / "a")
@pytest.mark.reveals("it is asked to")
def test_fine_where_it_is_asked_for(): print(VALUE)
def test_fine_to_unseal():
    subprocess.run(["sh", "-c", f": unseal; echo {VALUE}"], capture_output=True)

def test_left_by_a_fixture_and_seen_after_the_last_test(left): pass


@pytest.fixture
def printing():
    yield
    print(VALUE)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    files.write(tmp_path_factory.mktemp("left") / "a", VALUE.encode())
"""


pytestmark = [
    pytest.mark.reveals("what the inner suite prints"),
    pytest.mark.xdist_group("watch"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Provide what pytest says about that suite, run with the canary of this one."""
    suite = tmp_path_factory.mktemp("suite")
    (suite / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (suite / "test_suite.py").write_text(_SUITE)
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=line", f"--rootdir={suite}"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", f"--basetemp={suite / 'temporary'}", str(suite)],
        cwd=suite,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    shutil.rmtree(suite / "temporary")
    return done.stdout


def test_every_leak_fails_its_test(told: str) -> None:
    leaking = {name for name in _defined() if not name.startswith("test_fine_")}
    assert leaking
    assert _outcomes("ERROR", told) == leaking


def test_nothing_else_fails(told: str) -> None:
    assert _outcomes("FAILED", told) == set()
    assert _outcomes("PASSED", told) == _defined()


def _defined() -> set[str]:
    return set(re.findall(r"^def (test_\w+)", _SUITE, re.MULTILINE))


def _outcomes(word: str, told: str) -> set[str]:
    return set(re.findall(rf"^{word} \S*::(test_\w+)", told, re.MULTILINE))
