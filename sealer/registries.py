"""Registry logins: out of pull secrets, into the config that container tools read. Pure.

The config is that of Docker (`config.json`) and of Podman, Buildah and Skopeo (`auth.json`), which
have `auths`, `credHelpers` and `credsStore` in common. Everything else in it stays as it is. No
error says a registry's password, nor what else a malformed pull secret or config holds.

Source: containers-auth.json(5); the comments of docker/cli's `configfile` on its fields.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sealer.errors import InvalidConfig, InvalidManifest
from sealer.manifests.secret_types import DOCKER_CFG, DOCKER_CONFIG_JSON

IMAGE_PULL_LABEL: Final = "sealer.dev/image-pull"
_ITEMS: Final = {DOCKER_CONFIG_JSON: ".dockerconfigjson", DOCKER_CFG: ".dockercfg"}
DOCKER_HUB: Final = "https://index.docker.io/v1/"
"""What Docker calls its Hub in the config; it reads no other name, and the others read this one."""
_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_VERSIONS: Final = frozenset({"", "v1", "v2"})
_TOKEN_USER: Final = "<token>"  # noqa: S105 - what credential helpers call the user of a token

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How one logs in to one registry.

    Attributes:
        registry: as container tools name it, such as `registry.example` or one with a path.
        username: empty for an identity token.
        password: or the identity token, where `is_token`.
    """

    registry: str
    username: str
    password: str = field(repr=False)
    is_token: bool = False

    @property
    def account(self) -> str:
        """The user as a credential helper knows it."""
        return _TOKEN_USER if self.is_token else self.username

    def to_entry(self) -> dict[str, str]:
        """The entry in `auths`. Holds the password."""
        if self.is_token:
            return {"auth": _encoded(self.username, ""), "identitytoken": self.password}
        return {"auth": _encoded(self.username, self.password)}

    def to_helper(self) -> str:
        """What a credential helper stores, JSON. Holds the password.

        Source: github.com/docker/docker-credential-helpers, README.
        """
        return json.dumps(
            {"ServerURL": self.registry, "Username": self.account, "Secret": self.password}
        )


def registry_of(name: str) -> str:
    """One name for all that container tools take for the same registry.

    Of a URL the host counts, without one also a path; the Hub has several hosts.
    """
    host, _, path = name.rpartition("://")[2].partition("/")
    if host in _HUB and path.strip("/") in _VERSIONS:
        return DOCKER_HUB
    return host if "://" in name or not path else f"{host}/{path}"


