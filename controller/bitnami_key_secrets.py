"""The key Secrets of sealed-secrets as a cluster has them: which open, and which one seals. Pure.

Everything with the label counts, so that a key that is added, relabelled or deleted does too. A
Secret that holds no usable key is reported and left out; it never takes the others with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from controller.targets import MANAGED_BY
from sealer import plaintext
from sealer.bitnami_keys import ACTIVE, KeyPair, newest_first, read_key_in_use
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.bitnami_making import KeyTexts
from sealer.crypto.encoding import encode_base64
from sealer.errors import InvalidKey, SealerError
from sealer.key_secrets import KeyProblem
from sealer.manifests.bitnami import KEY_LABEL
from sealer.manifests.models import Manifest

NAME_PREFIX: Final = "sealed-secrets-key"
"""What their controller begins the names of its key Secrets with."""

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeySecret:
    """A key Secret that nothing was made of yet.

    Attributes:
        active: whether its label says that it seals.
        data: base64 by item, as the API server has it.
    """

    name: str
    active: bool
    data: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BitnamiKeyring:
    """All keys that there are, the newest first, and key Secrets that cannot be used."""

    pairs: tuple[KeyPair, ...] = ()
    problems: tuple[KeyProblem, ...] = ()

    @classmethod
    def of(cls, found: Iterable[KeyPair | KeyProblem]) -> BitnamiKeyring:
        """Put them in order.

        A key that is in two Secrets is there once, and active if one of them is.
        """
        known = list(found)
        pairs = sorted(
            (each for each in known if isinstance(each, KeyPair)),
            key=lambda pair: (not pair.active, pair.name),
        )
        problems = sorted(
            (each for each in known if isinstance(each, KeyProblem)), key=lambda each: each.name
        )
        return cls(tuple(newest_first(pairs)), tuple(problems))

    @property
    def keys(self) -> tuple[PrivateKey, ...]:
        """What opens, in the order in which it is tried."""
        return tuple(pair.key for pair in self.pairs)

    @property
    def sealing(self) -> KeyPair | None:
        """The newest key that is active: what is sealed from now on is sealed to it."""
        return next((pair for pair in self.pairs if pair.active), None)

    @property
    def certificate(self) -> Certificate | None:
        """That of the key that seals."""
        return self.sealing.certificate if self.sealing else None


def read(item: Object) -> KeySecret:
    """Take a Secret as it is; loading is for later, and for another thread."""
    metadata = item["metadata"]
    return KeySecret(
        name=metadata["name"],
        active=(metadata.get("labels") or {}).get(KEY_LABEL) == ACTIVE,
        data=item.get("data") or {},
    )


def load(secret: KeySecret) -> KeyPair | KeyProblem:
    """Load a key, which takes a few milliseconds of arithmetic."""
    try:
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret.name},
            "data": dict(secret.data),
        }
        pair = read_key_in_use(plaintext.read_secret(document))
    except SealerError as error:
        return KeyProblem(secret.name, InvalidKey(error.message, key=error.key))
    except Exception:  # noqa: BLE001 - whoever makes key Secrets must not be able to end everything
        return KeyProblem(secret.name, InvalidKey("cannot be read, for a reason nobody expected"))
    return relabelled(replace(pair, name=secret.name), secret)


def relabelled(loaded: KeyPair | KeyProblem, secret: KeySecret) -> KeyPair | KeyProblem:
    """What was loaded, with what the label of its Secret says now."""
    if isinstance(loaded, KeyProblem):
        return loaded
    return replace(loaded, active=secret.active)


def due(keyring: BitnamiKeyring, *, period: timedelta, now: datetime) -> timedelta:
    """How long until another key is to be made: when the one that seals is this old, or now."""
    made = keyring.sealing.not_before if keyring.sealing else None
    return max(timedelta(0), made + period - now) if made is not None else timedelta(0)


def secret_of(texts: KeyTexts, *, namespace: str) -> Manifest:
    """The Secret of a new key, as sealed-secrets makes it. Holds the private key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "generateName": NAME_PREFIX,
            "namespace": namespace,
            "labels": {MANAGED_BY: "sealer", KEY_LABEL: ACTIVE},
        },
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": encode_base64(texts.certificate.encode()),
            "tls.key": encode_base64(texts.key.encode()),
        },
    }
