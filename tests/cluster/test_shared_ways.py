"""Who gets at a SharedSecret by kubectl and by the command line, before and after a change.

The raw API is tried in `test_shared_access`, by more people and in more ways; here are the programs
that people use, and what they show to whom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.commands import Shell
from tests.cluster.harness.processes import eventually
from tests.cluster.people import (
    Person,
    may_sync,
    person,
    program,
    put_access,
    shared_secret,
    ways_to,
)
from tests.cluster.running import Namespace, conditions
from tests.cluster.syncing import MANAGED, Shared, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory
    from tests.cluster.people import Object
    from tests.cluster.running import Controller

_NAME: Final = "db"
_TEAM: Final = "team"
_VERBS: Final = ("view", "update", "sync", "delete", "*")
_ALL: Final = frozenset(_VERBS) - {"*"}
_READING: Final = frozenset({"view", "update", "delete"})
_REVEALS = pytest.mark.reveals("`sealer shared get` prints values")


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a kubeconfig, and how an access list names them."""

    person: Person
    kubeconfig: Path
    subject: Object

    @property
    def may(self) -> frozenset[str]:
        """The verbs of the access list that they have."""
        return self.person.may


@pytest.fixture(scope="module")
def shop(
    installed_sealer: ApiServer, controller: Controller, new_namespace: NamespaceFactory
) -> Namespace:
    """Provide a namespace with a SharedSecret that has a value."""
    del controller
    shop = Namespace(installed_sealer, new_namespace("ways"))
    _make(shop, _NAME)
    return shop


def _make(shop: Namespace, name: str, *lines: Object) -> None:
    shop.make_secret(name, {"a": "made-up-71", "b": "made-up-72"}, metadata=MANAGED)
    assert shop.apply(shared_secret(name, *lines)).status == 201
    eventually(
        lambda: conditions(shop.get("SharedSecret", name))["Ready"]["status"] == "True",
        what=f"{name} to be ready",
    )


@pytest.fixture(scope="module")
def readers(shop: Namespace) -> list[Reader]:
    """Provide a user, a member of a team and a program, twice: one more than there are verbs."""
    api, found = shop.api, []
    for number in range(len(_VERBS) + 1):
        name = f"n{number}@{shop.name}"
        if number % 3 == 0:
            made = Reader(person(api, name), api.kubeconfig_for(name), {"users": [name]})
        elif number % 3 == 1:
            team = f"{_TEAM}-{number}"
            config = api.kubeconfig_for(name, groups=[team])
            made = Reader(person(api, name, team=team), config, {"teams": [team]})
        else:
            job = program(api, shop.name, f"job-{number}")
            config = api.kubeconfig_for_service_account(shop.name, f"job-{number}")
            made = Reader(job, config, {"users": [job.name]})
        found.append(made)
    return found


@pytest.fixture(params=[0, 2], ids=["before", "after"])
def granted(shop: Namespace, readers: list[Reader], request: pytest.FixtureRequest) -> list[Reader]:
    """Provide everybody with a verb of their own and one with none; then with other ones.

    What they hold is waited for by the raw API; what follows is tried once.
    """
    verbs: list[str] = ["", *_VERBS]
    shift: int = request.param
    verbs = verbs[shift:] + verbs[:shift]
    given = [
        replace(reader, person=replace(reader.person, may=_ALL if verb == "*" else _one(verb)))
        for reader, verb in zip(readers, verbs, strict=True)
    ]
    assert put_access(shop.api, shop.name, _NAME, *_lines(readers, verbs)).status == 200
    eventually(lambda: _is_so(given, shop), what="everybody to have what they were given")
    return given


def _one(verb: str) -> frozenset[str]:
    return frozenset({verb} if verb else ())


def _lines(readers: Iterable[Reader], verbs: Iterable[str]) -> list[Object]:
    named = [
        {"name": f"line for {verb}", "verbs": [verb], **reader.subject}
        for reader, verb in zip(readers, verbs, strict=True)
        if verb
    ]
    guests = [f"guests-{number}" for number in range(len(named) + 1)]
    return [*named, {"name": "guests", "verbs": ["view"], "teams": guests}]


def _is_so(readers: Iterable[Reader], shop: Namespace) -> bool:
    for reader in readers:
        for way in ways_to(shop.name, _NAME, _NAME):
            assert way.is_open_to(reader.person) == bool(way.verbs & reader.may), (way, reader)
        assert may_sync(reader.person, shop.name, _NAME) == ("sync" in reader.may), reader
    return True


