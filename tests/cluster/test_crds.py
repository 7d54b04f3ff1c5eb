"""What the API server accepts and refuses of SealedSecrets, and what it says then."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import yaml

from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.decoding import MAX_RECIPIENTS
from sealer.errors import InvalidManifest, UnsupportedFormat
from sealer.manifests.models import Metadata, SealedSecret, Secret
from sealer.manifests.validation import MAX_SEALED_BYTES, RESERVED_METADATA
from sealer.sealing import seal
from tests.cluster.crds import (
    ABSENT,
    CANARY,
    ENTRY,
    FOLDER,
    ITEM,
    KEY_ID,
    WRAPPED,
    Change,
    Object,
    assert_judged,
    create,
    each,
    path,
    replace,
    sealed_secret,
    sealer_crds,
)

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import ApiServer

__all__ = ["sealer_crds"]

_SPEC = ("spec",)
_ENTRY = ("spec", "seals", ENTRY)
_TEMPLATE = ("spec", "template")
_RECIPIENT = {"key": KEY_ID, "wrapped": WRAPPED}
_SHARED = {"kind": "SharedSecret", "displayName": "Shop", "description": "For the shop."}
_RULE = {"name": "team", "verbs": ["view"], "teams": ["shop"]}

_SEALED = [
    Change("as sealed", ("metadata", "name"), "db"),
    Change("no spec", _SPEC, ABSENT, "spec: Required value"),
    Change("no scope", (*_SPEC, "scope"), ABSENT),
    Change("namespace-wide", (*_SPEC, "scope"), "namespace-wide"),
    Change("cluster-wide", (*_SPEC, "scope"), "cluster-wide"),
    Change("another scope", (*_SPEC, "scope"), "global", 'supported values: "strict"'),
    Change("no items", (*_SPEC, "encryptedData"), ABSENT),
    Change("item in clear", (*_SPEC, "encryptedData", "pin"), CANARY, "item pin is not sealed"),
    Change("short item in clear", (*_SPEC, "encryptedData", "pin"), "1234", "item pin is not seal"),
    Change("longest item key", (*_SPEC, "encryptedData", "k" * 253), ITEM),
    Change("item key too long", (*_SPEC, "encryptedData", "k" * 254), ITEM, "at most 253 characte"),
    Change("item too long", (*_SPEC, "encryptedData", "a"), CANARY * 43_000, "Too long"),
]
_ENTRIES = [
    Change("entry id", ("spec", "seals", "abc"), {"format": "v1"}, "an entry id is 8 characters"),
    Change("no format", (*_ENTRY, "format"), ABSENT, "format: Required value"),
    Change("no time", (*_ENTRY, "sealedAt"), ABSENT, "has sealedAt, commitment and 1 to 32"),
    Change("no commitment", (*_ENTRY, "commitment"), ABSENT, "has sealedAt, commitment and 1 to"),
    Change("no recipients", (*_ENTRY, "recipients"), ABSENT, "has sealedAt, commitment and 1 to"),
    Change("empty recipients", (*_ENTRY, "recipients"), [], "sealedAt, commitment and 1 to 32"),
    Change("local time", (*_ENTRY, "sealedAt"), "2026-11-22T10:00:00+01:00", "is a UTC time"),
    Change("short commitment", (*_ENTRY, "commitment"), "AAAA", "commitment is 32 bytes"),
    Change("most recipients", (*_ENTRY, "recipients"), [_RECIPIENT] * MAX_RECIPIENTS),
    Change("too many", (*_ENTRY, "recipients"), [_RECIPIENT] * (MAX_RECIPIENTS + 1), "at most 32"),
    Change("no key id", (*_ENTRY, "recipients", 0, "key"), ABSENT, "each recipient has a key"),
    Change("key id", (*_ENTRY, "recipients", 0, "key"), KEY_ID.upper(), "lower-case hex digits"),
    Change(
        "no wrapped", (*_ENTRY, "recipients", 0, "wrapped"), ABSENT, "each recipient has wrapped"
    ),
    Change("wrapped", (*_ENTRY, "recipients", 0, "wrapped"), "AAAA", "1168 bytes in base64"),
]
_TEMPLATES = [
    Change("no template", _TEMPLATE, ABSENT),
    Change("kind SharedSecret", _TEMPLATE, _SHARED),
    Change(
        "another kind", (*_TEMPLATE, "kind"), "ConfigMap", 'supported values: "Secret", "Shared'
    ),
    Change(
        "service account token",
        (*_TEMPLATE, "type"),
        "kubernetes.io/service-account-token",
        "service account tokens are not sealed",
    ),
    Change("longest label", (*_TEMPLATE, "metadata", "labels", "a"), "a" * 63),
    Change("label", (*_TEMPLATE, "metadata", "labels", "a"), "a" * 64, "Too long"),
    Change("display name", (*_TEMPLATE, "displayName"), "Shop", "are for kind SharedSecret only"),
    Change("description", (*_TEMPLATE, "description"), "x", "are for kind SharedSecret only"),
    Change("empty access", (*_TEMPLATE,), {**_SHARED, "access": []}),
    Change("access", (*_TEMPLATE,), {**_SHARED, "access": [_RULE]}),
    Change("same name", (*_TEMPLATE,), {**_SHARED, "access": [_RULE, _RULE]}, "two lines of"),
    Change("access of a Secret", (*_TEMPLATE, "access"), [_RULE], "for kind SharedSecret only"),
    Change("when unsynced", (*_TEMPLATE,), {**_SHARED, "whenUnsynced": "delete"}),
    Change("unsynced", (*_TEMPLATE, "whenUnsynced"), "keep", "for kind SharedSecret only"),
    Change("template key", (*_TEMPLATE, "data", "k" * 254), "x", "at most 253 characters"),
]
_RESERVED = [
    Change(f"{name} as {where}", (*_TEMPLATE, "metadata", where, name), "x", "may not set")
    for name in RESERVED_METADATA
    for where in ("labels", "annotations")
]
_UNKNOWN = [
    Change("spec", (*_SPEC, "sealFor"), CANARY),
    Change("entry", (*_ENTRY, "expires"), CANARY),
    Change("recipient", (*_ENTRY, "recipients", 0, "hint"), CANARY),
    Change("template", (*_TEMPLATE, "onlyIf"), CANARY),
    Change("template metadata", (*_TEMPLATE, "metadata", "finalizers"), CANARY),
]


def test_crds_are_accepted_without_a_warning(api_server: ApiServer) -> None:
    applied = api_server.kubectl("apply", "--server-side", "-f", str(FOLDER))
    assert applied.stderr == ""
    assert len(applied.stdout.splitlines()) == 3


def test_crds_are_structural_and_their_names_are_free(sealer_crds: ApiServer) -> None:
    for file in FOLDER.glob("*.yaml"):
        name = yaml.safe_load(file.read_text())["metadata"]["name"]
        at = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        conditions = sealer_crds.request("GET", at).body["status"]["conditions"]
        assert {(c["type"], c["status"]) for c in conditions} == {
            ("NamesAccepted", "True"),
            ("Established", "True"),
        }


@each([*_SEALED, *_ENTRIES, *_TEMPLATES, *_RESERVED])
def test_sealed_secret_is_judged(sealer_crds: ApiServer, namespace: str, change: Change) -> None:
    changed = change.of(sealed_secret())
    assert_judged(create(sealer_crds, changed, namespace, dry=True), change)


@each(_UNKNOWN)
def test_unknown_field_reaches_the_controller_which_refuses_it(
    sealer_crds: ApiServer, namespace: str, change: Change
) -> None:
    answer = create(sealer_crds, change.of(sealed_secret()), namespace)
    assert answer.status == 201, answer.body
    with pytest.raises(InvalidManifest, match="unknown field"):
        SealedSecret.read(_get(sealer_crds, namespace))


def test_another_format_reaches_the_controller_with_all_its_fields(
    sealer_crds: ApiServer, namespace: str
) -> None:
    entry = {"format": "v9", "recipients": [{"handle": 7}], "nonce": "x", "commitment": "AAAA"}
    changed = Change("", _ENTRY, entry).of(sealed_secret())
    assert create(sealer_crds, changed, namespace).status == 201
    stored = _get(sealer_crds, namespace)
    assert stored["spec"]["seals"][ENTRY] == entry
    with pytest.raises(UnsupportedFormat):
        SealedSecret.read(stored)


def test_manifest_comes_back_as_it_was_sealed(sealer_crds: ApiServer, namespace: str) -> None:
    sealed = _sealed(namespace, {"password": b"made-up"})
    assert create(sealer_crds, sealed.to_manifest(), namespace).status == 201
    assert SealedSecret.read(_get(sealer_crds, namespace)) == sealed


def test_largest_manifest_with_5000_items_is_applied(
    sealer_crds: ApiServer, namespace: str
) -> None:
    items = {f"item-{number:04d}": b"x" * 120 for number in range(5000)}
    sealed = _sealed(namespace, {**items, "filler": b"x" * 285_000})
    manifest = json.dumps(sealed.to_manifest(), separators=(",", ":"))
    assert MAX_SEALED_BYTES * 0.99 < len(manifest) <= MAX_SEALED_BYTES
    sealer_crds.kubectl("apply", "--server-side", "-f", "-", stdin=manifest)
    assert len(_get(sealer_crds, namespace)["spec"]["encryptedData"]) == 5001


def test_refusal_in_a_large_manifest_quotes_no_value(
    sealer_crds: ApiServer, namespace: str
) -> None:
    manifest = sealed_secret()
    items = {f"item-{number:05d}": ITEM for number in range(9000)}
    manifest["spec"]["encryptedData"] = {**items, "zzz": CANARY}
    change = Change("", (), None, "is not sealed: expected <entry id>:<base64>")
    assert_judged(create(sealer_crds, manifest, namespace, dry=True), change)


@pytest.mark.parametrize("how", ["created", "applied"])
def test_new_object_is_in_progress_and_not_healthy(
    sealer_crds: ApiServer, namespace: str, how: str
) -> None:
    if how == "created":
        assert create(sealer_crds, sealed_secret(), namespace).status == 201
    else:
        _apply(sealer_crds, namespace, "git", sealed_secret())
    assert _get(sealer_crds, namespace)["status"] == {"observedGeneration": -1}


def test_status_written_by_a_user_on_create_is_dropped(
    sealer_crds: ApiServer, namespace: str
) -> None:
    manifest = {**sealed_secret(), "status": {"observedGeneration": 1, "keys": [KEY_ID]}}
    assert create(sealer_crds, manifest, namespace).status == 201
    assert _get(sealer_crds, namespace)["status"] == {"observedGeneration": -1}


def test_status_without_observed_generation_gets_the_default(
    sealer_crds: ApiServer, namespace: str
) -> None:
    create(sealer_crds, sealed_secret(), namespace)
    answer = replace(
        sealer_crds, {**sealed_secret(), "status": {"keys": [KEY_ID]}}, namespace, status=True
    )
    assert answer.body["status"] == {"observedGeneration": -1, "keys": [KEY_ID]}


def test_edit_raises_the_generation_and_a_status_does_not(
    sealer_crds: ApiServer, namespace: str
) -> None:
    create(sealer_crds, sealed_secret(), namespace)
    status = {"observedGeneration": 1, "conditions": []}
    answer = replace(sealer_crds, {**sealed_secret(), "status": status}, namespace, status=True)
    assert answer.body["metadata"]["generation"] == 1
    changed = Change("", (*_SPEC, "scope"), "cluster-wide").of(sealed_secret())
    answer = replace(sealer_crds, changed, namespace)
    assert answer.body["metadata"]["generation"] == 2
    assert answer.body["status"] == status


@pytest.mark.parametrize(
    ("place", "added"),
    [
        (("spec", "seals"), {"bbbbbbbb": sealed_secret()["spec"]["seals"][ENTRY]}),
        (("spec", "encryptedData"), {"other": ITEM}),
        (("spec", "template", "data"), {"other": "text"}),
        (("spec", "seals", ENTRY, "recipients"), [{"key": "f" * 32, "wrapped": WRAPPED}]),
    ],
    ids=["seals", "encryptedData", "template.data", "recipients"],
)
def test_two_appliers_never_mix_entries(
    sealer_crds: ApiServer, namespace: str, place: tuple[str, ...], added: object
) -> None:
    _apply(sealer_crds, namespace, "git", sealed_secret())
    theirs = Change("", place, added).of(sealed_secret())
    conflict = _apply(sealer_crds, namespace, "other", theirs, check=False)
    assert "conflict with" in conflict
    _apply(sealer_crds, namespace, "other", theirs, "--force-conflicts")
    stored: object = _get(sealer_crds, namespace)
    for step in place:
        assert isinstance(stored, dict)
        stored = stored[step]
    assert stored == added


def test_kubectl_get_shows_whether_it_is_open_and_why_not(
    sealer_crds: ApiServer, namespace: str
) -> None:
    create(sealer_crds, sealed_secret(), namespace)
    condition = {"type": "Ready", "status": "False", "reason": "UnknownKey", "message": "no key"}
    since = "2026-11-22T10:00:00Z"
    conditions = [{**condition, "lastTransitionTime": since, "observedGeneration": 1}]
    status = {"observedGeneration": 1, "keys": [KEY_ID], "conditions": conditions}
    replace(sealer_crds, {**sealed_secret(), "status": status}, namespace, status=True)
    shown = sealer_crds.kubectl("get", "sls", "-n", namespace).stdout.splitlines()
    assert shown[0].split() == ["NAME", "READY", "REASON", "SCOPE", "AGE"]
    assert shown[1].split()[:4] == ["db", "False", "UnknownKey", "strict"]
    wide = sealer_crds.kubectl("get", "sls", "-n", namespace, "-o", "wide").stdout.splitlines()
    assert wide[0].split()[4:] == ["KIND", "KEY", "EXPOSED", "MESSAGE", "AGE"]
    assert wide[1].split()[4:8] == ["Secret", KEY_ID, "no", "key"]  # exposed is empty


@pytest.mark.parametrize("name", ["sls", "shs", "slk"])
def test_kubectl_explain_says_what_the_object_is_for(sealer_crds: ApiServer, name: str) -> None:
    told = sealer_crds.kubectl("explain", name).stdout
    assert "DESCRIPTION:" in told
    assert "<empty>" not in told


def test_kubectl_explain_describes_nested_fields(sealer_crds: ApiServer) -> None:
    told = sealer_crds.kubectl("explain", "sls.spec.seals.recipients").stdout
    assert "wrapped\t<string>" in told
    assert "The wrapped data key" in told


def test_category_lists_all_kinds(sealer_crds: ApiServer, namespace: str) -> None:
    create(sealer_crds, sealed_secret(), namespace)
    listed = sealer_crds.kubectl("get", "sealer", "-n", namespace, "-o", "name").stdout
    assert "sealedsecret.sealer.dev/db" in listed


def _sealed(namespace: str, data: dict[str, bytes]) -> SealedSecret:
    secret = Secret(metadata=Metadata(namespace=namespace, name="db"), data=data)
    to = [UnsealingKey.generate().public]
    return seal(secret, to=to, scope=Scope.STRICT, now=datetime(2026, 11, 22, tzinfo=UTC))


def _get(api: ApiServer, namespace: str) -> Object:
    answer = api.request("GET", f"{path(sealed_secret(), namespace)}/db")
    assert answer.status == 200, answer.body
    stored: Object = answer.body
    return stored


def _apply(
    api: ApiServer, namespace: str, manager: str, manifest: Object, *flags: str, check: bool = True
) -> str:
    apply = ("apply", "--server-side", f"--field-manager={manager}", "-n", namespace, "-f", "-")
    return api.kubectl(*apply, *flags, stdin=json.dumps(manifest), check=check).stderr
