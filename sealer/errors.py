"""The whole exception tree of sealer.

Every error a user can cause or meet is a `SealerError`. It says what is wrong, where (file, object,
key) and what to do about it (`hint`); it never holds a value, a private key or a passphrase.
Malformed input, cryptographic refusal and transient failure are different branches, because a user
answers them differently: mend the file, fetch the right key, try again. Errors of the programmer
stay `ValueError` and `RuntimeError` and are not part of this tree.
"""

from __future__ import annotations

from typing import ClassVar, Self


class SealerError(Exception):
    """Base of all errors that sealer raises on purpose.

    Attributes:
        exit_code: what the CLI exits with (DESIGN 10: 1 refused, 2 usage, 3 malformed, 4 cannot be
            opened, 5 unavailable).
        reason: CamelCase word for a Kubernetes condition or event.
        hint: what to do about it; may be empty.
        file: path the error is about, optionally with `:LINE`; may be empty.
        obj: object the error is about, as `Kind namespace/name`; may be empty.
        key: item key or field path inside the object; may be empty.
    """

    exit_code: ClassVar[int] = 1
    reason: ClassVar[str] = "Error"

    def __init__(
        self, message: str, *, hint: str = "", file: str = "", obj: str = "", key: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.obj = obj
        self.key = key

    def at(self, *, file: str = "", obj: str = "", key: str = "") -> Self:
        """Fill in the parts of the location that are still unknown, and return the same error.

        A layer that knows more about where it happened calls this on the way up; what a deeper
        layer has already said is never overwritten.
        """
        self.file = self.file or file
        self.obj = self.obj or obj
        self.key = self.key or key
        return self

    def __str__(self) -> str:
        place = [self.file, self.obj, f"key {self.key}" if self.key else ""]
        return ": ".join([part for part in place if part] + [self.message])


class UsageError(SealerError):
    """The command line asks for something that cannot be asked for."""

    exit_code = 2
    reason = "Usage"


# --- malformed input: mend the file


class MalformedInput(SealerError):
    """Data of the user's that does not have the form it must have."""

    exit_code = 3
    reason = "Malformed"


class InvalidManifest(MalformedInput):
    """A YAML or JSON document, or an object in it, is not what it claims to be."""

    reason = "InvalidManifest"


class InvalidEnvelope(MalformedInput):
    """The sealed parts of a manifest do not have the form that docs/format.md prescribes."""

    reason = "InvalidEnvelope"


class UnsupportedFormat(MalformedInput):
    """A sealed entry names a format that this version does not know."""

    reason = "UnsupportedFormat"


class InvalidTemplate(MalformedInput):
    """A template cannot be parsed, uses what is not allowed, or cannot be rendered."""

    reason = "InvalidTemplate"


class InvalidKey(MalformedInput):
    """A key file or keyring does not hold what it must hold."""

    reason = "InvalidKey"


class InvalidBackup(MalformedInput):
    """A backup, or a share of its key, is not what it must be: foreign, truncated or altered."""

    reason = "InvalidBackup"


class InvalidConfig(MalformedInput):
    """A configuration file is wrong."""

    reason = "InvalidConfig"


# --- cryptographic refusal: the wrong key, or not the place it was sealed for


class CannotOpen(SealerError):
    """Well-formed sealed data that these keys do not open."""

    exit_code = 4
    reason = "CannotOpen"


class UnknownKey(CannotOpen):
    """None of the keys that an entry is sealed to is at hand.

    Attributes:
        key_ids: the ids (32 hex digits) that the entry names.
    """

    reason = "UnknownKey"

    def __init__(self, message: str, *, key_ids: tuple[str, ...] = (), **where: str) -> None:
        super().__init__(message, **where)
        self.key_ids = key_ids


class WrongBinding(CannotOpen):
    """Sealed for another place, or altered since; authenticated encryption cannot tell which."""

    reason = "WrongBinding"


class KeyRevoked(CannotOpen):
    """Sealed to a key after that key was revoked, so known to whoever has it."""

    reason = "KeyRevoked"


class WrongBackupKey(CannotOpen):
    """A backup that this passphrase, these keys or these shares do not open."""

    reason = "WrongBackupKey"


# --- refusals: it could be done, but must not be


class Refused(SealerError):
    """A request that would be unsafe or against a rule."""

    reason = "Refused"


class CertificateError(Refused):
    """A public key is expired, revoked or otherwise not to be sealed to."""

    reason = "CertificateError"


class AlreadyExists(Refused):
    """Something is there already and would be overwritten."""

    reason = "AlreadyExists"


class NotOwned(Refused):
    """The target exists and belongs to somebody else."""

    reason = "NotOwned"


# --- transient: try again


class Unavailable(SealerError):
    """Something outside did not answer or failed; the same call may succeed later."""

    exit_code = 5
    reason = "Unavailable"


class FileError(Unavailable):
    """A file or directory could not be read or written."""

    reason = "FileError"


class ClusterError(Unavailable):
    """The Kubernetes API could not be reached or refused the request."""

    reason = "ClusterError"


class GitError(Unavailable):
    """Git could not do what it was asked."""

    reason = "GitError"


class KeyProviderError(Unavailable):
    """An external key provider could not be reached or refused the request."""

    reason = "KeyProviderError"
