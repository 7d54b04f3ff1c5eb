"""SealedSecrets of sealed-secrets in an inventory: since when, and to which keys if that is known.

Their values name no key, so which one it is shows only by opening them. Without that key it is
unknown, and what is said besides are candidates: known keys of the right size that had been made
when the value was committed. None of them is picked. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sealer.bitnami_opening import decode_items, unwrap
from sealer.crypto.bitnami import Certificate, Item, PrivateKey
from sealer.crypto.scope import Kind
from sealer.errors import CannotOpen, SealerError
from sealer.inventory import EntryStatus, Inventory, ObjectStatus, RecipientStatus, Standing
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import qualified
from sealer.sources import Found, Source

_MENTION = b"bitnami.com/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCertificate:
    """A key that is known by its certificate.

    Attributes:
        owner: whose it is, such as the name of a cluster; may be empty.
        is_newest: whether its owner seals to it now.
    """

    certificate: Certificate
    owner: str = ""
    is_newest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BitnamiKnowledge:
    """What is known besides the manifests.

    Attributes:
        certificates: in any order.
        private: RSA keys at hand.
        committed: value as it stands in a manifest to when it was committed, at the latest.
    """

    certificates: Sequence[KnownCertificate] = ()
    private: Sequence[PrivateKey] = ()
    committed: Mapping[str, datetime] = field(default_factory=dict)


def find(sources: Iterable[tuple[str, bytes]]) -> list[Found]:
    """The objects of sealed-secrets in files, given as names and contents.

    What cannot be read is passed over: `gathering.gather` says so of the same files.
    """
    return [at for name, raw in sources if _MENTION in raw for at in _objects(name, raw)]


def values_of(at: Found) -> tuple[str, ...]:
    """The values of an object as they stand there; none where it cannot be read."""
    try:
        return tuple(at.bitnami().encrypted_data.values())
    except SealerError:
        return ()


def take_stock(
    found: Iterable[Found],
    known: BitnamiKnowledge,
    *,
    namespaces: Mapping[str, str],
    now: datetime,
) -> Inventory:
    """Say of every object what is known of it.

    Args:
        found: as `find` found them.
        known: keys, and when values were committed.
        namespaces: name of a file to the namespace of its objects that name none.
        now: with a zone.
    """
    objects: list[ObjectStatus] = []
    problems: list[SealerError] = []
    for at in found:
        try:
            sealed = at.bitnami(namespace=namespaces.get(at.source.name, ""))
            objects.append(_object(at, sealed, known, now=now))
        except SealerError as error:
            problems.append(at.located(error))
    return Inventory(tuple(objects), tuple(problems))


def _objects(name: str, raw: bytes) -> Iterator[Found]:
    try:
        source = Source.read(name, raw.decode())
    except (SealerError, UnicodeDecodeError):
        return
    yield from (at for at in source.objects() if at.is_bitnami())


def _object(
    at: Found, sealed: BitnamiSealedSecret, known: BitnamiKnowledge, *, now: datetime
) -> ObjectStatus:
    return ObjectStatus(
        name=qualified(sealed.metadata),
        file=at.source.name,
        line=at.line(),
        scope=sealed.scope,
        kind=Kind.SECRET,
        entries=tuple(_entries(sealed, known, now=now)),
        format="bitnami",
    )


def _entries(
    sealed: BitnamiSealedSecret, known: BitnamiKnowledge, *, now: datetime
) -> Iterator[EntryStatus]:
    """One for all items of which the same is known."""
    decoded = decode_items(sealed)
    entries: dict[tuple[datetime | None, RecipientStatus], EntryStatus] = {}
    for key, item in sorted(decoded.items.items()):
        committed = known.committed.get(sealed.encrypted_data[key])
        to = _recipient(item, known, label=decoded.label, before=committed or now, now=now)
        one = EntryStatus(
            id="",
            sealed_at=None,
            committed_at=committed,
            age=None if committed is None else now - committed,
            items=(key,),
            recipients=(to,),
            missing=(),
        )
        same = entries.setdefault((committed, to), one)
        if same is not one:
            entries[committed, to] = replace(same, items=(*same.items, key))
    yield from entries.values()


def _recipient(
    item: Item, known: BitnamiKnowledge, *, label: bytes, before: datetime, now: datetime
) -> RecipientStatus:
    try:
        _, key = unwrap(item, known.private, label=label, item_key="")
    except CannotOpen:
        return RecipientStatus(
            key="",
            standing=Standing.UNKNOWN,
            candidates=tuple(_candidates(item, known, before=before)),
        )
    one = next((c for c in known.certificates if key.belongs_to(c.certificate)), None)
    if one is None:
        return RecipientStatus(key=key.fingerprint, standing=Standing.UNKNOWN)
    return RecipientStatus(
        key=key.fingerprint,
        standing=Standing.NEWEST if one.is_newest else Standing.OLDER,
        owner=one.owner or None,
        age=now - one.certificate.not_before,
    )


def _candidates(item: Item, known: BitnamiKnowledge, *, before: datetime) -> Iterator[str]:
    tried = {key.fingerprint for key in known.private}
    possible = {
        one.certificate.fingerprint: one.certificate.not_before
        for one in known.certificates
        if one.certificate.bits == 8 * len(item.wrapped) and one.certificate.not_before <= before
    }
    yield from (
        fingerprint
        for fingerprint in sorted(possible, key=lambda name: possible[name], reverse=True)
        if fingerprint not in tried
    )
