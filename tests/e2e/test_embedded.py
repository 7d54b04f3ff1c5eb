"""The embedded operator as a process, over real repositories, as an operator of hosts runs it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from sealer import keyring_directory
from sealer.crypto.keys import UnsealingKey
from tests.canary import Canary
from tests.canary import canary as canary  # noqa: PLC0414 - a fixture is found by its name here
from tests.e2e.console import run_page
from tests.embedded_host import NOW, Host
from tests.git_repository import Repository

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 60
OTHER = UnsealingKey(b"o" * 32).public
FOREIGN = "apiVersion: v1\nkind: Secret\nmetadata: {name: theirs, namespace: shop}\ndata: {}\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host.make(tmp_path)


def command(host: Host, *arguments: str, source: Path | None = None) -> list[str]:
    places = {
        "--source": source or host.repository.root,
        "--target": host.out,
        "--keyring": host.keyring,
    }
    options = [str(part) for pair in places.items() for part in pair]
    return [sys.executable, "-m", "controller", *options, *arguments]


def environment(**variables: str) -> dict[str, str]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("SEALER_")}
    return ours | {"PYTHONPATH": str(ROOT)} | variables


def once(
    host: Host, *arguments: str, source: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(host, "--once", *arguments, source=source),
        env=environment(),
        cwd=host.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


class Watching:
    """A running operator, whose lines can be waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._new: queue.Queue[str] = queue.Queue()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._new.put(line.rstrip("\n"))

    def wait_for(self, is_it: Callable[[str], bool]) -> str:
        """The first new line that is it."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                line = self._new.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"not said within the deadline: {self.lines}") from None
            self.lines.append(line)
            if is_it(line):
                return line

    def wait_for_text(self, text: str) -> str:
        return self.wait_for(lambda line: text in line)

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)


@contextmanager
def watching(host: Host, *arguments: str) -> Iterator[Watching]:
    with subprocess.Popen(
        command(host, "--interval", "0.1", *arguments),
        env=environment(),
        cwd=host.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Watching(process)
        finally:
            process.kill()


# --- one pass


def test_story_commit_then_one_line_for_the_secret_that_came_out(host: Host) -> None:
    value = {"password": "made-up one"}
    commit = host.repository.commit({"db.yaml": host.sealed(value)})
    done = once(host)
    short = f"{host.key.id[:4]}…{host.key.id[-4:]}"
    assert done.stdout == f"Secret shop/db  from db.yaml (1 item, key {short})\n"
    assert done.stderr == f"commit {commit[:7]}: 1 SealedSecret, all open\n"
    assert (done.returncode, host.values()) == (0, value)


def test_second_pass_changes_no_file_and_tells_of_none(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed({"a": "made-up"}, shared=True)})
    once(host)
    before = host.stamps()
    done = once(host)
    assert (done.returncode, done.stdout, host.stamps()) == (0, "", before)


@pytest.mark.parametrize("kind", ["subdirectory", "linked work tree", "submodule", "SHA-256"])
def test_every_kind_of_work_tree_is_a_source(tmp_path: Path, kind: str) -> None:
    options = ["--object-format=sha256"] if kind == "SHA-256" else []
    host = Host.make(tmp_path, *options)
    text = host.sealed({"a": "made-up"})
    host.repository.commit({"apps/db.yaml": text})
    source = host.repository.root / "apps"
    if kind == "linked work tree":
        source = tmp_path / "linked"
        host.repository.git("worktree", "add", "--quiet", "--detach", str(source))
    if kind == "submodule":
        outer = Repository.init(tmp_path / "outer")
        outer.git("submodule", "--quiet", "add", str(host.repository.root), "inner")
        source = outer.root / "inner"
    done = once(host, source=source)
    assert (done.returncode, host.values()) == (0, {"a": "made-up"})


def test_whatever_is_wrong_is_told_with_what_to_do_and_the_rest_is_opened(host: Host) -> None:
    host.secret_file("theirs").parent.mkdir(parents=True)
    host.secret_file("theirs").write_text(FOREIGN)
    host.repository.commit(
        {
            "bad.yaml": "apiVersion: sealer.dev/v1alpha1\nkind: [\n",
            "db.yaml": host.sealed({"a": "made-up"}),
            "other-key.yaml": host.sealed({"a": "made-up"}, name="other-key", key=OTHER),
            "theirs.yaml": host.sealed({"a": "made-up"}, name="theirs"),
        }
    )
    done = once(host)
    assert done.returncode == 1
    assert done.stdout.startswith("Secret shop/db  from db.yaml ")
    assert done.stderr.splitlines()[:5] == [
        "error: bad.yaml:3: no YAML: did not find expected node content",
        (
            f"error: other-key.yaml:1: SealedSecret shop/other-key: key a: sealed to {OTHER.id}, "
            "and no such key is here"
        ),
        "hint: restore that key, or seal the value anew to a key that is here",
        (
            "error: theirs.yaml:1: SealedSecret shop/theirs: Secret shop/theirs exists and is not "
            "owned by this object"
        ),
        'hint: delete it, or annotate it with sealer.dev/managed: "true" to have it taken over',
    ]
    assert done.stderr.splitlines()[5].endswith(
        f": 3 SealedSecrets, 1 open, 2 not, 1 problem with files; see {host.out}/status.yaml"
    )
    assert host.status("db")["status"] == "True"
    assert host.status("other-key")["message"].endswith("to a key that is here")
    assert host.report()["problems"][0]["file"] == "bad.yaml:3"


def test_scope_that_is_not_allowed_is_not_opened(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed({"a": "made-up"})})
    done = once(host, "--allowed-scope", "cluster-wide")
    assert done.returncode == 1
    assert "scope strict is not allowed here" in done.stderr
    assert host.values() is None


def test_names_from_git_cannot_move_the_cursor(host: Host) -> None:
    host.repository.commit(
        {"\x1b[2Jdb.yaml": host.sealed({"a": "made-up"}), "\n.yaml": "sealer.dev: ["}
    )
    done = once(host)
    assert "from \\x1b[2Jdb.yaml" in done.stdout
    assert "error: \\n.yaml:" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


# --- exit codes


def test_no_commit_is_not_an_error(host: Host) -> None:
    done = once(host)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "no commit yet: everything stays as it is\n"


def test_what_cannot_be_looked_at_is_exit_code_5(host: Host) -> None:
    nowhere = once(host, source=host.directory)
    assert nowhere.returncode == 5
    assert f"error: {host.directory}: not in a Git work tree" in nowhere.stderr
    assert "hint: `git init` makes one" in nowhere.stderr
    host.repository.commit()
    host.keyring.rename(host.directory / "aside")
    keyless = once(host)
    assert keyless.returncode == 5
    assert "hint: make one with `sealer keys init --keyring DIR`" in keyless.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--once"], ["--source", "."], ["--target", "out", "--keyring", "keys"], ["--interval", "x"]],
)
def test_incomplete_command_line_is_exit_code_2(host: Host, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "controller", *arguments],
        env=environment(),
        cwd=host.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Usage: python -m controller" in done.stderr


def test_target_in_the_place_of_the_source_is_exit_code_2(host: Host) -> None:
    done = once(host, "--target", str(host.repository.root))
    assert done.returncode == 2
    assert "hint: values in clear need a directory of their own" in done.stderr


def test_options_may_come_from_the_environment(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed({"a": "made-up"})})
    variables = {
        "SEALER_SOURCE": str(host.repository.root),
        "SEALER_TARGET": str(host.out),
        "SEALER_KEYRING": str(host.keyring),
    }
    program = [sys.executable, "-m", "controller", "--once"]
    subprocess.run(program, env=environment(**variables), check=True, capture_output=True)
    assert host.values() == {"a": "made-up"}


# --- watching


def test_watching_picks_up_commits_and_nothing_that_is_only_saved(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed({"a": "made-up one"})})
    with watching(host) as operator:
        operator.wait_for_text("Secret shop/db  from db.yaml")
        host.repository.save("db.yaml", host.sealed({"a": "made-up two"}))
        host.repository.save("x.yaml", "half a manifest: [")
        # Drift that is repaired shows that passes go on, and what they leave alone.
        host.secret_file().unlink()
        operator.wait_for_text("Secret shop/db  repaired from db.yaml")
        assert host.values() == {"a": "made-up one"}
        host.repository.git("commit", "--quiet", "-m", "two", "db.yaml")
        operator.wait_for_text("Secret shop/db  from db.yaml")
        assert host.values() == {"a": "made-up two"}
        host.repository.git("rm", "--quiet", "db.yaml")
        host.repository.git("commit", "--quiet", "-m", "gone")
        operator.wait_for_text("Secret shop/db  removed, no longer in Git")
        operator.wait_for_text("no SealedSecret")
        assert not host.secret_file().exists()
        assert operator.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_watching_in_an_orderly_way(host: Host, number: signal.Signals) -> None:
    host.repository.commit()
    with watching(host, "--interval", "3600") as operator:
        operator.wait_for_text("no SealedSecret")
        assert operator.stop(number) == 0


def test_new_key_and_mended_files_are_noticed_without_a_restart(host: Host) -> None:
    renewed = keyring_directory.renew(host.keyring, now=NOW)
    private = host.keyring / f"{renewed.id}.pem"
    aside = private.rename(host.directory / "aside.pem")
    host.repository.commit({"db.yaml": host.sealed({"a": "made-up"}, key=renewed.public)})
    with watching(host) as operator:
        operator.wait_for_text("error: db.yaml:1: SealedSecret shop/db: key a: sealed to")
        aside.rename(private)
        operator.wait_for_text("Secret shop/db  from db.yaml")
        private.chmod(0o644)
        operator.wait_for_text("is readable by others (mode 0644)")
        private.chmod(0o600)
        operator.wait_for_text("1 SealedSecret, all open")
        assert operator.stop(signal.SIGTERM) == 0


def test_failing_pass_is_told_once_and_does_not_end_the_watch(host: Host) -> None:
    host.repository.commit({"db.yaml": host.sealed({"a": "made-up"})})
    aside = host.keyring.rename(host.directory / "aside")
    with watching(host) as operator:
        operator.wait_for_text("no keyring can be read here")
        aside.rename(host.keyring)
        operator.wait_for_text("Secret shop/db  from db.yaml")
        assert operator.stop(signal.SIGTERM) == 0
        assert len([line for line in operator.lines if "no keyring" in line]) == 1


def test_killed_in_the_middle_the_next_start_finishes_and_leaves_nothing_behind(
    host: Host,
) -> None:
    texts = {
        f"{number}.yaml": host.sealed({"a": f"made-up {number}"}, name=f"n{number}", shared=True)
        for number in range(60)
    }
    host.repository.commit({**texts})
    with watching(host) as operator:
        operator.wait_for(lambda line: "from 1" in line)
        operator.stop(signal.SIGKILL)
    done = once(host)
    assert done.returncode == 0
    names = {path.name for path in host.out.rglob("*") if path.is_file()}
    assert names == {f"n{n}.yaml" for n in range(60)} | {"status.yaml", ".gitignore"}
    assert all(host.values(f"n{n}") == {"a": f"made-up {n}"} for n in range(60))


# --- no value anywhere but in the Secrets


def test_no_value_turns_up_anywhere_but_in_the_secrets(host: Host, canary: Canary) -> None:
    first, second = (canary.plant(f"not-a-real-value-{word}") for word in ("alpha", "omega"))
    good = host.sealed({"password": first}, shared=True, data={"URL": "db://{{ password }}"})
    bad = {
        "missing": host.sealed({"a": second}, name="missing", data={"b": "{{ c }}"}),
        "filter": host.sealed({"a": second}, name="filter", data={"b": "{{ a | b64decode }}"}),
        "moved": host.sealed({"a": second}, name="elsewhere").replace("elsewhere", "moved"),
        "theirs": host.sealed({"a": second}, name="theirs"),
        "typed": host.sealed({"a": second}, name="typed", type="kubernetes.io/tls"),
        "json": host.sealed({"a": second}, name="json", type="kubernetes.io/dockerconfigjson"),
    }
    host.secret_file("theirs").parent.mkdir(parents=True)
    host.secret_file("theirs").write_text(FOREIGN)
    files = {f"{name}.yaml": text for name, text in bad.items()}
    host.repository.commit({"db.yaml": good, **files})
    canary.allow(host.secret_file())
    for _ in range(2):
        done = once(host)
        assert done.returncode == 1
        canary.check(done.stdout + done.stderr, where="what it printed")
    assert done.stderr.count("error: ") == len(bad)
    with watching(host) as operator:
        operator.wait_for_text("7 SealedSecrets, 1 open, 6 not")
        operator.stop(signal.SIGTERM)
        canary.check("\n".join(operator.lines), where="what it printed")
    assert host.values() == {"password": first, "URL": f"db://{first}"}
    canary.check((host.out / "status.yaml").read_bytes(), where="the status file")
    assert canary.found_in(host.secret_file().read_bytes()) == [first]


def test_the_page_does_what_it_says(tmp_path: Path, canary: Canary) -> None:
    canary.allow(tmp_path / "plain.yaml")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    author = {
        f"GIT_{who}_{what}": "test@example.invalid"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    variables = {"PATH": programs, "PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": os.devnull}
    assert run_page(ROOT / "docs" / "embedded.md", tmp_path, variables | author) == 7
