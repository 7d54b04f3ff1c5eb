"""Repositories as Git has them: hooks, linked work trees, submodules, links; being interrupted."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sealer.cli import main
from tests.cli import keys
from tests.git_repository import ENVIRONMENT, Repository

ROOT = Path(__file__).parents[2]
INTERRUPTED = 130
VALUE = "made-up-password"
CONFIG = """\
apiVersion: sealer.dev/v1alpha1
kind: Config
clusters: {prod: {sealingKey: new.pem}}
"""


def sealer(
    *arguments: str, cwd: Path, stdin: str = "", code: int = 0, path: str = os.defpath
) -> str:
    """Run the program, check its exit code, and return what it prints."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SEALER_", "GIT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "sealer", *arguments],
        cwd=cwd,
        env=inherited | _environment(path),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


def _environment(path: str) -> dict[str, str]:
    return {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "KUBECONFIG": "nowhere", "PATH": path}


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A PATH on which `sealer` is this checkout's, as a hook finds it."""
    program = tmp_path / "bin" / "sealer"
    program.parent.mkdir()
    words = ["exec", "env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "sealer"]
    program.write_text(f'#!/bin/sh\n{shlex.join(words)} "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One with a configuration, and two files that are sealed to the old key."""
    keys.lay_out(tmp_path / "keys")
    made = Repository.init(tmp_path / "repository")
    made.save("new.pem", (tmp_path / "keys" / "new.pem").read_bytes())
    made.save(".sealer.yaml", CONFIG)
    for name in ("a", "b"):
        _seal(made, f"{name}.yaml", to="old", tmp_path=tmp_path)
    made.commit()
    return made


def _seal(repository: Repository, file: str, *, to: str, tmp_path: Path) -> None:
    secret = (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {Path(file).stem}, namespace: shop}}\n"
    )
    secret += f"stringData: {{password: {VALUE}}}\n"
    key = str(tmp_path / "keys" / f"{to}.pem")
    sealer("seal", "--sealing-key", key, "-w", file, cwd=repository.root, stdin=secret)


def _set_up(repository: Repository, tools: str, *options: str) -> None:
    sealer("init", *options, cwd=repository.root, path=tools)


