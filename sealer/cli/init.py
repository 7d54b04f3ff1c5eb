"""`sealer init`: a configuration with pinned keys, and what Git can do with sealed files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from sealer import files
from sealer.cli import git_setup, options, pins
from sealer.cli.output import Terminal
from sealer.cli.pins import Pin
from sealer.cli.repository import Repositories, git_root, shown
from sealer.config import FILE_NAME, Cluster
from sealer.errors import AlreadyExists, SealerError, UsageError
from sealer.starter_config import KEY_FOLDER, starter

_EXAMPLES = """\
sealer init                                      # the cluster that kubectl talks to
sealer init --context prod-admin --cluster prod --hook --diff-driver
sealer init --keyring ~/keyring
sealer init --sealing-key prod.pem --sealing-key dr.pem --recovery-key recovery.pem
"""
_KEY_OPTIONS = ("keyring", "sealing_keys", "recovery_keys", "cluster", "context", "kubeconfig")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `sealer init` is given."""

    directory: Path | None
    cluster: str
    context: str
    kubeconfig: Path | None
    keyring: Path | None
    sealing_keys: tuple[Path, ...]
    recovery_keys: tuple[Path, ...]
    hook: bool | None
    diff_driver: bool | None
    force: bool


@options.command("init", examples=_EXAMPLES)
@click.argument("directory", required=False, type=options.DIRECTORY, metavar="[DIR]")
@click.option(
    "--cluster", default="", metavar="NAME", help="What to call the cluster; else as its context."
)
@options.kubeconfig
@options.context
@options.keyring
@options.sealing_keys
@click.option(
    "--recovery-key",
    "recovery_keys",
    type=options.FILE,
    multiple=True,
    metavar="FILE",
    help="A public key (PEM) that is to open everything; may be repeated.",
)
@click.option(
    "--hook/--no-hook", default=None, help="A pre-commit hook that checks what is committed."
)
@click.option(
    "--diff-driver/--no-diff-driver",
    default=None,
    help="Let `git diff` show sealed files without ciphertexts.",
)
@options.force
@options.collected(Arguments)
def command(arguments: Arguments, terminal: Terminal) -> int:
    """Set up a repository: for whom its files are sealed.

    Writes .sealer.yaml and pins the public key to seal to under .sealer/: the cluster's, that of a
    --keyring, or those of --sealing-key. Then `sealer seal`, `create`, `set` and `edit` need no
    options here. DIR is the root of the repository unless it is named. What is there already
    stays; run it again to add the hook or the diff driver.
    """
    root = arguments.directory or git_root(Path()) or Path()
    config = root / FILE_NAME
    if config.exists() and not arguments.force:
        if typed := [name for name in _KEY_OPTIONS if _is_typed(name)]:
            raise _there_already(config, typed[0])
        Repositories().at(root)  # so that a broken one is noticed
        terminal.note(f"kept {shown(config)}")
        written = []
    else:
        written = list(_write(arguments, root, terminal))
    problems = list(_set_up_git(arguments, root, terminal))
    for problem in problems:
        terminal.fail(problem)
    if written:
        git_setup.check_ignored(root, written, arguments.keyring, terminal)
        _say_what_next(root, terminal)
    return max((problem.exit_code for problem in problems), default=0)


def _write(arguments: Arguments, root: Path, terminal: Terminal) -> Iterator[Path]:
    found = list(_pins(arguments))
    text = starter(
        [
            Cluster(name=pin.name, sealing_key=_key_file(pin), context=pin.context)
            for pin in found
            if not pin.recovery
        ],
        [_key_file(pin) for pin in found if pin.recovery],
    )
    _check(found, root, force=arguments.force)
    for pin in found:
        path = root / _key_file(pin)
        files.make_folder(path.parent)
        files.write(path, pin.text.encode())
        terminal.note(f"wrote {shown(path)}: {pin}")
        yield path
    files.write(root / FILE_NAME, text.encode())
    names = ", ".join(pin.name for pin in found)
    terminal.note(f"wrote {shown(root / FILE_NAME)}: everything below it is sealed to {names}")
    yield root / FILE_NAME


def _pins(arguments: Arguments) -> Iterator[Pin]:
    if arguments.keyring is not None and arguments.sealing_keys:
        raise UsageError("either --keyring or --sealing-key, not both")
    if arguments.sealing_keys:
        yield from pins.of_files(arguments.sealing_keys, name=arguments.cluster)
    elif arguments.keyring is not None:
        yield pins.of_keyring(arguments.keyring, name=arguments.cluster)
    else:
        yield from pins.of_cluster(arguments.kubeconfig, arguments.context, name=arguments.cluster)
    yield from pins.of_files(arguments.recovery_keys, recovery=True)


def _check(found: Sequence[Pin], root: Path, *, force: bool) -> None:
    names = [pin.name for pin in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UsageError(
            f"two keys would be called {twice}", hint="name their files for what they are"
        )
    for pin in found:
        path = root / _key_file(pin)
        if path.exists() and not force and path.read_bytes() != pin.text.encode():
            raise AlreadyExists(
                "there is another key already", file=shown(path), hint="--force replaces it"
            )


def _key_file(pin: Pin) -> str:
    return f"{KEY_FOLDER}/{pin.name}.pem"


def _set_up_git(arguments: Arguments, root: Path, terminal: Terminal) -> Iterator[SealerError]:
    steps = (
        (arguments.hook, "a pre-commit hook that checks sealed files", git_setup.add_hook),
        (
            arguments.diff_driver,
            "let `git diff` show sealed files without ciphertexts",
            git_setup.add_diff_driver,
        ),
    )
    for flag, what, step in steps:
        if flag or (flag is None and git_root(root) and terminal.agrees(f"{what}?")):
            try:
                step(root, terminal)
            except SealerError as error:
                yield error


def _say_what_next(root: Path, terminal: Terminal) -> None:
    names = " ".join(shown(root / name) for name in (FILE_NAME, KEY_FOLDER))
    attributes = root / git_setup.ATTRIBUTES
    if attributes.exists():
        names += f" {shown(attributes)}"
    terminal.note(f'next: git add {names} && git commit -m "Seal with sealer"')
    terminal.note("then: sealer seal --in-place FILE, or sealer create --help")


def _is_typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _there_already(config: Path, option: str) -> AlreadyExists:
    del option
    return AlreadyExists(
        "there is a configuration already",
        file=shown(config),
        hint="add clusters and rules to it by hand, and renew its keys with `sealer keys fetch "
        "--pin`; --force replaces it",
    )
