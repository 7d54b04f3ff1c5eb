"""From a SealedSecret of sealed-secrets to one of ours, with the private keys at hand. Pure.

What it becomes must stay what it was: scope, template, labels and annotations are carried over, and
templates only where ours gives the same for the values that are sealed now. What ours cannot say is
refused with the reason, and the object stays as it is. No value leaves this process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sealer.bitnami_opening import decode_items, open_items
from sealer.crypto.bitnami import PrivateKey
from sealer.crypto.keys import SealingKey
from sealer.crypto.primitives import TAG_BYTES
from sealer.crypto.scope import Kind
from sealer.decoding import binding_of, decode
from sealer.errors import InvalidTemplate, Refused, SealerError
from sealer.manifests import bitnami, go_templates, templates, validation
from sealer.manifests.bitnami import BitnamiSealedSecret, BitnamiTemplate, type_of, with_scope
from sealer.manifests.models import GROUP, SealedSecret, Secret, Template
from sealer.sealing import check_fits, with_items

_SETTINGS = {bitnami.MANAGED: f"{GROUP}/managed", bitnami.PATCH: f"{GROUP}/patch"}
"""Annotations of the Secret by which it may be taken over or patched: theirs, and ours."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of an object.

    Attributes:
        sealed: the same in our format.
        keys: fingerprints of the keys that opened it.
    """

    sealed: SealedSecret
    keys: tuple[str, ...]


def to_native(
    sealed: BitnamiSealedSecret,
    keys: Sequence[PrivateKey],
    *,
    to: Sequence[SealingKey],
    now: datetime,
) -> Converted:
    """Open every item and seal it anew, as one entry.

    Args:
        sealed: the manifest, with its namespace unless its scope is cluster-wide.
        keys: RSA keys, the newest first.
        to: the recipients.
        now: when it is sealed; values do not change, and are known to whoever has an old key.

    Raises:
        InvalidManifest, InvalidEnvelope, UnknownKey, WrongBinding, CannotOpen: as `open_items`.
        InvalidTemplate: a template that ours cannot say.
        Refused: finalizers, a Secret that is to have no owner, or what must not be sealed.
        CertificateError: no recipient, or too many.
    """
    try:
        values, used = open_items(sealed, keys)
        native = _without_items(sealed)
        binding_of(native)
        _check(native, values, go_templates.render_all(sealed.template.data, values))
        native = _with_items(native, values, to=to, now=now)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return Converted(native, used)


def to_native_unseen(
    sealed: BitnamiSealedSecret,
    keys: Sequence[PrivateKey],
    *,
    to: Sequence[SealingKey],
    now: datetime,
) -> Converted:
    """As `to_native`, for somebody who must learn nothing of the values, not even by a refusal.

    What can be refused is refused before anything is opened, and templates are translated and not
    rendered. So a value that theirs can render and ours cannot, such as one that is not UTF-8, is
    found by whoever opens the result.

    Raises:
        SealerError: as `to_native`; what is no `CannotOpen` is about what is not sealed.
    """
    try:
        native = prepare_unseen(sealed)
        values, used = open_items(sealed, keys)
        native = _with_items(native, values, to=to, now=now)
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return Converted(native, used)


def prepare_unseen(sealed: BitnamiSealedSecret) -> SealedSecret:
    """What `to_native_unseen` makes, without items; it needs no key.

    Raises:
        SealerError: as `to_native_unseen`, for everything but the values.
    """
    try:
        lengths = _lengths(sealed)
        native = _without_items(sealed)
        binding_of(native)
        go_templates.check_all(sealed.template.data, item_keys=lengths.keys())
        templates.check_all(native.template.data, item_keys=lengths.keys())
        stand_ins = {key: bytes(length) for key, length in lengths.items()}
        _check_secret(native, {**stand_ins, **dict.fromkeys(native.template.data, b"")})
    except SealerError as error:
        raise error.at(obj=str(sealed)) from None
    return native


def _lengths(sealed: BitnamiSealedSecret) -> dict[str, int]:
    """Of the values, which anybody can tell from what is sealed."""
    items = decode_items(sealed).items
    return {key: len(item.ciphertext) - TAG_BYTES for key, item in items.items()}


def _with_items(
    native: SealedSecret, values: Mapping[str, bytes], *, to: Sequence[SealingKey], now: datetime
) -> SealedSecret:
    if values:
        native = with_items(native, values, to=to, now=now)
    decode(native)
    check_fits(native)
    return native


def _without_items(sealed: BitnamiSealedSecret) -> SealedSecret:
    metadata = sealed.metadata
    return SealedSecret(
        metadata=replace(metadata, annotations=with_scope(metadata.annotations, bitnami.STRICT)),
        scope=sealed.scope,
        template=_template(sealed.template),
    )


def _template(theirs: BitnamiTemplate) -> Template:
    if theirs.finalizers:
        raise Refused(
            "a SealedSecret of ours gives its Secret no finalizers",
            key="spec.template.metadata.finalizers",
            hint="remove them first",
        )
    if theirs.annotations.get(bitnami.SKIP_OWNER) == bitnami.TRUE:
        raise Refused(
            "its Secret is to have no owner, and that of ours always has one",
            key=f"spec.template.metadata.annotations[{bitnami.SKIP_OWNER}]",
            hint="remove the annotation first, if the Secret may go with its SealedSecret",
        )
    settings = {
        ours: bitnami.TRUE
        for name, ours in _SETTINGS.items()
        if theirs.annotations.get(name) == bitnami.TRUE
    }
    return Template(
        kind=str(Kind.SECRET),
        type=theirs.type,
        immutable=theirs.immutable,
        labels=theirs.labels,
        annotations=dict(theirs.annotations) | settings,
        data={key: _translated(key, source) for key, source in theirs.data.items()},
    )


def _translated(key: str, source: str) -> str:
    try:
        return go_templates.parse(source).to_native()
    except InvalidTemplate as error:
        raise error.at(key=f"template.data.{key}") from None


def _check(
    native: SealedSecret, values: Mapping[str, bytes], rendered: Mapping[str, bytes]
) -> None:
    ours = templates.render_all(native.template.data, values)
    for key, value in rendered.items():
        if ours[key] != value:
            raise InvalidTemplate(
                "a template of ours would give something else for the values that are sealed",
                key=f"template.data.{key}",
                hint="seal the finished text as an item instead: `sealer unseal` shows it",
            )
    _check_secret(native, {**values, **ours})


def _check_secret(native: SealedSecret, data: Mapping[str, bytes]) -> None:
    metadata, template = native.metadata, native.template
    validation.check_template(template, namespace=metadata.namespace)
    validation.check_opened(
        Secret(
            metadata=replace(metadata, labels=template.labels, annotations=template.annotations),
            data=data,
            type=template.type or type_of(BitnamiTemplate()),
        )
    )
