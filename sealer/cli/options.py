"""Options that several commands have, each declared once, and what all commands have in common.

Every option is also read from the environment under one name for all commands: `SEALER_` and the
option's long name. What is typed wins over what is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from textwrap import indent
from typing import TypeVar

import click

from sealer.cli import output
from sealer.cli.output import Terminal
from sealer.service_proxy import DEFAULT

_Arguments = TypeVar("_Arguments")
_Word = TypeVar("_Word", bound=StrEnum)
Function = Callable[..., int | None]
Decorator = Callable[[Function], Function]

FILE = click.Path(path_type=Path, dir_okay=False)
DIRECTORY = click.Path(path_type=Path, file_okay=False)
CONTROLLER_NAMESPACE = "sealer-system"
"""As `sealer.install` makes it; importing that takes longer than most commands run."""


class Word(click.Choice[_Word]):
    """One of the words of an enumeration, as they are written in manifests."""

    def __init__(self, words: type[_Word]) -> None:
        super().__init__(list(words))

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """The word itself; click would take its name in the code."""
        del ctx
        return str(choice)


class Text(click.types.StringParamType):
    """Text, where a shell could pass any bytes; what is refused may be a value: it is not shown."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The same text."""
        text = str(super().convert(value, param, ctx))
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("is not UTF-8 text", param, ctx)
        return text


class Command(click.Command):
    """A command whose help ends in examples."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """`--help`, which fails as every output does."""
        return _written(super().get_help_option(ctx))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, as they are typed."""
        del ctx
        if self.epilog:
            write_verbatim(formatter, "Examples:\n" + indent(self.epilog, "  "))


class Group(click.Group):
    """A group of commands."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """`--help`, which fails as every output does."""
        return _written(super().get_help_option(ctx))


def _written(option: click.Option | None) -> click.Option | None:
    if option is not None:
        option.callback = _show_help
    return option


def _show_help(context: click.Context, parameter: click.Parameter, value: object) -> None:
    del parameter
    if value and not context.resilient_parsing:
        output.write(f"{context.get_help()}\n")
        context.exit()


def command(name: str, *, examples: str) -> Callable[[Function], Command]:
    """Make a command with `--quiet`, examples and options from the environment.

    The function receives a `terminal`, and returns an exit code or None for 0.
    """

    def decorate(function: Function) -> Command:
        made: Command = click.command(name, cls=Command, epilog=examples)(function)
        made.params.append(_quiet())
        for parameter in made.params:
            if isinstance(parameter, click.Option):
                parameter.envvar = environment_name(parameter)
        return made

    return decorate


def collected(
    arguments: Callable[..., _Arguments],
) -> Callable[[Callable[[_Arguments, Terminal], int | None]], Function]:
    """Hand a command its arguments as one value; the decorator next to the function."""

    def decorate(function: Callable[[_Arguments, Terminal], int | None]) -> Function:
        @wraps(function)
        def run(*, terminal: Terminal, **values: object) -> int | None:
            return function(arguments(**values), terminal)

        return run

    return decorate


def environment_name(option: click.Option) -> str:
    """The environment variable of an option: `--sealing-key` is `SEALER_SEALING_KEY`."""
    longest = max(option.opts, key=len)
    return "SEALER_" + longest.lstrip("-").replace("-", "_").upper()


def write_verbatim(formatter: click.HelpFormatter, text: str) -> None:
    """Text of a help page that must not be wrapped anew."""
    formatter.write_paragraph()
    formatter.write(text)


def _terminal(context: click.Context, parameter: click.Parameter, value: object) -> Terminal:
    del context, parameter
    return Terminal(quiet=bool(value))


def _quiet() -> click.Option:
    return click.Option(
        ["--quiet", "terminal"],
        is_flag=True,
        callback=_terminal,
        help="Say nothing on stderr but errors and warnings.",
    )


def kubeseals_namespace() -> str:
    """Where kubeseal looks for its controller: what is set for it counts here as well."""
    return os.environ.get("SEALED_SECRETS_CONTROLLER_NAMESPACE") or DEFAULT.partition("/")[0]


def _kubeseals_service() -> str:
    name = os.environ.get("SEALED_SECRETS_CONTROLLER_NAME") or DEFAULT.partition("/")[2]
    return f"{kubeseals_namespace()}/{name}"


filenames: Decorator = click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    metavar="FILE",
    help="Another input, as with kubectl; may be repeated.",
)

inputs: Decorator = click.argument("inputs", nargs=-1, metavar="[FILE]…")

paths: Decorator = click.argument("paths", nargs=-1, metavar="[PATH]…")

namespace: Decorator = click.option(
    "-n",
    "--namespace",
    default="",
    metavar="NAMESPACE",
    help="Namespace of objects that do not name one.",
)

sealing_keys: Decorator = click.option(
    "--sealing-key",
    "sealing_keys",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Public keys (PEM); may be repeated.",
)

expired_certificates: Decorator = click.option(
    "--allow-expired-certificate",
    is_flag=True,
    help="For sealed-secrets: seal to a certificate that is expired.",
)

sealed_secrets_service: Decorator = click.option(
    "--sealed-secrets-service",
    default=_kubeseals_service,
    show_default=DEFAULT,
    metavar="[NAMESPACE/]NAME",
    help="The Service of the controller that is asked as kubeseal asks it.",
)


def named_file(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The file of `--write`; None for `-`, which is stdout here as it is stdin elsewhere."""
    del context, parameter
    return None if value == "-" else value


write: Decorator = click.option(
    "-w",
    "--write",
    "destination",
    metavar="FILE",
    callback=named_file,
    help="Write to this file instead of stdout.",
)

like: Decorator = click.option(
    "--for",
    "like",
    type=FILE,
    metavar="FILE",
    help="Seal what goes to stdout as for this file of the repository.",
)

force: Decorator = click.option("--force", is_flag=True, help="Replace files that are there.")

private_keys: Decorator = click.option(
    "--private-key",
    "private_keys",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="A private key (PEM); may be repeated.",
)

keyring: Decorator = click.option(
    "--keyring",
    type=DIRECTORY,
    metavar="DIR",
    help="The directory with the private keys.",
)

kubeconfig: Decorator = click.option(
    "--kubeconfig", type=FILE, metavar="FILE", help="The kubeconfig, as with kubectl."
)

context: Decorator = click.option(
    "--context", default="", metavar="NAME", help="The context in it, as with kubectl."
)

controller_namespace: Decorator = click.option(
    "--controller-namespace",
    default=CONTROLLER_NAMESPACE,
    metavar="NAMESPACE",
    help=f"Where the controller and its keys are; {CONTROLLER_NAMESPACE} unless given.",
)

timeout: Decorator = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    metavar="SECONDS",
    help="How long to wait for the controller; 60 unless given.",
)

cluster: Decorator = click.option(
    "--cluster",
    default="",
    metavar="NAME",
    help="The cluster of .sealer.yaml that is meant; else all of them.",
)

live: Decorator = click.option("--live", is_flag=True, help="Ask the cluster too.")


def output_format(*formats: str, default: str | None = None, text: str) -> Decorator:
    """`-o`, with the formats that a command has."""
    return click.option(
        "-o",
        "--output",
        "output_format",
        type=click.Choice(formats),
        default=default,
        help=text,
    )


def exit_code(meaning: str) -> Decorator:
    """`--exit-code`, for commands that else end with 0 whatever they find."""
    return click.option("--exit-code", is_flag=True, help=f"Exit with {meaning}.")
