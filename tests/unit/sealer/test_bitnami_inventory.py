"""What is known of objects of sealed-secrets: keys that open them, and candidates; no guesses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sealer.bitnami_inventory import (
    BitnamiKnowledge,
    KnownCertificate,
    find,
    take_stock,
    values_of,
)
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.inventory import Inventory, ObjectStatus, Standing, joined
from sealer.inventory_text import rows, to_json
from sealer.manifests import documents
from sealer.manifests.models import Metadata, Secret
from tests import rsa_keys

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
KEYS = (rsa_keys.OLD, rsa_keys.OTHER, rsa_keys.NEW)
OLD, OTHER, NEW = (Certificate.from_pem(key.certificate()) for key in KEYS)
PRIVATE = [PrivateKey.from_pem(key.to_pem()) for key in KEYS]
KNOWN = [
    KnownCertificate(certificate=OLD),
    KnownCertificate(certificate=NEW, owner="prod", is_newest=True),
    KnownCertificate(certificate=OTHER),
]


def _text(to: Certificate, name: str = "db") -> str:
    secret = Secret(
        metadata=Metadata(namespace="shop", name=name), data={"a": b"made-up", "b": b"made-up"}
    )
    return documents.dump(seal(secret, to=to).to_manifest())


def _take(text: str, known: BitnamiKnowledge) -> Inventory:
    raw = text.encode()
    found = find(
        [
            ("db.yaml", raw),
            ("other.yaml", b"kind: ConfigMap"),
            ("broken.yaml", b"{" + raw),
            ("latin.yaml", b"# \xe9\n" + raw),
        ]
    )
    return take_stock(found, known, namespaces={"db.yaml": "shop"}, now=NOW)


def _only(inventory: Inventory) -> ObjectStatus:
    (one,) = inventory.objects
    assert (one.format, one.file, one.name) == ("bitnami", "db.yaml", "shop/db")
    return one


def test_with_the_key_at_hand_it_is_known_whether_it_is_the_newest() -> None:
    known = BitnamiKnowledge(certificates=KNOWN, private=PRIVATE)
    (old,) = _only(_take(_text(OLD), known)).recipients()
    (new,) = _only(_take(_text(NEW), known)).recipients()
    assert (old.key, old.standing, old.owner) == (OLD.fingerprint, Standing.OLDER, None)
    assert (new.key, new.standing, new.owner) == (NEW.fingerprint, Standing.NEWEST, "prod")
    assert new.age == NOW - NEW.not_before
    (undated,) = _only(_take(_text(NEW), BitnamiKnowledge(private=PRIVATE))).recipients()
    assert (undated.key, undated.standing) == (NEW.fingerprint, Standing.UNKNOWN)


def test_without_it_there_are_candidates_and_no_guess() -> None:
    one = _only(_take(_text(OLD), BitnamiKnowledge(certificates=KNOWN)))
    (to,) = one.recipients()
    assert (to.key, to.standing) == ("", Standing.UNKNOWN)
    assert to.candidates == (NEW.fingerprint, OTHER.fingerprint, OLD.fingerprint)
    assert one.is_unknown
    assert not one.is_stale
    (row,) = rows(Inventory((one,)))
    assert "unknown (candidates: SHA256:" in row[4]
    assert row[4].endswith(", 1 older)")


def test_a_key_that_was_made_later_or_has_failed_is_no_candidate() -> None:
    text = _text(OLD)
    (at,) = find([("db.yaml", text.encode())])
    first, second = values_of(at)
    committed = datetime(2025, 6, 1, tzinfo=UTC)
    known = BitnamiKnowledge(certificates=KNOWN, private=PRIVATE[1:], committed={first: committed})
    one = _only(_take(text, known))
    dated, undated = one.entries
    assert (dated.items, dated.age) == (("a",), NOW - committed)
    assert (undated.items, undated.age) == (("b",), None)
    assert {to.candidates for to in one.recipients()} == {(OLD.fingerprint,)}
    known = BitnamiKnowledge(
        certificates=KNOWN, committed={first: committed, second: committed + timedelta(days=400)}
    )
    assert [entry.recipients[0].candidates for entry in _only(_take(text, known)).entries] == [
        (OTHER.fingerprint, OLD.fingerprint),
        (NEW.fingerprint, OTHER.fingerprint, OLD.fingerprint),
    ]


def test_nothing_known_is_nothing_said() -> None:
    inventory = _take(_text(OLD), BitnamiKnowledge())
    (row,) = rows(inventory)
    assert (row[4], row[5]) == ("unknown", "unknown")
    (entry,) = to_json(inventory)["objects"][0]["entries"]  # type: ignore[index]
    assert entry["keys"][0]["key"] is None
    assert (entry["sealedAt"], entry["committedAt"]) == (None, None)


def test_what_is_malformed_is_a_problem_beside_the_others() -> None:
    broken = _text(OLD, "broken").replace("a: AQ", "a: BQ")
    shapeless = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: []\n"
    text = f"{_text(NEW)}---\n{broken}---\n{shapeless}"
    inventory = _take(text, BitnamiKnowledge())
    assert len(inventory.problems) == 2
    assert joined(inventory, inventory).objects == inventory.objects * 2
    (*_, last) = find([("db.yaml", text.encode())])
    assert values_of(last) == ()
