"""Key Secrets of sealed-secrets as they come, change and go, and keys that we make for it."""

from __future__ import annotations

import base64
from datetime import timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from tests.cluster.harness.processes import eventually
from tests.cluster.harness.sealed_secrets import running_sealed_secrets
from tests.cluster.kubeseal import put_key, put_key_secret
from tests.cluster.running import running_controller
from tests.rsa_keys import LABEL, NEW, OLD, OTHER
from tests.tools.catalog import Tool
from tests.tools.requirement import require_crds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory, ProgramFinder
    from tests.cluster.running import Controller

Object = dict[str, Any]


@pytest.fixture(scope="module")
def keys(new_namespace: NamespaceFactory) -> str:
    """The namespace of the key Secrets."""
    return new_namespace("bitnami-keys")


@pytest.fixture(scope="module")
def serving(installed_sealer: ApiServer, keys: str) -> Iterator[Controller]:
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={keys}")
    with running_controller(installed_sealer, *flags) as running:
        yield running


@pytest.fixture(autouse=True)
def no_keys(installed_sealer: ApiServer, keys: str) -> None:
    """Each test begins without a key."""
    installed_sealer.request("DELETE", f"/api/v1/namespaces/{keys}/secrets")


def _certificate(controller: Controller) -> str:
    """What is handed out; empty while there is none."""
    connection = HTTPConnection("127.0.0.1", controller.kubeseal_port, timeout=10)
    try:
        connection.request("GET", "/v1/cert.pem")
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    assert answer.status in (200, 503), text
    return text if answer.status == 200 else ""


def _seals_to(controller: Controller, certificate: str) -> None:
    eventually(lambda: _certificate(controller) == certificate, what="the certificate")


def _relabel(api: ApiServer, namespace: str, name: str, state: str | None) -> None:
    change = {"metadata": {"labels": {LABEL: state}}}
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    merge = "application/merge-patch+json"
    assert api.request("PATCH", path, change, content_type=merge).status == 200


def _broken(name: str, **data: str) -> Object:
    secret: Object = OLD.secret(name)
    values = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return secret | {"data": secret["data"] | values}


def _told(api: ApiServer, namespace: str, name: str) -> None:
    """Wait for an Event about a key Secret."""

    def probe() -> bool:
        events = api.request("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        mine = [each for each in events.body["items"] if each["regarding"]["name"] == name]
        return any(each["reason"] == "InvalidKey" for each in mine)

    eventually(probe, what=f"an event about {name}")


def test_keys_are_taken_over_as_they_are_added_relabelled_and_deleted(
    installed_sealer: ApiServer, serving: Controller, keys: str
) -> None:
    api = installed_sealer
    _seals_to(serving, "")
    put_key(api, OLD, "key-1", namespace=keys)
    _seals_to(serving, OLD.certificate())
    put_key(api, NEW, "key-2", namespace=keys)
    _seals_to(serving, NEW.certificate())
    _relabel(api, keys, "key-2", "compromised")
    _seals_to(serving, OLD.certificate())
    _relabel(api, keys, "key-2", "active")
    _seals_to(serving, NEW.certificate())
    _relabel(api, keys, "key-2", None)
    _seals_to(serving, OLD.certificate())
    api.request("DELETE", f"/api/v1/namespaces/{keys}/secrets/key-1")
    _seals_to(serving, "")


def test_a_key_secret_whose_content_changes_is_another_key(
    installed_sealer: ApiServer, serving: Controller, keys: str
) -> None:
    put_key(installed_sealer, OLD, "key-1", namespace=keys)
    _seals_to(serving, OLD.certificate())
    put_key(installed_sealer, OTHER, "key-1", namespace=keys)
    _seals_to(serving, OTHER.certificate())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("no-key", {"tls.key": ""}),
        ("no-certificate", {"tls.crt": ""}),
        ("garbage", {"tls.key": "-----BEGIN RSA PRIVATE KEY-----\nmade up, and no key\n"}),
        ("garbage-certificate", {"tls.crt": "made up, and no certificate"}),
        ("not-its-certificate", {"tls.crt": NEW.certificate()}),
    ],
)
def test_a_malformed_key_secret_is_told_and_the_others_work_on(
    installed_sealer: ApiServer, serving: Controller, keys: str, name: str, data: dict[str, str]
) -> None:
    pid = serving.server.pid
    put_key_secret(installed_sealer, _broken(name, **data), namespace=keys)
    put_key(installed_sealer, OTHER, "good", namespace=keys)
    _seals_to(serving, OTHER.certificate())
    about = f'"object": "Secret {keys}/{name}"'
    eventually(lambda: about in serving.log(), what="the log to tell")
    _told(installed_sealer, keys, name)
    assert "made up" not in serving.log()
    # Numbers are a moment old, and the key Secrets of the test before go one by one.
    eventually(
        lambda: (
            serving.metric("sealer_errors_total", reason="InvalidKey") >= 1
            and serving.metric("sealer_key_problems") == 1
            and serving.metric("sealer_bitnami_keys", state="Active") == 1
        ),
        what="one problem and one key to be counted",
    )
    assert (serving.server.pid, serving.ready()) == (pid, True)
    installed_sealer.request("DELETE", f"/api/v1/namespaces/{keys}/secrets/good")
    _seals_to(serving, "")


