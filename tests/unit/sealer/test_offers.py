from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.errors import InvalidEnvelope, Refused, SealerError, Unavailable
from sealer.key_usage import RESEAL_REVOKED
from sealer.keyring import HeldKey, KeyRecord, Keyring, KeyState
from sealer.label_selectors import LabelSelector
from sealer.live import remembered_exposure, shortfall
from sealer.manifests.models import Metadata, Recipient, SealedSecret, Secret
from sealer.offers import ClusterOffers, KeyringOffers, PrivateKeys, same_seals
from sealer.opening import unseal
from sealer.published_keys import PublishedKey, Role
from sealer.resealing import rewrap
from sealer.sealing import seal, with_items

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OLD, NEW, RECOVERY = (UnsealingKey(bytes([n] * 32)) for n in (1, 2, 3))
SEALED = seal(
    Secret(metadata=Metadata(namespace="shop", name="db"), data={"a": b"made-up"}),
    to=[OLD.public, RECOVERY.public],
    scope=Scope.STRICT,
    now=NOW,
)
(ENTRY,) = SEALED.seals
KEYRING = {OLD.id: OLD}
KEYS = tuple(
    PublishedKey(key=key.public, role=role, state=KeyState.ACTIVE, ordinal=ordinal)
    for key, role, ordinal in ((OLD, Role.CLUSTER, 1), (NEW, Role.CLUSTER, 2))
)


@dataclass(frozen=True)
class Objects:
    live: Mapping[str, Any] | None

    def sealed_secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        assert (namespace, name) == ("shop", "db")
        return self.live


def live(
    sealed: SealedSecret = SEALED, offered: Mapping[str, Any] | None = None, **status: object
) -> dict[str, Any]:
    manifest: dict[str, Any] = dict(sealed.to_manifest())
    manifest["metadata"] = {**manifest["metadata"], "generation": 3}
    ready = {"type": "Ready", "status": "True", "reason": "Opened", "message": "1 item"}
    manifest["status"] = {
        "observedGeneration": 3,
        "conditions": [ready],
        "rewrapped": offer() if offered is None else offered,
        **status,
    }
    return manifest


def offer(to: UnsealingKey = NEW) -> dict[str, Any]:
    new = rewrap(SEALED, KEYRING, to={ENTRY: (to.public,)})
    return {ENTRY: [recipient.to_manifest() for recipient in new[ENTRY]]}


def reseal(answer: Mapping[str, Any] | None) -> SealedSecret:
    offers = ClusterOffers(Objects(answer), KEYS, KEYS[1])
    return offers.resealed(SEALED, {ENTRY: [NEW.id]})


def test_what_a_cluster_offers_takes_the_place_of_its_old_key_and_opens() -> None:
    resealed = reseal(live())
    assert [r.key for r in resealed.seals[ENTRY].recipients] == [NEW.id, RECOVERY.id]
    assert unseal(resealed, {NEW.id: NEW}).secret.data == {"a": b"made-up"}
    assert resealed.encrypted_data == SEALED.encrypted_data


def test_an_older_manifest_than_the_clusters_is_left_and_named() -> None:
    changed = with_items(SEALED, {"b": b"made-up"}, to=[OLD.public], now=NOW)
    with pytest.raises(Refused, match="another version"):
        reseal(live(changed))


def test_recipients_alone_do_not_make_another_version() -> None:
    entry = SEALED.seals[ENTRY]
    fewer = replace(SEALED, seals={ENTRY: replace(entry, recipients=entry.recipients[:1])})
    assert same_seals(SEALED, live(fewer))
    assert not same_seals(SEALED, {"kind": "Other"})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, Refused),
        (live(offered={}), Unavailable),
        (live(offered={"x": "odd"}), Unavailable),
        (live(offered=offer(OLD)), Unavailable),
        (live(offered={ENTRY: [{"key": NEW.id, "wrapped": "AAAA"}]}), InvalidEnvelope),
        (live(offered={ENTRY: [*offer()[ENTRY], *offer(RECOVERY)[ENTRY]]}), Refused),
    ],
    ids=["absent", "nothing", "malformed", "another key", "no wrapped key", "unlisted key"],
)
def test_an_offer_that_does_not_fit_is_refused(
    answer: Mapping[str, Any] | None, error: type[SealerError]
) -> None:
    with pytest.raises(error):
        reseal(answer)


