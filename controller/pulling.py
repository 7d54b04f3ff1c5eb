"""Image pull secrets: which service accounts a synced Secret is for, and what that changes. Pure.

What was put into an account's list by us is remembered on the account itself, and nothing else in
its list is ever touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sealer.errors import InvalidManifest
from sealer.manifests.models import GROUP, Manifest
from sealer.manifests.secret_types import DOCKER_CFG, DOCKER_CONFIG_JSON
from sealer.manifests.validation import check_name

ACCOUNTS: Final = f"{GROUP}/service-accounts"
"""On a synced Secret: service accounts of its namespace, separated by commas."""
PULLS_LABEL: Final = f"{GROUP}/image-pull-secrets"
"""On every service account whose list we have changed, so that those and no others are watched."""
ADDED: Final = f"{GROUP}/image-pull-secrets"
"""On the same, as an annotation: what we have put into the list."""
MAX_ACCOUNTS: Final = 64
"""Service accounts that one annotation names: each is looked for until it is there."""
PULL_TYPES: Final = frozenset({DOCKER_CONFIG_JSON, DOCKER_CFG})
_TRUE: Final = "true"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """A service account by its metadata."""

    version: str
    added: frozenset[str]


def read_account(item: Object) -> Account:
    """Read the metadata of a service account."""
    metadata = item["metadata"]
    return Account(metadata["resourceVersion"], _added(metadata))


def account_names(text: str, type_: str) -> frozenset[str]:
    """The service accounts that an annotation names.

    Args:
        text: the annotation; empty for none.
        type_: of the Secret that bears it.

    Raises:
        InvalidManifest: malformed, or on a Secret that no image is pulled with.
    """
    names = frozenset(name.strip() for name in text.split(",")) if text.strip() else frozenset()
    if names and type_ not in PULL_TYPES:
        raise InvalidManifest(
            f"annotation {ACCOUNTS} is for Secrets of type {DOCKER_CONFIG_JSON} or {DOCKER_CFG}",
            hint="take it off, or make the Secret anew with that type",
        )
    if len(names) > MAX_ACCOUNTS:
        raise InvalidManifest(f"annotation {ACCOUNTS} names more than {MAX_ACCOUNTS}")
    for name in names:
        try:
            check_name(name)
        except InvalidManifest:
            raise InvalidManifest(
                f"annotation {ACCOUNTS} is not names of service accounts separated by commas"
            ) from None
    return names


def pull_change(item: Object, wanted: frozenset[str]) -> Manifest | None:
    """What is to be merged into a service account so that images are pulled with these Secrets.

    It holds only if the account is still as it was seen.

    Args:
        item: the service account.
        wanted: names of Secrets.

    Returns:
        None if nothing is to be done.
    """
    metadata, entries = item["metadata"], list(item.get("imagePullSecrets") or ())
    added = _added(metadata)
    listed = {entry.get("name") for entry in entries}
    ours = frozenset(name for name in wanted if name in added or name not in listed)
    kept = [entry for entry in entries if entry.get("name") not in added - wanted]
    new = [*kept, *({"name": name} for name in sorted(ours - listed))]
    label = (metadata.get("labels") or {}).get(PULLS_LABEL) == _TRUE
    if new == entries and ours == added and label == bool(ours):
        return None
    return {
        "metadata": {
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "labels": {PULLS_LABEL: _TRUE if ours else None},
            "annotations": {ADDED: ",".join(sorted(ours)) or None},
        },
        "imagePullSecrets": new or None,
    }


def _added(metadata: Object) -> frozenset[str]:
    text = (metadata.get("annotations") or {}).get(ADDED, "")
    return frozenset(name for name in text.split(",") if name)
