"""What the controller of sealed-secrets does wrong, and ours does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealer.install import DEFAULT_NAMESPACE
from tests import rsa_keys
from tests.cluster.bitnami import PREFIX
from tests.cluster.harness.processes import eventually
from tests.cluster.kubeseal import put_key_secret
from tests.cluster.test_bitnami_opening import serving, theirs

if TYPE_CHECKING:
    from tests.cluster.bitnami import Theirs
    from tests.cluster.running import Controller

__all__ = ["serving", "theirs"]

_CANARY = b"made-up-canary-value"


@pytest.mark.parametrize(
    "template", ["{{ fail .a }}", '{{ if eq .a "x" }}y{{ end }}', "{{ index . .a }}"]
)
def test_template_that_could_tell_a_value_is_refused_and_tells_none(
    theirs: Theirs, serving: Controller, template: str
) -> None:
    sealed = theirs.seal("db", {"a": _CANARY})
    sealed["spec"]["template"]["data"] = {"told": template}
    theirs.apply(sealed)
    message = theirs.refused("db", "InvalidTemplate")
    assert "template.data.told" in message
    told = [message, serving.log()]
    events = f"/apis/events.k8s.io/v1/namespaces/{theirs.namespace}/events"
    eventually(lambda: theirs.api.request("GET", events).body["items"], what="an Event")
    told.append(str(theirs.api.request("GET", events).body))
    assert not any(_CANARY.decode() in text for text in told)
    assert not theirs.secrets.exists("Secret", "db")


def test_changed_scope_is_opened_anew(theirs: Theirs) -> None:
    sealed = theirs.seal("db", {"a": b"made-up-30"}, "--scope=namespace-wide")
    annotations = sealed["metadata"].pop("annotations")
    theirs.apply(sealed)
    theirs.refused("db", "CannotOpen")
    theirs.patch("db", {"metadata": {"annotations": annotations}})
    found = theirs.synced("db")
    assert found["metadata"]["generation"] == 1
    assert theirs.secrets.values("db") == {"a": b"made-up-30"}
    theirs.patch("db", {"metadata": {"annotations": dict.fromkeys(annotations)}})
    theirs.refused("db", "CannotOpen")
    assert theirs.secrets.values("db") == {"a": b"made-up-30"}


def test_another_failure_has_another_message(theirs: Theirs) -> None:
    sealed = theirs.seal("db", {"a": b"made-up-31"})
    right = sealed["spec"]["encryptedData"]["a"]
    sealed["spec"]["encryptedData"]["a"] = "not base64!"
    theirs.apply(sealed)
    first = theirs.refused("db", "InvalidEnvelope")
    sealed["spec"]["encryptedData"]["a"] = right
    sealed["spec"]["template"]["data"] = {"b": "{{ .none }}"}
    theirs.apply(sealed)
    assert theirs.refused("db", "InvalidTemplate", generation=2) != first


def test_name_without_end_is_cut_short_wherever_it_is_told(
    theirs: Theirs, serving: Controller
) -> None:
    """Their kind bounds no item key, so that one can be as long as an object."""
    sealed = theirs.seal("db", {"a": b"made-up-34"})
    items = sealed["spec"]["encryptedData"]
    items["endless" * 50_000] = "no base64"
    assert theirs.api.request("POST", theirs.path(), sealed).status == 201
    assert len(theirs.refused("db", "InvalidEnvelope")) <= 1024
    told = [line for line in serving.log().splitlines() if "endlessendless" in line]
    assert 0 < max(map(len, told)) < 2000


def test_drift_is_repaired(theirs: Theirs) -> None:
    theirs.give("db", {"a": b"made-up-32"}, metadata={"labels": {"team": "shop"}})
    change = {"data": {"a": "Y2hhbmdlZA==", "b": "YWRkZWQ="}, "metadata": {"labels": {"team": "x"}}}
    theirs.secrets.patch("Secret", "db", change)
    eventually(lambda: theirs.secrets.values("db") == {"a": b"made-up-32"}, what="the values")
    assert theirs.secrets.get("Secret", "db")["metadata"]["labels"] == {"team": "shop"}


def test_metadata_of_others_is_no_drift(theirs: Theirs, serving: Controller) -> None:
    theirs.give("db", {"a": b"made-up-33"})
    marked = {"metadata": {"annotations": {"mirror.example/to": "staging"}}}
    version = theirs.secrets.patch("Secret", "db", marked)["metadata"]["resourceVersion"]
    theirs.give("after", {"a": b"made-up-34"})
    eventually(lambda: serving.metric("sealer_queue_depth") == 0, what="the queue to be empty")
    assert theirs.secrets.get("Secret", "db")["metadata"]["resourceVersion"] == version


def test_malformed_key_secret_is_reported_and_does_not_stop_the_others(
    theirs: Theirs, serving: Controller
) -> None:
    secret = rsa_keys.OTHER.secret("broken")
    metadata = {"name": "broken", "labels": {f"{PREFIX}sealed-secrets-key": "active"}}
    data = {"tls.crt": "bWFkZSB1cA==", "tls.key": "bWFkZSB1cA=="}
    put_key_secret(
        theirs.api, secret | {"metadata": metadata, "data": data}, namespace=DEFAULT_NAMESPACE
    )
    try:
        eventually(lambda: "sealer-system/broken" in serving.log(), what="it to be reported")
        theirs.give("db", {"a": b"made-up-35"})
    finally:
        theirs.api.kubectl("delete", "secret", "-n", "sealer-system", "broken")


def test_one_bad_object_does_not_stop_the_others(theirs: Theirs) -> None:
    bad = theirs.seal("bad", {"a": b"made-up-36"})
    bad["spec"]["encryptedData"]["a"] = ""
    theirs.apply(bad)
    theirs.refused("bad", "InvalidEnvelope")
    theirs.give("good", {"a": b"made-up-37"})


def test_key_label_and_foreign_settings_are_refused_in_templates(theirs: Theirs) -> None:
    label = {f"{PREFIX}sealed-secrets-key": "active"}
    theirs.apply(theirs.seal("db", {"a": b"made-up-38"}, metadata={"labels": label}))
    assert "key Secrets" in theirs.refused("db", "Refused")
