"""`sealer create …`: SealedSecrets from values; plaintext never touches the disk.

The subcommands that kubectl has take kubectl's flags and give the same data. The others have the
same habits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import click

from sealer import creation
from sealer.cli import creating, item_values, options
from sealer.cli.creating import Arguments, create, secret_text
from sealer.cli.inputs import read_bytes
from sealer.cli.item_values import ItemSources
from sealer.cli.options import Decorator, Text
from sealer.cli.output import Terminal
from sealer.errors import InvalidManifest, UsageError
from sealer.manifests import secret_types
from sealer.manifests.models import OPAQUE
from sealer.manifests.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Generic(Arguments):
    """What `sealer create generic` is given."""

    literals: tuple[str, ...]
    from_files: tuple[str, ...]
    env_files: tuple[str, ...]
    prompts: tuple[str, ...]
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerRegistry(Arguments):
    """What `sealer create docker-registry` is given."""

    from_files: tuple[str, ...]
    docker_server: str
    docker_username: str
    docker_password: str | None
    docker_password_stdin: bool
    docker_email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(Arguments):
    """What `sealer create tls` is given."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAuth(Arguments):
    """What `sealer create ssh-auth` is given."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth(Arguments):
    """What `sealer create basic-auth` is given."""

    username: str
    password: str | None
    password_stdin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapToken(Arguments):
    """What `sealer create bootstrap-token` is given."""

    token: str | None
    token_stdin: bool
    description: str
    expiration: str
    usages: tuple[str, ...]
    groups: tuple[str, ...]


@click.group("create", cls=options.Group)
def command() -> None:
    """Make sealed Secrets from values, as kubectl makes plain ones.

    The flags are those of `kubectl create secret`. A password that is not given is asked for,
    without showing it. No value touches the disk.
    """


def _text(flag: str, text: str, *, metavar: str, default: str | None = "") -> Decorator:
    return click.option(flag, type=Text(), default=default, metavar=metavar, help=text)


def _file(flag: str, text: str) -> Decorator:
    return click.option(flag, required=True, metavar="FILE", help=text)


def _flag(flag: str, text: str) -> Decorator:
    return click.option(flag, is_flag=True, help=text)


_literals = click.option(
    "--from-literal",
    "literals",
    multiple=True,
    metavar="KEY=VALUE",
    help="A value on the command line, where others may see it; may be repeated.",
)
_prompts = click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="KEY",
    help="Ask for this value, without showing it; may be repeated.",
)


@creating.subcommand(
    command,
    Generic,
    _literals,
    item_values.from_file,
    item_values.from_env_file,
    _prompts,
    _text("--type", "Type of the Secret; Opaque is the default.", metavar="TYPE"),
    name="generic",
    examples="""\
sealer create generic db -n shop --sealing-key shop.pem --prompt password -w db.yaml
sealer create generic db -n shop --sealing-key shop.pem --from-env-file db.env > db.yaml
openssl rand -hex 16 | sealer create generic db -n shop --sealing-key shop.pem \\
    --from-file token=- -w db.yaml
""",
)
def _generic(arguments: Generic, terminal: Terminal) -> None:
    """From files, KEY=VALUE lines, literals, or what is typed."""
    item_values.warn_of_literals(item_values.typed("literals"), terminal)
    sources = ItemSources(
        literals=arguments.literals,
        files=arguments.from_files,
        env_files=arguments.env_files,
        prompts=arguments.prompts,
    )
    if not any((sources.literals, sources.files, sources.env_files, sources.prompts)):
        raise UsageError(
            "there is nothing to seal",
            hint="--prompt KEY asks for a value; --from-file, --from-env-file and --from-literal "
            "are those of kubectl",
        )

    def read(about: str) -> Mapping[str, bytes]:
        return sources.read(about=about, terminal=terminal)

    create(arguments, read, type_=arguments.type or OPAQUE, terminal=terminal)


@creating.subcommand(
    command,
    DockerRegistry,
    _text("--docker-server", "The registry; Docker Hub is the default.", metavar="URL"),
    _text("--docker-username", "Who logs in.", metavar="NAME"),
    _text(
        "--docker-password",
        "The password, where others may see it; asked for if it is left out.",
        metavar="TEXT",
        default=None,
    ),
    _flag("--docker-password-stdin", "Read the password from stdin."),
    _text("--docker-email", "An address, for registries that want one.", metavar="TEXT"),
    click.option(
        "--from-file",
        "from_files",
        multiple=True,
        metavar="FILE",
        help="A config.json of Docker instead, `-` for stdin.",
    ),
    name="docker-registry",
    examples="""\
sealer create docker-registry pull -n shop --sealing-key shop.pem \\
    --docker-server registry.example.com --docker-username ci -w pull.yaml
sealer create docker-registry pull -n shop --sealing-key shop.pem \\
    --from-file ~/.docker/config.json > pull.yaml
