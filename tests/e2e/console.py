"""Runs the `console` blocks of a Markdown page as a reader would, and compares what is printed.

A line that begins with `$ ` is a command for sh; the lines under it are what it prints, where the
page shows anything. Key ids differ on every run: `3f9c…e21a`, `3f9c…` and whole ids are all KEY.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IN_A_CLUSTER = re.compile(r"^## In a cluster\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_KEY_ID = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{4}…(?:[0-9a-f]{4})?)")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a page, and what the page says that it prints; empty: it does not say."""

    text: str
    expected: str


def commands(page: str) -> list[Command]:
    """All commands of a page's console blocks, in order."""
    found: list[Command] = []
    for block in _BLOCK.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ "), ""))
            else:
                found[-1] = Command(found[-1].text, f"{found[-1].expected}{line}\n")
    return found


def without_clusters(page: str) -> str:
    """The parts of a page that take no cluster: all but its section `In a cluster`."""
    return _IN_A_CLUSTER.sub("", page)


def in_a_cluster(page: str) -> str:
    """The section `In a cluster` of a page; empty where there is none."""
    found = _IN_A_CLUSTER.search(page)
    return found[0] if found else ""


def run_page(
    page: Path,
    directory: Path,
    environment: dict[str, str],
    *,
    part: Callable[[str], str] = without_clusters,
    beside: Callable[[str], None] = lambda _: None,
) -> int:
    """Run a page's commands in one shell per command; how many there were.

    A command that changes the shell itself (a virtual environment) is carried on to the next ones.

    Args:
        page: the page.
        directory: where its reader sits.
        environment: added to our own.
        part: which part of it to run.
        beside: is told each command before it is run, to do what happens by itself in a cluster.
    """
    listed = commands(part(page.read_text(encoding="utf-8")))
    state = directory / ".shell-state"
    state.write_text("", encoding="utf-8")
    for command in listed:
        beside(command.text)
        script = f". {state}; {command.text}\nstatus=$?; export -p > {state}; exit $status"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=directory,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{page}: $ {command.text}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        if command.expected:
            assert _neutral(done.stdout) == _neutral(command.expected), said
    return len(listed)


def _neutral(text: str) -> str:
    return _KEY_ID.sub("KEY", text)