def test_a_malformed_key_secret_does_not_stop_a_start_and_mended_it_counts(
    installed_sealer: ApiServer, keys: str
) -> None:
    put_key_secret(installed_sealer, _broken("broken", **{"tls.key": ""}), namespace=keys)
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={keys}")
    with running_controller(installed_sealer, *flags, name="starting") as starting:
        assert _certificate(starting) == ""
        _told(installed_sealer, keys, "broken")
        put_key(installed_sealer, OLD, "broken", namespace=keys)
        _seals_to(starting, OLD.certificate())


def test_no_key_is_made_unless_somebody_asks_for_it(
    installed_sealer: ApiServer, serving: Controller, keys: str
) -> None:
    put_key(installed_sealer, OLD, "key-1", namespace=keys)
    _seals_to(serving, OLD.certificate())
    found = installed_sealer.request("GET", f"/api/v1/namespaces/{keys}/secrets").body["items"]
    assert [each["metadata"]["name"] for each in found] == ["key-1"]


def test_where_keys_are_asked_for_one_is_made_as_theirs_and_only_when_it_is_due(
    installed_sealer: ApiServer, keys: str, find_program: ProgramFinder
) -> None:
    put_key(installed_sealer, OLD, "key-1", namespace=keys)
    flags = (
        "--serve-bitnami", f"--bitnami-key-namespace={keys}", "--bitnami-key-renew-period=720h"
    )  # fmt: skip
    with running_controller(installed_sealer, *flags, name="renewing") as renewing:
        old = ("", OLD.certificate())  # none, as long as it has read no key
        eventually(lambda: _certificate(renewing) not in old, what="a new key")
        made = _certificate(renewing)
        renewing.restart()
        _seals_to(renewing, made)  # it is not due again, here or after another start
    secrets = installed_sealer.request("GET", f"/api/v1/namespaces/{keys}/secrets").body["items"]
    (secret,) = [each for each in secrets if each["metadata"]["name"] != "key-1"]
    assert secret["metadata"]["name"].startswith("sealed-secrets-key")
    assert (secret["type"], secret["metadata"]["labels"][LABEL]) == ("kubernetes.io/tls", "active")
    certificate = x509.load_pem_x509_certificate(made.encode())
    validity = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert validity == timedelta(days=3650)
    program = find_program("sealed-secrets-controller")
    crds = require_crds(Tool.SEALED_SECRETS)
    with running_sealed_secrets(installed_sealer, program, crds, namespace=keys) as theirs:
        assert theirs.certificate().decode() == made


def test_keys_are_made_again_and_again_as_they_come_of_age(
    installed_sealer: ApiServer, keys: str
) -> None:
    flags = ("--serve-bitnami", f"--bitnami-key-namespace={keys}", "--bitnami-key-renew-period=3s")
    with running_controller(installed_sealer, *flags, name="hasty") as hasty:
        seen = set()

        def three() -> bool:
            seen.add(_certificate(hasty))
            return len(seen - {""}) >= 3

        eventually(three, what="three keys, one after the other", within=300)
    assert "PRIVATE KEY" not in hasty.log()
