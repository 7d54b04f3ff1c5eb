"""Key Secrets of sealed-secrets in a backup of ours: put in, taken out, restored, proved. Pure.

They stand in a field of their own beside the native keys, in the text that is encrypted, and both
texts of a key stay as they were, so that a restored Secret is the same one. Reading believes
nothing that can be computed. Restoring never takes the place of another key, nor puts one in use
again that was retired since: of a key that is there already, nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sealer import plaintext
from sealer.backup import FORMAT, KIND, SEALED_SECRETS_KEYS, read_object
from sealer.bitnami_keys import ACTIVE, KeyPair, newest_first, read_each, read_key_in_use
from sealer.bitnami_opening import check_opens
from sealer.crypto.bitnami import PrivateKey, short_fingerprint
from sealer.crypto.encoding import encode_base64
from sealer.errors import InvalidBackup, Refused, SealerError
from sealer.manifests.bitnami import KEY_LABEL, BitnamiSealedSecret
from sealer.manifests.fields import Fields
from sealer.manifests.models import Manifest, Metadata, Secret, qualified
from sealer.manifests.secret_types import TLS

_KEY, _CERTIFICATE = "tls.key", "tls.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedKey:
    """A key Secret as it is saved; its repr shows no key.

    Attributes:
        labels: of the Secret; that of sealed-secrets says whether the key is in use.
        private_key: PEM, as the Secret has it.
        certificate: PEM, as the Secret has it.
        pair: both, read.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    private_key: str = field(repr=False)
    certificate: str = field(repr=False)
    pair: KeyPair = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.name}"

    @property
    def fingerprint(self) -> str:
        """Of the key."""
        return self.pair.key.fingerprint

    @property
    def short(self) -> str:
        """As much of the fingerprint as tells keys apart."""
        return short_fingerprint(self.fingerprint)

    @classmethod
    def of(cls, manifest: Mapping[str, object]) -> SavedKey:
        """Take a key Secret as the API server has it.

        Raises:
            InvalidManifest: it is no Secret.
            InvalidKey: it holds no usable key with its certificate.
        """
        secret = plaintext.read_secret(manifest)
        pair = read_key_in_use(secret)
        metadata = secret.metadata
        return cls(
            namespace=metadata.namespace,
            name=metadata.name,
            labels=dict(metadata.labels),
            private_key=secret.data[_KEY].decode(),
            certificate=secret.data[_CERTIFICATE].decode(),
            pair=pair,
        )

    @classmethod
    def read(cls, fields: Fields) -> SavedKey:
        """Read what `to_json` gives.

        Raises:
            InvalidManifest, InvalidKey: it is something else.
            InvalidBackup: the fingerprint is another key's.
        """
        fingerprint = fields.text("fingerprint")
        texts = {_KEY: fields.text("privateKey"), _CERTIFICATE: fields.text("certificate")}
        metadata = Metadata(
            namespace=fields.text("namespace"),
            name=fields.text("name"),
            labels=fields.texts("labels"),
        )
        fields.finish()
        data = {key: text.encode() for key, text in texts.items()}
        saved = cls.of(plaintext.to_manifest(Secret(metadata=metadata, data=data, type=TLS)))
        if saved.fingerprint != fingerprint:
            raise InvalidBackup("a fingerprint is not that of its key", obj=str(saved))
        return saved

    def to_json(self) -> dict[str, object]:
        """What stands in a backup, private key included."""
        return {
            "fingerprint": self.fingerprint,
            "namespace": self.namespace,
            "name": self.name,
            "labels": dict(self.labels),
            "privateKey": self.private_key,
            "certificate": self.certificate,
        }

    def to_secret(self) -> Manifest:
        """The Secret to create, private key included."""
        texts = {_CERTIFICATE: self.certificate, _KEY: self.private_key}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "namespace": self.namespace,
                "name": self.name,
                "labels": dict(self.labels),
            },
            "type": TLS,
            "data": {key: encode_base64(text.encode()) for key, text in texts.items()},
        }


