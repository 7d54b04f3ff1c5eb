"""Which commands there are, what each is for, and where it lives.

Help for all commands needs only this table; a command's module is imported when it is run. So
`sealer seal` starts without what other commands need, such as Kubernetes or Git libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import cast

import click
from click.shell_completion import CompletionItem

import sealer
from sealer.cli import options, output
from sealer.errors import UsageError


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `sealer --help`. In module `sealer.cli.NAME`, `_` for `-`, it is `command`."""

    section: str
    summary: str


COMMANDS: Mapping[str, Listed] = MappingProxyType(
    {
        "seal": Listed("Secrets", "Encrypt Secrets, so that they can be committed to Git."),
        "create": Listed(
            "Secrets", "Make sealed Secrets from values, as kubectl makes plain ones."
        ),
        "set": Listed("Secrets", "Set values in a sealed file; needs no private key."),
        "unset": Listed("Secrets", "Remove items from a sealed file; needs no key."),
        "edit": Listed("Secrets", "Change a sealed file in your editor."),
        "unseal": Listed("Secrets", "Decrypt what was sealed, with the private key."),
        "verify": Listed("Secrets", "Check sealed files; needs neither key nor cluster."),
        "reseal": Listed("Secrets", "Move sealed files to the newest key; no value changes."),
        "init": Listed("Repositories", "Set up a repository: for whom its files are sealed."),
        "status": Listed(
            "Repositories", "Say what is sealed to which keys, since when, and what is stale."
        ),
        "diff": Listed("Repositories", "Say what changed, by object and item; never a value."),
        "exposure": Listed("Repositories", "A key leaked: list every value that it opens."),
        "keys": Listed("Keys", "Make, renew, back up, restore and revoke keys."),
        "shared": Listed("Cluster", "Read, change and share secrets that have many readers."),
        "registry-login": Listed(
            "Cluster", "Log in to the registries whose pull secrets you may view."
        ),
        "registry-logout": Listed("Cluster", "Take those logins out again."),
        "install": Listed("Cluster", "Print what installs the controller."),
        "completion": Listed("This program", "Print the completion script of a shell."),
        "version": Listed("This program", "Print the version."),
    }
)

_EPILOG = """\
Start here:
  sealer keys init --keyring keyring
  sealer keys fetch --keyring keyring -w shop.pem
  kubectl create secret generic db -n shop --from-literal=password=… \\
      --dry-run=client -o yaml | sealer seal --sealing-key shop.pem > db.yaml

Every option can also be set in the environment: --keyring DIR is SEALER_KEYRING=DIR.
"""


class LazyGroup(options.Group):
    """A group whose commands are those of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        return cast(
            "click.Command", import_module(f"sealer.cli.{cmd_name.replace('-', '_')}").command
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which may have been."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], COMMANDS, n=1)
            raise UsageError(
                f"there is no command {args[0]!r}",
                hint=f"did you mean `sealer {close[0]}`?" if close else "see `sealer --help`",
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What one can do comes before how the program is called otherwise."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, by sections, without importing anything."""
        del ctx
        width = max(map(len, COMMANDS))
        for section in dict.fromkeys(listed.section for listed in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (name.ljust(width), listed.summary)
                        for name, listed in COMMANDS.items()
                        if listed.section == section
                    ]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first steps, as they are typed."""
        del ctx
        options.write_verbatim(formatter, _EPILOG)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, and options; again without importing."""
        names = [
            CompletionItem(name, help=listed.summary)
            for name, listed in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


_SETTINGS = MappingProxyType({"help_option_names": ["-h", "--help"], "max_content_width": 100})


def _show_version(context: click.Context, parameter: click.Parameter, value: object) -> None:
    del parameter
    if value and not context.resilient_parsing:
        output.write(f"{context.command_path} {sealer.__version__}\n")
        context.exit()


@click.group(cls=LazyGroup, context_settings=dict(_SETTINGS))
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Print the version.",
)
def root() -> None:
    """Seal secrets on your laptop, commit them to Git, open them only where they belong."""
