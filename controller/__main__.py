"""Run the operator: embedded with `--source`, otherwise in a cluster."""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar, cast

import click

from controller.logs import LogFormat
from controller.settings import (
    BitnamiSettings,
    ClusterSettings,
    Settings,
    read_cutoff,
    read_duration,
)
from sealer.crypto.scope import Scope
from sealer.errors import SealerError, UsageError
from sealer.wording import printable

if TYPE_CHECKING:
    from datetime import timedelta

_INTERVAL_SECONDS = 1.0
_DEFAULTS = ClusterSettings()
_BITNAMI = BitnamiSettings()
_EXTRA = ("aiohttp", "kopf", "prometheus_client")
"""What the extra sealer[controller] brings, and embedded mode does without."""
_LEVELS = ("debug", "info", "warning", "error")
T = TypeVar("T")
_Command = TypeVar("_Command", bound=Callable[..., object])


def _read_by(
    read: Callable[[str], T],
) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """Have an option read by a function of the core."""

    def convert(_context: click.Context, _option: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else read(text)
        except SealerError as error:
            raise click.BadParameter(f"{error.message}: {error.hint}") from None

    return convert


def _duration(name: str, about: str, *, default: str) -> Callable[[_Command], _Command]:
    read = _read_by(read_duration)
    return click.option(name, metavar="DURATION", callback=read, default=default, help=about)


@click.command(
    context_settings={
        "auto_envvar_prefix": "SEALER",
        "show_default": True,
        "help_option_names": ["-h", "--help"],
    },
    epilog="Try: python -m controller --source . --target out --keyring keyring --once",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Embedded: Git work tree; what is committed there is opened.",
)
@click.option(
    "--target", type=click.Path(path_type=Path), help="Embedded: directory for what comes out."
)
@click.option(
    "--keyring", type=click.Path(path_type=Path), help="Embedded: directory with the keys."
)
@click.option(
    "--once", is_flag=True, help="Embedded: make one pass and exit, with 1 if anything is wrong."
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=_INTERVAL_SECONDS,
    help="Embedded: seconds between two looks at the work tree.",
)
@click.option(
    "--allowed-scope",
    "allowed_scopes",
    envvar="SEALER_ALLOWED_SCOPE",
    multiple=True,
    type=click.Choice([str(scope) for scope in Scope]),
    default=[str(scope) for scope in Scope],
    help="Scopes that are opened at all; may be repeated.",
)
@click.option(
    "--controller-namespace",
    default=Settings().controller_namespace,
    help="Where the controller and its keys are.",
)
@click.option(
    "--allow-own-namespace",
    is_flag=True,
    help="Open SealedSecrets in the controller's namespace too.",
)
@click.option(
    "--listen", default=_DEFAULTS.listen, help="HOST:PORT of /healthz, /readyz and /metrics."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 512),
    default=_DEFAULTS.workers,
    help="Objects that are worked on at a time, one request each.",
)
@click.option(
    "--resync",
    type=click.FloatRange(min=1),
    default=_DEFAULTS.resync,
    help="Seconds after which every object is looked at without a cause.",
)
@click.option(
    "--retry-max",
    type=click.FloatRange(min=0.1),
    default=_DEFAULTS.retry_max,
    help="Longest wait, in seconds, before what failed is tried again.",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    default=_DEFAULTS.leader_elect,
    help="Wait for the Lease before working, so that one of several replicas works.",
)
@click.option(
    "--lease-duration",
    type=click.FloatRange(min=1),
    default=_DEFAULTS.lease_duration,
    help="Seconds that a replica which is gone is waited for.",
)
@_duration(
    "--key-renew-period",
    "Age at which the newest key is replaced, such as 720h or 30d; 0 for never.",
    default="720h",
)
@click.option(
    "--key-cutoff-time",
    metavar="TIME",
    callback=_read_by(read_cutoff),
    help="Replace the newest key at once if it was made before then (RFC 3339 or RFC 1123).",
)
@_duration(
    "--key-activation-delay",
    "How long a new key waits before it is sealed to, such as 24h.",
    default="0",
)
@click.option(
    "--make-first-key/--no-make-first-key",
    default=_DEFAULTS.make_first_key,
    help="Make a key where there is none; not where a backup is about to be restored.",
)
@click.option(
    "--cluster-name",
    default=_DEFAULTS.cluster_name,
    help="What the backup copies of the keys call this cluster.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="Outside of a cluster; else the pod's service account, KUBECONFIG or ~/.kube/config.",
)
@click.option("--context", default="", help="Context of the kubeconfig; else its current one.")
@click.option(
    "--serve-bitnami",
    is_flag=True,
    help="Open the SealedSecrets of sealed-secrets too, with its keys, and answer kubeseal.",
)
@click.option(
    "--bitnami-listen", default=_BITNAMI.listen, help="HOST:PORT of the endpoints for kubeseal."
)
@click.option(
    "--bitnami-key-namespace",
    default=_BITNAMI.key_namespace,
    help="Where the key Secrets of sealed-secrets are; else the controller's own namespace.",
)
@_duration(
    "--bitnami-key-renew-period",
    "Age, such as 720h, at which another key of sealed-secrets is made; 0 for never.",
    default="0",
)
@click.option(
    "--bitnami-rate-limit",
    type=click.FloatRange(min=0.01),
    default=_BITNAMI.rate,
    help="Objects that kubeseal may ask about in a second, from all callers together.",
)
@click.option(
    "--log-format",
    type=click.Choice([str(form) for form in LogFormat]),
    default=str(LogFormat.TEXT),
    help="How log lines look.",
)
@click.option(
    "--log-level", type=click.Choice(_LEVELS), default="info", help="The least that is logged."
)
def main(
    *,
    source: Path | None,
    target: Path | None,
    keyring: Path | None,
    once: bool,
    interval: float,
    allowed_scopes: tuple[str, ...],
    controller_namespace: str,
    allow_own_namespace: bool,
    log_format: str,
    log_level: str,
    **options: object,
) -> None:
    """Open SealedSecrets into Secrets and SharedSecrets, and keep those true.

    With --source, --target and --keyring from a Git work tree into a directory; otherwise in a
    Kubernetes cluster. Every option can also be given as SEALER_….
    """
    embedded = source is not None
    settings = Settings(
        controller_namespace=controller_namespace,
        allowed_scopes=frozenset(map(Scope, allowed_scopes)),
        allow_own_namespace=allow_own_namespace or embedded,  # no keys are in a namespace there
        offer_rewrapped=not embedded,  # `sealer reseal --keyring` has the keys themselves
    )
    try:
        if source is None and target is None and keyring is None and not once:
            _in_cluster(settings, options, log_format, log_level)
        elif source is None or target is None or keyring is None:
            raise click.UsageError("--source, --target and --keyring are needed together")
        else:
            sys.exit(_embedded(source, target, keyring, settings, 0 if once else interval))
    except SealerError as error:
        _complain(error)
        sys.exit(error.exit_code)


