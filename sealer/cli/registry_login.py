"""`sealer registry-login`: pull secrets that one may view, into one's own container config."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealer import credential_programs
from sealer.cli import options, shared_objects
from sealer.cli.container_config import ConfigFile, auth_file
from sealer.cli.output import Terminal
from sealer.errors import InvalidManifest, SealerError
from sealer.registries import (
    IMAGE_PULL_LABEL,
    ContainerConfig,
    Kept,
    Login,
    read_logins,
    registry_of,
)

if TYPE_CHECKING:
    from sealer.apiserver import Object
    from sealer.cluster_shared import SharedSecrets

_DONE = "logged in"
_UP_TO_DATE = "logged in already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `sealer registry-login` is given."""

    namespace: str
    auth_file: Path | None
    kubeconfig: Path | None
    context: str
    force: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A login, or why there is none, of one SharedSecret."""

    source: str
    login: Login | None = None
    trouble: str = ""
    is_refusal: bool = False


@options.command(
    "registry-login",
    examples="""\
sealer registry-login
sealer registry-login -n team-images
REGISTRY_AUTH_FILE=auth.json sealer registry-login && podman pull registry.example/shop/web
""",
)
@shared_objects.only_namespace
@auth_file
@options.kubeconfig
@options.context
@click.option("--force", is_flag=True, help="Replace logins that others made.")
@options.collected(Request)
def command(request: Request, terminal: Terminal) -> int:
    """Log in to the registries whose pull secrets you may view.

    Those are the SharedSecrets with the label sealer.dev/image-pull: "true". Other logins in the
    container config stay; credential helpers that it names are used. `sealer registry-logout`
    takes out what this puts in. Exits with 1 if a pull secret could not be used.
    """
    shared = shared_objects.connect_shared(request.kubeconfig, request.context)
    file = ConfigFile.find(request.auth_file, os.environ)
    entry = _Entry(file, file.read(), list(file.kept()), force=request.force)
    rows, refused = [], False
    for found in list(_find(shared, request.namespace)):
        result, is_refusal = entry.take(found)
        refused = refused or is_refusal
        login = found.login
        rows.append(
            (
                login.registry if login else "-",
                login.account if login else "-",
                found.source,
                result,
            )
        )
    if rows:
        terminal.table(("REGISTRY", "USER", "FROM", "RESULT"), rows)
    else:
        terminal.note(f'there is no SharedSecret with label {IMAGE_PULL_LABEL}: "true" to be seen')
    return int(refused)


class _Entry:
    """Puts logins into a config, one after the other; what is done stays done."""

    def __init__(
        self, file: ConfigFile, config: ContainerConfig, kept: list[Kept], *, force: bool
    ) -> None:
        self._file, self._config, self._kept, self._force = file, config, kept, force
        self._taken: dict[str, str] = {}

    def take(self, found: _Found) -> tuple[str, bool]:
        """What became of it, and whether that falls short."""
        login = found.login
        if login is None:
            return found.trouble, found.is_refusal
        if other := self._taken.get(registry_of(login.registry)):
            return f"left out: {other} is for the same registry", False
        self._taken[registry_of(login.registry)] = found.source
        try:
            return self._log_in(login, found.source)
        except SealerError as error:
            return f"not logged in: {error.message}", True

    def _log_in(self, login: Login, source: str) -> tuple[str, bool]:
        if other := self._others(login):
            return f"left as it is: {other} (--force replaces it)", True
        note = Kept(registry=login.registry, account=login.account, source=source)
        self._note(note)  # first: a note of nothing does no harm
        helper = self._config.helper(login.registry)
        if helper:
            credential_programs.store(helper, login)
        after = self._config.with_login(login)
        if after == self._config:
            return (_DONE if helper else _UP_TO_DATE), False
        self._file.write(after)
        self._config = after
        return _DONE, False

    def _others(self, login: Login) -> str:
        """What is there already and is not ours, if so."""
        if self._force:
            return ""
        registry = self._config.alike(login.registry)
        there = self._file.account(self._config, registry)
        if there is None and not self._config.has(registry):
            return ""
        ours = {each.account for each in self._kept if each.registry == registry}
        if there in ours or (there is None and ours):
            return ""
        return f"you are logged in as {there}" if there else "there is a login already"

    def _note(self, note: Kept) -> None:
        others = [each for each in self._kept if each.registry != note.registry]
        if note not in self._kept:
            self._kept = sorted([*others, note], key=lambda each: each.registry)
            self._file.keep(self._kept)


def _find(shared: SharedSecrets, namespace: str) -> Iterator[_Found]:
    from sealer.apiserver import Forbidden  # noqa: PLC0415 - 0.9 s that most runs save

    for item in shared.visible(namespace, labels=f"{IMAGE_PULL_LABEL}=true"):
        metadata = item["metadata"]
        source = f"{metadata['namespace']}/{metadata['name']}"
        try:
            for login in _logins(shared, item):
                yield _Found(source, login)
        except SealerError as error:
            may = not isinstance(error, Forbidden)  # who may not is told so, and that is that
            yield _Found(source, trouble=f"not logged in: {error.message}", is_refusal=may)


def _logins(shared: SharedSecrets, item: Object) -> tuple[Login, ...]:
    values = shared.values(item)
    if values is None:
        raise InvalidManifest("it has no values yet")
    return read_logins(values.type, values.data)
