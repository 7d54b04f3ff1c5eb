"""Commands on a keyring, killed before every single change of a file: no key is ever lost.

The process is ended by the operating system's own means, without any tidying up, from an audit hook
that Python calls before it renames, links or removes a file.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from sealer import keyring_directory, pinned_keys
from sealer.cli import main
from sealer.errors import SealerError
from sealer.keyring import Keyring, KeyState
from sealer.pinned_keys import PinnedKey
from tests.cli import keys

_CHANGES = {"os.rename", "os.link", "os.remove"}
_KILLED = 9
_PENDING = "3"
_TO_RECOVERY = ("--recovery-key", "keys/other.pem", "-w", "backup.json", "--force")
_COMMANDS = {
    "renew": ("renew",),
    "renew pending": ("renew", "--pending"),
    "activate": ("activate", _PENDING, "--reason", "a test"),
    "retire": ("retire", "507a"),
    "revoke": ("revoke", "507a", "--reason", "a test"),
    "backup": ("backup", *_TO_RECOVERY),
    "delete": ("retire", keys.OLD.id, "--delete", "--objects", "apps"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    keys.lay_out(tmp_path / "keys")
    (tmp_path / "apps").mkdir()
    assert main(["keys", "list", "--keyring", "keys/ring"]) == 0  # imported once for all children
    return tmp_path


def _run(arguments: tuple[str, ...], *, kill_at: int) -> int:
    """Run a command in a process of its own, which dies before its change of that number."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    seen = 0

    def count(event: str, _: object) -> None:
        nonlocal seen
        if event in _CHANGES:
            seen += 1
            if seen == kill_at:
                os._exit(_KILLED)

    sys.addaudithook(count)
    os._exit(main(["keys", *arguments]))


def _arguments(command: str, ring: Path) -> tuple[str, ...]:
    words = _COMMANDS[command]
    if _PENDING in words:
        waiting = keyring_directory.renew(ring, now=keys.MADE, state=KeyState.PENDING)
        words = tuple(waiting.id if word == _PENDING else word for word in words)
    return (*words, "--keyring", str(ring))


def _check_sound(ring: Path, before: Keyring, *, gone: str = "", done: bool) -> Keyring:
    """Every key of before is there, and nobody can seal to a key that is not.

    Until all is done, the public file of a key that was in use may say so a moment longer.
    """
    after = keyring_directory.load(ring)
    for key in before.keys:
        assert after.get(key.id) or key.id == gone
    for file in ring.glob("*.pub.pem"):
        (pinned,) = pinned_keys.read(file.read_text())
        held = after.get(pinned.key.id)
        assert held or (pinned.key.id == gone and not done)
        old = before.get(pinned.key.id)
        was_usable = old is not None and old.record.state is KeyState.ACTIVE
        if held and held.record.state is not KeyState.ACTIVE and (done or not was_usable):
            assert not _is_usable(pinned)
    return after


def _is_usable(pinned: PinnedKey) -> bool:
    try:
        pinned.check_usable(now=keys.MADE)
    except SealerError:
        return False
    return True


@pytest.mark.parametrize("command", _COMMANDS)
def test_killed_anywhere_no_key_is_lost_and_doing_it_again_ends_well(
    command: str, place: Path
) -> None:
    for kill_at in range(1, 100):
        ring = place / f"ring{kill_at}"
        shutil.copytree(place / "keys" / "ring", ring)
        arguments = _arguments(command, ring)
        before = keyring_directory.load(ring)
        code = _run(arguments, kill_at=kill_at)
        gone = keys.OLD.id if command == "delete" else ""
        after = _check_sound(ring, before, gone=gone, done=False)
        assert after.newest()
        if code == 0:
            assert kill_at > 1
            shutil.rmtree(ring)
            return
        assert code == _KILLED
        again = _run(arguments, kill_at=0)
        if command not in ("renew pending", "delete"):  # which may have been done already
            assert again == 0
        after = _check_sound(ring, before, gone=gone, done=again == 0)
        assert [key.record.state for key in after.keys].count(KeyState.ACTIVE) == 1
        shutil.rmtree(ring)
    pytest.fail("it never ended")


def test_killed_restore_is_finished_by_restoring_again(place: Path) -> None:
    assert _run(("backup", "--keyring", "keys/ring", *_TO_RECOVERY), kill_at=0) == 0
    whole = keyring_directory.load(place / "keys" / "ring")
    for kill_at in range(1, 100):
        ring = place / f"ring{kill_at}"
        recovery = ("--private-key", "keys/other.key")
        arguments = ("restore", "backup.json", "--keyring", str(ring), *recovery)
        code = _run(arguments, kill_at=kill_at)
        if code == 0:
            shutil.rmtree(ring)
            return
        _check_sound(ring, Keyring(), done=False)
        assert _run(arguments, kill_at=0) == 0
        after = keyring_directory.load(ring)
        assert [(key.id, key.record.state) for key in after.keys] == [
            (key.id, key.record.state) for key in whole.keys
        ]
        shutil.rmtree(ring)
    pytest.fail("it never ended")
