"""From documents in clear to the Secrets that are to be sealed, and back. Pure.

Reads Secrets as kubectl does (`stringData` wins over `data`) and SharedSecrets, and finds which of
them belong together. Of metadata only what people write is kept: name, namespace, labels and
annotations; what a cluster added (uid, resourceVersion, ownerReferences, managedFields, copies of
the whole object, marks of Argo CD and Flux) must not travel. No message repeats a value.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sealer.crypto.encoding import encode_base64
from sealer.crypto.scope import Kind
from sealer.errors import InvalidManifest, SealerError, UsageError
from sealer.manifests.fields import Fields
from sealer.manifests.models import (
    GROUP,
    OPAQUE,
    Manifest,
    Metadata,
    Secret,
    SharedSecret,
    identity,
    qualified,
)
from sealer.sources import Found

COPIES = frozenset(
    {
        "kapp.k14s.io/original",
        "kubecfg.ksonnet.io/last-applied-configuration",
        "kubectl.kubernetes.io/last-applied-configuration",
        "objectset.rio.cattle.io/applied",
    }
)
"""Annotations with a copy of the whole object, values included."""

_MARKS = COPIES | frozenset(
    {
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/namespace",
    }
)
"""What is put on objects in a cluster: copies of them, see `COPIES`; and marks.
Argo CD removes what bears its mark and is not in Git, so it would remove the Secret that is made.
"""

GIVEN = "-n"
"""What says a namespace on the command line."""

_SECRET = ("v1", "Secret")


@dataclass(frozen=True, slots=True)
class Plaintext:
    """What becomes one SealedSecret: a Secret, or a SharedSecret with the Secret of its values."""

    secret: Secret
    shared: SharedSecret | None = None


def is_plaintext(document: object) -> bool:
    """Whether a document is a Secret or a SharedSecret: something to seal.

    One with a missing or mistyped version counts too: it is to be refused, not to be passed over.
    """
    version, kind = identity(document)
    if kind == Kind.SECRET:
        return "/" not in version
    return kind == Kind.SHARED_SECRET and version.partition("/")[0] in ("", GROUP)


def read_secret(document: object) -> Secret:
    """Read a Secret in clear.

    Raises:
        InvalidManifest: a field is unknown or of the wrong type, `data` is not base64, or there is
            no name.
    """
    fields = Fields(document, "")
    if (fields.text("apiVersion"), fields.text("kind")) != _SECRET:
        raise InvalidManifest("a Secret has apiVersion v1", key="apiVersion")
    metadata = _metadata(document, fields)
    try:
        data = {key: _decode(key, text) for key, text in _values(fields, "data").items()}
        plain = {key: text.encode() for key, text in _values(fields, "stringData").items()}
        secret = Secret(
            metadata=metadata,
            data={**data, **plain},
            type=fields.optional_text("type") or OPAQUE,
            immutable=bool(fields.optional_flag("immutable")),
        )
        fields.finish()
    except UnicodeEncodeError:
        raise InvalidManifest("a value is not valid Unicode", obj=_named(metadata)) from None
    except InvalidManifest as error:
        raise error.at(obj=_named(metadata)) from None
    return secret


def to_manifest(secret: Secret) -> Manifest:
    """The whole Secret in clear, as Kubernetes has it: values in base64 under `data`."""
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": secret.metadata.to_manifest(),
        "type": secret.type,
        "data": {key: encode_base64(value) for key, value in sorted(secret.data.items())},
    }
    return manifest | ({"immutable": True} if secret.immutable else {})


def pair(
    objects: Iterable[Found],
    *,
    namespace: str = "",
    by: str = GIVEN,
    kind: Kind | None = None,
) -> list[Plaintext | None]:
    """What each object becomes, in their order.

    A SharedSecret and the Secret of its values become one, in the place of the first of them. The
    place of the second, like that of everything that is not to be sealed, gets None.

    Args:
        objects: objects of any kind.
        namespace: for those that name none.
        by: what says so, for messages.
        kind: seal plain Secrets as this kind; None as Secrets.

    Raises:
        InvalidManifest: malformed, twice the same object, a SharedSecret without its Secret, or
            an object of another namespace than the given one.
        UsageError: a SharedSecret, where kind Secret is asked for.
    """
    found = list(objects)
    read = [_read(at, namespace=namespace, by=by, kind=kind) for at in found]
    _check_complete(found, read)
    secrets = {qualified(obj.metadata): obj for obj in read if isinstance(obj, Secret)}
    shared = {qualified(obj.metadata): obj for obj in read if isinstance(obj, SharedSecret)}
    result: list[Plaintext | None] = []
    for obj in read:
        name = qualified(obj.metadata) if obj else ""
        # Taken out with the first of the two, so that the second finds nothing.
        secret = secrets.pop(name, None)
        result.append(
            Plaintext(secret, shared.get(name) or _as_kind(secret, kind)) if secret else None
        )
    return result


def placed(metadata: Metadata, namespace: str, *, what: str, by: str = GIVEN) -> Metadata:
    """Fill in the namespace that `by` asks for where an object, `what`, names none.

    Raises:
        InvalidManifest: it names another one.
    """
    if namespace and metadata.namespace not in ("", namespace):
        instead = "leave out -n (SEALER_NAMESPACE)" if by == GIVEN else "change the rule"
        raise InvalidManifest(
            f"says {metadata.namespace}, and {by} says {namespace}",
            obj=what,
            key="metadata.namespace",
            hint=f"{instead}, or mend the manifest",
        )
    return replace(metadata, namespace=metadata.namespace or namespace)


def _read(at: Found, *, namespace: str, by: str, kind: Kind | None) -> Secret | SharedSecret | None:
    if not is_plaintext(at.value):
        return None
    try:
        if at.value["kind"] == Kind.SHARED_SECRET:
            return _read_shared(at.value, namespace=namespace, by=by, kind=kind)
        secret = read_secret(at.value)
        metadata = placed(secret.metadata, namespace, what=str(secret), by=by)
        return replace(secret, metadata=metadata)
    except SealerError as error:
        raise at.located(error) from None


def _check_complete(found: list[Found], read: list[Secret | SharedSecret | None]) -> None:
    secrets = {qualified(obj.metadata) for obj in read if isinstance(obj, Secret)}
    seen = set()
    for at, obj in zip(found, read, strict=True):
        if obj is None:
            continue
        if str(obj) in seen:
            raise at.located(
                InvalidManifest("is here twice", obj=str(obj), hint="keep one of them")
            )
        seen.add(str(obj))
        if isinstance(obj, SharedSecret) and qualified(obj.metadata) not in secrets:
            raise at.located(
                InvalidManifest(
                    "the Secret with its values is not here",
                    obj=str(obj),
                    hint="put a Secret of the same name and namespace beside it",
                )
            )


def _read_shared(document: object, *, namespace: str, by: str, kind: Kind | None) -> SharedSecret:
    shared = SharedSecret.read(document)
    if kind is Kind.SECRET:
        raise UsageError(
            "a SharedSecret cannot be sealed as a Secret", obj=str(shared), hint="leave out --kind"
        )
    if shared.values_name != shared.metadata.name:
        raise InvalidManifest(
            "sealed, a SharedSecret and the Secret of its values have the same name",
            obj=str(shared),
            key="spec.secretName",
            hint="a SealedSecret has no field for a second name: remove secretName, and give the "
            "Secret the name of the SharedSecret",
        )
    metadata = placed(_travelling(shared.metadata), namespace, what=str(shared), by=by)
    return replace(shared, metadata=metadata)


def _as_kind(secret: Secret, kind: Kind | None) -> SharedSecret | None:
    if kind is not Kind.SHARED_SECRET:
        return None
    metadata = Metadata(namespace=secret.metadata.namespace, name=secret.metadata.name)
    return SharedSecret(metadata=metadata)


def _metadata(document: object, fields: Fields) -> Metadata:
    generated = isinstance(document, Mapping) and _generates_name(document.get("metadata"))
    metadata = _travelling(Metadata.read(fields))
    if not metadata.name:
        raise InvalidManifest(
            "a sealed Secret needs a name of its own" if generated else "there is no name",
            obj="Secret",
            key="metadata.name",
            hint="replace generateName by name" if generated else "",
        )
    return metadata


def _generates_name(metadata: object) -> bool:
    return isinstance(metadata, Mapping) and bool(metadata.get("generateName"))


def _travelling(metadata: Metadata) -> Metadata:
    labels, annotations = (
        {name: text for name, text in texts.items() if name not in _MARKS}
        for texts in (metadata.labels, metadata.annotations)
    )
    return replace(metadata, labels=labels, annotations=annotations)


def _values(fields: Fields, name: str) -> dict[str, str]:
    values = fields.mapping(name)
    return {key: _text(values, key, at=f"{name}.{key}") for key in values.names()}


def _text(values: Fields, key: str, *, at: str) -> str:
    text = values.optional_text(key)
    if text is None:
        raise InvalidManifest(
            "there is no value", key=at, hint='write "" if it is meant to be empty'
        )
    return text


def _decode(key: str, text: str) -> bytes:
    # Kubernetes' decoder (Go's StdEncoding) passes over line breaks, and over nothing else.
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", "").encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidManifest(
            "not base64",
            key=f"data.{key}",
            hint="a value in clear belongs under stringData",
        ) from None


def _named(metadata: Metadata) -> str:
    return f"Secret {qualified(metadata)}"