def test_a_keyring_offers_its_newest_key_by_itself() -> None:
    keyring = Keyring.of(
        HeldKey(
            public=key.public,
            record=KeyRecord(ordinal=ordinal, state=KeyState.ACTIVE, created_at=NOW),
            unwrapper=key,
        )
        for ordinal, key in ((1, OLD), (2, NEW))
    )
    offers = KeyringOffers(keyring)
    assert (offers.newest, offers.own) == (NEW.id, frozenset({OLD.id, NEW.id}))
    resealed = offers.resealed(SEALED, {ENTRY: [NEW.id]})
    assert [r.key for r in resealed.seals[ENTRY].recipients] == [NEW.id, RECOVERY.id]


def test_the_clusters_own_keys_are_what_the_newest_replaces() -> None:
    recovery = replace(KEYS[0], key=RECOVERY.public, role=Role.RECOVERY)
    offers = ClusterOffers(Objects(None), (*KEYS, recovery), KEYS[1])
    assert (offers.newest, offers.own) == (NEW.id, frozenset({OLD.id, NEW.id}))


def test_a_manifest_that_the_cluster_has_open_falls_short_of_nothing() -> None:
    assert shortfall(SEALED, live()) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "does not have it"),
        (live(replace(SEALED, scope="namespace-wide")), "another version"),
        (live(observedGeneration=2), "not looked at it yet"),
        (live(conditions=[]), "cannot be understood"),
        ({"kind": "Other"}, "cannot be understood"),
        (
            live(
                conditions=[
                    {"type": "Ready", "status": "False", "reason": "UnknownKey", "message": "key a"}
                ]
            ),
            "UnknownKey: key a",
        ),
    ],
    ids=["absent", "version", "not seen", "no condition", "no manifest", "not open"],
)
def test_what_keeps_a_manifest_from_being_open_is_named(
    answer: Mapping[str, Any] | None, words: str
) -> None:
    error = shortfall(SEALED, answer)
    assert error is not None
    assert words in str(error)


def test_what_a_cluster_remembers_is_read_as_far_as_it_can_be() -> None:
    assert remembered_exposure(live(exposed={ENTRY: OLD.id})) == {ENTRY: OLD.id}
    assert remembered_exposure(live()) == {}
    assert remembered_exposure(None) == {}
    assert remembered_exposure({"status": {"exposed": [1]}}) == {}


def test_recipients_are_copied_as_they_are() -> None:
    wrapped = offer()
    copied = reseal(live(offered=wrapped)).seals[ENTRY].recipients[0]
    assert copied == Recipient(NEW.id, wrapped[ENTRY][0]["wrapped"])


def test_what_is_not_offered_yet_is_left_for_the_next_time() -> None:
    more = with_items(SEALED, {"b": b"made-up"}, to=[OLD.public], now=NOW)
    offers = ClusterOffers(Objects(live(more)), KEYS, KEYS[1])
    resealed = offers.resealed(more, dict.fromkeys(more.seals, (NEW.id,)))
    on_newest = {
        name for name, entry in resealed.seals.items() if entry.recipients[0].key == NEW.id
    }
    assert on_newest == {ENTRY}


# --- recovery keys, peers, and what leaked

PEER = UnsealingKey(bytes([4] * 32))
REGISTERED = tuple(
    PublishedKey(key=key.public, role=role, state=KeyState.ACTIVE, namespaces=LabelSelector())
    for key, role in ((RECOVERY, Role.RECOVERY), (PEER, Role.PEER))
)


def registered(answer: Mapping[str, Any] | None = None) -> ClusterOffers:
    usable = frozenset({NEW.id, RECOVERY.id, PEER.id})
    return ClusterOffers(Objects(answer), (*KEYS, *REGISTERED), KEYS[1], usable)


def test_registered_keys_are_wanted_while_they_are_usable() -> None:
    assert registered().wanted == (RECOVERY.id, PEER.id)
    assert replace(registered(), usable=frozenset({PEER.id})).wanted == (PEER.id,)
    alone = tuple(replace(key, namespaces=None) for key in REGISTERED)
    assert replace(registered(), keys=alone).wanted == (RECOVERY.id,)


