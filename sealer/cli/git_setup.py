"""What `sealer init` sets up in Git: the pre-commit hook and the diff driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealer import files
from sealer.cli.output import Terminal
from sealer.cli.repository import git_root, shown
from sealer.errors import SealerError

ATTRIBUTES = ".gitattributes"

_HOOK = """\
#!/bin/sh
# Made by `sealer init`: refuses a commit with sealed files that would not open.
# `git commit --no-verify` goes without it.
exec sealer verify --staged --quiet
"""
_ADD_TO_HOOK = "add this line to it: sealer verify --staged --quiet"
_SETTING = "diff.sealer.textconv"
# Files that hold nothing sealed are not worth the start of another program.
_TEXTCONV = (
    'f() { grep -q SealedSecret "$1" && sealer diff --textconv "$1" 2>/dev/null || cat "$1"; }; f'
)
_MARK = "diff=sealer"
_LINES = f"""\
# `git diff` shows sealed files without ciphertexts, in clones with `sealer init --diff-driver`.
*.yaml {_MARK}
*.yml {_MARK}
*.json {_MARK}
"""


def add_hook(root: Path, terminal: Terminal) -> None:
    """Install the pre-commit hook.

    Raises:
        AlreadyExists, Refused: there is another one, or it would be one of other repositories too.
        GitError, FileError: it cannot be done.
    """
    from sealer.git import setup  # noqa: PLC0415 - Git is imported when it is needed
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    try:
        hook = setup.install_hook(Worktree(root), "pre-commit", _HOOK)
    except SealerError as error:
        error.hint = error.hint or _ADD_TO_HOOK
        raise
    terminal.note(f"hook {shown(hook)}: checks what is committed")


def add_diff_driver(root: Path, terminal: Terminal) -> None:
    """Set up the diff driver in this clone, and its attributes for all clones.

    Raises:
        AlreadyExists: Git has another driver of this name.
        GitError, FileError: it cannot be done.
    """
    from sealer.git import setup  # noqa: PLC0415 - Git is imported when it is needed
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    setup.set_up(Worktree(root), _SETTING, _TEXTCONV)
    path = root / ATTRIBUTES
    before = path.read_bytes() if path.exists() else b""
    if _MARK.encode() not in before:
        gap = b"" if before.endswith(b"\n") or not before else b"\n"
        files.write(path, before + gap + _LINES.encode())
    terminal.note(f"diff driver: {shown(path)} and {_SETTING}; each clone sets up its own")


def check_ignored(
    root: Path, public: Sequence[Path], keyring: Path | None, terminal: Terminal
) -> None:
    """Warn of public files that Git would leave out, and of private ones that it would take."""
    if git_root(root) is None:
        return
    from sealer.git import setup  # noqa: PLC0415 - Git is imported when it is needed
    from sealer.git.worktree import Worktree  # noqa: PLC0415 - same

    worktree = Worktree(root)
    for path in sorted(setup.ignored_files(worktree, public)):
        terminal.warn(f"{shown(path)} is ignored by Git, and belongs there: it is public")
    if keyring is None or git_root(keyring) != git_root(root):
        return
    states = list(keyring.glob("*.json"))
    if len(setup.ignored_files(worktree, states)) < len(states):
        terminal.warn(
            f"{shown(keyring)} holds private keys and must not be committed: "
            f"echo '/{shown(keyring)}/' >> .gitignore"
        )
