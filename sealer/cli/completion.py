"""`sealer completion`: the script that makes a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from sealer.cli import options
from sealer.cli.output import Terminal

_EXAMPLES = """\
bash:  echo 'eval "$(sealer completion bash)"' >> ~/.bashrc
zsh:   echo 'eval "$(sealer completion zsh)"' >> ~/.zshrc
fish:  sealer completion fish > ~/.config/fish/completions/sealer.fish
"""


@options.command("completion", examples=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str, terminal: Terminal) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if kind is not None:
        terminal.result(kind(root, {}, "sealer", "_SEALER_COMPLETE").source() + "\n")
