"""The plan for objects of sealed-secrets, with keys and values that are made up."""
# ruff: noqa: ANN401 - builders pass on the fields of what they build

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from controller import bitnami_status
from controller.bitnami_reconcile import BitnamiPlan, failed, is_done, plan, remember
from controller.bitnami_remembered import Remembered, shard_of
from controller.live import Glimpse, glimpsed
from controller.reconcile import Observed
from controller.settings import Settings
from controller.status import READY, Ref, Status, Written
from controller.targets import Create, Live
from sealer.bitnami_sealing import seal
from sealer.crypto.bitnami import Certificate, PrivateKey, label_of, seal_item
from sealer.crypto.encoding import encode_base64
from sealer.crypto.scope import Scope
from sealer.errors import ClusterError
from sealer.manifests.bitnami import CLUSTER_WIDE, KEY_LABEL, PATCH, SKIP_OWNER
from sealer.manifests.models import Metadata, Secret
from sealer.plaintext import read_secret
from tests import rsa_keys
from tests.unit.controller.world import LATER, NOW, STAMP

REF = Ref("Secret", "shop", "db")
UID = "uid-of-sealed"
VALUES = {"password": b"made-up password", "user": b"made-up user"}
CERTIFICATE = Certificate.from_pem(rsa_keys.NEW.certificate())
OLD, NEW, OTHER = (
    PrivateKey.from_pem(key.to_pem()) for key in (rsa_keys.OLD, rsa_keys.NEW, rsa_keys.OTHER)
)
SYNCED = {"observedGeneration": 1, "conditions": [{"type": "Synced", "status": "True"}]}

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted(PrivateKey):
    uses: list[str] = field(default_factory=list)

    def unwrap(self, wrapped: bytes, *, label: bytes) -> bytes:
        self.uses.append(self.fingerprint)
        return PrivateKey.unwrap(self, wrapped, label=label)


def _counted(key: PrivateKey, uses: list[str]) -> PrivateKey:
    return _Counted(**{each.name: getattr(key, each.name) for each in fields(key)}, uses=uses)


def sealed(scope: Scope | None = None, *, labels: Object | None = None, **template: Any) -> Object:
    metadata = Metadata(namespace="shop", name="db", labels=labels or {})
    made = seal(Secret(metadata=metadata, data=VALUES), to=CERTIFICATE, scope=scope)
    document: Object = json.loads(json.dumps(made.to_manifest()))
    document["spec"]["template"] |= template
    return document


def observe(document: Object, *, status: object = None, live: Live | None = None) -> Observed:
    return Observed(
        manifest=document,
        namespace="shop",
        name="db",
        uid=UID,
        generation=1,
        status=bitnami_status.read(status),
        live={} if live is None else {REF: live},
    )


def planned(
    observed: Observed,
    keys: Sequence[PrivateKey] = (NEW, OLD),
    settings: Settings | None = None,
    remembered: Remembered | None = None,
) -> BitnamiPlan:
    return plan(observed, keys, settings or Settings(), remembered=remembered, now=NOW)


def refused(document: Object, settings: Settings | None = None) -> tuple[str, str]:
    decided = planned(observe(document), settings=settings)
    assert decided.actions == ()
    assert decided.error is not None
    [condition] = decided.status.conditions
    assert (condition.type, condition.status) == (READY, False)
    return condition.reason, condition.message


def made(decided: BitnamiPlan) -> Secret:
    [action] = decided.actions
    assert isinstance(action, Create)
    return read_secret(action.manifest)


def test_object_becomes_a_secret_and_a_status() -> None:
    decided = planned(observe(sealed(labels={"team": "shop"})))
    assert made(decided).data == VALUES
    assert made(decided).metadata.labels == {"team": "shop"}
    assert (decided.scope, decided.key, decided.added) == ("strict", NEW.fingerprint, False)
    assert bitnami_status.to_manifest(decided.status, now=LATER) == {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Synced",
                "status": "True",
                "reason": "Opened",
                "message": "2 items",
                "lastUpdateTime": "2026-11-22T11:00:00Z",
                "lastTransitionTime": STAMP,
            }
        ],
    }


def test_status_of_their_controller_that_says_so_already_is_left_as_it_is() -> None:
    decided = planned(observe(sealed(), status=SYNCED))
    assert decided.status == bitnami_status.read(SYNCED)


def test_status_of_another_generation_is_written_anew() -> None:
    decided = planned(observe(sealed(), status=SYNCED | {"observedGeneration": 7}))
    assert decided.status.observed_generation == 1


