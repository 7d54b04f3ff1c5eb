"""Open a manifest as a user of the library would, and name the outcome."""

from __future__ import annotations

from collections.abc import Mapping

from sealer.crypto.keys import Unwrapper
from sealer.errors import MalformedInput, UnknownKey, UnsupportedFormat, WrongBinding
from sealer.manifests.models import SealedSecret
from sealer.manifests.nodes import Value
from sealer.manifests.reading import read
from sealer.opening import unseal
from tests.vectors.builder import Outcome, Vector, test_keys


def document_of(text: str) -> Value:
    """The one document of a YAML text."""
    (document,) = read(text)
    return document.value


def open_vector(vector: Vector) -> tuple[Outcome, Mapping[str, bytes]]:
    """What a vector's manifest opens to with the vector's keys."""
    held = test_keys()
    return open_text(vector.manifest, {held[name].id: held[name] for name in vector.keys})


def open_text(
    manifest: str, unwrappers: Mapping[str, Unwrapper]
) -> tuple[Outcome, Mapping[str, bytes]]:
    """What a manifest opens to with these keys."""
    try:
        opened = unseal(SealedSecret.read(document_of(manifest)), unwrappers)
    except UnsupportedFormat:
        return Outcome.UNSUPPORTED_FORMAT, {}
    except MalformedInput:
        return Outcome.MALFORMED, {}
    except UnknownKey:
        return Outcome.UNKNOWN_KEY, {}
    except WrongBinding:
        return Outcome.WRONG_BINDING, {}
    return Outcome.SUCCESS, opened.secret.data
