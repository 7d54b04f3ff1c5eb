"""Public keys as files: PEM with comment lines that say which key it is and until when it serves.

This is the one place that knows the comment lines; other readers of PEM pass over them. What they
say is the word of whoever wrote the file, as the key itself is: the id is computed and compared,
state and time only ever make sealing stricter. Reading and judging are pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sealer.crypto.keys import SealingKey, sealing_keys_from_pem
from sealer.errors import CertificateError, InvalidKey, SealerError
from sealer.keyring import HeldKey, KeyState
from sealer.manifests.times import format_time, parse_time

_BLOCK = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
_LINE = re.compile(
    r"^#[ \t]*(?P<name>sealer public key|state|ordinal|created|not after)[ \t:]\s*"
    r"(?P<value>\S+)\s*$",
    re.MULTILINE,
)
_ORDINAL = re.compile(r"[0-9]{1,9}")
_FETCH = "get the current one with `sealer keys fetch`"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedKey:
    """A public key and what its file says of it; None where the file does not say.

    Attributes:
        created_at: when it was made, for people to know its age.
        not_after: nobody seals to the key from then on.
    """

    key: SealingKey
    state: KeyState | None = None
    ordinal: int | None = None
    created_at: datetime | None = None
    not_after: datetime | None = None

    @classmethod
    def of(cls, held: HeldKey) -> PinnedKey:
        """The public half of a key of a keyring, as it stands now."""
        record = held.record
        return cls(
            key=held.public,
            state=record.state,
            ordinal=record.ordinal,
            created_at=record.created_at,
            not_after=record.not_after,
        )

    def to_pem(self) -> str:
        """The comment lines and the PEM block."""
        says = {
            "state": self.state,
            "ordinal": self.ordinal,
            "created": self.created_at,
            "not after": self.not_after,
        }
        lines = [f"# {name}: {_said(value)}\n" for name, value in says.items() if value is not None]
        return "".join([f"# sealer public key {self.key.id}\n", *lines, self.key.to_pem()])

    def is_usable(self, *, now: datetime) -> bool:
        """Whether it may be sealed to, as far as its file says; see `check_usable`."""
        try:
            self.check_usable(now=now)
        except CertificateError:
            return False
        return True

    def check_usable(self, *, now: datetime) -> None:
        """Refuse a key that must not be sealed to any more, or not yet.

        Raises:
            CertificateError: its file says that it is expired, retired, revoked or pending.
        """
        if self.state not in (None, KeyState.ACTIVE):
            raise CertificateError(f"key {self.key.id} is {str(self.state).lower()}", hint=_FETCH)
        if self.not_after is not None and now >= self.not_after:
            raise CertificateError(
                f"key {self.key.id} expired at {format_time(self.not_after)}", hint=_FETCH
            )


def read(text: str) -> tuple[PinnedKey, ...]:
    """All public keys of a file, in its order; the comment lines above a key belong to it.

    Raises:
        InvalidKey: no key, a broken or private one, or a comment line that is wrong.
    """
    keys = sealing_keys_from_pem(text)
    if not keys:
        raise InvalidKey(
            "there is no public key in this file",
            hint="it is a PEM file with PUBLIC KEY, as `sealer keys fetch` prints it",
        )
    comments = _BLOCK.split(text)
    return tuple(_pinned(key, above) for key, above in zip(keys, comments, strict=False))


def short_id(key_id: str) -> str:
    """A key id for people to recognise: its first and last four digits.

    A fingerprint (`SHA256:…`) keeps the name of its hash.
    """
    algorithm, colon, digest = key_id.rpartition(":")
    return f"{algorithm}{colon}{digest[:4]}…{digest[-4:]}"


def _pinned(key: SealingKey, comments: str) -> PinnedKey:
    says = {match["name"]: match["value"] for match in _LINE.finditer(comments)}
    if says.get("sealer public key", key.id) != key.id:
        raise InvalidKey(
            f"the comment above key {key.id} names another key",
            hint="comment and key belong to two files; fetch the key anew",
        )
    ordinal = says.get("ordinal")
    if ordinal is not None and not _ORDINAL.fullmatch(ordinal):
        raise InvalidKey("`# ordinal:` is not a whole number")
    state = says.get("state")
    if state is not None and state not in list(KeyState):
        raise InvalidKey(f"`# state:` is not one of {', '.join(KeyState)}")
    return PinnedKey(
        key=key,
        state=None if state is None else KeyState(state),
        ordinal=None if ordinal is None else int(ordinal),
        created_at=_made(says.get("created")),
        not_after=_time(says.get("not after")),
    )


def _said(value: object) -> str:
    return format_time(value) if isinstance(value, datetime) else str(value)


def _made(text: str | None) -> datetime | None:
    # Nothing depends on it, so that a word which somebody else has written there does no harm.
    try:
        return None if text is None else parse_time(text)
    except SealerError:
        return None


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except SealerError as error:
        raise InvalidKey(f"`# not after:` is {error.message}", hint=error.hint) from None
