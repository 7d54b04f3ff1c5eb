"""The keys of a sealed-secrets controller: from its Secrets, backups of them and PEM files. Pure.

A backup is what `kubectl get secret -o yaml` or `-o json` prints: Secrets or lists of them, in any
number of documents. A Secret that holds no usable key is a problem that is told, and does not stop
the others. What a key is for, opening, needs no certificate; with one it is known which is newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sealer import plaintext
from sealer.crypto.bitnami import Certificate, PrivateKey, private_keys_from_pem
from sealer.errors import InvalidKey, SealerError
from sealer.manifests.bitnami import KEY_LABEL
from sealer.manifests.models import Secret, identity
from sealer.manifests.nodes import Value
from sealer.sources import Source

T = TypeVar("T")

ACTIVE = "active"
_KEY = "tls.key"
_CERTIFICATE = "tls.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A key with what its Secret says of it.

    Attributes:
        name: of the Secret, or of the file.
        certificate: None where the key is all there is.
        active: whether it is labelled as in use.
    """

    name: str
    key: PrivateKey
    certificate: Certificate | None = None
    active: bool = False

    @property
    def not_before(self) -> datetime | None:
        """When it was made, as far as a certificate says so."""
        return self.certificate.not_before if self.certificate else None


@dataclass(frozen=True, slots=True)
class Backup:
    """The keys of a backup, and why others that it should hold are missing."""

    keys: tuple[KeyPair, ...]
    problems: tuple[SealerError, ...]


def read_key(secret: Secret) -> KeyPair:
    """The key pair that a key Secret holds.

    Raises:
        InvalidKey: the key is missing, malformed or no RSA key, or the certificate is malformed or
            another key's; says which Secret.
    """
    return _read_key(secret, _checked_key)


def read_key_in_use(secret: Secret) -> KeyPair:
    """As `read_key`, in a few milliseconds; checked against its certificate, which it must have.

    Raises:
        InvalidKey: as `read_key`; or there is no certificate.
    """
    return _read_key(secret, _key_of_certificate)


def read_each(
    manifests: Iterable[Mapping[str, object]], read: Callable[[Mapping[str, object]], T]
) -> tuple[tuple[T, ...], tuple[SealerError, ...]]:
    """Key Secrets as the API server lists them, and why some cannot be read; in their order.

    Args:
        manifests: what it lists under `KEY_LABEL`.
        read: reads one; what it raises as a `SealerError` is a problem that stops no other.
    """
    found: list[T] = []
    problems: list[SealerError] = []
    for manifest in manifests:
        try:
            found.append(read(manifest))
        except SealerError as error:
            problems.append(error)
    return tuple(found), tuple(problems)


def read_backup(source: Source) -> Backup:
    """All keys of a backup, the newest first, each once.

    Secrets that say nothing of being keys and hold none are passed over, so that a backup may be
    that of a whole namespace.

    Raises:
        InvalidKey: it holds no key at all.
    """
    keys: list[KeyPair] = []
    problems: list[SealerError] = []
    passed_over: list[SealerError] = []
    for at in source.objects():
        if identity(at.value) != ("v1", "Secret"):
            continue
        try:
            secret = plaintext.read_secret(at.value)
            if _KEY in secret.data or _is_labelled(at.value):
                keys.append(read_key(secret))
        except SealerError as error:
            (problems if _is_labelled(at.value) else passed_over).append(at.located(error))
    if not keys:
        for why in (*problems, *passed_over):
            raise why
    if not keys:
        raise InvalidKey(
            "there is no private key in it",
            file=source.name,
            hint="a backup is made with `kubectl get secret -n kube-system -o yaml "
            f"-l {KEY_LABEL}`",
        )
    return Backup(tuple(newest_first(keys)), tuple(problems))


def read_pem(text: str, *, name: str) -> list[KeyPair]:
    """The RSA keys of a PEM text.

    Raises:
        InvalidKey: as `private_keys_from_pem`.
    """
    return [KeyPair(name=name, key=key) for key in private_keys_from_pem(text)]


def newest_first(keys: Iterable[KeyPair]) -> list[KeyPair]:
    """Keys in the order in which they are tried, each once.

    Those without a certificate come first, as they were given: somebody named them.
    """
    unique = {pair.key.fingerprint: pair for pair in reversed(list(keys))}
    given = list(unique.values())[::-1]
    dated = [(pair.not_before, pair) for pair in given if pair.not_before is not None]
    undated = [pair for pair in given if pair.not_before is None]
    dated.sort(key=lambda at: at[0], reverse=True)
    return [*undated, *(pair for _, pair in dated)]


def _read_key(secret: Secret, load: Callable[[str, Certificate | None], PrivateKey]) -> KeyPair:
    try:
        pem = _text(secret, _KEY)
        if pem is None:
            raise InvalidKey("there is no private key", key=_KEY)
        chain = _text(secret, _CERTIFICATE)
        certificate = Certificate.from_pem(chain) if chain else None
        key = load(pem, certificate)
    except SealerError as error:
        raise error.at(obj=str(secret)) from None
    return KeyPair(
        name=str(secret).partition(" ")[2],
        key=key,
        certificate=certificate,
        active=secret.metadata.labels.get(KEY_LABEL) == ACTIVE,
    )


def _checked_key(pem: str, certificate: Certificate | None) -> PrivateKey:
    key = PrivateKey.from_pem(pem)
    if certificate and not key.belongs_to(certificate):
        raise InvalidKey("the certificate is another key's", key=_CERTIFICATE)
    return key


def _key_of_certificate(pem: str, certificate: Certificate | None) -> PrivateKey:
    if certificate is None:
        raise InvalidKey("there is no certificate", key=_CERTIFICATE)
    return PrivateKey.of_certificate(pem, certificate)


def _is_labelled(secret: Mapping[str, Value]) -> bool:
    metadata = secret.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and KEY_LABEL in labels


def _text(secret: Secret, item_key: str) -> str | None:
    value = secret.data.get(item_key)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return ""
