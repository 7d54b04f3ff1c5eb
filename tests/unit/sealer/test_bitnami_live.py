"""What a cluster says of an object of sealed-secrets, whichever controller opens it."""

from __future__ import annotations

from typing import Any

import pytest

from sealer.errors import Refused, Unavailable
from sealer.live import bitnami_shortfall
from sealer.manifests.bitnami import CLUSTER_WIDE, BitnamiSealedSecret, BitnamiTemplate
from sealer.manifests.models import Metadata

Object = dict[str, Any]
SEALED = BitnamiSealedSecret(
    metadata=Metadata(namespace="shop", name="db"),
    encrypted_data={"password": "AQ==", "user": "Ag=="},
    template=BitnamiTemplate(data={"url": "{{ .user }}"}),
)


def _live(status: Object | None = None, **metadata: object) -> Object:
    found: Object = dict(SEALED.to_manifest())
    found["metadata"] = {**found["metadata"], "generation": 3, **metadata}
    synced = {"type": "Synced", "status": "True"}
    return found | {"status": status or {"observedGeneration": 3, "conditions": [synced]}}


def _said(reason: str, message: str) -> Object:
    condition = {"type": "Synced", "status": "False", "reason": reason, "message": message}
    return {"observedGeneration": 3, "conditions": [{"type": "Ready"}, condition]}


def test_what_is_synced_at_its_generation_is_live() -> None:
    assert bitnami_shortfall(SEALED, _live()) is None


@pytest.mark.parametrize(
    ("live", "kind", "says"),
    [
        (None, Refused, "does not have it"),
        (_live(annotations={CLUSTER_WIDE: "true"}), Refused, "another version"),
        ({**_live(), "spec": {"encryptedData": {}}}, Refused, "another version"),
        (_live(generation=4), Unavailable, "not looked at it yet"),
        (_live({"conditions": []}), Unavailable, "not looked at it yet"),
        (_live({"observedGeneration": 3}), Refused, "cannot be understood"),
        (_live({"observedGeneration": "3"}), Refused, "cannot be understood"),
        (_live(_said("CannotOpen", "no key")), Refused, "CannotOpen: no key"),
        (_live(_said("", "no key could decrypt")), Refused, "no key could decrypt"),
        (_live(_said("", "")), Refused, "the controller does not open it"),
    ],
)
def test_everything_else_says_why(live: Object | None, kind: type[Exception], says: str) -> None:
    error = bitnami_shortfall(SEALED, live)
    assert isinstance(error, kind)
    assert says in str(error)
