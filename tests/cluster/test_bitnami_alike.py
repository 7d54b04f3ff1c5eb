"""Their controller and ours, given the same objects: the same Secrets come of them, or none does.

Odd ones above all, as years of kubeseal, kubectl and hands leave them. First theirs makes what it
makes; ours takes over and changes nothing; then ours makes everything from nothing.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealer.crypto.bitnami import Certificate, label_of, seal_item
from sealer.crypto.scope import Scope
from tests.cluster.bitnami import BITNAMI, PREFIX
from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.installing import ROOT, apply_stream
from tests.cluster.running import running_controller
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder

Object = dict[str, Any]

_GUIDE = ROOT / "docs" / "migrating-from-sealed-secrets.md"
_A = {"a": b"made-up-90"}
_SKIP = {f"{PREFIX}skip-set-owner-references": "true"}
_LOGIN = '{"auths": {"x": {"password": "{{ .a }}", "auth": {{ .a | quote }}}}}'
_LABELLED = {"metadata": {"labels": {"team": "shop"}, "annotations": {"note": "ours"}}}
_SERVER = {"name": "other", "namespace": "other", "creationTimestamp": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """An object.

    Attributes:
        items: what is sealed.
        texts: sealed values as they stand there, where that is not what kubeseal writes.
        scope: under which it is sealed.
        said: annotations of the object.
        template: `spec.template`.
        before: annotations of a Secret that is there already, with an item and a label of its own;
            None where there is none.
    """

    items: Mapping[str, bytes] = field(default_factory=lambda: _A)
    texts: Mapping[str, str] = field(default_factory=dict)
    scope: Scope = Scope.STRICT
    said: Mapping[str, str] = field(default_factory=dict)
    template: Object | None = None
    before: Mapping[str, str] | None = None


MADE = {
    "plain": _Case(),
    "nothing": _Case(items={}),
    "empty": _Case(items={"a": b"", "b": b"\xff\x00"}),
    "no-template": _Case(template={}),
    "nulls": _Case(template={"metadata": None, "data": None, "type": ""}),
    "elsewhere": _Case(template={"metadata": _SERVER | {"labels": {"team": "shop"}}}),
    "finalizer": _Case(template={"metadata": {"finalizers": ["example.com/made-up"]}}),
    "unowned": _Case(template={"metadata": {"annotations": _SKIP}}),
    "managed": _Case(template={"metadata": {"annotations": {f"{PREFIX}managed": "true"}}}),
    "patched": _Case(template={"metadata": {"annotations": {f"{PREFIX}patch": "true"}}}),
    "widest": _Case(
        scope=Scope.CLUSTER_WIDE,
        said={f"{PREFIX}cluster-wide": "true", f"{PREFIX}namespace-wide": "true"},
    ),
    "wide": _Case(
        scope=Scope.NAMESPACE_WIDE,
        said={f"{PREFIX}cluster-wide": "True", f"{PREFIX}namespace-wide": "true"},
    ),
    "immutable": _Case(template={"immutable": True}),
    "mutable": _Case(template={"immutable": False}),
    "unnamed-type": _Case(template={"type": "made-up"}),
    "tls": _Case(items={"tls.crt": b"x", "tls.key": b"y"}, template={"type": "kubernetes.io/tls"}),
    "half-basic": _Case(items={"username": b"x"}, template={"type": "kubernetes.io/basic-auth"}),
    "long-name": _Case(items={"a" * 253: b"x"}),
    "text-only": _Case(items={}, template={"data": {"static": "made-up\n"}}),
    "over-an-item": _Case(template={"data": {"a": "new {{ .a }}"}}),
    "bytes": _Case(items={"a": b"\xff\xfe"}, template={"data": {"b": "{{ .a }}"}}),
    "login": _Case(
        template={"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": _LOGIN}}
    ),
    "managed-before": _Case(before={f"{PREFIX}managed": "true"}),
    "patched-before": _Case(before={f"{PREFIX}patch": "true"}, template=_LABELLED),
    "both-before": _Case(
        before={f"{PREFIX}managed": "true", f"{PREFIX}patch": "true"}, template=_LABELLED
    ),
}
"""From each comes a Secret, or what is there already becomes it."""

REFUSED = {
    "scope-in-template": _Case(
        scope=Scope.CLUSTER_WIDE,
        template={"metadata": {"annotations": {f"{PREFIX}cluster-wide": "true"}}},
    ),
    "scope-not-true": _Case(scope=Scope.CLUSTER_WIDE, said={f"{PREFIX}cluster-wide": "yes"}),
    "no-value": _Case(texts={"b": ""}),
    "spaces": _Case(texts={"b": " QUFB"}),
    "url-safe": _Case(texts={"b": "-_-_"}),
    "half-tls": _Case(items={"tls.crt": b"x"}, template={"type": "kubernetes.io/tls"}),
    "no-ssh-key": _Case(items={"ssh-privatekey": b""}, template={"type": "kubernetes.io/ssh-auth"}),
    "no-json": _Case(
        items={".dockerconfigjson": b"made-up"},
        template={"type": "kubernetes.io/dockerconfigjson"},
    ),
    "no-login": _Case(
        items={"a": b'made-up"'},
        template={"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": _LOGIN}},
    ),
    "label": _Case(template={"metadata": {"labels": {"a b": "c"}}}),
    "item-key": _Case(items={"a/b": b"x"}),
    "dots": _Case(items={"..a": b"x"}),
    "neither-before": _Case(before={}),
    "no-more-before": _Case(before={f"{PREFIX}managed": "", f"{PREFIX}patch": "false"}),
}
"""From none does, and what is there already stays as it is."""

BEFORE = {name: case.before for name, case in (MADE | REFUSED).items() if case.before is not None}


def _manifest(name: str, case: _Case, namespace: str, certificate: Certificate) -> Object:
    label = label_of(case.scope, namespace=namespace, name=name)
    sealed = {
        key: base64.encodebytes(seal_item(value, to=certificate, label=label).to_bytes()).decode()
        for key, value in case.items.items()
    }
    template = {} if case.template is None else {"template": case.template}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": namespace, "annotations": dict(case.said)},
        "spec": {"encryptedData": {**sealed, **case.texts}, **template},
    }


def _secrets(api: ApiServer, namespace: str) -> dict[str, Object]:
    items = api.request("GET", f"/api/v1/namespaces/{namespace}/secrets").body["items"]
    return {item["metadata"]["name"]: item for item in items}


def _content(secret: Object) -> Object:
    metadata = secret["metadata"]
    owners = [
        {name: text for name, text in each.items() if name != "uid"}
        for each in metadata.get("ownerReferences", [])
    ]
    parts = {name: metadata.get(name) for name in ("labels", "annotations", "finalizers")}
    # Absent and false mean the same.
    rest = {name: secret.get(name) or None for name in ("type", "data", "immutable")}
    return parts | rest | {"owners": owners}


def _told(api: ApiServer, namespace: str) -> dict[str, str]:
    """What is said of each object, once something is said of all."""
    path = f"{BITNAMI}/namespaces/{namespace}/sealedsecrets"

    def probe() -> dict[str, str]:
        found = {}
        for item in api.request("GET", path).body["items"]:
            status = item.get("status", {})
            assert status.get("observedGeneration") == 1
            (condition,) = status["conditions"]
            assert condition["type"] == "Synced"
            found[item["metadata"]["name"]] = condition["status"]
        assert found.keys() == MADE.keys() | REFUSED.keys()
        return found

    return eventually(probe, what="all objects to have a status")


def _create(api: ApiServer, namespace: str, manifests: list[Object]) -> None:
    for name, said in BEFORE.items():
        metadata = {"name": name, "annotations": said, "labels": {"of": "others"}}
        secret = {"metadata": metadata, "data": {"mine": "bWFkZS11cA=="}}
        assert api.request("POST", f"/api/v1/namespaces/{namespace}/secrets", secret).status == 201
    for manifest in manifests:
        answer = api.request("POST", f"{BITNAMI}/namespaces/{namespace}/sealedsecrets", manifest)
        assert answer.status == 201, answer.body


def _clear(api: ApiServer, namespace: str) -> None:
    """Delete everything; there is no garbage collector to wait for."""
    core = f"/api/v1/namespaces/{namespace}/secrets"
    freed = {"metadata": {"finalizers": None}}
    merge = "application/merge-patch+json"
    for path in (f"{BITNAMI}/namespaces/{namespace}/sealedsecrets", core):
        assert api.request("DELETE", path).status == 200
    assert api.request("PATCH", f"{core}/finalizer", freed, content_type=merge).status == 200
    eventually(lambda: not _secrets(api, namespace), what="all Secrets to be gone")


def _metrics(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (sealed_secrets_controller_\w+)", text, re.MULTILINE))


def _listed() -> set[str]:
    """Those that the guide has something to say of."""
    table = _GUIDE.read_text(encoding="utf-8").partition("<!-- metrics -->")[2].partition("\n\n")[0]
    return set(re.findall(r"`(sealed_secrets_controller_\w+)`", table))


def test_the_same_comes_of_it_whichever_controller_is_at_work(
    installed_sealer: ApiServer, new_namespace: NamespaceFactory, find_program: ProgramFinder
) -> None:
    api, home, shop = installed_sealer, new_namespace("sealed-secrets"), new_namespace("shop")
    apply_stream(api, "--serve-bitnami")
    program = find_program("sealed-secrets-controller")
    crds = require_crds(Tool.SEALED_SECRETS)
    flags = ("--kubeclient-qps=-1", "--max-unseal-retries=1")
    with running_sealed_secrets(api, program, crds, namespace=home, flags=flags) as original:
        certificate = Certificate.from_pem(original.certificate().decode())
        cases = {**MADE, **REFUSED}
        manifests = [_manifest(name, each, shop, certificate) for name, each in cases.items()]
        _create(api, shop, manifests)
        _told(api, shop)
        names = MADE.keys() | BEFORE.keys()
        eventually(lambda: _secrets(api, shop).keys() == names, what="all to be made")
        assert _listed() == _metrics(original.metrics())
    theirs = _secrets(api, shop)
    ours = ("--serve-bitnami", f"--bitnami-key-namespace={home}")
    expected = dict.fromkeys(MADE, "True") | dict.fromkeys(REFUSED, "False")
    with running_controller(api, *ours, name="after-theirs"):
        # Of an unowned one theirs says that it is somebody else's, though it made it.
        eventually(lambda: _told(api, shop) == expected, what="ours to say so of all")
        assert _secrets(api, shop) == theirs
    _clear(api, shop)
    with running_controller(api, *ours, name="alone"):
        _create(api, shop, manifests)
        eventually(lambda: _told(api, shop) == expected, what="ours to say so of all again")
        made = {name: _content(secret) for name, secret in _secrets(api, shop).items()}
    assert made == {name: _content(secret) for name, secret in theirs.items()}
    login = json.loads(base64.b64decode(theirs["login"]["data"][".dockerconfigjson"]))
    assert login["auths"]["x"] == {"password": "made-up-90", "auth": "made-up-90"}
