"""What a cluster says of a manifest: whether it has it, in this version, and whether it is open.

Pure: the object comes from whoever asked the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealer.errors import MalformedInput, Refused, SealerError, Unavailable
from sealer.manifests.bitnami import BitnamiSealedSecret
from sealer.manifests.fields import Fields
from sealer.manifests.models import SealedSecret


def shortfall(sealed: SealedSecret, live: Mapping[str, Any] | None) -> SealerError | None:
    """Why the cluster does not have a manifest open, or None if it does."""
    if live is None:
        return _missing()
    try:
        if SealedSecret.read(live).to_manifest()["spec"] != sealed.to_manifest()["spec"]:
            return _other_version()
        return _not_open(live, "Ready")
    except MalformedInput:
        return _not_understood()


def bitnami_shortfall(
    sealed: BitnamiSealedSecret, live: Mapping[str, Any] | None
) -> SealerError | None:
    """As `shortfall`, for a SealedSecret of sealed-secrets, whichever controller opens it."""
    if live is None:
        return _missing()
    try:
        there = BitnamiSealedSecret.read(live)
        # The scope stands in annotations, which count without being part of the generation.
        if _says(there) != _says(sealed):
            return _other_version()
        return _not_open(live, "Synced")
    except MalformedInput:
        return _not_understood()


def remembered_exposure(live: Mapping[str, Any] | None) -> dict[str, str]:
    """What a cluster remembers of an object: entry ids, and the revoked keys they were under."""
    try:
        return Fields((live or {}).get("status") or {}, "status").texts("exposed")
    except MalformedInput:
        return {}


def _says(sealed: BitnamiSealedSecret) -> tuple[object, ...]:
    return sealed.scope, sealed.encrypted_data, sealed.template, sealed.whole


def _not_open(live: Mapping[str, Any], condition: str) -> SealerError | None:
    fields = Fields(live, "")
    generation = fields.mapping("metadata").optional_number("generation")
    status = fields.mapping("status")
    if status.optional_number("observedGeneration") != generation:
        return Unavailable("the controller has not looked at it yet", hint="is it running?")
    for item in status.entries("conditions"):
        if item.optional_text("type") == condition:
            return None if item.text("status") == "True" else _refused(item)
    return _not_understood()


def _refused(condition: Fields) -> Refused:
    texts = (condition.optional_text("reason"), condition.optional_text("message"))
    return Refused(": ".join(text for text in texts if text) or "the controller does not open it")


def _missing() -> Refused:
    return Refused("the cluster does not have it", hint="is it applied?")


def _other_version() -> Refused:
    return Refused("the cluster has another version of it", hint="is what is committed applied?")


def _not_understood() -> Refused:
    return Refused("what the cluster says of it cannot be understood", hint="`kubectl describe` it")