def test_key_that_opened_it_before_is_tried_first() -> None:
    uses: list[str] = []
    keys = [_counted(key, uses) for key in (OTHER, OLD, NEW)]
    remembered = Remembered(generation=1, scope="strict", uid="u", version="1", key=NEW.fingerprint)
    planned(observe(sealed()), keys, remembered=remembered)
    assert uses == [NEW.fingerprint] * 2
    uses.clear()
    planned(observe(sealed()), keys)
    assert uses == [OTHER.fingerprint, OLD.fingerprint, NEW.fingerprint, NEW.fingerprint]


def test_nothing_sealed_is_an_empty_secret() -> None:
    document = sealed()
    document["spec"]["encryptedData"] = {}
    decided = planned(observe(document))
    assert made(decided).data == {}
    assert decided.key == ""
    assert decided.status.conditions[0].message == "0 items"


def test_one_item_is_told_as_one() -> None:
    document = sealed()
    del document["spec"]["encryptedData"]["user"]
    assert planned(observe(document)).status.conditions[0].message == "1 item"


def test_deprecated_form_is_opened() -> None:
    content = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "old"}}
    content |= {"data": {"a": encode_base64(b"made-up")}}
    document = _whole(content)
    assert made(planned(observe(document))).data == {"a": b"made-up"}
    document["spec"]["template"] = {"data": {".dockercfg": '{"a": "{{ .a }}"}'}}  # not looked at
    assert made(planned(observe(document))).data == {"a": b"made-up"}


def test_deprecated_form_may_not_carry_the_label_of_keys() -> None:
    metadata = {"name": "old", "labels": {KEY_LABEL: "active"}}
    content = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}}
    assert refused(_whole(content))[0] == "Refused"


def _whole(content: Object) -> Object:
    label = label_of(Scope.STRICT, namespace="shop", name="db")
    raw = seal_item(json.dumps(content).encode(), to=CERTIFICATE, label=label).to_bytes()
    return sealed() | {"spec": {"data": encode_base64(raw)}}


def test_wrong_key_is_told_with_what_to_do_in_a_cluster() -> None:
    decided = planned(observe(sealed()), [OLD])
    assert decided.error is not None
    assert decided.error.reason == "CannotOpen"
    assert "kubectl get secrets" in decided.status.conditions[0].message
    assert "--private-key" not in decided.status.conditions[0].message


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (sealed() | {"spec": {"encryptedData": []}}, "InvalidManifest"),
        (sealed(data={"x": "{{ fail .password }}"}), "InvalidTemplate"),
        (sealed(data={"x": "{{ .none }}"}), "InvalidTemplate"),
        (sealed(data={".dockerconfigjson": "{{ .password }}"}), "InvalidTemplate"),
        (sealed(metadata={"labels": {KEY_LABEL: "active"}}), "Refused"),
        (sealed(type="kubernetes.io/service-account-token"), "Refused"),
        (sealed(type="kubernetes.io/tls"), "InvalidManifest"),
    ],
    ids=["manifest", "construct", "item", "json", "label", "type", "items"],
)
def test_what_must_not_be_is_refused(document: Object, reason: str) -> None:
    said, message = refused(document)
    assert said == reason
    assert "made-up" not in message


def test_registry_login_is_made_of_values_that_are_json_between_quotes() -> None:
    template = {".dockerconfigjson": '{"auths": {"x": {"password": "{{ .password }}"}}}'}
    decided = planned(observe(sealed(data=template)))
    assert json.loads(made(decided).data[".dockerconfigjson"]) == {
        "auths": {"x": {"password": VALUES["password"].decode()}}
    }
    document = sealed(data=template)
    odd = {"password": b'made-up "quoted"'}
    place = Metadata(namespace="shop", name="db")
    other = seal(Secret(metadata=place, data=odd), to=CERTIFICATE)
    document["spec"]["encryptedData"] = dict(other.encrypted_data)
    reason, message = refused(document)
    assert reason == "InvalidTemplate"
    assert message.endswith(
        "key template.data..dockerconfigjson: line 1: the value of item 'password' cannot stand in "
        "JSON as it is; write values as {{ .item | toJson }}, with no quotes around them"
    )


def test_templates_are_refused_before_anything_is_opened() -> None:
    uses: list[str] = []
    planned(observe(sealed(data={"x": "{{ fail .password }}"})), [_counted(NEW, uses)])
    assert uses == []


def test_scopes_and_the_controllers_own_namespace_are_for_the_settings_to_allow() -> None:
    strict = Settings(allowed_scopes=frozenset({Scope.STRICT}))
    assert refused(sealed(Scope.CLUSTER_WIDE), strict)[1] == (
        "key metadata.annotations: scope cluster-wide is not allowed here"
    )
    own = Settings(controller_namespace="shop")
    assert "controller's own namespace" in refused(sealed(), own)[1]
    allowed = Settings(controller_namespace="shop", allow_own_namespace=True)
    assert planned(observe(sealed()), settings=allowed).error is None


