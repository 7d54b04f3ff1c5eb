"""Sealed manifests for test vectors, built part by part so that any one part can be made wrong.

A `Draft` seals with whatever place it names at that moment; changing the draft afterwards gives a
manifest whose place is not the one its values were sealed for. Nothing is checked: that is what the
vectors are there to test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from sealer.crypto import envelope
from sealer.crypto.encoding import decode_base64, encode_base64
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Binding, Kind, Scope
from sealer.manifests.writing import Quoted, dump

FOLDER = Path(__file__).parent
ENTRY = "kq3vt7aa"
OTHER_ENTRY = "zx5c2m7q"
TIME = "2026-11-22T10:00:00Z"
LATER = "2026-11-23T18:30:59Z"
VALUE = b"made-up password, not a real one"


class Outcome(StrEnum):
    """What opening comes to (docs/format.md, section "Opening")."""

    SUCCESS = "success"
    MALFORMED = "malformed"
    UNSUPPORTED_FORMAT = "unsupported format"
    UNKNOWN_KEY = "unknown key"
    WRONG_BINDING = "wrong binding or altered"


@dataclass(frozen=True, slots=True)
class Vector:
    """One test vector.

    Attributes:
        keys: names of the test keys in the opener's keyring.
        values: SHA-256 of what each item opens to, as hex; only for success.
        manifest: the YAML text.
    """

    expect: Outcome
    keys: tuple[str, ...]
    comment: str
    values: Mapping[str, str]
    manifest: str

    def text(self) -> str:
        """The content of its file."""
        header = [f"expect: {self.expect}", f"keys: {' '.join(self.keys)}".rstrip()]
        header += [f"comment: {self.comment}"]
        header += [f"value: {name} {digest}" for name, digest in self.values.items()]
        return "\n".join([*header, "", self.manifest])

    @classmethod
    def read(cls, text: str) -> Vector:
        """The reverse of `text`."""
        head, _, manifest = text.partition("\n\n")
        fields = [line.partition(":")[::2] for line in head.splitlines()]
        one = {name: value.strip() for name, value in fields if name != "value"}
        values = dict(value.split() for name, value in fields if name == "value")
        keys = tuple(one["keys"].split())
        return cls(Outcome(one["expect"]), keys, one["comment"], values, manifest)


def test_keys() -> dict[str, UnsealingKey]:
    """The private keys of `keys.txt` by name. Known to everybody; seal nothing real to them."""
    lines = (FOLDER / "keys.txt").read_text().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: UnsealingKey(bytes.fromhex(seed)) for name, seed, _ in pairs}


test_keys.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


@dataclass(slots=True)
class DraftRecipient:
    """One recipient; everything can be overwritten."""

    key: str
    wrapped: str
    more: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class DraftEntry:
    """One entry; everything can be overwritten."""

    sealed_at: str
    commitment: str
    recipients: list[DraftRecipient]
    format: str = "v1"
    more: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """A manifest in the making. `None` leaves a field out."""

    kind: str | None = "Secret"
    scope: str | None = "strict"
    namespace: str | None = "shop"
    name: str = "db"
    entries: dict[str, DraftEntry] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)
    more_spec: dict[str, str] = field(default_factory=dict)
    more_template: dict[str, str] = field(default_factory=dict)

    def seal(
        self,
        values: Mapping[str, bytes] | None = None,
        *,
        entry: str = ENTRY,
        to: Sequence[str] = ("first",),
        at: str = TIME,
        data_key: bytes | None = None,
    ) -> Self:
        """One sealing operation, as docs/format.md says, for the place that the draft names now."""
        chosen = {"password": VALUE} if values is None else dict(values)
        data_key = data_key or envelope.new_data_key()
        self.entries[entry] = DraftEntry(
            sealed_at=at,
            commitment=encode_base64(envelope.commitment(data_key)),
            recipients=[self.recipient(name, data_key, at=at) for name in to],
        )
        for item_key, value in chosen.items():
            raw = envelope.seal_item(
                value, data_key=data_key, binding=self.binding, item_key=item_key
            )
            self.items[item_key] = f"{entry}:{encode_base64(raw)}"
        self.values |= chosen
        return self

    def recipient(self, key: str, data_key: bytes, *, at: str = TIME) -> DraftRecipient:
        """The data key wrapped to a test key."""
        public = test_keys()[key].public
        wrapped = envelope.wrap(data_key, to=public, binding=self.binding, sealed_at=at)
        return DraftRecipient(public.id, encode_base64(wrapped))

    @property
    def binding(self) -> Binding:
        """The place that the draft names now."""
        kind, scope = Kind(self.kind or "Secret"), Scope(self.scope or "strict")
        return Binding.of(kind, scope, namespace=self.namespace or "", name=self.name)

    @property
    def entry(self) -> DraftEntry:
        """The first entry."""
        return self.entries[ENTRY]

    def text(self) -> str:
        """The manifest as YAML."""
        metadata = {"name": self.name, "namespace": self.namespace}
        template = {"kind": self.kind, **self.more_template}
        spec = {
            "scope": self.scope,
            "seals": {name: _entry(entry) for name, entry in self.entries.items()},
            "encryptedData": {name: Quoted(text) for name, text in self.items.items()},
            "template": _present(template),
            **self.more_spec,
        }
        return dump(
            {
                "apiVersion": "sealer.dev/v1alpha1",
                "kind": "SealedSecret",
                "metadata": _present(metadata),
                "spec": {key: value for key, value in spec.items() if value},
            }
        )

    def opens(self, *, keys: Sequence[str] = ("first",)) -> Vector:
        """A vector that opens to the values that were sealed."""
        digests = {name: hashlib.sha256(value).hexdigest() for name, value in self.values.items()}
        return Vector(Outcome.SUCCESS, tuple(keys), "", digests, self.text())

    def fails(self, outcome: Outcome, *, keys: Sequence[str] = ("first",)) -> Vector:
        """A vector that does not open."""
        return Vector(outcome, tuple(keys), "", {}, self.text())


def altered(vector: Vector, old: str, new: str) -> Vector:
    """The same vector with one change in its text."""
    if vector.manifest.count(old) != 1:
        raise ValueError(f"{old!r} is there {vector.manifest.count(old)} times")
    text = vector.manifest.replace(old, new)
    return Vector(vector.expect, vector.keys, vector.comment, vector.values, text)


def flipped(text: str, position: int) -> str:
    """Base64 with the lowest bit of one byte flipped; a negative position counts from the end."""
    raw = bytearray(decode_base64(text))
    raw[position] ^= 1
    return encode_base64(bytes(raw))


def flipped_item(item: str, position: int) -> str:
    """An item with one bit of its ciphertext flipped."""
    entry, _, text = item.partition(":")
    return f"{entry}:{flipped(text, position)}"


def resized(text: str, change: int) -> str:
    """Base64 of fewer bytes (cut at the end) or of more (zeros at the end)."""
    raw = decode_base64(text)
    return encode_base64(raw + bytes(change) if change > 0 else raw[:change])


def resized_item(item: str, change: int) -> str:
    """An item of fewer or more bytes."""
    entry, _, text = item.partition(":")
    return f"{entry}:{resized(text, change)}"


def _entry(entry: DraftEntry) -> dict[str, str | list[dict[str, str]]]:
    return {
        "format": entry.format,
        "sealedAt": Quoted(entry.sealed_at),
        "commitment": entry.commitment,
        "recipients": [
            {"key": Quoted(one.key), "wrapped": one.wrapped, **one.more} for one in entry.recipients
        ],
        **entry.more,
    }


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
