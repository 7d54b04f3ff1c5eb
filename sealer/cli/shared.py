"""`sealer shared`: the group. One secret in a cluster, with many readers."""

from __future__ import annotations

import click

from sealer.cli import options
from sealer.cli.shared_lists import grant, list_, revoke, targets
from sealer.cli.shared_values import create, delete, get, set_, unset

_EPILOG = """\
One value, in a pipeline:
  sealer shared get db password -n shop

One secret for a team:
  sealer shared create db -n shop --from-file password=password.txt
  sealer shared grant db view --team web -n shop

From Git, it is `sealer seal --kind SharedSecret`, and access stands in spec.template.access.
"""


class Group(options.Group):
    """A group whose help ends in what to type."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order in which they are needed."""
        del ctx
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first steps, as they are typed."""
        del ctx
        options.write_verbatim(formatter, _EPILOG)


@click.group("shared", cls=Group)
def command() -> None:
    """Read, change and share secrets that have many readers.

    SharedSecrets are the cluster's: one secret, whose access list says who may do what. Everything
    happens with your own rights in the cluster, as kubectl would use them.
    """


for _each in (list_, get, set_, unset, create, delete, grant, revoke, targets):
    command.add_command(_each)
