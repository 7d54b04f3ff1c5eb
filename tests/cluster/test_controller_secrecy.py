"""No value in events, status, annotations, managedFields, logs, answers or metrics."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.canary import Canary
from tests.cluster.harness.api_server import running_api_server
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import apply_stream
from tests.cluster.policies import refusing_secrets
from tests.cluster.running import GROUP, SECRETS, Namespace, running_controller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer, Programs

_CONFIG = "kubernetes.io/dockerconfigjson"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[ApiServer]:
    """Provide an API server without an audit log, into which a policy's own text goes."""
    folder = tmp_path_factory.mktemp("secrecy")
    with running_api_server(folder, programs, audited=False) as server:
        apply_stream(server)
        yield server


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_value_is_shown_anywhere(own_server: ApiServer, log_format: str) -> None:
    canary, shop = Canary(), Namespace(own_server, f"shop-{log_format}")
    own_server.request("POST", "/api/v1/namespaces", {"metadata": {"name": shop.name}})
    flags = ("--log-level=debug", f"--log-format={log_format}")
    with running_controller(own_server, *flags, name=f"secrecy-{log_format}") as watched:
        _fail_in_every_way(shop, canary)
        canary.plant(_private_key(own_server))
        for path in ("/healthz", "/readyz", "/metrics"):
            canary.check(watched.answer(path)[1], where=path)
        for where, text in _everything_people_see(shop):
            canary.check(text, where=where)
    canary.check(watched.log(), where="the log")
    assert "another place" in watched.log()


def _fail_in_every_way(shop: Namespace, canary: Canary) -> None:
    value = canary.plant("canary-0123456789-abcdefgh").encode()
    shop.give("good", {"password": value}, labels={"a": "b"})
    shop.give("good", {"password": value, "other": value})
    shop.patch("Secret", "good", {"data": {"password": base64.b64encode(value[::-1]).decode()}})
    eventually(lambda: shop.values("good")["password"] == value, what="the drift")
    shop.give("shared", {"password": value}, shared=True)

    moved = shop.seal("from", {"password": value})
    shop.apply({**moved, "metadata": {"name": "moved", "namespace": shop.name}})
    shop.refused("moved", "WrongBinding")

    template = shop.seal("template", {"password": value})
    template["spec"]["template"]["data"] = {"URL": "{{ password | fail }}"}
    shop.apply(template)
    shop.refused("template", "InvalidTemplate")

    binary = canary.plant("\u00e9\u00e8canary-binary").encode("latin-1")
    garbled = shop.seal("garbled", {"password": binary + value})
    garbled["spec"]["template"]["data"] = {"URL": "x{{ password }}"}
    shop.apply(garbled)
    shop.refused("garbled", "InvalidTemplate")

    config = shop.seal("config", {".dockerconfigjson": b'{"auths":' + value})
    config["spec"]["template"]["type"] = _CONFIG
    shop.apply(config)
    eventually(lambda: _is_refused(shop, "config"), what="the broken config to be refused")

    shop.make_secret("taken", {"password": "theirs"})
    shop.apply(shop.seal("taken", {"password": value}))
    shop.refused("taken", "NotOwned")

    with refusing_secrets(shop, quoting="password"):
        shop.apply(shop.seal("rejected", {"password": value}))
        shop.refused("rejected", "Rejected")
    shop.opened("rejected")


def _is_refused(shop: Namespace, name: str) -> bool:
    found = shop.get("SealedSecret", name).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "False" for each in found)


def _everything_people_see(shop: Namespace) -> Iterator[tuple[str, str]]:
    """What is stored, without the data of Secrets, where values belong."""
    space = f"namespaces/{shop.name}"
    paths = (
        f"{GROUP}/{space}/sealedsecrets",
        f"{GROUP}/{space}/sharedsecrets",
        f"{GROUP}/sealingkeys",
        f"/apis/events.k8s.io/v1/{space}/events",
        f"/api/v1/{space}/events",
        "/api/v1/namespaces/default/events",
        "/apis/coordination.k8s.io/v1/leases",
    )
    for path in paths:
        answer = shop.api.request("GET", path)
        assert answer.status == 200, answer.body
        yield path, json.dumps(answer.body, ensure_ascii=False)
    for item in shop.api.request("GET", f"/api/v1/{space}/secrets").body["items"]:
        item.pop("data", None)
        yield f"Secret {item['metadata']['name']}", json.dumps(item, ensure_ascii=False)


def _private_key(api: ApiServer) -> str:
    data = api.request("GET", f"{SECRETS}/unsealing-key-1").body["data"]
    pem = base64.b64decode(data["unsealing-key.pem"]).decode()
    return "".join(pem.splitlines()[1:-1])
