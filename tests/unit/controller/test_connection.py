from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controller.connection import Bearer, from_kubeconfig, in_pod
from controller.server import parse_address
from sealer.errors import ClusterError, FileError, UsageError

Object = dict[str, Any]


def _pair() -> tuple[str, str]:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "robot")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


CERTIFICATE, KEY = _pair()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _config(tmp_path: Path, *, cluster: Object | None = None, user: Object | None = None) -> Path:
    whole_cluster = {
        "server": "https://one.example:6443/",
        "certificate-authority-data": _encoded(CERTIFICATE),
        **(cluster or {}),
    }
    contexts = {"one": ("one", "robot"), "two": ("two", "robot")}
    config = {
        "current-context": "one",
        "contexts": [
            {"name": name, "context": {"cluster": at, "user": who}}
            for name, (at, who) in contexts.items()
        ],
        "clusters": [
            {"name": "one", "cluster": whole_cluster},
            {"name": "two", "cluster": {"server": "https://two.example"}},
        ],
        "users": [{"name": "robot", "user": user or {"token": "not-a-real-token"}}],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    return path


def test_current_context_is_used_unless_another_is_named(tmp_path: Path) -> None:
    path = _config(tmp_path)
    assert from_kubeconfig(path).server == "https://one.example:6443"
    assert from_kubeconfig(path, context="two").server == "https://two.example"


def test_bearer_of_a_kubeconfig_is_said_and_not_shown(tmp_path: Path) -> None:
    connection = from_kubeconfig(_config(tmp_path))
    assert connection.bearer.header() == {"Authorization": "Bearer not-a-real-token"}
    assert "not-a-real-token" not in repr(connection)


def test_client_certificate_is_loaded_from_data_or_files(tmp_path: Path) -> None:
    (tmp_path / "robot.crt").write_text(CERTIFICATE)
    (tmp_path / "robot.key").write_text(KEY)
    data = {"client-certificate-data": _encoded(CERTIFICATE), "client-key-data": _encoded(KEY)}
    files = {"client-certificate": "robot.crt", "client-key": "robot.key"}
    for user in (data, files):
        connection = from_kubeconfig(_config(tmp_path, user=user))
        assert connection.bearer.header() == {}


def test_file_with_a_bearer_is_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "bearer").write_text("not-a-real-token\n")
    connection = from_kubeconfig(_config(tmp_path, user={"tokenFile": "bearer"}))
    assert connection.bearer.header() == {"Authorization": "Bearer not-a-real-token"}


@pytest.mark.parametrize(
    ("cluster", "user", "says"),
    [
        ({"insecure-skip-tls-verify": True}, None, "insecure-skip-tls-verify"),
        (None, {"exec": {"command": "login"}}, "exec"),
        (None, {"auth-provider": {"name": "cloud"}}, "auth-provider"),
        ({"certificate-authority-data": "!"}, None, "base64"),
        ({"server": None}, None, "required"),
    ],
    ids=["insecure", "exec", "auth-provider", "no base64", "no server"],
)
def test_what_a_robot_does_not_do_is_refused(
    tmp_path: Path, cluster: Object | None, user: Object | None, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        from_kubeconfig(_config(tmp_path, cluster=cluster, user=user))


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="certificates"):
        from_kubeconfig(
            _config(tmp_path, cluster={"certificate-authority-data": _encoded("not one")})
        )


def test_unknown_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no context three"):
        from_kubeconfig(_config(tmp_path), context="three")


@pytest.mark.parametrize("text", ["[", "- 1", "contexts: 7"])
def test_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UsageError):
        from_kubeconfig(path)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="config"):
        from_kubeconfig(tmp_path / "config")


def test_bearer_whose_file_is_gone_is_an_error_of_the_cluster(tmp_path: Path) -> None:
    with pytest.raises(ClusterError):
        Bearer(file=tmp_path / "bearer").header()


def test_bearer_that_was_refused_is_read_again_before_it_is_said_again(tmp_path: Path) -> None:
    (tmp_path / "bearer").write_text("first-made-up")
    bearer = Bearer(file=tmp_path / "bearer")
    assert bearer.header() == {"Authorization": "Bearer first-made-up"}
    (tmp_path / "bearer").write_text("second-made-up")
    assert bearer.header() == {"Authorization": "Bearer first-made-up"}  # read a moment ago
    bearer.refused()
    assert bearer.header() == {"Authorization": "Bearer second-made-up"}


def test_bearer_stays_as_it_is_while_its_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "bearer").write_text("made-up")
    bearer = Bearer(file=tmp_path / "bearer")
    bearer.header()
    (tmp_path / "bearer").write_text("")
    bearer.refused()
    assert bearer.header() == {"Authorization": "Bearer made-up"}
    (tmp_path / "bearer").unlink()
    bearer.refused()
    assert bearer.header() == {"Authorization": "Bearer made-up"}


def test_without_the_environment_of_a_pod_there_is_no_connection_of_one() -> None:
    assert in_pod({}) is None
    assert in_pod({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) is None


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (":8080", ("", 8080)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]:8080", ("::1", 8080)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_address_is_host_and_port(text: str, parsed: tuple[str, int]) -> None:
    assert parse_address(text) == parsed


@pytest.mark.parametrize("text", ["", "8080", "localhost", ":x", ":70000", ":-1"])
def test_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)
