"""What a cluster made of a SealedSecret of sealed-secrets, checked before it is taken. Pure.

The answer came through a proxy that does not verify who gives it. So of the answer only what is
sealed is taken, and only if it claims to be for the same place and the same items, and, where it is
in our format, for the expected keys and no other. Everything else is taken from the file. That the
values are the same is known only to whoever has a key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sealer.bitnami_opening import decode_items
from sealer.crypto.scope import Kind, Scope
from sealer.decoding import decode
from sealer.errors import Refused, SealerError
from sealer.manifests.bitnami import API_VERSION, KIND, BitnamiSealedSecret
from sealer.manifests.models import Metadata, SealedSecret
from sealer.pinned_keys import short_id
from sealer.sealing import check_fits

_HINT = "nothing is changed; is this the Service of the controller that you mean?"


def accept_native(
    prepared: SealedSecret,
    answer: Mapping[str, object],
    *,
    items: Collection[str],
    keys: Collection[str],
) -> SealedSecret:
    """The object in our format.

    Args:
        prepared: all of it but the items, as `bitnami_native.prepare_unseen` made it.
        answer: the manifest that came back.
        items: the keys of the items.
        keys: ids of the keys that it must be sealed to, all of them and no other.

    Raises:
        Refused: it is for something else, or for somebody else.
        MalformedInput: it is not well-formed.
    """
    try:
        found = SealedSecret.read(answer)
        _check_place(prepared.metadata, found.metadata)
        _check_same("scope", prepared.scope, found.scope or Scope.STRICT)
        _check_same("kind", Kind.SECRET, found.template.kind or Kind.SECRET)
        _check_same("items", sorted(items), sorted(found.encrypted_data))
        for entry in found.seals.values():
            to = sorted(recipient.key for recipient in entry.recipients)
            _check_same("recipients", _short(keys), _short(to))
        native = replace(prepared, seals=found.seals, encrypted_data=found.encrypted_data)
        decode(native)
        check_fits(native)
    except SealerError as error:
        raise error.at(obj=str(prepared)) from None
    return native


def accept_rotated(
    sealed: BitnamiSealedSecret, answer: Mapping[str, object]
) -> BitnamiSealedSecret:
    """The object with its items sealed anew.

    Raises:
        Refused: it is for something else.
        MalformedInput: it is not well-formed.
    """
    try:
        # Their own controller leaves out what kind it is.
        found = BitnamiSealedSecret.read({"apiVersion": API_VERSION, "kind": KIND, **answer})
        _check_place(sealed.metadata, found.metadata)
        _check_same("scope", sealed.scope, found.scope)
        before, after = decode_items(sealed).items, decode_items(found).items
        _check_same("items", sorted(before), _without_results(sealed, after))
        for key, item in before.items():
            _check_same(f"length of {key}", len(item.ciphertext), len(after[key].ciphertext))
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return replace(sealed, encrypted_data={key: found.encrypted_data[key] for key in before})


def _without_results(sealed: BitnamiSealedSecret, items: Mapping[str, object]) -> list[str]:
    """The items of an answer, but for what their controller renders and seals besides."""
    made = sealed.template.data.keys()
    if not made.isdisjoint(sealed.encrypted_data):
        raise Refused(
            "a template makes the value of an item, and that could come back instead of it",
            hint="--private-key FILE reseals it here",
        )
    return sorted(items.keys() - made)


def _check_place(expected: Metadata, found: Metadata) -> None:
    _check_same("name", expected.name, found.name)
    _check_same("namespace", expected.namespace, found.namespace)


def _check_same(what: str, expected: object, found: object) -> None:
    if found != expected:
        raise Refused(
            f"the cluster answers with another {what}: {found}, not {expected}", hint=_HINT
        )


def _short(keys: Collection[str]) -> str:
    return ", ".join(short_id(key) for key in sorted(keys))
