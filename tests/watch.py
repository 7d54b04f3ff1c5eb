"""A canary over the whole suite: no test's secret in anything that it prints, says or leaves.

Watched for, in clear and encoded: what holds one of `MARKERS`, and every value that is sealed or
opened in this process. Looked through, for every test that passes: what it and the programs that
it ran printed, what it logged, the text of every error of ours that was made, and the files in its
`tmp_path`, Git's objects among them; at the end of the session, the temporary directories of all.

Values may be in files that are as the test itself wrote them, in the targets of an embedded
controller, and where a test says so: `canary.allow(FILE)` for a file that is left, and
`@pytest.mark.reveals("WHY")` for its standard output.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import stat
import subprocess
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sealer.crypto import bitnami, envelope
from sealer.errors import SealerError
from sealer.files import PRIVATE
from tests.canary import MARKERS, Canary

REVEALING = (
    re.compile(r"\bunseal\b"),  # prints values: that is what it is for
    re.compile(r"\bkubectl\b.*\bsecrets?\b", re.DOTALL),  # the way to look at a target
    re.compile(r"/hpke$"),  # the second implementation, which is asked for values
    re.compile(r"^git diff --binary HEAD$"),  # the checkout's own changes, to be cloned too
)
"""Programs whose standard output may hold a value."""
_TARGET = re.compile(r"/secrets/[^/]+\.yaml$")
_PRIVATE_KEY = re.compile(r"/[0-9a-f]{32}\.pem$")
_GIT_OBJECT = re.compile(r"/objects/[0-9a-f]{2}/[0-9a-f]{38,62}$")
_PLACES_OF_OTHERS = re.compile(r"/(?:site-packages|etcd|\.kube|hpke)(?:/|$)")
"""Installed packages, an API server's data, a client's cache, a foreign program."""
_MIN_BYTES = 8
_MIN_DIFFERENT = 6
_ENOUGH_BYTES = 64


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function that is listened to."""

    result: Any
    positional: tuple[Any, ...]
    named: dict[str, Any]


@dataclass(slots=True)
class Overheard:
    """What was said and written since a test began."""

    said: dict[str, str] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    directories: set[Path] = field(default_factory=set)
    values: set[bytes] = field(default_factory=set)

    def hear(self, said: str | bytes | None, where: str) -> None:
        """Remember what was said."""
        if said:
            text = said.decode(errors="replace") if isinstance(said, bytes) else said
            self.said.setdefault(text, where)

    def use(self, value: bytes) -> None:
        """Remember a value that is sealed or opened, if it can be told from chance."""
        if len(value) >= _MIN_BYTES and len(set(value[:_ENOUGH_BYTES])) >= _MIN_DIFFERENT:
            self.values.add(value[:_ENOUGH_BYTES])

    def wrote(self, path: Path) -> None:
        """Remember a file as the test itself wrote it."""
        self.written[path.absolute()] = _digest(path)

    def is_own(self, path: Path) -> bool:
        """Whether a file is as the test itself wrote it."""
        return path in self.written and self.written[path] == _digest(path)