def test_owner_is_left_out_where_the_template_says_so() -> None:
    skip = {"annotations": {SKIP_OWNER: "true"}}
    [action] = planned(observe(sealed(metadata=skip))).actions
    assert isinstance(action, Create)
    assert action.owner is None


def test_failure_of_the_actions_is_one_condition() -> None:
    status = failed(observe(sealed()), ClusterError("the API server failed"), now=NOW)
    assert [each.type for each in status.conditions] == [READY]
    assert bitnami_status.read(bitnami_status.to_manifest(status, now=LATER)) == status


# --- what is remembered


def _live(uid: str = "uid-of-secret", version: str = "7") -> Live:
    return glimpsed(REF, Glimpse(uid, version))


def _is_done(
    remembered: Remembered | None,
    live: Live | None,
    *,
    scope: str = "strict",
    settings: Settings | None = None,
    status: object = SYNCED,
) -> bool:
    observed = observe({}, status=status, live=live)
    return is_done(observed, remembered, settings or Settings(), scope=scope)


LEFT = Remembered(generation=1, scope="strict", uid="uid-of-secret", version="7", key="k")


def test_object_that_is_as_it_was_left_is_done() -> None:
    assert _is_done(LEFT, _live())


def test_anything_else_is_looked_at() -> None:
    assert not _is_done(None, _live())
    assert not _is_done(LEFT, None)
    assert not _is_done(LEFT, _live(version="8"))
    assert not _is_done(LEFT, _live(uid="another"))
    assert not _is_done(LEFT, _live(), scope="cluster-wide")
    assert not _is_done(LEFT, _live(), status=None)
    assert not _is_done(LEFT, _live(), status=SYNCED | {"observedGeneration": 2})
    assert not _is_done(LEFT, _live(), settings=Settings(allowed_scopes=frozenset()))
    assert not _is_done(
        Remembered(generation=2, scope="strict", uid="uid-of-secret", version="7"), _live()
    )


def test_deleted_secret_that_was_only_added_to_stays_deleted() -> None:
    added = Remembered(generation=1, scope="strict", uid="uid-of-secret", version="7", added=True)
    assert _is_done(added, None)
    assert not _is_done(added, _live(uid="another"))


def test_what_was_written_is_remembered() -> None:
    observed = observe(sealed())
    decided = planned(observed)
    written = {REF: Written(ref=REF, uid="u-1", resource_version="9")}
    assert remember(observed, decided, written) == Remembered(
        generation=1, scope="strict", uid="u-1", version="9", key=NEW.fingerprint
    )


def test_what_was_right_already_is_remembered() -> None:
    metadata = Metadata(namespace="shop", name="db", annotations={PATCH: "true"})
    live = Live(
        ref=REF,
        uid="u-1",
        resource_version="9",
        secret=Secret(metadata=metadata, data=VALUES),
        metadata=metadata,
    )
    observed = observe(sealed(), live=live)
    decided = planned(observed)
    assert decided.actions == ()
    remembered = remember(observed, decided, {})
    assert remembered is not None
    assert (remembered.uid, remembered.version, remembered.added) == ("u-1", "9", True)


def test_failure_is_not_remembered() -> None:
    observed = observe(sealed())
    assert remember(observed, planned(observed, [OLD]), {}) is None


@pytest.mark.parametrize(
    "entry",
    [LEFT, Remembered(generation=3, scope="cluster-wide", uid="u", version="1", added=True)],
)
def test_entries_are_read_as_they_were_written(entry: Remembered) -> None:
    assert Remembered.read(entry.to_text()) == entry
    assert len(entry.to_text()) < 200


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"g": "1"}', "null", "[" * 100_000])
def test_what_is_no_entry_is_as_good_as_lost(text: str) -> None:
    assert Remembered.read(text) is None


def test_entries_are_spread() -> None:
    shards = [shard_of(f"uid-{number}") for number in range(6400)]
    assert set(shards) == set(range(64))
    assert max(map(shards.count, set(shards))) < 200


# --- statuses of others


@pytest.mark.parametrize(
    "document",
    [None, {}, {"conditions": 1}, {"observedGeneration": "1"}, [], {"conditions": [{"type": "x"}]}],
)
def test_status_that_cannot_be_understood_is_as_good_as_absent(document: object) -> None:
    assert bitnami_status.read(document) == Status()


def test_other_conditions_are_passed_over() -> None:
    document = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    assert bitnami_status.read(document).conditions == ()


def test_scope_annotation_widens_as_kubeseal_says() -> None:
    document = sealed(Scope.CLUSTER_WIDE)
    assert document["metadata"]["annotations"] == {CLUSTER_WIDE: "true"}
    assert planned(observe(document)).scope == "cluster-wide"
