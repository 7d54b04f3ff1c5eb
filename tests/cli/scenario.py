r"""Runs a scenario: a text file with commands, what is expected of them, and the files they find.

    # What it shows.
    canary VALUE                      must not be printed or left behind (inputs aside); nor may
                                      what is marked as made up, which need not be planted
    $ sealer seal a.yaml > b.yaml     runs the command in-process, which must succeed
    !3 sealer seal - < a.yaml         must fail with this exit code
    reveal sealer unseal b.yaml       as `$`, and may print what was planted
    git add a.yaml                    Git itself, without anybody's settings; must succeed
    stdout: REGEX                     of the last command; also `stderr:`, `file b.yaml:`
    no stdout: REGEX                  (`.` for nothing at all)
    plaintext a                       this file may hold what was planted
    same a b · missing a · mode a 600 · copy a b · chmod 644 a · swap a: OLD => NEW

    -- a.yaml --
    content of a file

`VAR=value` before a command sets the environment, as in a shell. `keys/` holds fixed keys.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sealer.cli import main
from tests.canary import MARKERS, Canary
from tests.cli import keys
from tests.git_repository import ENVIRONMENT as GIT_ENVIRONMENT

_FILE = re.compile(r"^-- (?P<name>\S+) --\n", re.MULTILINE)
_RUN = re.compile(r"(?:\$|reveal|!(?P<code>\d+)) (?P<line>.*)")
_EXPECT = re.compile(r"(?P<no>no )?(?:(?P<stream>stdout|stderr)|file (?P<file>\S+)): (?P<regex>.+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did."""

    code: int
    stdout: bytes
    stderr: bytes


class Scenario:
    """One scenario in a directory of its own, in which the process must already be."""

    def __init__(self, text: str, canary: Canary) -> None:
        self._steps, *files = _FILE.split(text)
        self._canary = canary
        self._inputs = {
            name: text.encode() for name, text in zip(files[::2], files[1::2], strict=True)
        }
        self._last = Result(0, b"", b"")
        for marker in MARKERS:
            canary.plant(marker)
        self.ran = 0
        for private in keys.lay_out(Path("keys")):
            canary.allow(private)
        for name, content in self._inputs.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)

    def play(self) -> None:
        """Take every step, then look for what was planted."""
        for number, step in enumerate(self._steps.splitlines(), 1):
            if step and not step.startswith("#"):
                try:
                    self._take(step)
                except AssertionError as error:
                    raise AssertionError(
                        f"line {number}: {step}\n{error}\n{self._told()}"
                    ) from None
        for name, content in self._inputs.items():
            if Path(name).is_file() and Path(name).read_bytes() == content:
                self._canary.allow(Path(name))
        self._canary.check_files(Path())

    def _take(self, step: str) -> None:
        if match := _RUN.fullmatch(step):
            self._run(match["line"], int(match["code"] or 0), reveals=step.startswith("reveal"))
        elif step.startswith("git "):
            self._last = Result(0, git(*shlex.split(step)[1:]), b"")
        elif match := _EXPECT.fullmatch(step):
            self._expect(match)
        else:
            self._do(step)

    def _run(self, line: str, code: int, *, reveals: bool) -> None:
        words = shlex.split(line)
        environment = {}
        while "=" in words[0]:
            name, _, environment[name] = words.pop(0).partition("=")
        target, stdin = "", b""
        if ">" in words:
            target = words.pop(words.index(">") + 1)
            words.remove(">")
        if "<" in words:
            stdin = Path(words.pop(words.index("<") + 1)).read_bytes()
            words.remove("<")
        assert words.pop(0) == "sealer"
        self.ran += 1
        self._last = run(words, stdin=stdin, environment=environment)
        if not reveals:
            self._canary.check(self._last.stdout, where="stdout")
        self._canary.check(self._last.stderr, where="stderr")
        if target:
            Path(target).write_bytes(self._last.stdout)
            if reveals:
                self._canary.allow(Path(target))
        assert self._last.code == code, f"exit code {self._last.code}"

    def _expect(self, match: re.Match[str]) -> None:
        streams = {"stdout": self._last.stdout, "stderr": self._last.stderr}
        content = Path(match["file"]).read_bytes() if match["file"] else streams[match["stream"]]
        found = re.search(match["regex"], content.decode(), re.MULTILINE)
        assert bool(found) is not bool(match["no"]), "does not hold for\n" + content.decode()

    def _do(self, step: str) -> None:
        match step.split(maxsplit=2):
            case ["canary", *values]:
                for value in values:
                    self._canary.plant(value)
            case ["same", one, other]:
                assert Path(one).read_bytes() == Path(other).read_bytes()
            case ["plaintext", name]:
                self._canary.allow(Path(name))
            case ["missing", name]:
                assert not Path(name).exists()
            case ["mode", name, mode]:
                assert f"{Path(name).stat().st_mode & 0o777:o}" == mode
            case ["copy", one, other]:
                shutil.copy(one, other)
            case ["chmod", mode, name]:
                Path(name).chmod(int(mode, 8))
            case ["swap", name, change]:
                old, new = change.split(" => ")
                text = Path(name.rstrip(":")).read_text()
                assert re.search(old, text, re.MULTILINE), f"{old} is not in {name}"
                Path(name.rstrip(":")).write_text(re.sub(old, new, text, flags=re.MULTILINE))
            case _:
                raise AssertionError("no such step")

    def _told(self) -> str:
        return (self._last.stdout + self._last.stderr).decode(errors="replace")


def run(arguments: list[str], *, stdin: bytes, environment: dict[str, str]) -> Result:
    """Run the program in this process, with streams and environment of its own."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SEALER_")]:
            patch.delenv(name)
        patch.setenv("KUBECONFIG", "nowhere")  # no scenario meets a developer's own cluster
        for name, value in GIT_ENVIRONMENT.items():
            patch.setenv(name, value)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="utf-8", write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding="utf-8", write_through=True))
        code = main(arguments)
        sys.stdout.flush()
        return Result(code, out.getvalue(), err.getvalue())


def git(*arguments: str) -> bytes:
    """Run Git in the current directory, and return what it prints."""
    done = subprocess.run(
        ["git", *arguments], env=os.environ | GIT_ENVIRONMENT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
