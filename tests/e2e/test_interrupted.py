"""Commands on a repository, stopped before every single change they make: by Ctrl-C, by a kill.

Whatever was there is there still or is what it should become, nothing in clear is left where it was
not, and doing it again ends well. So it is with a full disk, and wherever a work tree may be.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from sealer.cli import main
from tests.canary import Canary
from tests.e2e.interrupting import Place, full_after, run, stop_at
from tests.git_repository import Repository

pytestmark = pytest.mark.e2e

AGAIN = "has changes that are not committed"
"""Said where a file was written and not committed: doing it again would be another change."""
INTERRUPTED = 130
CONFIG = """\
apiVersion: sealer.dev/v1alpha1
kind: Config
clusters: {prod: {sealingKey: .sealer/prod.pem}}
"""
NEW = "made-up-new-value"
VALUES = {f"apps/{name}.yaml": f"made-up-value-of-{name}" for name in ("a", "b", "c")}
MANIFEST = """\
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: shop}}
stringData:
  password: {value}
  other: made-up-other-value
---
kind: ConfigMap
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Three Secrets in clear."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.invalid")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    made = Place(Repository.init(tmp_path / "repository"), tmp_path / "keyring")
    monkeypatch.chdir(made.root)
    assert main(["keys", "init", "--keyring", str(made.keyring)]) == 0
    pin(made)
    for name, value in VALUES.items():
        made.repository.save(name, MANIFEST.format(name=Path(name).stem, value=value))
    return made


def pin(place: Place) -> None:
    """Pin the newest key, so that commands need no options."""
    key = (".sealer/prod.pem", "--force")
    (place.root / ".sealer").mkdir(exist_ok=True)
    assert main(["keys", "fetch", "--keyring", str(place.keyring), "-w", *key]) == 0
    place.repository.save(".sealer.yaml", CONFIG)


@pytest.fixture
def sealed(place: Place) -> Place:
    """The same three, sealed and committed; then the key was renewed."""
    assert main(["seal", "-i", "apps"]) == 0
    for name in VALUES:
        file = place.root / name
        file.write_bytes(b"# kept\r\n" + file.read_bytes())
    assert main(["keys", "renew", "--keyring", str(place.keyring)]) == 0
    pin(place)
    place.repository.commit()
    place.repository.git("tag", "start")
    place.before = place.files()
    return place


def leftovers(place: Place) -> list[str]:
    return [name for name in place.files() if ".tmp" in name]


def check_git(place: Place, *, touched: set[str], tidy: bool) -> None:
    """HEAD is the start, or one commit of the right files on top; nothing of anybody else's."""
    git = place.repository.git
    assert not list((place.root / ".git").glob("**/*.lock"))
    if git("rev-parse", "HEAD") != git("rev-parse", "start^{commit}"):
        assert git("rev-parse", "HEAD^") == git("rev-parse", "start^{commit}")
        assert set(git("diff", "--name-only", "HEAD^", "HEAD").split()) == touched
    staged = set(git("diff", "--cached", "--name-only").split())
    assert staged == set() if tidy else staged <= touched


COMMANDS = {
    "reseal": ("reseal", "--keyring", "KEYRING", "apps"),
    "reseal and commit": ("reseal", "--keyring", "KEYRING", "--commit", "apps"),
    "set": ("set", "apps/b.yaml", f"password={NEW}"),
    "set and commit": ("set", "apps/b.yaml", f"password={NEW}", "--commit"),
    "unset": ("unset", "apps/b.yaml", "other"),
    "create and commit": (
        *("create", "generic", "d", "-n", "shop", f"--from-literal=password={NEW}"),
        *("-w", "apps/d.yaml", "--force", "--commit"),
    ),
}
DIFFERS = {
    "set and commit": "shop/b changed password",
    "create and commit": "shop/d added in apps/d.yaml",
}
"""What is said of a file that was written and not committed."""


def arguments_of(command: str, place: Place) -> list[str]:
    return [word.replace("KEYRING", str(place.keyring)) for word in COMMANDS[command]]


def touched_by(command: str) -> set[str]:
    """The one file that a command names, if it names one."""
    return {word for word in COMMANDS[command] if word in ("apps/b.yaml", "apps/d.yaml")}


