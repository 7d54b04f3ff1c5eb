"""The table of commands, the options they share, and what is imported for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from sealer.cli import registry
from tests.cli import keys

_SEAL = """
import io, sys
from sealer.cli import main
sys.stdin = io.TextIOWrapper(io.BytesIO(b"apiVersion: v1\\nkind: Secret\\nmetadata: {name: db}\\n"))
code = main(["seal", "-n", "shop", "--sealing-key", sys.argv[1]])
print("code", code)
print(*sorted(name for name in sys.modules if "." not in name))
"""
_FOREIGN = {"kubernetes", "kopf", "aiohttp", "git", "jinja2", "controller"}


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(registry.root)
    for name in registry.COMMANDS:
        command = registry.root.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", inner) for sub, inner in command.commands.items())


def _options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


@pytest.mark.parametrize("name", registry.COMMANDS)
def test_the_summary_of_the_table_is_the_first_line_of_the_help(name: str) -> None:
    command = registry.root.get_command(click.Context(registry.root), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == registry.COMMANDS[name].summary


def test_every_option_is_read_from_the_environment_under_its_long_name() -> None:
    for name, command in _commands():
        for option in _options(command):
            longest = max(option.opts, key=len).removeprefix("--")
            expected = "SEALER_" + longest.replace("-", "_").upper()
            assert option.envvar == expected, f"{name} {option.opts}"


def test_one_variable_means_one_thing_in_all_commands() -> None:
    names: dict[object, set[str | None]] = {}
    for _, command in _commands():
        for option in _options(command):
            names.setdefault(option.envvar, set()).add(option.name)
    assert {variable: found for variable, found in names.items() if len(found) > 1} == {}


def test_every_command_ends_its_help_with_examples() -> None:
    for name, command in _commands():
        if not isinstance(command, click.Group):
            assert "sealer " in (command.epilog or ""), name


def test_every_option_and_command_says_what_it_is_for() -> None:
    for name, command in _commands():
        assert command.help, name
        assert all(option.help for option in _options(command)), name


def test_sealing_imports_neither_cluster_nor_git_nor_templates(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("imports")
    keys.lay_out(folder / "keys")
    program = [sys.executable, "-c", _SEAL, str(folder / "keys" / "new.pem")]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()
    assert told[-2] == "code 0"
    assert _FOREIGN & set(told[-1].split()) == set()


def test_help_imports_no_command() -> None:
    program = (
        "import sys; from sealer.cli import main; main(['--help']);"
        "print([name for name in sys.modules if name.startswith('sealer.cli.')])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    assert "sealer.cli.registry" in told
    assert all(f"sealer.cli.{name}'" not in told for name in registry.COMMANDS)
