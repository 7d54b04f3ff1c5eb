"""From the text of a sealed manifest to the bytes and the binding that cryptography needs. Pure.

Everything that can be checked without a key is checked here, whole: after `decode` an object is
well-formed, and what can still fail is finding a key and authenticating. No value is met here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sealer.crypto import envelope
from sealer.crypto.encoding import decode_base64
from sealer.crypto.keys import KEY_ID
from sealer.crypto.primitives import WRAPPED_BYTES
from sealer.crypto.scope import Binding, Kind, Scope
from sealer.errors import InvalidEnvelope, InvalidManifest, SealerError
from sealer.manifests import templates, validation
from sealer.manifests.models import Entry, SealedSecret
from sealer.manifests.times import parse_time

_Word = TypeVar("_Word", Scope, Kind)

MAX_ENTRIES = 1024
MAX_ITEMS = 16384
"""More than ever fit into 1.4 MiB; schemas/crds has the same bounds."""
MAX_RECIPIENTS = 32
"""Keys that one entry may be wrapped to; each costs 1.6 kB in every manifest."""


@dataclass(frozen=True, slots=True)
class DecodedEntry:
    """One sealing operation; `wrapped` is key id to wrapped data key, in the manifest's order."""

    sealed_at: str
    commitment: bytes
    wrapped: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A well-formed SealedSecret; `items` is item key to entry id and ciphertext."""

    binding: Binding
    entries: Mapping[str, DecodedEntry]
    items: Mapping[str, tuple[str, bytes]] = field(repr=False)


def decode(sealed: SealedSecret) -> Decoded:
    """Check and decode everything that needs no key.

    Raises:
        InvalidManifest, InvalidEnvelope, InvalidTemplate: the first thing that is malformed.
        Refused: a type or label that no SealedSecret may have.
    """
    try:
        return _decode(sealed)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def _decode(sealed: SealedSecret) -> Decoded:
    binding = binding_of(sealed)
    validation.check_template(sealed.template, namespace=sealed.metadata.namespace)
    for what, mapping, most in (
        ("seals", sealed.seals, MAX_ENTRIES),
        ("encryptedData", sealed.encrypted_data, MAX_ITEMS),
    ):
        if len(mapping) > most:
            raise InvalidEnvelope(f"at most {most} fit, found {len(mapping)}", key=f"spec.{what}")
    entries = {name: _decode_entry(name, entry) for name, entry in sealed.seals.items()}
    items = {
        item_key: _decode_item(item_key, text, entries)
        for item_key, text in sealed.encrypted_data.items()
    }
    templates.check_all(sealed.template.data, item_keys=items.keys())
    return Decoded(binding, entries, items)


def binding_of(sealed: SealedSecret) -> Binding:
    """What the ciphertexts of a manifest are bound to.

    Raises:
        InvalidManifest: scope or kind is no known word, or the scope needs a name that is missing.
    """
    scope = _word(sealed.scope, Scope.STRICT, path="spec.scope")
    kind = _word(sealed.template.kind, Kind.SECRET, path="spec.template.kind")
    metadata = sealed.metadata
    validation.check_name(metadata.name)
    if metadata.namespace:
        validation.check_namespace(metadata.namespace)
    elif scope is not Scope.CLUSTER_WIDE:
        raise InvalidManifest(
            f"scope {scope} needs a namespace",
            key="metadata.namespace",
            hint="add metadata.namespace, or -n NAMESPACE when sealing",
        )
    return Binding.of(kind, scope, namespace=metadata.namespace, name=metadata.name)


def _word(text: str | None, default: _Word, *, path: str) -> _Word:
    words = type(default)
    try:
        return default if text is None else words(text)
    except ValueError:
        raise InvalidManifest(f"must be one of {', '.join(words)}", key=path) from None


def _decode_entry(entry_id: str, entry: Entry) -> DecodedEntry:
    path = f"spec.seals.{entry_id}"
    if not envelope.ENTRY_ID.fullmatch(entry_id):
        raise InvalidEnvelope("an entry id is 8 characters a-z2-7, the first a letter", key=path)
    try:
        parse_time(entry.sealed_at)
    except InvalidManifest as error:
        raise InvalidEnvelope(error.message, key=f"{path}.sealedAt") from None
    committed = _decode_field(entry.commitment, f"{path}.commitment", envelope.COMMITMENT_BYTES)
    if not 1 <= len(entry.recipients) <= MAX_RECIPIENTS:
        raise InvalidEnvelope(f"expected 1 to {MAX_RECIPIENTS} recipients", key=path)
    wrapped: dict[str, bytes] = {}
    for index, recipient in enumerate(entry.recipients):
        at = f"{path}.recipients[{index}]"
        if not KEY_ID.fullmatch(recipient.key):
            raise InvalidEnvelope("a key id is 32 lower-case hex digits", key=f"{at}.key")
        if recipient.key in wrapped:
            raise InvalidEnvelope("the same key twice", key=f"{at}.key")
        wrapped[recipient.key] = _decode_field(recipient.wrapped, f"{at}.wrapped", WRAPPED_BYTES)
    return DecodedEntry(entry.sealed_at, committed, wrapped)


def _decode_field(text: str, path: str, size: int) -> bytes:
    try:
        raw = decode_base64(text)
    except InvalidEnvelope as error:
        raise error.at(key=path) from None
    if len(raw) != size:
        raise InvalidEnvelope(f"expected {size} bytes, found {len(raw)}", key=path)
    return raw


def _decode_item(
    item_key: str, text: str, entries: Mapping[str, DecodedEntry]
) -> tuple[str, bytes]:
    validation.check_item_key(item_key)
    entry_id, colon, encoded = text.partition(":")
    try:
        if not colon or not envelope.ENTRY_ID.fullmatch(entry_id):
            raise InvalidEnvelope("expected <entry id>:<base64>")  # noqa: TRY301 - located below
        raw = decode_base64(encoded)
        envelope.check_item_size(len(raw))
    except InvalidEnvelope as error:
        raise error.at(key=item_key) from None
    if entry_id not in entries:
        raise InvalidEnvelope(
            f"refers to entry {entry_id}, which spec.seals does not have",
            key=item_key,
            hint="a merge may have lost it: take spec.seals and encryptedData from the same side",
        )
    return entry_id, raw
