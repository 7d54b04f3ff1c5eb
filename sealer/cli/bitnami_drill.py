"""The drill of a backup for sealed-secrets: what a cluster and files have of it, to be tried.

A SealedSecret of theirs names no key, so each has to open with some key of the backup: what is for
another cluster cannot be told from what would be lost. Where nothing is of theirs, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sealer.cli.bitnami_key_places import read_key_secrets
from sealer.cli.live_objects import PLACE
from sealer.cli.output import Terminal
from sealer.errors import SealerError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.sources import Found
from sealer.verification import finding_of
from sealer.wording import count

if TYPE_CHECKING:
    from sealer.apiserver import ApiServer
    from sealer.bitnami_backup import BitnamiProof, SavedKey


class Drill:
    """What keys are to be tried on, and what came of it."""

    def __init__(self, saved: Sequence[SavedKey]) -> None:
        """Nothing is known yet; `saved` are the keys in the backup."""
        self._saved = tuple(saved)
        self._objects: list[tuple[str, BitnamiSealedSecret]] = []
        self._own: set[str] = set()
        self._problems: list[SealerError] = []
        self._proof: BitnamiProof | None = None

    def add_cluster(
        self, api: ApiServer, named: str, controller_namespace: str, terminal: Terminal
    ) -> None:
        """Take over the objects of a cluster, and which keys it has, as far as one may look.

        Args:
            api: the way to it.
            named: the namespace of the key Secrets, where an option names it.
            controller_namespace: our own controller's.
            terminal: to say what may not be read.

        Raises:
            ClusterError: it cannot be read.
        """
        from sealer.apiserver import Forbidden, Missing  # noqa: PLC0415 - imported already
        from sealer.bitnami_listing import Listed  # noqa: PLC0415 - with the next one
        from sealer.cluster_bitnami import BitnamiCluster  # noqa: PLC0415 - RSA takes 60 ms

        cluster = BitnamiCluster(api)
        try:
            for item in cluster.sealed_secrets():
                self._add_live(item)
        except Missing:
            pass
        except Forbidden as error:
            if cluster.is_known():
                terminal.warn(f"SealedSecrets of sealed-secrets were not tried: {error.message}")

        def untold(why: str) -> None:
            terminal.note(f"the keys of sealed-secrets were not compared: {why}")

        listed = Listed.of(read_key_secrets(api, named, controller_namespace, untold))
        self._own |= {key.fingerprint for key in listed.keys}
        for problem in listed.problems:
            terminal.warn(f"no key that could be backed up: {problem}")

    def add_file(self, at: Found, *, namespace: str = "") -> None:
        """Take over an object of a file.

        Args:
            at: the object.
            namespace: the one that it has if it names none.

        Raises:
            InvalidManifest: it is malformed; says where.
        """
        self._objects.append((f"{at.source.name}:{at.line()}", at.bitnami(namespace=namespace)))

    def prove(self, terminal: Terminal) -> None:
        """Try the keys on everything."""
        if not (self._saved or self._objects or self._own):
            return
        from sealer.bitnami_backup import PlacedBitnami, Saved, prove  # noqa: PLC0415 - as above

        objects = (PlacedBitnami(*each) for each in self._objects)
        tried = terminal.counted(objects, "object")
        self._proof = prove(Saved(self._saved), tried, own=self._own)

    @property
    def holds(self) -> bool:
        """Whether nothing falls short."""
        return not self._problems and (self._proof is None or self._proof.holds)

    def tell(self, terminal: Terminal) -> None:
        """What falls short, for people."""
        for fingerprint in self._proof.missing if self._proof else ():
            terminal.line(f"key {fingerprint} of sealed-secrets is not in the backup")
        for failure in self._failures():
            terminal.line(str(failure))

    def report(self) -> dict[str, object]:
        """What came of it, for programs."""
        proof = self._proof
        return {
            "keys": [key.fingerprint for key in self._saved],
            "opened": list(proof.opened) if proof else [],
            "missing": list(proof.missing) if proof else [],
            "failures": [finding_of(failure).to_json() for failure in self._failures()],
        }

    def summary(self) -> list[str]:
        """What came of it, in a few words."""
        proof, failures = self._proof, self._failures()
        parts = []
        if proof and (proof.opened or self._saved):
            parts.append(f"{count(len(proof.opened), 'object')} of sealed-secrets opened")
        if proof and proof.missing:
            parts.append(f"{count(len(proof.missing), 'key')} of sealed-secrets missing")
        if failures:
            parts.append(f"{count(len(failures), 'object')} of sealed-secrets not opened")
        return parts

    def _add_live(self, item: object) -> None:
        try:
            self._objects.append((PLACE, BitnamiSealedSecret.read(item)))
        except SealerError as error:
            self._problems.append(error.at(file=PLACE))

    def _failures(self) -> list[SealerError]:
        return [*self._problems, *(self._proof.failures if self._proof else ())]
