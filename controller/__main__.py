"""Run the operator: embedded with `--source`, otherwise in a cluster."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from controller.settings import Settings
from sealer.crypto.scope import Scope
from sealer.errors import SealerError

_INTERVAL_SECONDS = 1.0


@click.command(context_settings={"auto_envvar_prefix": "SEALER", "show_default": True})
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Git work tree; what is committed there is opened.",
)
@click.option("--target", type=click.Path(path_type=Path), help="Directory for what comes out.")
@click.option("--keyring", type=click.Path(path_type=Path), help="Directory with the keys.")
@click.option("--once", is_flag=True, help="Make one pass and exit, with 1 if anything is wrong.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=_INTERVAL_SECONDS,
    help="Seconds between two looks at the work tree.",
)
@click.option(
    "--allowed-scope",
    "allowed_scopes",
    multiple=True,
    type=click.Choice(list(Scope)),
    default=list(Scope),
    help="Scopes that are opened at all; may be repeated.",
)
def main(
    *,
    source: Path | None,
    target: Path | None,
    keyring: Path | None,
    once: bool,
    interval: float,
    allowed_scopes: tuple[str, ...],
) -> None:
    """Open SealedSecrets into Secrets and SharedSecrets, and keep those true."""
    if source is None or target is None or keyring is None:
        raise click.UsageError("--source, --target and --keyring are needed")
    settings = Settings(
        allowed_scopes=frozenset(map(Scope, allowed_scopes)),
        allow_own_namespace=True,  # no keys are kept in a namespace here
        offer_rewrapped=False,  # `sealer reseal --keyring` has the keys themselves
    )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        sys.exit(_embedded(source, target, keyring, settings, stopped, 0 if once else interval))
    except SealerError as error:
        _complain(error)
        sys.exit(error.exit_code)


def _embedded(
    source: Path,
    target: Path,
    keyring: Path,
    settings: Settings,
    stopped: threading.Event,
    interval: float,
) -> int:
    from controller.embedded import Embedded, Voice  # noqa: PLC0415 - a cluster needs no Git

    voice = Voice(
        tell=lambda text: click.echo(_printable(text)),
        note=lambda text: click.echo(_printable(text), err=True),
        complain=_complain,
    )
    operator = Embedded(
        source=source, target=target, keyring=keyring, settings=settings, voice=voice
    )
    return operator.run(stopped, interval)


def _complain(error: SealerError) -> None:
    click.echo(f"error: {_printable(str(error))}", err=True)
    if error.hint:
        click.echo(f"hint: {_printable(error.hint)}", err=True)


def _printable(text: str) -> str:
    """Names of files come from Git, and must not move the cursor of a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


if __name__ == "__main__":
    main()
