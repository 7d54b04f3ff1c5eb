"""SealedSecrets of sealed-secrets opened and sealed by the controller that has their keys.

It is asked as kubeseal asks it, one object at a time, and says when it is busy; then it is waited
for. What it answers is checked before anything is written; which keys are its cluster's own is read
from the API server itself. Nothing opens here, and no value is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from sealer import published_keys
from sealer.bitnami_acceptance import accept_native, accept_rotated
from sealer.bitnami_native import prepare_unseen
from sealer.cli.connecting import Asked, Wish, clusters_to_ask, read_keys
from sealer.cli.output import Terminal
from sealer.cli.recipients import Recipients
from sealer.cli.repository import Place, Repositories, Repository
from sealer.errors import CertificateError, ClusterError, Refused, SealerError, UsageError
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import SealedSecret
from sealer.pinned_keys import short_id
from sealer.service_proxy import Endpoints, Object, Service, Wait

_PATIENCE_SECONDS = 600
"""How long one object waits for a controller that is busy all the time."""


class Session:
    """A cluster that is asked."""

    def __init__(self, asked: Asked, service: Service, pinned: frozenset[str]) -> None:
        """Nothing is sent yet; `pinned` are ids of its keys, where a configuration has any."""
        self._asked = asked
        self._endpoints = Endpoints(asked.cluster, service)
        self._pinned = pinned
        self._keys: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self._asked.name

    def native_keys(self) -> tuple[str, ...]:
        """Id of the key that the cluster seals to, as it publishes it.

        Raises:
            ClusterError, InvalidKey: its keys cannot be read.
            CertificateError: none is active, or another one is pinned.
        """
        if self._keys is None:
            newest = published_keys.newest(read_keys(self._asked.cluster), now=datetime.now(UTC))
            if self._pinned and newest.id not in self._pinned:
                raise CertificateError(
                    f"cluster {self.name} seals to key {short_id(newest.id)}, and another one is "
                    "pinned",
                    hint=f"`sealer keys fetch --pin --cluster {self.name}` writes the current one",
                )
            self._keys = (newest.id,)
        return self._keys

    def recipients(self, place: Place | None) -> Recipients:
        """For whom it seals, and what the rule of a file says besides; raises as `native_keys`."""
        placement = place.placement if place else None
        ids = ", ".join(map(short_id, self.native_keys()))
        return Recipients(
            keys=(),
            names=(f"{self.name} ({ids})",),
            namespace=placement.namespace if placement else None,
            scope=placement.scope if placement else None,
            rule=place.rule if place else "",
        )

    def to_native(self, sealed: BitnamiSealedSecret) -> SealedSecret:
        """An object in our format.

        Raises:
            ClusterError: nobody answers.
            SealerError: it cannot be made ours, or the answer is not what was asked for.
        """
        prepared = prepare_unseen(sealed)
        if not sealed.encrypted_data:
            return prepared
        answer = _patiently(lambda: self._endpoints.native(sealed.to_manifest()), str(sealed))
        keys, items = self.native_keys(), sealed.encrypted_data.keys()
        return accept_native(prepared, answer, items=items, keys=keys)

    def rotated(self, sealed: BitnamiSealedSecret) -> BitnamiSealedSecret:
        """An object sealed to the newest key of its own format.

        Raises:
            ClusterError: nobody answers.
            SealerError: it cannot be opened, or the answer is not what was asked for.
        """
        answer = _patiently(lambda: self._endpoints.rotated(sealed.to_manifest()), str(sealed))
        return accept_rotated(sealed, answer)


class Clusters:
    """The clusters that are asked, by the files that are meant for them."""

    def __init__(self, sessions: Sequence[Session], repositories: Repositories) -> None:
        """Sessions with all clusters that may be meant."""
        self._sessions = {session.name: session for session in sessions}
        self._repositories = repositories

    @classmethod
    def open(cls, near: str, wish: Wish, service: str, terminal: Terminal) -> Clusters:
        """Find the clusters of a configuration, or kubectl's own.

        Args:
            near: the first argument, next to which the configuration is.
            wish: which one is meant.
            service: where the controller is.
            terminal: to say which is asked.

        Raises:
            UsageError: no cluster is named, or the Service is none.
            ClusterError: there is no usable kubeconfig.
            InvalidConfig, Refused, FileError, InvalidKey: a configuration cannot be read.
        """
        repositories = Repositories()
        repository = repositories.near(near)
        where = Service.read(service)
        sessions = [
            Session(asked, where, _pinned(repository, asked))
            for asked in clusters_to_ask(repository, wish)
        ]
        for session in sessions:
            terminal.note(f"asking {session.name}, Service {where}")
        return cls(sessions, repositories)

    def place(self, path: Path | None) -> Place | None:
        """What a configuration says of a file."""
        return self._repositories.place(path)

    def of(self, path: Path | None) -> Session:
        """The cluster that a file is for.

        Raises:
            Refused: it is for another one, or for several.
        """
        place = self.place(path)
        if place is None or place.placement is None:
            names = list(self._sessions)
        else:
            names = [cluster.name for cluster in place.placement.clusters]
        if len(names) != 1 or names[0] not in self._sessions:
            raise Refused(
                f"it is for {', '.join(names)}, and a cluster seals for itself only",
                hint="--cluster NAME says which one is asked; with --private-key FILE it is sealed "
                "for all of them",
            )
        return self._sessions[names[0]]


def _pinned(repository: Repository | None, asked: Asked) -> frozenset[str]:
    if repository is None or not asked.configured:
        return frozenset()
    keys = repository.all_keys()
    return frozenset(key.pinned.key.id for key in keys if key.cluster and key.owner == asked.name)


def _patiently(ask: Callable[[], Object | Wait], about: str) -> Object:
    waited = 0
    try:
        while isinstance(answer := ask(), Wait):
            if waited >= _PATIENCE_SECONDS:
                raise ClusterError(
                    "the controller is busy all the time (429)", hint="try again later"
                )
            sleep(answer.seconds)
            waited += answer.seconds
    except SealerError as error:
        raise error.at(obj=about) from None
    return answer


def no_way(error: SealerError) -> UsageError:
    """That there are neither keys nor a cluster, and what to do about either."""
    return UsageError(
        f"what kubeseal sealed is opened with its RSA keys or by its controller; {error.message}",
        hint="--private-key takes PEM files and what `kubectl get secret -n kube-system -o yaml "
        "-l sealedsecrets.bitnami.com/sealed-secrets-key` prints; --kubeconfig and --context name "
        "the cluster",
    )