def _commit(repository: Repository, tools: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        ["git", "commit", "--quiet", "-m", "change", *arguments],
        cwd=repository.root,
        env=_environment(tools),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_hook_refuses_what_is_staged_and_does_not_open(
    repository: Repository, tools: str
) -> None:
    _set_up(repository, tools, "--hook")
    file = repository.root / "a.yaml"
    good = file.read_text()
    file.write_text(good.replace("scope: strict", "scope: wide"))
    repository.git("add", "a.yaml")
    file.write_text(good)
    assert "a.yaml:7: SealedSecret shop/a: key spec.scope: must be one of" in _commit(
        repository, tools, code=1
    )


def test_the_hook_leaves_alone_what_is_not_staged(repository: Repository, tools: str) -> None:
    _set_up(repository, tools, "--hook")
    (repository.root / "a.yaml").write_text("kind: SealedSecret\nmetadata: [\n")
    repository.save("note", "a note\n")
    repository.git("add", "note")
    assert _commit(repository, tools) == ""


def test_the_hook_sees_what_is_committed_by_name_and_not_what_else_is_staged(
    repository: Repository, tools: str, tmp_path: Path
) -> None:
    _set_up(repository, tools, "--hook")
    _seal(repository, "c.yaml", to="new", tmp_path=tmp_path)
    broken = (repository.root / "c.yaml").read_text().replace("strict", "wide")
    repository.save("c.yaml", broken)
    repository.git("add", "c.yaml")
    ring = str(tmp_path / "keys" / "ring")
    reseal = ("reseal", "--keyring", ring, "--commit", "a.yaml")
    assert "[main " in sealer(*reseal, cwd=repository.root, path=tools)
    assert "c.yaml:7: " in _commit(repository, tools, code=1)
    repository.git("rm", "--quiet", "--cached", "c.yaml")
    repository.save("a.yaml", (repository.root / "a.yaml").read_text().replace("strict", "wide"))
    assert "a.yaml:7: " in _commit(repository, tools, "a.yaml", code=1)


def test_git_diff_shows_every_change_but_no_ciphertext(repository: Repository, tools: str) -> None:
    _set_up(repository, tools, "--diff-driver")
    sealer("set", "a.yaml", "--from-file", "password=-", cwd=repository.root, stdin="made-up-value")
    text = (repository.root / "a.yaml").read_text()
    repository.save("a.yaml", text.replace("type: Opaque", "type: example.com/other"))
    repository.save("plain.yaml", "kind: ConfigMap\n")
    repository.git("add", "--intent-to-add", "plain.yaml")
    shown = subprocess.run(
        ["git", "diff"],
        cwd=repository.root,
        env=_environment(tools),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "+    type: example.com/other" in shown
    assert "+kind: ConfigMap" in shown
    assert max(map(len, shown.splitlines())) < 100
    assert shown.count("bytes ") >= 4


def test_an_interrupted_run_says_where_it_stands_and_the_next_one_goes_on(
    repository: Repository, tmp_path: Path
) -> None:
    ring = str(tmp_path / "keys" / "ring")
    pipe = repository.root / "pipe"
    os.mkfifo(pipe)  # reading it is where the program waits until it is interrupted
    before = {name: (repository.root / name).read_bytes() for name in ("a.yaml", "b.yaml")}
    command = [sys.executable, "-m", "sealer", "reseal", "--keyring", ring]
    with (
        subprocess.Popen(
            [*command, "a.yaml", "pipe", "b.yaml"],
            cwd=repository.root,
            env=dict(os.environ) | _environment(os.environ["PATH"]),
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        pipe.open("wb"),
    ):  # opens as soon as the program does
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == INTERRUPTED
    assert "stopped: 1 file, 1 object on 507a…caa9; the rest is as it was" in said
    assert (repository.root / "a.yaml").read_bytes() != before["a.yaml"]
    assert (repository.root / "b.yaml").read_bytes() == before["b.yaml"]
    pipe.unlink()
    again = sealer("reseal", "--keyring", ring, "--commit", cwd=repository.root)
    assert "1 file, 1 object on 507a…caa9" in again
    assert "and 1 file of an earlier run" in again
    assert repository.git("status", "--short") == ""


def test_a_linked_work_tree_commits_to_its_own_branch(
    repository: Repository, tmp_path: Path
) -> None:
    linked = Repository(tmp_path / "linked")
    repository.git("worktree", "add", "--quiet", "-b", "side", str(linked.root))
    ring = str(tmp_path / "keys" / "ring")
    assert "[side " in sealer("reseal", "--keyring", ring, "--commit", cwd=linked.root)
    assert repository.git("status", "--short") == ""


def test_links_out_of_the_repository_are_left_and_named_and_hold_up_nothing_else(
    repository: Repository, tmp_path: Path
) -> None:
    other = Repository.init(tmp_path / "other")
    other.save("a.yaml", (repository.root / "a.yaml").read_bytes())
    loose = tmp_path / "loose.yaml"
    loose.write_bytes((repository.root / "a.yaml").read_bytes())
    (repository.root / "link-1.yaml").symlink_to(other.root / "a.yaml")
    (repository.root / "link-2.yaml").symlink_to(loose)
    before = loose.read_bytes()
    ring = str(tmp_path / "keys" / "ring")
    said = sealer("reseal", "--keyring", ring, "--commit", cwd=repository.root, code=1)
    assert "link-1.yaml: belongs to another repository" in said
    assert "link-2.yaml: is a link to what is in no repository" in said
    assert "[main " in said
    assert (loose.read_bytes(), (other.root / "a.yaml").read_bytes()) == (before, before)
    assert "a.yaml" in repository.git("show", "--name-only", "--format=", "HEAD")


def test_a_submodule_has_its_own_configuration_and_commits(
    repository: Repository, tmp_path: Path
) -> None:
    outer = Repository.init(tmp_path / "outer")
    outer.git("submodule", "--quiet", "add", str(repository.root), "inner")
    outer.save(".sealer.yaml", CONFIG.replace("prod", "outer"))
    outer.save("new.pem", (repository.root / "new.pem").read_bytes())
    outer.commit()
    ring = str(tmp_path / "keys" / "ring")
    reseal = ("reseal", "--keyring", ring, "--commit")
    assert "belongs to another repository" in sealer(*reseal, cwd=outer.root, code=1)
    inner = outer.root / "inner"
    assert "sealed to prod (507a…caa9)" in sealer(
        "set", "inner/a.yaml", "--from-file", "password=-", cwd=outer.root, stdin="made-up-value"
    )
    Repository(inner).git("checkout", "--quiet", ".")
    assert "2 files, 2 objects" in sealer(*reseal, cwd=inner)
    assert outer.git("status", "--short") == "M inner"


def test_a_link_is_sealed_for_where_it_leads(repository: Repository, tmp_path: Path) -> None:
    rules = "rules:\n- {path: a.yaml, clusters: [prod]}\n"
    repository.save(".sealer.yaml", CONFIG + rules)
    (repository.root / "link.yaml").symlink_to("a.yaml")
    (repository.root / "away.yaml").symlink_to(tmp_path / "keys" / "new.pem")
    change = ("--from-file", "password=-")
    here = repository.root
    assert "sealed to prod" in sealer("set", "link.yaml", *change, cwd=here, stdin="made-up-value")
    assert (here / "link.yaml").is_symlink()
    assert "no rule of .sealer.yaml matches" in sealer(
        "set", "b.yaml", *change, cwd=here, stdin="made-up-value", code=2
    )


def test_outside_of_git_a_configuration_above_counts_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.lay_out(tmp_path / "keys")
    (tmp_path / ".sealer.yaml").write_text(CONFIG.replace("new.pem", "keys/new.pem"))
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n"
    )
    monkeypatch.setenv("KUBECONFIG", "nowhere")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.chdir(inner)
    assert main(["seal", "secret.yaml", "-w", "sealed.yaml"]) == 2
    monkeypatch.chdir(tmp_path)
    assert main(["seal", "inner/secret.yaml", "-w", "inner/sealed.yaml"]) == 0


@pytest.mark.parametrize("command", ["status", "reseal --keyring ../keys/ring", "verify"])
def test_a_file_that_is_no_text_does_not_hide_the_others(
    repository: Repository, command: str
) -> None:
    repository.save("a.yaml", b"# caf\xe9\nkind: SealedSecret\n")
    said = sealer(*command.split(), cwd=repository.root, code=1 if command == "verify" else 3)
    assert "a.yaml: not UTF-8 text" in said
    found = {"status": "b.yaml:1", "verify": "2 files, 1 sound SealedSecret"}
    assert found.get(command, "1 file, 1 object on") in said


def test_a_staged_file_that_is_no_text_does_not_hide_the_others(repository: Repository) -> None:
    repository.save("a.yaml", b"# caf\xe9\nkind: SealedSecret\n")
    repository.save("b.yaml", "kind: SealedSecret\nmetadata: [\n")
    repository.git("add", "a.yaml", "b.yaml")
    said = sealer("verify", "--staged", cwd=repository.root, code=1)
    assert "a.yaml: not UTF-8 text" in said
    assert "b.yaml:3: no YAML" in said


def test_a_link_and_its_file_are_one_object(repository: Repository) -> None:
    (repository.root / "link.yaml").symlink_to("a.yaml")
    said = sealer("status", cwd=repository.root)
    assert "link.yaml" not in said
    assert "of 2 objects" in said


NO_TEXT = os.fsdecode(b"\xff")


@pytest.mark.parametrize(
    "arguments",
    [
        f"basic-auth a --username {NO_TEXT} --password x",
        f"basic-auth a --username a --password {NO_TEXT}",
        f"docker-registry a --docker-username {NO_TEXT} --docker-password x",
        f"docker-registry a --docker-username a --docker-password x --docker-email {NO_TEXT}",
        f"bootstrap-token bootstrap-token-abcdef --description {NO_TEXT}",
        f"bootstrap-token bootstrap-token-abcdef --group {NO_TEXT}",
    ],
)
def test_options_that_are_no_text_are_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.chdir(repository.root)
    assert main(["create", *arguments.split(), "-n", "kube-system"]) == 2


def test_names_of_files_that_are_no_text_can_be_committed_and_listed(
    repository: Repository,
) -> None:
    name = f"{NO_TEXT}.yaml"
    create = ("create", "generic", "db", "-n", "shop", "--from-file", "a=-", "--commit")
    said = sealer(*create, "-w", name, cwd=repository.root, stdin=VALUE)
    assert "sealed to prod" in said
    assert "\\xff.yaml: SealedSecret shop/db" in repository.git("log", "-1", "--format=%B")
    assert "\\udcff.yaml" in sealer("status", "-o", "json", cwd=repository.root)