def _in_cluster(
    settings: Settings, options: dict[str, object], log_format: str, log_level: str
) -> None:
    import asyncio  # noqa: PLC0415 - the embedded mode needs none of this

    try:
        from controller import clustered, logs  # noqa: PLC0415 - same
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise UsageError(
            f"a cluster takes {error.name}, which is not installed",
            hint="pip install '.[controller]'; or work without one: see --help on --source",
        ) from None

    logs.start(LogFormat(log_format), log_level)
    bitnami = _bitnami(options)
    cluster = ClusterSettings(**options, bitnami=bitnami)  # type: ignore[arg-type]  # by click
    try:
        asyncio.run(clustered.run(settings, cluster))
    except SealerError:
        raise
    except Exception:
        # By the log, which shows its type and place: its text could be anything.
        logging.getLogger(__name__).exception("ended by an error that nobody expected")
        sys.exit(1)


def _bitnami(options: dict[str, object]) -> BitnamiSettings | None:
    served, period = options.pop("serve_bitnami"), options.pop("bitnami_key_renew_period")
    settings = BitnamiSettings(
        listen=str(options.pop("bitnami_listen")),
        key_namespace=str(options.pop("bitnami_key_namespace")),
        key_renew_period=cast("timedelta", period).total_seconds(),
        rate=float(str(options.pop("bitnami_rate_limit"))),
    )
    return settings if served else None


def _embedded(
    source: Path, target: Path, keyring: Path, settings: Settings, interval: float
) -> int:
    from controller.embedded import Embedded, Voice  # noqa: PLC0415 - a cluster needs no Git

    voice = Voice(
        tell=lambda text: click.echo(printable(text)),
        note=lambda text: click.echo(printable(text), err=True),
        complain=_complain,
    )
    operator = Embedded(
        source=source, target=target, keyring=keyring, settings=settings, voice=voice
    )
    try:
        if not interval:
            return 0 if operator.converge().all_well else 1
        operator.watch(_signalled(interval))
    except SealerError:
        raise
    except Exception as error:  # noqa: BLE001 - its text, and a traceback's, could be a value
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
        raise SealerError(f"internal error ({place})", hint="please report it") from None
    return 0


def _signalled(interval: float) -> Callable[[], bool]:
    """Waits for the next look; true once a signal has come. A second one ends the process."""
    signals: SimpleQueue[int] = SimpleQueue()  # its `put` is safe in a signal handler

    def take(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        signals.put(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, take)

    def is_over() -> bool:
        try:
            signals.get(timeout=interval)
        except Empty:
            return False
        return True

    return is_over


def _complain(error: SealerError) -> None:
    click.echo(f"error: {printable(str(error))}", err=True)
    if error.hint:
        click.echo(f"hint: {printable(error.hint)}", err=True)


if __name__ == "__main__":
    main()