def check_values(command: str, place: Place) -> None:
    """Every file is as it was, or opens to what it was or should become."""
    for name, content in place.files().items():
        if name in VALUES and content != place.before[name]:
            values = place.values(name)
            if command.startswith("set") and name == "apps/b.yaml":
                assert values.pop("password") == NEW
            else:
                assert values.pop("password") == VALUES[name]
            if not command.startswith("unset"):
                assert values.pop("other") == "made-up-other-value"
            assert values == {}
            assert content.startswith(b"# kept\r\n")
            assert content.endswith(b"---\nkind: ConfigMap\n")


def check_told(place: Place, name: str, *, said: str, committing: bool) -> None:
    """Whoever stops a commit hears what stands, and how to finish it; it is tried out."""
    git, written = place.repository.git, place.files().get(name) != place.before.get(name)
    committed = git("rev-parse", "HEAD") != git("rev-parse", "start^{commit}")
    way_out = f"{name} is written and not committed: `git add {name} && git commit {name}`"
    assert (way_out in said) is (committing and written and not committed), said
    assert ("what is written is committed" in said) is committed, said
    if way_out in said:
        git("add", name)
        git("commit", "--quiet", "-m", "by hand", name)
        check_git(place, touched={name}, tidy=True)
        git("reset", "--quiet", "--soft", "start")
        git("reset", "--quiet")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("command", COMMANDS)
def test_stopped_anywhere_nothing_is_lost_and_doing_it_again_ends_well(
    sealed: Place, command: str, number: signal.Signals
) -> None:
    place, arguments = sealed, arguments_of(command, sealed)
    touched = touched_by(command) or set(VALUES)
    for step in range(1, 100):
        place.repository.git("reset", "--quiet", "--hard", "start")
        place.reset()
        code, said = run(place, *arguments, prepare=stop_at(step, number))
        check_values(command, place)
        check_git(place, touched=touched, tidy=number is signal.SIGINT)
        if number is signal.SIGINT:
            assert leftovers(place) == []
        if code == 0:
            assert step > 2
            return
        assert code == (INTERRUPTED if number is signal.SIGINT else -number), said
        if number is signal.SIGINT and len(touched) == 1:
            check_told(place, *touched, said=said, committing="--commit" in arguments)
        again, said = run(place, *arguments)
        assert again == 0 or AGAIN in said, said
        if AGAIN in said:
            assert f"hint: {DIFFERS[command]}; " in said
        check_values(command, place)
    pytest.fail("it never ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_sealing_stopped_anywhere_each_file_is_sealed_whole_or_still_in_clear(
    place: Place, number: signal.Signals, canary: Canary
) -> None:
    place.before = place.files()
    for value in VALUES.values():
        canary.plant(value)
    for step in range(1, 100):
        place.reset()
        code, said = run(place, "seal", "-i", "apps", prepare=stop_at(step, number))
        files = place.files()
        for name, content in files.items():
            if content != place.before.get(name):
                assert canary.found_in(content) == []
        done = [name for name in VALUES if files[name] != place.before[name]]
        for name, value in VALUES.items():
            assert place.values(name) == {"password": value, "other": "made-up-other-value"}
        if number is signal.SIGINT:
            assert leftovers(place) == []
        if code == 0:
            assert len(done) == 3
            return
        if number is signal.SIGINT:
            assert f"stopped: {len(done)} of 3 files sealed; the rest is as it was" in said
        assert run(place, "seal", "-i", "apps")[0] == 0
        for name in VALUES:
            assert b"kind: SealedSecret" in (place.root / name).read_bytes()
    pytest.fail("it never ended")


# --- a full disk


def test_full_disk_while_sealing_leaves_what_does_not_fit_as_it_is_and_says_so(
    place: Place,
) -> None:
    big = MANIFEST.format(name="b", value="made-up-big-value-" * 1000)
    place.repository.save("apps/b.yaml", big)
    place.before = place.files()
    code, said = run(place, "seal", "-i", "apps", prepare=full_after(10_000))
    assert code == 5
    assert "error: apps/b.yaml: cannot be written: File too large" in said
    assert "stopped: 1 of 3 files sealed; the rest is as it was" in said
    after = place.files()
    assert after.keys() == place.before.keys()
    changed = [name for name in after if after[name] != place.before[name]]
    assert changed == ["apps/a.yaml"]
    assert run(place, "seal", "-i", "apps")[0] == 0