def test_missing_recovery_key_is_added_beside_what_is_there() -> None:
    offers, before = registered(live(offered=offer(RECOVERY))), sealed_to_new()
    resealed = offers.resealed(before, {ENTRY: [RECOVERY.id, PEER.id]})
    assert [r.key for r in resealed.seals[ENTRY].recipients] == [NEW.id, RECOVERY.id]
    assert resealed.seals[ENTRY].recipients[0] == before.seals[ENTRY].recipients[0]


def test_what_is_there_already_is_not_replaced_by_an_older_offer() -> None:
    both = {ENTRY: [*offer()[ENTRY], *offer(RECOVERY)[ENTRY]]}
    before = sealed_to_new()
    resealed = registered(live(offered=both)).resealed(before, {ENTRY: [RECOVERY.id]})
    assert resealed.seals[ENTRY].recipients[0] == before.seals[ENTRY].recipients[0]


def test_peer_that_is_offered_nothing_here_is_no_failure_and_recovery_is() -> None:
    offers, before = registered(live(offered={})), sealed_to_new()
    assert offers.resealed(before, {ENTRY: [PEER.id]}) == before
    with pytest.raises(Unavailable, match=f"does not offer it on key {RECOVERY.id}"):
        offers.resealed(before, {ENTRY: [RECOVERY.id, PEER.id]})


def test_newest_key_that_is_not_offered_is_not_left_out() -> None:
    with pytest.raises(Unavailable, match=f"does not offer entry {ENTRY} on key {NEW.id}"):
        registered(live(offered=offer(RECOVERY))).resealed(SEALED, {ENTRY: [NEW.id, RECOVERY.id]})


@pytest.mark.parametrize(("asks", "advice"), [(False, "reseal-revoked"), (True, "describe")])
def test_what_is_under_a_revoked_key_is_offered_to_who_asks(*, asks: bool, advice: str) -> None:
    leaked = (replace(KEYS[0], state=KeyState.REVOKED), KEYS[1])
    offers = ClusterOffers(Objects(live(offered={})), leaked, KEYS[1])
    assert offers.revoked == {OLD.id}
    asking = replace(SEALED.metadata, annotations={RESEAL_REVOKED: "true"} if asks else {})
    with pytest.raises(Unavailable) as caught:
        offers.resealed(replace(SEALED, metadata=asking), {ENTRY: [NEW.id]})
    assert advice in caught.value.hint


def sealed_to_new() -> SealedSecret:
    entry = SEALED.seals[ENTRY]
    new = rewrap(SEALED, KEYRING, to={ENTRY: (NEW.public,)})[ENTRY]
    return replace(SEALED, seals={ENTRY: replace(entry, recipients=new)})


def test_private_key_at_hand_adds_what_is_lacking_and_takes_nothing_away() -> None:
    keys = PrivateKeys({RECOVERY.id: RECOVERY}, (NEW.public, RECOVERY.public))
    keys.check()
    assert (keys.own, keys.revoked) == (frozenset({RECOVERY.id}), frozenset())
    due = keys.due(SEALED)
    assert due == {ENTRY: (NEW.id,)}
    resealed = keys.resealed(SEALED, due)
    assert [r.key for r in resealed.seals[ENTRY].recipients] == [OLD.id, RECOVERY.id, NEW.id]
    assert unseal(resealed, {NEW.id: NEW}).secret.data == {"a": b"made-up"}
    assert keys.due(resealed) == {}


def test_entry_without_room_is_refused_and_not_cut_short() -> None:
    to = tuple(UnsealingKey(bytes([number] * 32)).public for number in range(10, 41))
    keys = PrivateKeys({RECOVERY.id: RECOVERY}, to)
    with pytest.raises(InvalidEnvelope, match="1 to 32 recipients"):
        keys.resealed(SEALED, keys.due(SEALED))


def test_cluster_is_asked_for_what_is_stale_whether_it_offers_it_or_not() -> None:
    offers = ClusterOffers(Objects(None), KEYS, KEYS[1])
    offers.check()
    assert offers.due(SEALED) == {ENTRY: (NEW.id,)}