_KUBECTL: Final[tuple[tuple[tuple[str, ...], frozenset[str]], ...]] = (
    (("get", "shs", _NAME), _READING | {"sync"}),
    (("get", "secret", _NAME), _READING),
    (("patch", "secret", _NAME, "-p", "{}", "--dry-run=server"), frozenset({"update"})),
    (("delete", "secret", _NAME, "--dry-run=server"), frozenset({"delete"})),
    (("auth", "can-i", "sync", f"sharedsecrets.sealer.dev/{_NAME}"), frozenset({"sync"})),
    (("get", "shs,secrets"), frozenset()),
)


def test_kubectl_lets_in_whom_the_list_names_and_nobody_else(
    shop: Namespace, granted: list[Reader]
) -> None:
    for reader in granted:
        for arguments, verbs in _KUBECTL:
            done = shop.api.kubectl(
                *arguments, "-n", shop.name, kubeconfig=reader.kubeconfig, check=False
            )
            assert (done.returncode == 0) == bool(verbs & reader.may), (arguments, reader, done)


@_REVEALS
def test_the_command_line_lets_in_whom_the_list_names_and_nobody_else(
    shop: Namespace, granted: list[Reader], capsys: pytest.CaptureFixture[str]
) -> None:
    for number, reader in enumerate(granted):
        shell = Shell(reader.kubeconfig, shop.name, capsys)
        for arguments, verbs in _commands(number):
            code, _, err = shell.run(*arguments)
            assert code == (0 if verbs & reader.may else 5), (arguments, reader, err)
            assert code == 0 or "you may not" in err, (arguments, err)
        sees = f"{_NAME} " in shell.out("list")
        assert sees == bool(reader.may), reader
    assert shop.values(_NAME) == {"a": b"made-up-71", "b": b"made-up-72"}
    assert not shop.exists("SharedSecret", "mine")


def _commands(number: int) -> list[tuple[tuple[str, ...], frozenset[str]]]:
    """What one reader tries; no two change access of the same guest, so that it is a change."""
    return [
        (("get", _NAME, "a"), _READING),
        (("get", _NAME, "-o", "json"), _READING),
        (("targets", _NAME), _READING | {"sync"}),
        (("unset", _NAME, "b"), frozenset({"update"})),
        (("set", _NAME, "b=made-up-72"), frozenset({"update"})),
        (("revoke", _NAME, "--team", f"guests-{number}"), frozenset({"update"})),
        (("grant", _NAME, "view", "--team", f"more-{number}"), frozenset({"update"})),
        (("create", "mine"), frozenset()),
    ]


def test_people_are_shown_keys_access_and_trouble_and_never_a_value(
    shop: Namespace, granted: list[Reader], capsys: pytest.CaptureFixture[str]
) -> None:
    reader = next(each for each in granted if each.may == {"view"})
    made = Shared(shop, _NAME)
    ask(shop, "target", made)
    made.troubles(shop, "target", "NoOwner")
    about, who = ("shs", _NAME, "-n", shop.name), reader.kubeconfig
    wide = shop.api.kubectl("get", *about, "-o", "wide", kubeconfig=who).stdout
    described = shop.api.kubectl("describe", *about, kubeconfig=who).stdout
    listed = Shell(who, shop.name, capsys).out("list")
    for said in (wide, described, listed):
        assert "a, b" in said
        assert f"namespace {shop.name} has no owner" in said
        assert "update" in said
        assert "made-up" not in said
    shop.delete("Secret", "target")


def test_the_command_line_lets_nobody_give_what_they_do_not_hold(
    shop: Namespace, granted: list[Reader], capsys: pytest.CaptureFixture[str]
) -> None:
    for reader in granted:
        shell = Shell(reader.kubeconfig, shop.name, capsys)
        for verb in (*_VERBS[2:], "*"):
            needed = _ALL if verb == "*" else {"update", verb}
            code, _, err = shell.run("grant", _NAME, verb, "--team", "guests")
            assert code == (0 if needed <= reader.may else 5), (verb, reader, err)
            if code == 0:
                shell.out("revoke", _NAME, "--team", "guests")


def test_the_command_line_deletes_for_whom_the_list_lets_delete(
    shop: Namespace, readers: list[Reader], capsys: pytest.CaptureFixture[str]
) -> None:
    verbs = ["", *_VERBS]
    names = [f"gone-{number}" for number in range(len(readers))]
    for name in names:
        _make(shop, name, *_lines(readers, verbs))
    for reader, verb, name in zip(readers, verbs, names, strict=True):
        shell = Shell(reader.kubeconfig, shop.name, capsys)
        may = verb in ("delete", "*")
        probe: Callable[[], bool] = lambda: (  # noqa: E731
            ways_to(shop.name, name, name)[4].is_open_to(reader.person) == may  # noqa: B023
        )
        eventually(probe, what=f"{name} to have its rights")
        code, _, err = shell.run("delete", name)
        assert code == (0 if may else 5), (verb, err)
        assert shop.exists("SharedSecret", name) != may