class Watch:
    """The plugin. Tests run one at a time, so it knows one test at a time."""

    def __init__(self) -> None:
        self._overheard = Overheard()
        self._shared: set[Path] = set()
        self._ends_module = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Listen while a test runs, its fixtures included."""
        self._overheard = Overheard(written=self._overheard.written)
        self._ends_module = nextitem is None or nextitem.path != item.path
        with pytest.MonkeyPatch.context() as patch:
            _listen(patch, self._overheard)
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Look through everything when the test is over."""
        report = yield
        if call.when == "teardown" and report.passed:
            for title, text in report.sections:
                self._overheard.hear(text, title)
            if leaks := list(self._look(item)):
                report.outcome = "failed"
                report.longrepr = "\n".join(["a secret is where it must not be:", *leaks])
        return report

    def _look(self, item: pytest.Item) -> Iterator[str]:
        overheard = self._overheard
        arguments: dict[str, object] = getattr(item, "funcargs", {})
        # Hypothesis draws values from the words of the code itself.
        random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        watched = _canary(() if random else overheard.values)
        reveals = item.get_closest_marker("reveals") is not None
        for text, where in overheard.said.items():
            if not (reveals and "stdout" in where):
                yield from _found(watched, text.encode(errors="replace"), where)
        named = arguments.get("canary")
        allowed = named if isinstance(named, Canary) else watched
        for directory in self._directories(arguments.get("tmp_path")):
            for path in directory.rglob("*"):
                if not (_belongs(path) or overheard.is_own(path) or allowed.allows(path)):
                    yield from _found(watched, _content(path), str(path))

    def _directories(self, own: object) -> Iterator[Path]:
        """That of the test, and after the last test of a module those that it shared."""
        self._shared |= self._overheard.directories
        if isinstance(own, Path):
            self._shared.discard(own)
            yield own
        if self._ends_module:
            yield from self._shared


def _listen(patch: pytest.MonkeyPatch, overheard: Overheard) -> None:
    """Have everything that could tell a secret pass by here, and do what it does all the same."""

    def after(owner: object, name: str, tell: Callable[[Call], None]) -> None:
        original = getattr(owner, name)

        def wrapped(*positional: object, **named: object) -> object:
            result = original(*positional, **named)
            tell(Call(result, positional, named))
            return result

        patch.setattr(owner, name, wrapped)

    def hear_error(call: Call) -> None:
        error, *texts = call.positional
        for text in (*texts, *call.named.values()):
            overheard.hear(str(text), f"a {type(error).__name__}")

    def hear_program(call: Call) -> None:
        out, err = call.result
        command = call.positional[0].args
        line = command if isinstance(command, str) else " ".join(map(str, command))
        if not any(pattern.search(line) for pattern in REVEALING):
            overheard.hear(out, f"stdout of {line}")
        overheard.hear(err, f"stderr of {line}")

    def hear_reader(call: Call) -> None:
        overheard.hear(call.result.out, "captured stdout")
        overheard.hear(call.result.err, "captured stderr")

    after(SealerError, "__init__", hear_error)
    after(SealerError, "at", hear_error)
    after(subprocess.Popen, "communicate", hear_program)
    after(pytest.CaptureFixture, "readouterr", hear_reader)
    after(envelope, "open_item", lambda call: overheard.use(call.result))
    after(envelope, "seal_item", lambda call: overheard.use(call.positional[0]))
    after(bitnami.Item, "open", lambda call: overheard.use(call.result))
    after(bitnami, "seal_item", lambda call: overheard.use(call.positional[0]))
    for name in ("write_text", "write_bytes"):
        after(Path, name, lambda call: overheard.wrote(call.positional[0]))
    after(pytest.TempPathFactory, "mktemp", lambda call: overheard.directories.add(call.result))


def _canary(values: Iterable[bytes]) -> Canary:
    canary = Canary()
    for marker in MARKERS:
        canary.plant(marker)
    for value in values:
        canary.plant_bytes(value)
    return canary


def _found(canary: Canary, content: bytes, where: str) -> Iterator[str]:
    for value in canary.found_in(content):
        yield f"{where} holds {value!r}"


def _belongs(path: Path) -> bool:
    """What is not ours to look through; a target or a private key that nobody else can read."""
    name = path.as_posix()
    if _PLACES_OF_OTHERS.search(name) or path.is_symlink() or not path.is_file():
        return True
    is_private = stat.S_IMODE(path.stat().st_mode) == PRIVATE
    return is_private and bool(_TARGET.search(name) or _PRIVATE_KEY.search(name))


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    with contextlib.suppress(zlib.error):
        if _GIT_OBJECT.search(path.as_posix()):
            return zlib.decompress(raw)
    return raw


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
