"""Sealing for the sealed-secrets controller: from a Secret and a certificate to its manifest. Pure.

The result is what kubeseal would make of the same Secret. What goes in is held to our own rules:
what Kubernetes would refuse, or must not be sealed, is refused here. Whether the certificate is
still good is for the caller to ask, who may have been told to pass over that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sealer.bitnami_decoding import check_place
from sealer.crypto import bitnami
from sealer.crypto.bitnami import Certificate
from sealer.crypto.encoding import encode_base64
from sealer.crypto.scope import Kind, Scope
from sealer.errors import SealerError, UsageError
from sealer.manifests import validation
from sealer.manifests.bitnami import (
    BitnamiSealedSecret,
    BitnamiTemplate,
    scope_of,
    with_scope,
)
from sealer.manifests.models import Metadata, Secret, Template
from sealer.plaintext import GIVEN, Plaintext


@dataclass(frozen=True, slots=True, kw_only=True)
class BitnamiOrder:
    """How to seal what stands in files (`sealing_text.AnyOrder`).

    Attributes:
        scope: how far it may travel; None: as each Secret's own annotations say.
    """

    to: Certificate
    scope: Scope | None = None
    kind: Kind | None = None
    namespace: str = ""
    namespace_by: str = GIVEN

    def seal(self, plain: Plaintext) -> BitnamiSealedSecret:
        """Seal one object.

        Raises:
            UsageError: it is to become a SharedSecret.
            InvalidManifest, Refused: as `seal`.
        """
        if plain.shared is not None:
            raise UsageError(
                "sealed-secrets makes Secrets and no SharedSecrets",
                obj=str(plain.shared),
                hint="leave out --to bitnami (or --kind SharedSecret)",
            )
        return seal(plain.secret, to=self.to, scope=self.scope)


def seal(secret: Secret, *, to: Certificate, scope: Scope | None = None) -> BitnamiSealedSecret:
    """Seal a Secret to one certificate.

    Args:
        secret: what to seal; validated first.
        to: the recipient.
        scope: how far the result may travel; None: as the Secret's own annotations say.

    Raises:
        InvalidManifest: Kubernetes would not accept the Secret, or the scope needs a namespace.
        Refused: a type, label or annotation that must not be sealed.
    """
    try:
        return _seal(secret, to=to, scope=scope)
    except SealerError as error:
        raise error.at(obj=str(secret)) from None


def seal_value(value: bytes, *, to: Certificate, scope: Scope, namespace: str, name: str) -> str:
    """Seal a single value: the base64 that stands in `encryptedData`.

    Raises:
        InvalidManifest: a name is missing where the scope binds it, or not valid.
    """
    check_place(scope, namespace=namespace, name=name)
    label = bitnami.label_of(scope, namespace=namespace, name=name)
    return encode_base64(bitnami.seal_item(value, to=to, label=label).to_bytes())


def check_fits(sealed: BitnamiSealedSecret) -> None:
    """Check that a cluster can store a manifest.

    Raises:
        InvalidManifest: its compact JSON has more than 1.4 MiB.
    """
    text = json.dumps(sealed.to_manifest(), separators=(",", ":"), ensure_ascii=False)
    validation.check_sealed_size(len(text.encode(errors="replace")))


def _seal(secret: Secret, *, to: Certificate, scope: Scope | None) -> BitnamiSealedSecret:
    validation.check_secret(secret)
    metadata = secret.metadata
    word = Scope(scope or scope_of(metadata.annotations))
    annotations = with_scope(metadata.annotations, word)
    _check_template(secret)
    sealed = BitnamiSealedSecret(
        metadata=Metadata(
            namespace=metadata.namespace, name=metadata.name, annotations=with_scope({}, word)
        ),
        encrypted_data={
            key: seal_value(
                value, to=to, scope=word, namespace=metadata.namespace, name=metadata.name
            )
            for key, value in sorted(secret.data.items())
        },
        # The scope stands in the template too, as with kubeseal: their controller looks there
        # when it re-encrypts.
        template=BitnamiTemplate(
            type=secret.type,
            immutable=True if secret.immutable else None,
            labels=metadata.labels,
            annotations=annotations,
        ),
    )
    check_place(word, namespace=metadata.namespace, name=metadata.name)
    check_fits(sealed)
    return sealed


def _check_template(secret: Secret) -> None:
    metadata = secret.metadata
    template = Template(type=secret.type, labels=metadata.labels, annotations=metadata.annotations)
    validation.check_template(template, namespace=metadata.namespace)
