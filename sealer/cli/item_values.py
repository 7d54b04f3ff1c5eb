"""Where values come from: the command line, files, standard input, a hidden prompt.

What is wrong is said before anything is asked for. A value on the command line is taken, with one
warning for each run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from sealer.cli import hidden
from sealer.cli.inputs import read_bytes
from sealer.cli.options import Decorator
from sealer.cli.output import Terminal
from sealer.creation import collect, read_variables, split_file, split_literal
from sealer.errors import FileError, InvalidManifest, UsageError
from sealer.manifests.validation import check_item_key

from_file: Decorator = click.option(
    "--from-file",
    "from_files",
    multiple=True,
    metavar="[KEY=]FILE",
    help="The content of a file, `-` for stdin, or of all files of a directory; may be repeated.",
)

from_env_file: Decorator = click.option(
    "--from-env-file",
    "env_files",
    multiple=True,
    metavar="FILE",
    help="KEY=VALUE lines; a key alone takes the value from the environment; may be repeated.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSources:
    """What the options name.

    Attributes:
        literals: KEY=VALUE.
        files: [KEY=]FILE.
        env_files: files of KEY=VALUE lines.
        prompts: keys whose values are asked for.
        default_key: the key of a file that names none; empty for the file's name.
    """

    literals: Sequence[str] = ()
    files: Sequence[str] = ()
    env_files: Sequence[str] = ()
    prompts: Sequence[str] = ()
    default_key: str = ""

    @classmethod
    def of(
        cls, keys: Iterable[str], *, files: Sequence[str], env_files: Sequence[str]
    ) -> ItemSources:
        """What is meant by keys, of which those without a value are asked for, and by files."""
        given = list(keys)
        return cls(
            literals=[key for key in given if "=" in key],
            files=files,
            env_files=env_files,
            prompts=[key for key in given if "=" not in key],
        )

    def read(self, *, about: str, terminal: Terminal) -> dict[str, bytes]:
        """All values; those that are asked for come last.

        Args:
            about: whose values they are.
            terminal: to speak to.

        Raises:
            UsageError: two values for one key, stdin named twice, or nobody to ask.
            InvalidManifest: a key that no item may have, or a file with a malformed line.
            FileError: a file cannot be read.
        """
        names = [split_file(text)[1] for text in self.files] + list(self.env_files)
        if names.count("-") > 1:
            raise UsageError("standard input can be read for one value only")
        values = collect(self._given(terminal))
        for key in self.prompts:
            check_item_key(key)
            if key in values or self.prompts.count(key) > 1:
                raise UsageError("there are two values for this key", key=key)
        asked = {key: hidden.ask(f"{key} for {about}") for key in self.prompts}
        return values | asked

    def _given(self, terminal: Terminal) -> Iterator[tuple[str, bytes]]:
        for text in self.files:
            yield from self._from_file(text, terminal)
        yield from map(split_literal, self.literals)
        for name in self.env_files:
            yield from read_variables(read_bytes(name), name=name, environment=os.environ)

    def _from_file(self, text: str, terminal: Terminal) -> Iterator[tuple[str, bytes]]:
        key, name = split_file(text)
        path = Path(name)
        if name == "-":
            if not (key or self.default_key):
                raise UsageError("what comes from stdin has no name", hint="--from-file KEY=-")
            yield key or self.default_key, read_stdin(terminal)
        elif not path.is_dir():
            yield key or self.default_key or path.name, read_bytes(name)
        elif key:
            raise UsageError("a directory gives its own keys", file=name, hint="leave out KEY=")
        else:
            yield from _from_directory(path)


def read_stdin(terminal: Terminal) -> bytes:
    """A value from standard input, all of it.

    Raises:
        FileError: it cannot be read.
    """
    value = read_bytes("-")
    if value.endswith(b"\n") and value.count(b"\n") == 1:
        terminal.note("the value from stdin ends with a line break: printf '%s' writes none")
    return value


def warn_of_literals(given: bool, terminal: Terminal) -> None:  # noqa: FBT001 - what it is about
    """Say that a value which was typed on the command line is not only there."""
    if given:
        terminal.warn(
            "a value on the command line stays in the shell's history, and others on this machine "
            "can see it while the command runs"
        )


def typed(*parameters: str) -> bool:
    """Whether one of these options of the running command was given on the command line."""
    source = click.get_current_context().get_parameter_source
    return any(source(name) is ParameterSource.COMMANDLINE for name in parameters)


def _from_directory(folder: Path) -> Iterator[tuple[str, bytes]]:
    """As kubectl: the regular files in it, no links, and a name that is no key is an error."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", file=str(folder)) from None
    if not files:
        raise UsageError("there is no file in this directory", file=str(folder))
    for name in files:
        try:
            check_item_key(name)
        except InvalidManifest as error:
            raise error.at(file=str(folder)) from None
        yield name, read_bytes(str(folder / name))
