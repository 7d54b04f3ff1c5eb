"""What kubectl makes of its flags; tests/cluster/test_create.py compares with kubectl itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sealer import creation
from sealer.errors import InvalidManifest, UsageError

_VALUE = "made-up-password"
_ODD = 'p"é\\\u2028'


def test_a_literal_is_split_at_the_first_equals_sign() -> None:
    assert creation.split_literal("key=a=b") == ("key", b"a=b")
    assert creation.split_literal("key=") == ("key", b"")
    assert creation.split_literal("key='quoted'") == ("key", b"'quoted'")


_NO_KEYS = (f"{_VALUE}/=", ".=x", f"..{_VALUE}=x", f"{_VALUE:x<254}=")


@pytest.mark.parametrize("text", [_VALUE, f"={_VALUE}", *_NO_KEYS])
def test_a_literal_that_is_none_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="a literal is KEY=VALUE") as caught:
        creation.split_literal(text)
    assert _VALUE not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.txt", ("", "a.txt")), ("key=dir/a.txt", ("key", "dir/a.txt")), ("-", ("", "-"))],
)
def test_a_file_may_have_a_key(text: str, expected: tuple[str, str]) -> None:
    assert creation.split_file(text) == expected


@pytest.mark.parametrize("text", ["=a.txt", "key=", "=", "a=b=c"])
def test_a_file_with_half_a_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        creation.split_file(text)


def _read(content: bytes, **environment: str) -> dict[str, bytes]:
    return dict(creation.read_variables(content, name="db.env", environment=environment))


def test_lines_of_variables_are_read_as_kubectl_reads_them() -> None:
    content = (
        b'\xef\xbb\xbf# comment\r\n\r\n  A= x \r\nB="q" # no comment\n\t\nC=a=b\nD\nmy.e-nv_=\r\n'
    )
    assert _read(content, D="from outside") == {
        "A": b" x ",
        "B": b'"q" # no comment',
        "C": b"a=b",
        "D": b"from outside",
        "my.e-nv_": b"",
    }


def test_the_last_line_needs_no_line_break() -> None:
    assert _read(b"A=1") == {"A": b"1"}
    assert _read(b"") == {}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (b"export A=1", "leave out `export`"),
        (b"A =1", "no space before ="),
        (b"1A=1", "no digit first"),
        (b"=1", "letters"),
        (b"..A=1", "letters"),
        (b"A", "write KEY= if it is meant to be empty"),
    ],
)
def test_a_line_that_is_none_is_refused_with_its_number(line: bytes, hint: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        _read(b"OK=1\n" + line)
    assert caught.value.file == "db.env:2"
    assert hint in caught.value.hint


def test_variables_are_utf_8() -> None:
    with pytest.raises(InvalidManifest, match="not UTF-8"):
        _read(b"A=\xff")


def test_values_from_several_places_have_different_keys() -> None:
    assert creation.collect([("a", b"1"), ("b", b"2")]) == {"a": b"1", "b": b"2"}
    with pytest.raises(UsageError, match="two values"):
        creation.collect([("a", b"1"), ("a", b"1")])
    with pytest.raises(InvalidManifest, match="an item key"):
        creation.collect([("a b", b"1")])


def test_a_registry_login_has_the_bytes_that_kubectl_writes() -> None:
    made = creation.docker_config(
        server=creation.DOCKER_SERVER, username="u<>&", password=_ODD, email="e"
    )
    assert (
        made
        == (
            '{"auths":{"https://index.docker.io/v1/":{"username":"u\\u003c\\u003e\\u0026","password":'
            '"p\\"é\\\\\\u2028","email":"e","auth":"dTw+JjpwIsOpXOKAqA=="}}}'
        ).encode()
    )


def test_a_registry_login_without_an_address_has_no_field_for_it() -> None:
    made = creation.docker_config(server="example.com", username="u", password=_VALUE)
    assert set(json.loads(made)["auths"]["example.com"]) == {"username", "password", "auth"}


def test_a_bootstrap_token_is_taken_apart() -> None:
    assert creation.bootstrap_token("abcdef.0123456789abcdef") == {
        "token-id": b"abcdef",
        "token-secret": b"0123456789abcdef",
        "usage-bootstrap-authentication": b"true",
        "usage-bootstrap-signing": b"true",
    }
    more = creation.bootstrap_token(
        "abcdef.0123456789abcdef",
        description="d",
        expiration=datetime(2030, 1, 2, tzinfo=UTC),
        usages=["signing"],
        groups=["system:bootstrappers:a", "system:bootstrappers:b"],
    )
    assert more["expiration"] == b"2030-01-02T00:00:00Z"
    assert more["auth-extra-groups"] == b"system:bootstrappers:a,system:bootstrappers:b"
    assert "usage-bootstrap-authentication" not in more


@pytest.mark.parametrize("token", ["abcdef", "ABCDEF.0123456789abcdef"])
def test_what_is_no_bootstrap_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        creation.bootstrap_token(token)
    assert token not in f"{caught.value}{caught.value.hint}"


def test_a_bootstrap_token_is_for_groups_of_its_own_only() -> None:
    creation.check_groups(["system:bootstrappers:a", "system:bootstrappers:b-1:c"])
    with pytest.raises(UsageError, match="'admins' is not of the form system:bootstrappers:NAME"):
        creation.check_groups(["system:bootstrappers:a", "admins"])


@pytest.mark.parametrize(
    "kind",
    ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-dss"],
)
def test_the_public_half_of_an_ssh_key_is_not_taken_for_the_private_one(kind: str) -> None:
    with pytest.raises(UsageError, match="this is a public key"):
        creation.check_private(f"{kind} AAAAC3NzaC1 ann@laptop\n".encode())
    creation.check_private(b"-----BEGIN OPENSSH PRIVATE KEY-----\n")
