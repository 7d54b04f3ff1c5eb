"""Text encrypted as an age file: to a passphrase (scrypt), or to X25519 and SSH recipients.

An adapter of pyrage, which is imported when it is needed. Whoever has the file and the passphrase
or the identity opens it with any age program, on a machine without sealer. Its messages are not
passed on: they are not ours to vouch for. X25519 and SSH are not post-quantum.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sealer.errors import InvalidBackup, InvalidKey, Refused, WrongBackupKey

if TYPE_CHECKING:
    from pyrage import ssh, x25519

_BINARY = b"age-encryption.org/v1\n"
_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
_BY_PASSPHRASE = b"-> scrypt "
_MEASUREMENTS: Final = 20
"""How often age may measure anew how fast this machine is: it takes a millisecond for that, and
where something else runs meanwhile, the machine looks too slow for a file of its own."""


def is_age(raw: bytes) -> bool:
    """Whether this is an age file, armored or not."""
    return raw.startswith(_BINARY) or raw.lstrip().startswith(_BEGIN)


def wants_passphrase(raw: bytes) -> bool:
    """Whether an age file was encrypted to a passphrase.

    Raises:
        InvalidBackup: it is truncated.
    """
    return _header(raw).startswith(_BINARY + _BY_PASSPHRASE)


def encrypt(text: str, *, recipients: Sequence[str]) -> str:
    """An armored age file for recipients such as `age1…`, `ssh-ed25519 …` and `ssh-rsa …`.

    Raises:
        InvalidKey: a recipient is none of these.
        Refused: there is no recipient.
    """
    import pyrage  # noqa: PLC0415 - a library of its own, which few commands need

    if not recipients:
        raise Refused("there is no recipient to encrypt to")
    keys = [_recipient(text, number) for number, text in enumerate(recipients, 1)]
    return pyrage.encrypt(text.encode(), keys, armored=True).decode()


def encrypt_with_passphrase(text: str, passphrase: str) -> str:
    """An armored age file for a passphrase; takes about a second, as guessing one does.

    Raises:
        Refused: the passphrase is empty.
    """
    from pyrage import passphrase as age  # noqa: PLC0415 - see above

    if not passphrase:
        raise Refused("the passphrase is empty")
    return age.encrypt(text.encode(), passphrase, armored=True).decode()


def decrypt(raw: bytes, *, identities: Sequence[str]) -> str:
    """The text of an age file.

    Args:
        raw: the file.
        identities: texts of identity files: lines with `AGE-SECRET-KEY-1…`, or an SSH private key.

    Raises:
        InvalidKey: a file holds no identity; says which.
        WrongBackupKey: none of them opens it, or it was altered.
        InvalidBackup: truncated, or not text.
    """
    import pyrage  # noqa: PLC0415 - see above

    keys = [key for number, text in enumerate(identities, 1) for key in _identities(text, number)]
    _header(raw)
    try:
        return _text(pyrage.decrypt(raw, keys))
    except pyrage.DecryptError:
        raise WrongBackupKey("none of these identities opens it, or it was altered") from None


def decrypt_with_passphrase(raw: bytes, passphrase: str) -> str:
    """The text of an age file that was encrypted to a passphrase.

    Raises:
        WrongBackupKey: another passphrase, or altered.
        InvalidBackup: truncated, or not text.
        Refused: it would take this machine too long (age's own limit).
    """
    import pyrage  # noqa: PLC0415 - see above
    from pyrage import passphrase as age  # noqa: PLC0415 - see above

    _header(raw)
    for _ in range(_MEASUREMENTS):
        try:
            return _text(age.decrypt(raw, passphrase))
        except pyrage.DecryptError as error:
            if "xcessive work" not in str(error):
                raise WrongBackupKey("the passphrase is wrong, or the file was altered") from None
    raise Refused(
        "made to take too long to open",
        hint="try again when this machine has less to do, or a faster one",
    )


def _header(raw: bytes) -> bytes:
    """The beginning of the binary form; an armored file must be whole."""
    if raw.startswith(_BINARY):
        return raw
    armored = raw.strip()
    if not armored.startswith(_BEGIN) or not armored.endswith(_END):
        raise InvalidBackup("truncated: an age file ends in END AGE ENCRYPTED FILE")
    body = b"".join(armored[len(_BEGIN) : -len(_END)].split())
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidBackup("altered or truncated: not base64 between its lines") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidBackup("what is encrypted in it is not text, so not a backup") from None


def _recipient(text: str, number: int) -> x25519.Recipient | ssh.Recipient:
    from pyrage import RecipientError, ssh, x25519  # noqa: PLC0415 - see above

    try:
        if text.startswith("ssh-"):
            return ssh.Recipient.from_str(text)
        return x25519.Recipient.from_str(text)
    except RecipientError:
        raise InvalidKey(
            f"recipient {number} is neither an age key (age1…) nor an SSH key (ssh-ed25519 or -rsa)"
        ) from None


def _identities(text: str, number: int) -> list[x25519.Identity | ssh.Identity]:
    from pyrage import IdentityError, ssh, x25519  # noqa: PLC0415 - see above

    try:
        if "PRIVATE KEY-----" in text:
            return [ssh.Identity.from_buffer(text.encode())]
        lines = (line.strip() for line in text.splitlines())
        found = [x25519.Identity.from_str(line) for line in lines if line and line[0] != "#"]
    except IdentityError:
        found = []
    if not found:
        raise InvalidKey(
            f"identity file {number} holds neither AGE-SECRET-KEY-1… nor an SSH private key",
            hint="an SSH key with a passphrase: take it off with `ssh-keygen -p` on a copy",
        )
    return [*found]
