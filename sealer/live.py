"""What a cluster says of a manifest: whether it has it, in this version, and whether it is open.

Pure: the object comes from whoever asked the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealer.errors import MalformedInput, Refused, SealerError, Unavailable
from sealer.manifests.fields import Fields
from sealer.manifests.models import SealedSecret


def shortfall(sealed: SealedSecret, live: Mapping[str, Any] | None) -> SealerError | None:
    """Why the cluster does not have a manifest open, or None if it does."""
    if live is None:
        return Refused("the cluster does not have it", hint="is it applied?")
    try:
        if SealedSecret.read(live).to_manifest()["spec"] != sealed.to_manifest()["spec"]:
            return Refused(
                "the cluster has another version of it", hint="is what is committed applied?"
            )
        fields = Fields(live, "")
        generation = fields.mapping("metadata").optional_number("generation")
        status = fields.mapping("status")
        if status.optional_number("observedGeneration") != generation:
            return Unavailable("the controller has not looked at it yet", hint="is it running?")
        ready = next(
            item for item in status.entries("conditions") if item.optional_text("type") == "Ready"
        )
        if ready.text("status") == "True":
            return None
        return Refused(f"{ready.text('reason')}: {ready.optional_text('message') or ''}")
    except (MalformedInput, StopIteration):
        return Refused(
            "what the cluster says of it cannot be understood", hint="`kubectl describe` it"
        )


def remembered_exposure(live: Mapping[str, Any] | None) -> dict[str, str]:
    """What a cluster remembers of an object: entry ids, and the revoked keys they were under."""
    try:
        return Fields((live or {}).get("status") or {}, "status").texts("exposed")
    except MalformedInput:
        return {}