def test_full_disk_while_resealing_leaves_the_rest_as_it_is_and_says_so(
    sealed: Place,
) -> None:
    place = sealed
    file = place.root / "apps/b.yaml"
    file.write_bytes(file.read_bytes() + b"# padding\n" * 2000)
    before = place.files()
    command = ("reseal", "--keyring", str(place.keyring), "apps")
    code, said = run(place, *command, prepare=full_after(10_000))
    assert code == 5
    assert "apps/b.yaml: cannot be written: File too large" in said
    assert "stopped: 1 file, 1 object on " in said
    assert "; the rest is as it was; run it again to go on" in said
    after = place.files()
    assert [name for name in after if after[name] != before[name]] == ["apps/a.yaml"]
    code, said = run(place, *command)
    assert code == 0
    assert "2 files, 2 objects on " in said


@pytest.mark.parametrize("command", ["set", "unset"])
def test_full_disk_while_changing_a_file_leaves_it_as_it_is(sealed: Place, command: str) -> None:
    file = sealed.root / "apps/b.yaml"
    file.write_bytes(file.read_bytes() + b"# padding\n" * 2000)
    before = sealed.files()
    code, said = run(sealed, *COMMANDS[command], prepare=full_after(10_000))
    assert (code, sealed.files()) == (5, before)
    assert "apps/b.yaml: cannot be written: File too large" in said


# --- Ctrl-C while Git commits


@pytest.mark.parametrize("command", ["reseal and commit", "set and commit", "create and commit"])
def test_interrupted_while_a_hook_runs_what_is_written_and_what_is_not_committed_is_told(
    sealed: Place, command: str
) -> None:
    hook = sealed.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    # As a terminal does it: everybody in the foreground is interrupted.
    hook.write_text("#!/bin/sh\nkill -INT 0\nexec sleep 60\n")
    hook.chmod(0o755)
    sealed.repository.save("note", "mine\n")
    sealed.repository.git("add", "note")
    code, said = run(sealed, *arguments_of(command, sealed))
    assert code == INTERRUPTED
    many = "3 files written and not committed; `git status` lists them"
    (name,) = touched_by(command) or {""}
    assert (f"{name} is written and not committed: `git add {name} " if name else many) in said
    check_values(command, sealed)
    git = sealed.repository.git
    assert git("rev-parse", "HEAD") == git("rev-parse", "start^{commit}")
    assert git("diff", "--cached", "--name-only") == "note"
    assert not list((sealed.root / ".git").glob("**/*.lock"))
    changed = set(git("diff", "--name-only").split()) | set(
        git("ls-files", "--others", "--exclude-standard").split()
    )
    assert changed == (touched_by(command) or set(VALUES))


# --- wherever a work tree may be


@pytest.mark.parametrize("kind", ["subfolder", "linked work tree", "submodule", "detached HEAD"])
@pytest.mark.parametrize("command", ["reseal and commit", "set and commit", "create and commit"])
def test_commits_are_made_where_the_file_is(
    sealed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, kind: str
) -> None:
    place, outer = sealed, Repository.init(tmp_path / "outer")
    outer.commit({"note": "mine\n"})
    start = place.repository.git("rev-parse", "start^{commit}")
    match kind:
        case "linked work tree":
            place.repository.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
            place = Place(Repository(tmp_path / "linked"), place.keyring)
        case "submodule":
            outer.git("submodule", "--quiet", "add", str(place.root), "inner")
            outer.commit()
            place = Place(Repository(outer.root / "inner"), place.keyring)
        case "detached HEAD":
            place.repository.git("checkout", "--quiet", "--detach")
    folder = "apps" if kind == "subfolder" else "."
    monkeypatch.chdir(place.root / folder)
    arguments = arguments_of(command, place)
    if kind == "subfolder":
        arguments = [word.removeprefix("apps/").replace("apps", ".") for word in arguments]
    place.repository.save("untouched", "mine\n")
    code, said = run(place, *arguments)
    assert code == 0, said
    git = place.repository.git
    assert git("rev-parse", "HEAD^") == start
    assert set(git("diff", "--name-only", "HEAD^", "HEAD").split()) == (
        touched_by(command) or set(VALUES)
    )
    assert git("status", "--porcelain") == "?? untouched"
    changed = outer.git("status", "--porcelain")
    assert changed == ("M inner" if kind == "submodule" else "")