@dataclass(frozen=True, slots=True)
class Saved:
    """Key Secrets that are usable, and why others are not."""

    keys: tuple[SavedKey, ...] = ()
    problems: tuple[SealerError, ...] = ()

    @classmethod
    def of(cls, manifests: Iterable[Mapping[str, object]]) -> Saved:
        """Take what the API server lists under `KEY_LABEL`; what is malformed is a problem."""
        return cls(*read_each(manifests, SavedKey.of))

    @property
    def private(self) -> list[PrivateKey]:
        """What opens, the newest first."""
        return [pair.key for pair in newest_first(key.pair for key in self.keys)]


def put_into(text: str, keys: Iterable[SavedKey]) -> str:
    """The text of a backup (`Backup.to_text`) with these keys in it, too.

    Raises:
        InvalidBackup: it is no such text, or they are in it already.
    """
    saved = [key.to_json() for key in keys]
    document = _document(text)
    if SEALED_SECRETS_KEYS in document:
        raise InvalidBackup("there are keys of sealed-secrets in it already")
    if saved:
        document[SEALED_SECRETS_KEYS] = saved
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def take_out(text: str) -> tuple[str, tuple[SavedKey, ...]]:
    """The text of a backup without these keys, for `Backup.read`; and the keys.

    Raises:
        InvalidBackup: it is no such text, or one of them is not what it says.
    """
    document = _document(text)
    try:
        keys = tuple(
            SavedKey.read(item) for item in Fields(document, "").entries(SEALED_SECRETS_KEYS)
        )
    except SealerError as error:
        raise InvalidBackup(error.message, key=error.key or SEALED_SECRETS_KEYS) from None
    places = [(key.namespace, key.name) for key in keys]
    if len(set(places)) != len(places):
        raise InvalidBackup("two keys have the same name", key=SEALED_SECRETS_KEYS)
    document.pop(SEALED_SECRETS_KEYS, None)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", keys


def plan_restore(saved: Iterable[SavedKey], present: Iterable[SavedKey]) -> tuple[SavedKey, ...]:
    """The key Secrets to create; nothing for keys that are there, under whatever name.

    Raises:
        Refused: another key has the name that one of them had; then none is to be created.
    """
    there = {(key.namespace, key.name): key for key in present}
    fingerprints = {key.fingerprint for key in there.values()}
    missing = [key for key in saved if key.fingerprint not in fingerprints]
    for key in missing:
        other = there.get((key.namespace, key.name))
        if other is not None:
            raise Refused(
                "there is another key of this name, so this is a backup of another cluster",
                obj=str(key),
                hint="restore it where no other keys are; nothing has been changed here",
            )
    return tuple(missing)


@dataclass(frozen=True, slots=True)
class PlacedBitnami:
    """A SealedSecret of sealed-secrets, and where it stands, for messages."""

    place: str
    sealed: BitnamiSealedSecret


@dataclass(frozen=True, slots=True, kw_only=True)
class BitnamiProof:
    """What came of trying keys on objects.

    Attributes:
        opened: objects that they open, by name.
        missing: fingerprints of keys that the cluster has, and the backup has not.
        failures: objects that they do not open; whether that is for another key or since a value
            was altered cannot be told.
    """

    opened: tuple[str, ...]
    missing: tuple[str, ...]
    failures: tuple[SealerError, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing falls short."""
        return not self.missing and not self.failures


def prove(
    saved: Saved, objects: Iterable[PlacedBitnami], *, own: Collection[str] = ()
) -> BitnamiProof:
    """Try the keys of a backup on objects; what opens is thrown away, and templates left alone.

    Args:
        saved: the keys.
        objects: with their namespaces, unless their scope is cluster-wide.
        own: fingerprints of all keys of the cluster, each of which has to be there.
    """
    keys = saved.private
    opened: list[str] = []
    failures: list[SealerError] = []
    for placed in objects:
        try:
            check_opens(placed.sealed, keys)
        except SealerError as error:
            failures.append(error.at(file=placed.place))
        else:
            opened.append(qualified(placed.sealed.metadata))
    there = {key.fingerprint for key in keys}
    return BitnamiProof(
        opened=tuple(opened),
        missing=tuple(sorted(set(own) - there)),
        failures=tuple(failures),
    )


def is_in_use(key: SavedKey) -> bool:
    """Whether something may be sealed to it: what `sealer keys list` says of its state."""
    return key.labels.get(KEY_LABEL) == ACTIVE


def _document(text: str) -> dict[str, object]:
    read_object(text, kind=KIND, formats=FORMAT)
    return dict(json.loads(text))
