"""Opening SealedSecrets of sealed-secrets: from a manifest and RSA keys to a Secret. Pure.

The values name no key, so keys are tried in the order in which they are given, the newest first;
the one that opened an item is tried first for the next. All or nothing. A key that does not fit
cannot be told from another place or an altered value, and the errors say no more than is known.
Types that must not be sealed are for the caller to judge: what is in Git has to come out somehow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sealer import plaintext
from sealer.bitnami_decoding import BitnamiDecoded, decode, label_for
from sealer.crypto.bitnami import Item, PrivateKey
from sealer.crypto.primitives import AuthenticationFailed
from sealer.crypto.scope import Scope
from sealer.errors import (
    CannotOpen,
    InvalidEnvelope,
    InvalidManifest,
    SealerError,
    UnknownKey,
    WrongBinding,
)
from sealer.manifests import go_templates, validation
from sealer.manifests.bitnami import BitnamiSealedSecret, type_of
from sealer.manifests.models import Secret, Template

DEPRECATED = "spec.data"
"""The whole Secret as one value."""
KEYS_HINT = (
    "--private-key takes PEM files and what `kubectl get secret -n kube-system -o yaml "
    "-l sealedsecrets.bitnami.com/sealed-secrets-key` prints"
)


@dataclass(frozen=True, slots=True)
class BitnamiOpened:
    """What an object stands for.

    Attributes:
        secret: the Secret, results of templates included.
        items: the values that are sealed; empty for the deprecated form.
        keys: fingerprints of the keys that opened it, the one that opened most items first.
    """

    secret: Secret
    items: Mapping[str, bytes] = field(repr=False)
    keys: tuple[str, ...]


def unseal(sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey]) -> BitnamiOpened:
    """Open every item and render the templates. All or nothing.

    Args:
        sealed: the manifest; with its namespace, unless its scope is cluster-wide.
        keys: in the order in which they are to be tried: newest first, or the one that is known
            to have opened this object.

    Raises:
        InvalidManifest, InvalidEnvelope, InvalidTemplate: malformed.
        UnknownKey: it is sealed to none of these keys.
        WrongBinding: the key is here, and the value was altered.
        CannotOpen: sealed to another key, for another place, or altered.
    """
    try:
        decoded = decode(sealed)
        if decoded.whole is not None:
            raw, key = _open(decoded.whole, keys, label=decoded.label, item_key=DEPRECATED)
            return BitnamiOpened(_whole_secret(sealed, raw), {}, (key.fingerprint,))
        items, used = _open_all(decoded, keys)
        return BitnamiOpened(_produce(sealed, items), items, used)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def open_items(
    sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The values of all items and the keys that opened them; templates are not even looked at.

    Raises:
        InvalidManifest, InvalidEnvelope: malformed, or the deprecated form, which has no items.
        UnknownKey, WrongBinding, CannotOpen: as `unseal`.
    """
    try:
        return _open_all(decode_items(sealed), keys)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def decode_items(sealed: BitnamiSealedSecret) -> BitnamiDecoded:
    """As `decode`, for what is to be written again.

    Raises:
        InvalidManifest, InvalidEnvelope: malformed, or the deprecated form, which has no items.
    """
    decoded = decode(sealed)
    if decoded.whole is not None:
        raise InvalidEnvelope(
            "the deprecated form, one value for the whole Secret, is read and not written",
            key=DEPRECATED,
            hint="seal the Secret anew: `sealer unseal` shows it",
        )
    return decoded


def check_opens(sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey]) -> None:
    """Check that every value opens, and look at none; templates are left alone.

    Raises:
        InvalidManifest, InvalidEnvelope: malformed.
        UnknownKey, WrongBinding, CannotOpen: as `unseal`.
    """
    try:
        decoded = decode(sealed)
        whole = {} if decoded.whole is None else {DEPRECATED: decoded.whole}
        _open_all(replace(decoded, items={**decoded.items, **whole}), keys)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None


def check_result(opened: BitnamiOpened) -> None:
    """Check what an object becomes, by what is no part of a value; what a cluster would refuse.

    Raises:
        InvalidManifest, Refused: as `validation.check_opened` and `validation.check_template`.
    """
    metadata = opened.secret.metadata  # of the deprecated form, what was sealed
    template = Template(labels=metadata.labels, annotations=metadata.annotations)
    validation.check_template(template, namespace=metadata.namespace)
    validation.check_opened(opened.secret)


