"""The stream that installs the controller, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sealer.errors import UsageError
from sealer.install import (
    AUDIT_POLICY,
    BITNAMI_FILE,
    FILES,
    KUBESEAL_FILE,
    MAX_IMAGE_NAME,
    RELAY_FILE,
    USERS_FILE,
    Installation,
    audit_policy,
)
from sealer.install import stream as stream_of
from sealer.manifests import documents

_SCHEMAS = Path(__file__).parents[3] / "schemas"
_TEXTS = [(_SCHEMAS / name).read_text() for name in FILES]
_DIGEST = "sha256:" + "0123456789abcdef" * 4


def stream(texts: Sequence[str], **options: Any) -> str:  # noqa: ANN401 - its fields
    return stream_of(texts, Installation(**options))


def test_every_manifest_is_listed() -> None:
    found = {str(path.relative_to(_SCHEMAS)) for path in _SCHEMAS.glob("*/*.yaml")}
    served = {BITNAMI_FILE, KUBESEAL_FILE, USERS_FILE, RELAY_FILE}
    assert served | set(FILES) == found - {"install/kustomization.yaml"}


def test_files_come_out_byte_for_byte_but_for_what_is_asked() -> None:
    text = stream(_TEXTS, image="registry.example/sealer:1.0")
    asked = "image: registry.example/sealer:1.0 #"
    assert text.replace(asked, "image: sealer #") == "---\n".join(_TEXTS)


@pytest.mark.parametrize("namespace", ["sealed", "1e3", "123", "null", "a" * 63])
def test_namespace_stands_wherever_there_is_one(namespace: str) -> None:
    text = stream(_TEXTS, image="sealer", namespace=namespace)
    assert "sealer-system" not in text
    for document in documents.read(text):
        manifest = document.value
        assert isinstance(manifest, dict)
        metadata = manifest["metadata"]
        assert isinstance(metadata, dict)
        assert metadata.get("namespace", namespace) == namespace
        if manifest["kind"] == "Namespace":
            assert metadata["name"] == namespace


def test_controller_is_told_where_it_must_not_make_a_first_key() -> None:
    plain, without = (stream(_TEXTS, image="sealer", first_key=made) for made in (True, False))
    args = "args: [--log-format=json]"
    assert without == plain.replace(args, 'args: [--log-format=json, "--no-make-first-key"]')
    assert without != plain


@pytest.mark.parametrize(
    "image",
    [
        "sealer",
        "sealer:1.0",
        "team/sealer",
        "registry.example/team/sealer:v1.0_rc-1",
        "localhost:5000/sealer",
        "[2001:db8::1]:5000/sealer",
        f"registry.example/sealer@{_DIGEST}",
        f"registry.example/sealer:1.0@{_DIGEST}",
    ],
)
def test_image_is_put_into_the_deployment(image: str) -> None:
    deployment = documents.read(stream(_TEXTS, image=image))[-2].value
    container = deployment
    for step in ("spec", "template", "spec", "containers"):
        assert isinstance(container, dict)
        container = container[step]
    assert isinstance(container, list)
    assert isinstance(container[0], dict)
    assert container[0]["image"] == image


@pytest.mark.parametrize(
    "image",
    [
        "",
        " sealer",
        "sealer\n",
        "Sealer",
        "sealer:",
        "sealer:1.0:2",
        "sealer@latest",
        "sealer@sha256:abc",
        "https://registry.example/sealer",
        "sealer # comment",
        "registry.example/sealer: {a: b}",
        "a" * (MAX_IMAGE_NAME + 1),
    ],
)
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(UsageError, match="this is not the name of an image"):
        stream(_TEXTS, image=image)


@pytest.mark.parametrize("namespace", ["", "Sealer", "a.b", "a" * 64, "a\n"])
def test_what_is_no_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match="must be 1 to 63 characters"):
        stream(_TEXTS, image="sealer", namespace=namespace)


@pytest.mark.parametrize("namespace", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_namespace_that_others_use_is_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match="needs a namespace of its own"):
        stream(_TEXTS, image="sealer", namespace=namespace)


_AUDIT = (_SCHEMAS / AUDIT_POLICY).read_text()


def test_audit_policy_comes_out_byte_for_byte() -> None:
    assert audit_policy(_AUDIT) == _AUDIT


def test_audit_policy_is_about_the_namespace_that_is_named() -> None:
    text = audit_policy(_AUDIT, namespace="sealed")
    assert text == _AUDIT.replace("sealer-system", "sealed")
    with pytest.raises(UsageError, match="a namespace of its own"):
        audit_policy(_AUDIT, namespace="default")


def test_audit_policy_never_logs_a_body() -> None:
    (document,) = documents.read(_AUDIT)
    assert isinstance(document.value, dict)
    rules = document.value["rules"]
    assert isinstance(rules, list)
    levels = [rule["level"] for rule in rules if isinstance(rule, dict)]
    assert set(levels) == {"None", "Metadata"}
    assert len(levels) == len(rules)


def _served(**options: Any) -> Installation:  # noqa: ANN401 - its fields
    return Installation(image="sealer", **options)


def _stream_of(installation: Installation) -> str:
    return stream_of([(_SCHEMAS / name).read_text() for name in installation.files], installation)


def test_sealed_secrets_is_served_where_it_is_asked_for() -> None:
    assert "--serve-bitnami" not in _stream_of(_served())
    for installation in (_served(serve_bitnami=True), _served(kubeseal_service="any")):
        assert 'args: [--log-format=json, "--serve-bitnami"]' in _stream_of(installation)
        assert BITNAMI_FILE in installation.files
    assert KUBESEAL_FILE not in _served(serve_bitnami=True).files


def test_the_service_has_the_name_that_is_asked_for_and_so_have_its_rights() -> None:
    text = _stream_of(_served(kubeseal_service="sealed-secrets", namespace="sealed"))
    manifests: list[Any] = [document.value for document in documents.read(text)]
    found = {(it["kind"], it["metadata"]["name"]): it for it in manifests}
    assert found["Service", "sealed-secrets"]["metadata"]["namespace"] == "sealed"
    names = [rule["resourceNames"] for rule in found["Role", "sealer-kubeseal"]["rules"]]
    assert names == [["sealed-secrets"], ["http:sealed-secrets:http"]]
    assert "sealed-secrets-controller" not in text


def test_where_kubeseal_looks_in_another_namespace_requests_are_passed_on() -> None:
    asked = _served(kubeseal_service="theirs", kubeseal_namespace="kube-system", namespace="sealed")
    manifests: list[Any] = [each.value for each in documents.read(_stream_of(asked))]
    found = {
        (it["kind"], it["metadata"].get("namespace", ""), it["metadata"]["name"]): it
        for it in manifests
    }
    relay = found["Deployment", "kube-system", "sealer-kubeseal-relay"]["spec"]["template"]["spec"]
    (container,) = relay["containers"]
    assert container["env"][0]["value"] == "http://theirs.sealed:8080"
    assert container["image"] == "sealer"
    assert relay["automountServiceAccountToken"] is False
    assert {("Service", "kube-system", "theirs"), ("Service", "sealed", "theirs")} <= found.keys()
    roles = [place for kind, place, name in found if (kind, name) == ("Role", "sealer-kubeseal")]
    assert roles == ["kube-system"]
    (controller,) = found["Deployment", "sealed", "sealer-controller"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert controller["args"][1:] == ["--serve-bitnami", "--bitnami-key-namespace=kube-system"]


@pytest.mark.parametrize("namespace", ["", "sealer-system"])
def test_in_the_controllers_own_namespace_nothing_is_passed_on(namespace: str) -> None:
    asked = _served(kubeseal_service="theirs", kubeseal_namespace=namespace)
    assert RELAY_FILE not in asked.files
    assert "key-namespace" not in _stream_of(asked)


@pytest.mark.parametrize("name", ["Sealed", "1e3", "a.b", "-a", "a" * 64, "sealer-controller"])
def test_what_is_no_name_of_a_service_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a Service"):
        _stream_of(_served(kubeseal_service=name))
