"""What kubeseal's endpoints answer, and one of ours, given the keys. Pure.

Everybody with an account may ask, and may not read what is sealed. So no template is rendered, and
what is opened changes nothing but whether the answer is "cannot be opened", which is one and the
same text whatever the cause and the item. What else is wrong is found before anything is opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sealer.bitnami_native import to_native_unseen
from sealer.bitnami_opening import check_opens
from sealer.bitnami_resealing import reseal
from sealer.crypto.bitnami import Certificate, PrivateKey
from sealer.crypto.keys import SealingKey
from sealer.errors import CannotOpen, InvalidManifest, SealerError
from sealer.manifests import documents, yamltext
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.models import qualified
from sealer.plaintext import COPIES

MAX_BODY_BYTES: Final = 4 << 20
"""More than the API server takes for one object, 3 MiB, and what a re-encryption can add to it."""
MAX_ITEMS: Final = 1000
"""Each item costs RSA operations, and a Secret of more items than this is nobody's."""
MAX_EVENTS: Final = 20_000
"""Of YAML, each a few microseconds of Python: ten times what an object of `MAX_ITEMS` has."""
JSON: Final = "application/json"
TEXT: Final = "text/plain"
PEM: Final = "application/x-pem-file"
_CANNOT_OPEN: Final = "it cannot be opened: sealed to another key or place, or altered"
_ADDED_BY_CLUSTERS: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the endpoints work with.

    Attributes:
        opening: RSA keys, the newest first.
        certificate: of the newest one that seals; None while there is none.
        native: the newest key of the cluster in our own format; None while there is none.
    """

    opening: Sequence[PrivateKey] = ()
    certificate: Certificate | None = None
    native: SealingKey | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status, and what is said."""

    status: int
    text: str = field(repr=False)
    content_type: str = TEXT


def certificate(keys: Keys) -> Reply:
    """`GET /v1/cert.pem`: what to seal to. It is handed out expired too; kubeseal says so."""
    if keys.certificate is None:
        return _no_key("sealed-secrets")
    return Reply(200, keys.certificate.to_pem(), PEM)


def verify(body: bytes, keys: Keys) -> Reply:
    """`POST /v1/verify`: whether every value opens. The deprecated form counts too."""

    def answer(_: Mapping[str, Any], sealed: BitnamiSealedSecret) -> Reply:
        check_opens(sealed, keys.opening)
        return Reply(200, "")

    return _answered(body, answer)


def rotate(body: bytes, keys: Keys) -> Reply:
    """`POST /v1/rotate`: the object with its items sealed to the newest key, the rest as it was."""

    def answer(document: Mapping[str, Any], sealed: BitnamiSealedSecret) -> Reply:
        if keys.certificate is None:
            return _no_key("sealed-secrets")
        resealed = reseal(sealed, keys.opening, to=keys.certificate)
        return _as_json(_with_items(document, resealed.items))

    return _answered(body, answer)


def native(body: bytes, keys: Keys, *, now: datetime) -> Reply:
    """`POST /v1/native`: the object in our format: kind Secret, same scope, for this cluster."""

    def answer(_: Mapping[str, Any], sealed: BitnamiSealedSecret) -> Reply:
        if keys.native is None:
            return _no_key("our own")
        converted = to_native_unseen(sealed, keys.opening, to=[keys.native], now=now)
        return _as_json(converted.sealed.to_manifest())

    return _answered(body, answer)


_Answer = Callable[[Mapping[str, Any], BitnamiSealedSecret], Reply]


def _answered(body: bytes, answer: _Answer) -> Reply:
    try:
        document = _parsed(body)
        return answer(document, _read(document))
    except CannotOpen:
        return Reply(409, _CANNOT_OPEN)
    except SealerError as error:
        return Reply(400, str(error))


def _parsed(body: bytes) -> Mapping[str, Any]:
    """The one object of a body: JSON, or YAML, since older kubeseals send a file as it is."""
    try:
        text = body.decode().lstrip("\ufeff")
        # As the reader of files tells JSON, whose JSON is not bounded.
        is_json = text.lstrip().startswith(("{", "["))
        found = [json.loads(text)] if is_json else _documents(text)
    except (ValueError, RecursionError):
        found = []
    match found:
        case [dict(document)]:
            return document
    raise InvalidManifest("the body is not one object in JSON or YAML")


def _documents(text: str) -> list[object]:
    found = documents.read(text, lambda ended: _Bounded(yamltext.FAST(ended)))
    return [document.value for document in found if document.value is not None]


@dataclass(slots=True)
class _Bounded:
    """A parser of YAML that gives up."""

    parser: yamltext.Events
    left: int = MAX_EVENTS

    def get_event(self) -> Any:  # noqa: ANN401 - as PyYAML's
        """The next event.

        Raises:
            InvalidManifest: there were too many.
        """
        self.left -= 1
        if self.left < 0:
            raise InvalidManifest(f"the body has more than {MAX_EVENTS} pieces of YAML")
        return self.parser.get_event()


def _read(document: Mapping[str, Any]) -> BitnamiSealedSecret:
    sealed = BitnamiSealedSecret.read(document)
    if len(sealed.encrypted_data) > MAX_ITEMS:
        raise InvalidManifest(
            f"more than {MAX_ITEMS} items", obj=f"SealedSecret {qualified(sealed.metadata)}"
        )
    return sealed


def _with_items(document: Mapping[str, Any], items: Mapping[str, str]) -> Mapping[str, Any]:
    metadata = {
        name: value
        for name, value in document["metadata"].items()
        if name not in _ADDED_BY_CLUSTERS
    }
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {
            name: text for name, text in annotations.items() if name not in COPIES
        }
    rest = {name: value for name, value in document.items() if name != "status"}
    return rest | {
        "metadata": metadata,
        "spec": (document.get("spec") or {}) | {"encryptedData": dict(items)},
    }


def _as_json(manifest: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(manifest), JSON)


def _no_key(whose: str) -> Reply:
    return Reply(503, f"there is no key of {whose} to seal to yet")