def check_frame(sealed: BitnamiSealedSecret) -> None:
    """As `check_result`, as far as that can be told without a key.

    Raises:
        InvalidManifest, Refused: the same.
    """
    if sealed.whole is None:
        keys = (*sealed.encrypted_data, *sealed.template.data)
        check_result(BitnamiOpened(_made(sealed, dict.fromkeys(keys, b"")), {}, ()))


def explained(
    error: SealerError, sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey]
) -> SealerError:
    """A better error where the values open under another scope than the annotations say.

    For whoever holds the keys: a controller would answer questions with it, and try every key
    twice more.
    """
    if type(error) is not CannotOpen:
        return error
    for scope in Scope:
        if scope != sealed.scope and _opens_under(scope, sealed, keys):
            return WrongBinding(
                f"sealed with scope {scope}, and the annotations say {sealed.scope}",
                obj=error.obj,
                key=error.key,
                hint="annotate the SealedSecret as it was sealed, or seal it anew",
            )
    return error


def _opens_under(scope: Scope, sealed: BitnamiSealedSecret, keys: Sequence[PrivateKey]) -> bool:
    try:
        decoded = replace(decode(sealed), label=label_for(sealed, scope))
        whole = {} if decoded.whole is None else {DEPRECATED: decoded.whole}
        _open_all(replace(decoded, items=decoded.items or whole), keys)
    except SealerError:
        return False
    return True


def _open_all(
    decoded: BitnamiDecoded, keys: Sequence[PrivateKey]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    order = list(keys)
    used: Counter[str] = Counter()
    values = {}
    for item_key, item in decoded.items.items():
        values[item_key], key = _open(item, order, label=decoded.label, item_key=item_key)
        order.remove(key)
        order.insert(0, key)
        used[key.fingerprint] += 1
    return values, tuple(name for name, _ in used.most_common())


def _open(
    item: Item, keys: Sequence[PrivateKey], *, label: bytes, item_key: str
) -> tuple[bytes, PrivateKey]:
    session_key, key = unwrap(item, keys, label=label, item_key=item_key)
    return open_with(session_key, item, item_key=item_key), key


def open_with(session_key: bytes, item: Item, *, item_key: str) -> bytes:
    """The value of an item whose session key is known.

    Raises:
        WrongBinding: the value was altered.
    """
    try:
        return item.open(session_key)
    except AuthenticationFailed:
        raise WrongBinding("altered since it was sealed", key=item_key) from None


def unwrap(
    item: Item, keys: Sequence[PrivateKey], *, label: bytes, item_key: str
) -> tuple[bytes, PrivateKey]:
    """The session key of an item, and the key that opened it; keys are tried in their order.

    Raises:
        UnknownKey: none of the keys has the size of the one that it is sealed to.
        CannotOpen: none of them opens it.
    """
    fitting = [key for key in keys if key.wrapped_bytes == len(item.wrapped)]
    for key in fitting:
        try:
            return key.unwrap(item.wrapped, label=label), key
        except AuthenticationFailed:
            continue
    if not fitting:
        raise UnknownKey(
            f"sealed to an RSA key of {8 * len(item.wrapped)} bits, and no such key is here",
            key=item_key,
            hint=KEYS_HINT,
        )
    tried = "the RSA key does not open it"
    if len(fitting) > 1:
        tried = f"none of {len(fitting)} RSA keys opens it"
    raise CannotOpen(
        f"{tried}: sealed to another key, for another namespace, name or scope, or altered since",
        key=item_key,
        hint=KEYS_HINT,
    )


def _produce(sealed: BitnamiSealedSecret, items: Mapping[str, bytes]) -> Secret:
    return _made(sealed, {**items, **go_templates.render_all(sealed.template.data, items)})


def _made(sealed: BitnamiSealedSecret, data: Mapping[str, bytes]) -> Secret:
    template = sealed.template
    return Secret(
        metadata=replace(
            sealed.metadata, labels=dict(template.labels), annotations=dict(template.annotations)
        ),
        data=data,
        type=type_of(template),
        immutable=bool(template.immutable),
    )


def _whole_secret(sealed: BitnamiSealedSecret, raw: bytes) -> Secret:
    """The Secret that is the value; its name and namespace are the SealedSecret's."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidManifest("the value is not a Secret in JSON", key=DEPRECATED)
    metadata = document.get("metadata")
    named = {**metadata, "name": sealed.metadata.name} if isinstance(metadata, dict) else metadata
    secret = plaintext.read_secret(document | {"metadata": named})
    placed = replace(secret.metadata, namespace=sealed.metadata.namespace)
    return replace(secret, metadata=placed)
