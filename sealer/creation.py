"""From a command line to the Secret that kubectl would have made of it. Pure.

Words on the command line, files of KEY=VALUE lines and registry logins are read as `kubectl create
secret` reads them, and give the same bytes. Stricter in one thing: what would silently become an
empty value is refused. No message repeats a value, nor text that may be one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from sealer.crypto.encoding import encode_base64
from sealer.errors import InvalidManifest, UsageError
from sealer.manifests.times import format_time
from sealer.manifests.validation import check_item_key, is_item_key

DOCKER_SERVER = "https://index.docker.io/v1/"
"""kubectl's default: Docker Hub."""
DOCKER_ITEM = ".dockerconfigjson"
USAGES = ("authentication", "signing")
"""What a bootstrap token may be good for."""

_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")
_TOKEN = re.compile(r"(?P<id>[a-z0-9]{6})\.(?P<secret>[a-z0-9]{16})")
_PUBLIC_SSH_KEY = re.compile(rb"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ AAAA")
_ESCAPED_BY_GO = re.compile("[<>&\u2028\u2029]")


def split_literal(text: str) -> tuple[str, bytes]:
    """`KEY=VALUE`; all after the first `=` is the value, quotes included.

    Raises:
        UsageError: there is no `=`, or no item key before it; what is there may be half a value.
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError("a literal is KEY=VALUE")
    if not is_item_key(key):
        raise UsageError(
            "a literal is KEY=VALUE, and what stands before = is no item key",
            hint="an item key has characters of a-z, A-Z, 0-9, '-', '_' and '.'",
        )
    return key, value.encode(errors="surrogateescape")


def split_file(text: str) -> tuple[str, str]:
    """`KEY=FILE` or `FILE`; the key is empty where the text names none.

    Raises:
        UsageError: there is more than one `=`, or nothing on one side of it.
    """
    key, equals, name = text.rpartition("=")
    if "=" in key:
        raise UsageError("neither a key nor the name of a file can contain =", file=name)
    if equals and not (key and name):
        raise UsageError("a file is [KEY=]FILE", file=key or name)
    return key, name


def read_variables(
    content: bytes, *, name: str, environment: Mapping[str, str]
) -> list[tuple[str, bytes]]:
    r"""The variables of a file with KEY=VALUE lines, in their order.

    Empty lines and those that begin with `#` are passed over, as are white space before a key and
    a byte order mark; quotes and white space after `=` belong to the value. A line with a key alone
    takes the value from the environment. Lines end in `\n` or `\r\n`.

    Args:
        content: of the file.
        name: of the file, for errors.
        environment: what keys without a value stand for.

    Raises:
        InvalidManifest: not UTF-8, a key that is no name of a variable, or one without a value.
    """
    result = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        where = f"{name}:{number}"
        try:
            line = raw.removesuffix(b"\r").decode().lstrip()
        except UnicodeDecodeError:
            raise InvalidManifest("not UTF-8 text", file=where) from None
        if line and not line.startswith("#"):
            result.append(_variable(line, where, environment))
    return result


def _variable(line: str, where: str, environment: Mapping[str, str]) -> tuple[str, bytes]:
    key, equals, value = line.partition("=")
    if not _VARIABLE.fullmatch(key) or key == "." or key.startswith(".."):
        hint = "leave out `export`" if line.startswith("export ") else ""
        raise InvalidManifest(
            "no line of the form KEY=VALUE with the name of a variable as key",
            file=where,
            hint=hint or "letters, digits, '_', '-' and '.', no digit first, no space before =",
        )
    if equals:
        return key, value.encode()
    if key not in environment:
        # It may be a line of a value that was meant to go on.
        raise InvalidManifest(
            "a name without a value, which the environment does not have either",
            file=where,
            hint="a value is one line; write KEY= if it is meant to be empty",
        )
    return key, environment[key].encode(errors="surrogateescape")


def collect(values: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Items from several places.

    Raises:
        InvalidManifest: a key that no item may have.
        UsageError: two values for one key.
    """
    result: dict[str, bytes] = {}
    for key, value in values:
        check_item_key(key)
        if key in result:
            raise UsageError("there are two values for this key", key=key)
        result[key] = value
    return result


def docker_config(*, server: str, username: str, password: str, email: str = "") -> bytes:
    """The login to one registry, byte for byte as kubectl writes it."""
    auth = encode_base64(f"{username}:{password}".encode())
    entry = {"username": username, "password": password, "email": email, "auth": auth}
    stated = {name: text for name, text in entry.items() if text}
    text = json.dumps({"auths": {server: stated}}, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPED_BY_GO.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def check_private(key: bytes) -> None:
    """Find out whether somebody has taken the public half of an SSH key for the private one.

    Raises:
        UsageError: they have.
    """
    if _PUBLIC_SSH_KEY.match(key):
        raise UsageError(
            "this is a public key; the private one is to be sealed",
            hint="ssh-keygen writes it beside, without .pub",
        )


def check_groups(groups: Iterable[str]) -> None:
    """Find out whether a bootstrap token can be for these groups.

    Raises:
        UsageError: one does not have its form.
    """
    for group in groups:
        if not _GROUP.fullmatch(group):
            raise UsageError(
                f"group {group!r} is not of the form system:bootstrappers:NAME",
                hint="NAME is of a-z, 0-9, ':' and '-', and ends with a letter or digit",
            )


def bootstrap_token(
    token: str,
    *,
    description: str = "",
    expiration: datetime | None = None,
    usages: Iterable[str] = USAGES,
    groups: Iterable[str] = (),
) -> dict[str, bytes]:
    """The items of a bootstrap token's Secret.

    Args:
        token: `ID.SECRET`, of 6 and 16 characters.
        description: for people.
        expiration: after which the cluster deletes it; None never.
        usages: some of `USAGES`.
        groups: in addition to system:bootstrappers; see `check_groups`.

    Raises:
        UsageError: the token does not have its form.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise UsageError(
            "a bootstrap token is ID.SECRET: 6 and 16 characters of a-z and 0-9",
            hint="`kubeadm token generate` makes one",
        )
    items = {
        "token-id": match["id"],
        "token-secret": match["secret"],
        "description": description,
        "expiration": "" if expiration is None else format_time(expiration),
        "auth-extra-groups": ",".join(groups),
        **{f"usage-bootstrap-{usage}": "true" for usage in usages},
    }
    return {key: text.encode() for key, text in items.items() if text}
