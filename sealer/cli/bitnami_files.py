"""SealedSecrets of sealed-secrets in files that `set` and `unset` change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sealer import bitnami_editing
from sealer.bitnami_revising_text import revise
from sealer.cli.manifest_files import Target
from sealer.crypto.bitnami import Certificate
from sealer.errors import SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret


@dataclass(frozen=True, slots=True)
class BitnamiFile:
    """One of their SealedSecrets in a file that is to be changed."""

    target: Target
    sealed: BitnamiSealedSecret

    @classmethod
    def of(cls, target: Target) -> BitnamiFile:
        """Read it.

        Raises:
            InvalidManifest: it is malformed; says where.
        """
        return cls(target, target.at.bitnami(namespace=target.namespace))

    def check_settable(self, keys: Iterable[str]) -> None:
        """Find out that items cannot be set before anybody types their values.

        Raises:
            InvalidManifest, InvalidEnvelope, Refused: as `bitnami_editing.check_settable`.
        """
        try:
            bitnami_editing.check_settable(self.sealed, keys)
        except SealerError as error:
            raise self._located(error) from None

    def with_values(self, values: Mapping[str, bytes], *, to: Certificate) -> str:
        """The text of the file with items set.

        Raises:
            SealerError: as `bitnami_editing.with_values` and `revise`; says where.
        """
        try:
            return revise(self.target.at, bitnami_editing.with_values(self.sealed, values, to=to))
        except SealerError as error:
            raise self._located(error) from None

    def without_items(self, keys: Collection[str], *, force: bool) -> str:
        """The text of the file with items removed.

        Raises:
            SealerError: as `bitnami_editing.without_items` and `revise`; says where.
        """
        try:
            changed = bitnami_editing.without_items(self.sealed, keys, force=force)
            return revise(self.target.at, changed)
        except SealerError as error:
            raise self._located(error) from None

    def _located(self, error: SealerError) -> SealerError:
        return self.target.at.located(error.at(obj=str(self.sealed)))