def read_logins(type_: str, data: Mapping[str, bytes]) -> tuple[Login, ...]:
    """The logins of a pull secret, one for each registry, sorted.

    Args:
        type_: the Secret's type; any other than the two for registries counts as dockerconfigjson
            if it has that item.
        data: its items.

    Raises:
        InvalidManifest: it holds no logins, or one of them is malformed.
    """
    item_key = _ITEMS.get(type_, _ITEMS[DOCKER_CONFIG_JSON])
    if item_key not in data:
        raise InvalidManifest(
            f"is no pull secret: it has no item {item_key}",
            hint="`sealer create docker-registry` makes one",
        )
    document = _mapping(_parsed(data[item_key], item_key), item_key)
    auths = document if type_ == DOCKER_CFG else _mapping(document.get("auths"), item_key)
    found: dict[str, Login] = {}
    for name in sorted(auths, key=lambda name: (name != registry_of(name), name)):
        login = _read_login(name, _mapping(auths[name], item_key), item_key)
        found.setdefault(registry_of(name), login)
    return tuple(sorted(found.values(), key=lambda login: login.registry))


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """The config of container tools, as it stands in its file."""

    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, text: str) -> ContainerConfig:
        """Read a config; an empty file is an empty one.

        Raises:
            InvalidConfig: it is not a JSON object, or `auths` or `credHelpers` is none.
        """
        try:
            document = json.loads(text) if text.strip() else {}
            json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise InvalidConfig("is not JSON", hint="mend it, or move it away") from None
        inner = document if isinstance(document, dict) else {"auths": None}
        for name in ("auths", "credHelpers"):
            if not isinstance(inner.get(name, {}), dict):
                raise InvalidConfig("must be a JSON object", key=name if inner is document else "")
        return cls(document)

    def to_text(self) -> str:
        """The config as Docker writes it: indented by tabs. May hold passwords."""
        return json.dumps(self.document, indent="\t", ensure_ascii=False) + "\n"

    def helper(self, registry: str) -> str:
        """The credential helper that keeps this registry's login; empty for the file itself."""
        helpers = self._mapping("credHelpers")
        return str(helpers.get(registry, self.document.get("credsStore")) or "")

    def alike(self, registry: str) -> str:
        """The name by which this registry has a login already; its own name where none has."""
        names = [
            name for name in self._mapping("auths") if registry_of(name) == registry_of(registry)
        ]
        return registry if registry in names or not names else names[0]

    def has(self, registry: str) -> bool:
        """Whether there is a login to it in the file, or a note that a helper has it."""
        return registry in self._mapping("auths")

    def account(self, registry: str) -> str | None:
        """Who is logged in by the file itself; None where nobody is, or it does not say."""
        entry = self._mapping("auths").get(registry)
        if not isinstance(entry, dict) or not entry:
            return None
        if entry.get("identitytoken"):
            return _TOKEN_USER
        try:
            return _credentials(entry)[0]
        except ValueError:
            return None

    def with_login(self, login: Login) -> ContainerConfig:
        """With this login, in the file itself or as a note that the helper has it.

        Instead of those to the same registry by other names, which some tools would prefer.
        """
        entry = {} if self.helper(login.registry) else login.to_entry()
        others = {
            name: other
            for name, other in self._mapping("auths").items()
            if name == login.registry or registry_of(name) != registry_of(login.registry)
        }
        return self._with_auths({**others, login.registry: entry})

    def without(self, registry: str) -> ContainerConfig:
        """Without any login to this registry."""
        auths = self._mapping("auths")
        return self._with_auths({name: auths[name] for name in auths if name != registry})

    def _with_auths(self, auths: Mapping[str, Any]) -> ContainerConfig:
        return ContainerConfig({**self.document, "auths": auths})

    def _mapping(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document.get(name) or {}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A login that we made, so that we may take it out again.

    Attributes:
        registry: which registry.
        account: who was logged in; another one there now is not ours.
        source: the SharedSecret, `namespace/name`.
    """

    registry: str
    account: str
    source: str

    @classmethod
    def read(cls, document: object) -> Kept:
        """Read one.

        Raises:
            InvalidConfig: it is not what `to_manifest` writes.
        """
        fields = document if isinstance(document, dict) else {}
        texts = {name: fields.get(name) for name in ("registry", "account", "source")}
        if not all(isinstance(text, str) for text in texts.values()):
            raise InvalidConfig("is not a note of what `sealer registry-login` did")
        return cls(**{name: str(text) for name, text in texts.items()})

    def to_manifest(self) -> dict[str, str]:
        """The mapping that is kept."""
        return {"registry": self.registry, "account": self.account, "source": self.source}


def read_kept(text: str) -> dict[str, tuple[Kept, ...]]:
    """What was logged in to, by the path of the config.

    Raises:
        InvalidConfig: it is not what `kept_text` writes.
    """
    try:
        document = json.loads(text)
        return {
            path: tuple(Kept.read(entry) for entry in entries) for path, entries in document.items()
        }
    except (ValueError, AttributeError, TypeError):
        raise InvalidConfig(
            "is not a note of what `sealer registry-login` did", hint="move it away"
        ) from None


def kept_text(kept: Mapping[str, tuple[Kept, ...]]) -> str:
    """The text that `read_kept` reads; holds no password."""
    document = {
        path: [entry.to_manifest() for entry in entries]
        for path, entries in kept.items()
        if entries
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _read_login(registry: str, entry: Object, item_key: str) -> Login:
    token = entry.get("identitytoken")
    registry = DOCKER_HUB if registry_of(registry) == DOCKER_HUB else registry
    try:
        username, password = _credentials(entry)
        f"{registry}{username}{password}{token}".encode()  # half a surrogate pair is no text
    except ValueError:
        # A registry's name is part of the value: it is not shown.
        raise InvalidManifest("a login in it has no user and password", key=item_key) from None
    if isinstance(token, str) and token:
        return Login(registry=registry, username=username, password=token, is_token=True)
    return Login(registry=registry, username=username, password=password)


def _credentials(entry: Object) -> tuple[str, str]:
    """User and password, however they stand there; ValueError where they do not."""
    username, password = entry.get("username"), entry.get("password")
    if isinstance(username, str) and isinstance(password, str) and username:
        return username, password
    text = base64.b64decode(str(entry.get("auth", "")), validate=True).decode()
    username, colon, password = text.partition(":")
    if not colon and not entry.get("identitytoken"):
        raise ValueError
    return username, password.rstrip("\x00")


def _encoded(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _parsed(raw: bytes, item_key: str) -> object:
    try:
        document: object = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidManifest("is not JSON", key=item_key) from None
    return document


def _mapping(value: object, item_key: str) -> Object:
    if not isinstance(value, dict):
        raise InvalidManifest("does not have the form of a container config", key=item_key)
    return value
