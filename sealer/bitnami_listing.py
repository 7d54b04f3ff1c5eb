"""Key Secrets of sealed-secrets as `sealer keys list` shows them: by their certificates. Pure.

The private half is not looked at here, so that looking takes no time; whether it is the one of the
certificate is found out by whoever opens with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sealer import plaintext
from sealer.bitnami_keys import ACTIVE, read_each
from sealer.crypto.bitnami import Certificate, short_fingerprint
from sealer.errors import InvalidKey, SealerError
from sealer.keyring import KeyState
from sealer.manifests.bitnami import KEY_LABEL
from sealer.manifests.models import Manifest, qualified
from sealer.manifests.times import format_time
from sealer.manifests.writing import Quoted

ROLE = "SealedSecrets"
"""What stands where native keys have their role."""
_CERTIFICATE = "tls.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A key as its Secret shows it.

    Attributes:
        name: of the Secret, with its namespace.
        state: Active where something may be sealed to it, else Retired.
        made_at: when its certificate begins.
        expires_at: when it ends; the key opens for ever.
    """

    fingerprint: str
    name: str
    state: KeyState
    made_at: datetime
    expires_at: datetime

    @property
    def short(self) -> str:
        """As much of the fingerprint as tells keys apart."""
        return short_fingerprint(self.fingerprint)

    @classmethod
    def read(cls, manifest: Mapping[str, object]) -> ListedKey:
        """Read a key Secret.

        Raises:
            InvalidManifest: it is no Secret.
            InvalidKey: it holds no certificate that can be read.
        """
        secret = plaintext.read_secret(manifest)
        try:
            text = secret.data.get(_CERTIFICATE, b"").decode(errors="replace")
            certificate = Certificate.from_pem(text)
        except SealerError as error:
            raise InvalidKey(error.message, obj=str(secret), key=_CERTIFICATE) from None
        active = secret.metadata.labels.get(KEY_LABEL) == ACTIVE
        return cls(
            fingerprint=certificate.fingerprint,
            name=qualified(secret.metadata),
            state=KeyState.ACTIVE if active else KeyState.RETIRED,
            made_at=certificate.not_before,
            expires_at=certificate.not_after,
        )

    def to_report(self) -> Manifest:
        """What there is to say of it, for programs."""
        return {
            "id": Quoted(self.fingerprint),
            "role": ROLE,
            "state": str(self.state),
            "createdAt": Quoted(format_time(self.made_at)),
            "notAfter": Quoted(format_time(self.expires_at)),
            "secret": self.name,
        }


@dataclass(frozen=True, slots=True)
class Listed:
    """The keys of some Secrets, the newest first, and why others cannot be shown."""

    keys: tuple[ListedKey, ...] = ()
    problems: tuple[SealerError, ...] = ()

    @classmethod
    def of(cls, manifests: Iterable[Mapping[str, object]]) -> Listed:
        """Take what the API server lists under `KEY_LABEL`; what is malformed is a problem."""
        keys, problems = read_each(manifests, ListedKey.read)
        newest = sorted(keys, key=lambda key: (key.made_at, key.name), reverse=True)
        return cls(tuple(newest), problems)
