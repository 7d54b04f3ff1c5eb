"""What `.sealer.yaml` expects of sealed files: to which keys, in which namespace, how far."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sealer.cli.repository import NamedKey, Place, Repositories
from sealer.errors import SealerError
from sealer.keyring import KeyState
from sealer.sources import Source
from sealer.verification import Checks, Finding, finding_of


class Expectations:
    """Checks by file, and what is wrong with the keys that the configuration names."""

    def __init__(self, base: Checks, repositories: Repositories, *, now: datetime) -> None:
        """Expect `base` of everything; keys that it names stand in for those of the rules."""
        self.repositories = repositories
        self._base = base
        self._now = now
        self._findings: dict[str, Finding] = {}

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the keys that were met on the way."""
        return list(self._findings.values())

    def checks(self, path: Path | None, source: Source) -> Checks:
        """What is expected of a file.

        Raises:
            InvalidConfig, Refused, FileError: its configuration cannot be read.
        """
        place = self.repositories.place(path)
        if place is None or place.placement is None:
            return self._base
        expected = replace(
            self._base,
            namespace=place.namespace,
            scope=place.placement.scope,
            rule=place.rule,
        )
        if self._base.sealing_keys or not any(at.is_sealed() for at in source.objects()):
            return expected
        return replace(expected, sealing_keys=self._keys(place))

    def _keys(self, place: Place) -> dict[str, str]:
        if place.placement is None:
            return {}
        try:
            keys = place.repository.keys(place.placement)
        except SealerError as error:
            self._findings[error.file] = finding_of(error)
            return {}
        for key in keys:
            self._check(key, place)
        return {key.pinned.key.id: str(key) for key in keys if _is_wanted(key)}

    def _check(self, key: NamedKey, place: Place) -> None:
        try:
            place.repository.check_usable(key, now=self._now)
        except SealerError as error:
            self._findings[error.file] = finding_of(error)


def _is_wanted(key: NamedKey) -> bool:
    # To a key that is retired or revoked nothing should be sealed; that is another finding.
    return key.pinned.state in (None, KeyState.ACTIVE)
