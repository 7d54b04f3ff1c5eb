"""The endpoints that kubeseal asks, through a proxy that answers what it likes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from sealer.errors import CannotOpen, ClusterError, InvalidManifest, SealerError, UsageError
from sealer.service_proxy import DEFAULT, Answer, Endpoints, Service, Wait

SERVICE = json.dumps({"spec": {"ports": [{"name": "http", "port": 8080}]}}).encode()


@dataclass
class Proxy:
    """An API server; what it was asked, and what it answers, one after the other."""

    answers: list[Answer]
    asked: list[tuple[str, str, bytes | None]] = field(default_factory=list)

    def call(self, method: str, path: str, *, what: str, body: bytes | None = None) -> Answer:
        assert what
        self.asked.append((method, path, body))
        return self.answers.pop(0)


def _asked(*answers: Answer, service: Answer | None = None) -> tuple[Endpoints, Proxy]:
    proxy = Proxy([service or Answer(200, "", SERVICE), *answers])
    return Endpoints(proxy, Service.read(DEFAULT)), proxy


def test_a_service_is_named_as_kubeseal_finds_it() -> None:
    assert str(Service.read("sealed-secrets")) == "kube-system/sealed-secrets"
    assert Service.read("a/b") == Service("a", "b")
    for text in ("", "a/", "/b", "a/b/c", "A/b", "a/b?c", "../b"):
        with pytest.raises(UsageError):
            Service.read(text)


def test_the_certificate_comes_over_the_first_port_of_the_service() -> None:
    endpoints, proxy = _asked(Answer(200, "", b"PEM"))
    assert endpoints.certificate() == "PEM"
    place = "/api/v1/namespaces/kube-system/services"
    assert [path for _, path, _ in proxy.asked] == [
        f"{place}/sealed-secrets-controller",
        f"{place}/http:sealed-secrets-controller:http/proxy/v1/cert.pem",
    ]


@pytest.mark.parametrize(
    ("body", "port"),
    [(b'{"spec": {"ports": [{"port": 8080}]}}', ""), (b"{}", "8080"), (b"no JSON", "8080")],
)
def test_a_port_has_its_name_or_the_usual_number(body: bytes, port: str) -> None:
    endpoints, proxy = _asked(Answer(200, "", b"PEM"), service=Answer(200, "", body))
    endpoints.certificate()
    assert f"sealed-secrets-controller:{port}/proxy" in proxy.asked[1][1]


def test_who_may_not_read_the_service_may_use_its_proxy_all_the_same() -> None:
    endpoints, proxy = _asked(Answer(200, "", b"PEM"), service=Answer(403, "", b""))
    endpoints.certificate()
    assert ":8080/proxy" in proxy.asked[1][1]


def test_an_object_is_sent_as_json_and_the_service_looked_up_once() -> None:
    endpoints, proxy = _asked(Answer(200, "", b'{"a": 1}'), Answer(200, "", b'{"b": 2}'))
    assert endpoints.native({"kind": "x"}) == {"a": 1}
    assert endpoints.rotated({"kind": "x"}) == {"b": 2}
    assert [path.rpartition("/")[2] for _, path, _ in proxy.asked[1:]] == ["native", "rotate"]
    assert proxy.asked[1][2] == b'{"kind": "x"}'


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("", 1), ("0", 1), ("soon", 1), ("9999", 60), ("1" * 9, 1)]
)
def test_a_busy_controller_is_to_be_waited_for(header: str, seconds: int) -> None:
    endpoints, _ = _asked(Answer(429, header, b""))
    assert endpoints.native({}) == Wait(seconds)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (409, CannotOpen),
        (400, InvalidManifest),
        (413, InvalidManifest),
        (403, ClusterError),
        (404, ClusterError),
        (500, ClusterError),
        (503, ClusterError),
        (302, ClusterError),
    ],
)
def test_every_other_status_is_an_error_that_repeats_nothing(
    status: int, error: type[SealerError]
) -> None:
    endpoints, _ = _asked(Answer(status, "", b"made-up text of a stranger"))
    with pytest.raises(error) as caught:
        endpoints.native({})
    assert "stranger" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("body", [b"", b"[]", b"no JSON"])
def test_an_answer_that_is_no_object_is_an_error(body: bytes) -> None:
    endpoints, _ = _asked(Answer(200, "", body))
    with pytest.raises(ClusterError, match="is no object"):
        endpoints.native({})


def test_a_service_that_is_missing_is_named_with_the_way_out() -> None:
    endpoints, _ = _asked(service=Answer(404, "", b""))
    with pytest.raises(ClusterError, match="there is no Service kube-system/sealed-secrets") as no:
        endpoints.certificate()
    assert "--sealed-secrets-service" in no.value.hint
    endpoints, _ = _asked(Answer(404, "", b""))
    with pytest.raises(ClusterError, match="nothing behind it that answers /v1/cert"):
        endpoints.certificate()
