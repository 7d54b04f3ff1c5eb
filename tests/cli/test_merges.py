"""Branches that change different items of one object, merged by the real Git.

docs/editing.md says what merges and what does not; this is where that comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest

from sealer import opening
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.editing import Alteration, alter
from sealer.manifests.models import Metadata, Secret
from sealer.revising_text import revise
from sealer.sealed_layout import dump
from sealer.sealing import seal
from sealer.sources import Found, Source
from tests.git_repository import Repository

_KEY = UnsealingKey(b"made up for tests: the new key..")
_NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
_NAMES = ("api-key", "password", "username")
_FILE = "db.yaml"

Operation = tuple[str, str]


class Branches:
    """A repository with one sealed file, and what becomes of it on two branches."""

    def __init__(self, root: Path, *, apart: bool) -> None:
        self.repository = Repository.init(root)
        secret = Secret(
            metadata=Metadata(namespace="shop", name="db"),
            data={name: f"old {name}".encode() for name in _NAMES},
        )
        sealed = seal(secret, to=[_KEY.public], scope=Scope.STRICT, now=_NOW)
        self.base = dump(sealed.to_manifest())
        if apart:  # each item under an entry of its own, as after a while
            for name in _NAMES:
                self.base = _done(self.base, ("set", name))
        self._commit = self.repository.commit({_FILE: self.base})

    def merged(self, *texts: str) -> str | None:
        """The file after merging branches that hold these texts; None where they conflict."""
        heads = []
        for text in texts:
            self.repository.git("checkout", "--quiet", "--detach", self._commit)
            heads.append(self.repository.commit({_FILE: text}))
        self.repository.git("merge", "--quiet", "-m", "of a test", heads[0], check=False)
        if self.repository.git("ls-files", "--unmerged"):
            self.repository.git("merge", "--abort")
            return None
        return (self.repository.root / _FILE).read_text()


def _found(text: str) -> Found:
    (found,) = Source.read(_FILE, text).objects()
    return found


def _done(text: str, operation: Operation) -> str:
    kind, key = operation
    at = _found(text)
    change = Alteration(removed=[key])
    if kind != "remove":
        change = Alteration(values={key: f"{kind} {key}".encode()})
    return revise(at, alter(at.sealed(), change, to=[_KEY.public], now=_NOW))


def _values(text: str) -> dict[str, bytes]:
    return opening.open_items(_found(text).sealed(), {_KEY.id: _KEY})


def _expected(branches: Branches, *operations: Operation) -> dict[str, bytes]:
    values = _values(branches.base)
    for kind, key in operations:
        values[key] = f"{kind} {key}".encode()
        if kind == "remove":
            del values[key]
    return values


def _pairs(one: str, other: str) -> Iterator[tuple[Operation, Operation]]:
    gaps = {"add": ("aaa", "api-key-2", "password-2", "zzz"), "set": _NAMES, "remove": _NAMES}
    operations = [(kind, key) for kind in dict.fromkeys((one, other)) for key in gaps[kind]]
    for first, second in combinations(operations, 2):
        if {first[0], second[0]} == {one, other} and first[1] != second[1]:
            yield first, second


@pytest.mark.parametrize("apart", [False, True], ids=["sealed together", "sealed apart"])
@pytest.mark.parametrize(
    ("one", "other"), [("set", "set"), ("set", "add"), ("set", "remove"), ("add", "add")]
)
def test_changes_of_different_items_merge(
    tmp_path: Path, one: str, other: str, *, apart: bool
) -> None:
    branches = Branches(tmp_path, apart=apart)
    for first, second in _pairs(one, other):
        texts = _done(branches.base, first), _done(branches.base, second)
        merged = branches.merged(*texts)
        assert merged is not None, f"{first} and {second}"
        assert _values(merged) == _expected(branches, first, second)
    assert branches.merged(*reversed(texts)) == merged


def test_what_two_branches_changed_together_merges_with_what_they_change_next(
    tmp_path: Path,
) -> None:
    branches = Branches(tmp_path, apart=False)
    merged = branches.merged(
        _done(branches.base, ("set", "password")), _done(branches.base, ("set", "username"))
    )
    assert merged is not None
    again = Repository.init(tmp_path / "again")
    branches.repository, branches._commit = again, again.commit({_FILE: merged})
    twice = branches.merged(
        _done(merged, ("add", "password")), _done(_done(merged, ("add", "api-key")), ("add", "new"))
    )
    assert twice is not None
    assert set(_values(twice)) == {*_NAMES, "new"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("set", "password"), ("add", "password")),
        (("add", "password-2"), ("add", "password-3")),
        (("remove", "api-key"), ("remove", "password")),
        (("remove", "password"), ("add", "password-2")),
    ],
    ids=["the same item", "added at one place", "removed side by side", "added beside a removed"],
)
def test_what_the_page_says_conflicts_does(
    tmp_path: Path, first: Operation, second: Operation
) -> None:
    branches = Branches(tmp_path, apart=False)
    texts = _done(branches.base, first), _done(branches.base, second)
    assert branches.merged(*texts) is None


def test_the_end_of_a_shared_entry_and_the_end_of_the_items_are_one_place(tmp_path: Path) -> None:
    branches = Branches(tmp_path, apart=False)
    base = _done(_done(branches.base, ("set", "api-key")), ("set", "password"))
    branches._commit = branches.repository.commit({_FILE: base})
    assert branches.merged(_done(base, ("set", "username")), _done(base, ("add", "zzz"))) is None
    assert branches.merged(_done(base, ("set", "username")), _done(base, ("add", "aaa")))


def test_a_conflict_of_added_items_is_solved_by_keeping_both_sides(tmp_path: Path) -> None:
    branches = Branches(tmp_path, apart=True)
    one, other = ("add", "password-2"), ("add", "password-3")
    for name, operation in (("one", one), ("other", other)):
        branches.repository.git("checkout", "--quiet", "-b", name, "main")
        branches.repository.commit({_FILE: _done(branches.base, operation)})
    branches.repository.git("merge", "--quiet", "one", check=False)
    text = (branches.repository.root / _FILE).read_text()
    both = re.sub(r"^(<<<<<<<|=======|>>>>>>>).*\n", "", text, flags=re.MULTILINE)
    assert both != text
    assert _values(both) == _expected(branches, one, other)