""",
)
def _docker_registry(arguments: DockerRegistry, terminal: Terminal) -> None:
    """A login to an image registry."""
    sources = ItemSources(files=arguments.from_files, default_key=creation.DOCKER_ITEM)
    if bool(sources.files) == bool(arguments.docker_username):
        raise UsageError("either --docker-username or --from-file")

    def read(about: str) -> Mapping[str, bytes]:
        if sources.files:
            return sources.read(about=about, terminal=terminal)
        password = secret_text(
            arguments.docker_password,
            from_stdin=arguments.docker_password_stdin,
            flag="--docker-password",
            about=about,
            terminal=terminal,
        )
        login = creation.docker_config(
            server=arguments.docker_server or creation.DOCKER_SERVER,
            username=arguments.docker_username,
            password=password,
            email=arguments.docker_email,
        )
        return {creation.DOCKER_ITEM: login}

    create(arguments, read, type_=secret_types.DOCKER_CONFIG_JSON, terminal=terminal)


@creating.subcommand(
    command,
    Tls,
    _file("--cert", "The certificate (PEM), its issuers after it."),
    _file("--key", "Its private key (PEM); `-` for stdin."),
    name="tls",
    examples="""\
sealer create tls web -n shop --sealing-key shop.pem --cert web.crt --key web.key -w web.yaml
""",
)
def _tls(arguments: Tls, terminal: Terminal) -> None:
    """A certificate and its private key."""
    if arguments.cert == arguments.key == "-":
        raise UsageError("standard input can be read for one value only")

    def read(_: str) -> Mapping[str, bytes]:
        return {"tls.crt": read_bytes(arguments.cert), "tls.key": read_bytes(arguments.key)}

    create(arguments, read, type_=secret_types.TLS, terminal=terminal)


@creating.subcommand(
    command,
    SshAuth,
    _file("--key", "The private key, as ssh-keygen writes it; `-` for stdin."),
    name="ssh-auth",
    examples="""\
sealer create ssh-auth deploy -n shop --sealing-key shop.pem --key id_ed25519 -w deploy.yaml
""",
)
def _ssh_auth(arguments: SshAuth, terminal: Terminal) -> None:
    """An SSH private key."""

    def read(_: str) -> Mapping[str, bytes]:
        key = read_bytes(arguments.key)
        creation.check_private(key)
        return {"ssh-privatekey": key}

    create(arguments, read, type_=secret_types.SSH_AUTH, terminal=terminal)


@creating.subcommand(
    command,
    BasicAuth,
    click.option("--username", type=Text(), required=True, metavar="NAME", help="Who logs in."),
    _text(
        "--password",
        "The password, where others may see it; asked for if it is left out.",
        metavar="TEXT",
        default=None,
    ),
    _flag("--password-stdin", "Read the password from stdin."),
    name="basic-auth",
    examples="""\
sealer create basic-auth admin -n shop --sealing-key shop.pem --username admin -w admin.yaml
""",
)
def _basic_auth(arguments: BasicAuth, terminal: Terminal) -> None:
    """A user name and a password."""

    def read(about: str) -> Mapping[str, bytes]:
        password = secret_text(
            arguments.password,
            from_stdin=arguments.password_stdin,
            flag="--password",
            about=about,
            terminal=terminal,
        )
        return {"username": arguments.username.encode(), "password": password.encode()}

    create(arguments, read, type_=secret_types.BASIC_AUTH, terminal=terminal)


@creating.subcommand(
    command,
    BootstrapToken,
    _text(
        "--token",
        "ID.SECRET, where others may see it; asked for if it is left out.",
        metavar="TOKEN",
        default=None,
    ),
    _flag("--token-stdin", "Read the token from stdin."),
    _text("--description", "What it is for.", metavar="TEXT"),
    _text(
        "--expiration", "When it ends: 2026-12-31T00:00:00Z. Never is the default.", metavar="TIME"
    ),
    click.option(
        "--usage",
        "usages",
        type=click.Choice(creation.USAGES),
        multiple=True,
        default=creation.USAGES,
        help="What it is good for; both are the default.",
    ),
    click.option(
        "--group",
        "groups",
        type=Text(),
        multiple=True,
        metavar="NAME",
        help="Another group of who uses it: system:bootstrappers:…; may be repeated.",
    ),
    name="bootstrap-token",
    examples="""\
kubeadm token generate | sealer create bootstrap-token bootstrap-token-abcdef -n kube-system \\
    --sealing-key prod.pem --token-stdin -w join.yaml
""",
)
def _bootstrap_token(arguments: BootstrapToken, terminal: Terminal) -> None:
    """A token with which nodes join a cluster."""
    expiration = _time(arguments.expiration) if arguments.expiration else None
    creation.check_groups(arguments.groups)

    def read(about: str) -> Mapping[str, bytes]:
        token = secret_text(
            arguments.token,
            from_stdin=arguments.token_stdin,
            flag="--token",
            about=about,
            terminal=terminal,
        )
        return creation.bootstrap_token(
            token,
            description=arguments.description,
            expiration=expiration,
            usages=arguments.usages,
            groups=arguments.groups,
        )

    create(arguments, read, type_=secret_types.BOOTSTRAP_TOKEN, terminal=terminal)


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except InvalidManifest:
        raise UsageError(
            "--expiration is a time such as 2026-12-31T00:00:00Z", hint="UTC, to the second"
        ) from None
