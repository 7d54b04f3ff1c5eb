"""`sealer registry-logout`: takes out of the container config what `registry-login` put in."""

from __future__ import annotations

import os
from pathlib import Path

from sealer import credential_programs
from sealer.cli import options
from sealer.cli.container_config import ConfigFile, auth_file
from sealer.cli.output import Terminal
from sealer.errors import SealerError
from sealer.registries import ContainerConfig, Kept

_GONE = "gone already"


@options.command(
    "registry-logout",
    examples="""\
sealer registry-logout
sealer registry-logout --auth-file auth.json
""",
)
@auth_file
def command(*, auth_file: Path | None, terminal: Terminal) -> int:
    """Take those logins out again.

    That is what `sealer registry-login` put in, and nothing else: a login that somebody else made
    since for the same registry stays. Needs no cluster. Exits with 1 if a login could not be taken
    out.
    """
    file = ConfigFile.find(auth_file, os.environ)
    config, left, rows = file.read(), list(file.kept()), []
    failed = False
    for kept in tuple(left):
        try:
            config, result = _log_out(file, config, kept)
            left.remove(kept)
        except SealerError as error:
            result, failed = f"not logged out: {error.message}", True
        rows.append((kept.registry, kept.account, kept.source, result))
    if not rows:
        terminal.note(f"{file.path}: `sealer registry-login` has put nothing in")
        return 0
    file.keep(left)
    terminal.table(("REGISTRY", "USER", "FROM", "RESULT"), rows)
    return int(failed)


def _log_out(file: ConfigFile, config: ContainerConfig, kept: Kept) -> tuple[ContainerConfig, str]:
    helper, there = config.helper(kept.registry), file.account(config, kept.registry)
    if there is None and not config.has(kept.registry):
        return config, _GONE
    if there not in (None, kept.account):
        return config, f"left as it is: logged in as {there} since"
    if helper and there is not None:
        credential_programs.erase(helper, kept.registry)
    elif not helper and there is None:  # an entry that says nothing, as for a helper of before
        return config, _GONE
    after = config.without(kept.registry)
    file.write(after)
    return after, "logged out"
