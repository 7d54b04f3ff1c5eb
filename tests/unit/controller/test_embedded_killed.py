"""Killed between any two steps on the disk, nothing is lost, and the next pass mends the rest.

From the n-th step on, every call that would change the disk raises: so does a dying process leave
its files, clean-up code included. This is done for every n that there is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.embedded_host import Host

STEPS = ("chmod", "fsync", "link", "mkdir", "open", "replace", "rmdir", "unlink")
ONE, TWO = {"password": "made-up one"}, {"password": "made-up two"}


class Killed(BaseException):
    """Not an `Exception`: nothing but the end of the process answers it."""


@contextmanager
def killed_at(step: int, target: Path) -> Iterator[list[str]]:
    """Die at a step below a directory; the list fills with the steps that were done."""
    done: list[str] = []

    def dying(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step_or_die(subject: object, *arguments: object, **options: object) -> object:
            if isinstance(subject, int) or Path(str(subject)).is_relative_to(target):
                if len(done) >= step:
                    raise Killed
                done.append(name)
            return call(subject, *arguments, **options)

        return step_or_die

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, dying(name, getattr(os, name)))
        yield done


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host.make(tmp_path)


def texts(host: Host) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """What is committed before and after, by what changes."""
    secret, other = host.sealed(ONE), host.sealed(TWO)
    shared = host.sealed(ONE, shared=True)
    return {
        "nothing to a secret": ({}, {"db.yaml": secret}),
        "nothing to a shared secret": ({}, {"db.yaml": shared}),
        "another value": ({"db.yaml": secret}, {"db.yaml": other}),
        "secret to shared secret": ({"db.yaml": secret}, {"db.yaml": shared}),
        "shared secret to secret": ({"db.yaml": shared}, {"db.yaml": other}),
        "another type": ({"db.yaml": secret}, {"db.yaml": host.sealed(TWO, type="x.example/y")}),
        "shared secret to nothing": ({"db.yaml": shared}, {}),
        "one of two to nothing": (
            {"db.yaml": secret, "x.yaml": host.sealed(ONE, name="x")},
            {"x.yaml": host.sealed(TWO, name="x")},
        ),
    }


CHANGES = (
    "nothing to a secret",
    "nothing to a shared secret",
    "another value",
    "secret to shared secret",
    "shared secret to secret",
    "another type",
    "shared secret to nothing",
    "one of two to nothing",
)


@pytest.mark.parametrize("change", CHANGES)
def test_killed_at_any_step_the_next_pass_gives_the_undisturbed_result(
    host: Host, change: str
) -> None:
    first, second = (_commit(host, files) for files in texts(host)[change])
    expected = _pass_after(host, first, second, step=10_000)
    steps = len(expected.steps)
    assert steps > 3
    for step in range(steps):
        result = _pass_after(host, first, second, step=step)
        assert result.steps == expected.steps[:step]
        assert result.seen <= expected.old | expected.new, f"half a file after step {step}"
        assert result.files == expected.files, f"killed at step {step}"
        assert result.report == expected.report, f"killed at step {step}"


class Result:
    """What is there after an interrupted pass and an undisturbed one."""

    def __init__(self, host: Host, steps: list[str], seen: set[tuple[str, str]]) -> None:
        self.steps = steps
        self.seen = seen
        self.old: set[tuple[str, str]] = set()
        self.new: set[tuple[str, str]] = set()
        self.files = host.files()
        self.report = _timeless(host.report())


def _commit(host: Host, files: dict[str, str]) -> str:
    for path in host.repository.root.glob("*.yaml"):
        path.unlink()
    return host.repository.commit({**files})


def _pass_after(host: Host, first: str, second: str, *, step: int) -> Result:
    shutil.rmtree(host.out, ignore_errors=True)
    host.repository.git("checkout", "--quiet", first)
    host.converge()
    old = set(host.files().items())
    host.repository.git("checkout", "--quiet", second)
    operator = host.operator()
    with killed_at(step, host.out) as done:
        try:
            operator.converge()
        except Killed:
            assert len(done) == step
    seen = {item for item in host.files().items() if ".sealer-" not in item[0]}
    assert host.converge().all_well
    result = Result(host, done, seen)
    result.old, result.new = old, set(host.files().items())
    return result


def _timeless(report: dict[str, Any]) -> object:
    """The status file without what differs from run to run: times and versions of files."""

    def strip(value: object) -> object:
        if isinstance(value, dict):
            left_out = ("lastTransitionTime", "resourceVersion")
            return {key: strip(each) for key, each in value.items() if key not in left_out}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return strip(report)
