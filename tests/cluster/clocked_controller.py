"""Run our controller with a clock of its own: a file that holds the time.

Usage: `python clocked_controller.py CLOCK KUBECONFIG PORT [NAME=SECONDS…]`, where the rest are
settings by the names that `ClusterSettings` has.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(clock: str, kubeconfig: str, port: str, *settings: str) -> None:
    """Work until told to stop."""
    sys.path.insert(0, str(ROOT))
    from controller import clustered, logs  # noqa: PLC0415 - found by the line above
    from controller.settings import ClusterSettings, Settings  # noqa: PLC0415 - same
    from sealer.manifests.times import parse_time  # noqa: PLC0415 - same

    named = dict(setting.split("=") for setting in settings)
    options = ClusterSettings(
        listen=f"127.0.0.1:{port}",
        kubeconfig=Path(kubeconfig),
        retry_max=1,
        key_look=0.1,
        leader_elect="lease_duration" in named,
        lease_duration=float(named.get("lease_duration", 15)),
        key_activation_delay=timedelta(seconds=float(named.get("key_activation_delay", 0))),
        make_first_key=named.get("make_first_key") != "0",
    )
    logs.start(logs.LogFormat.JSON, "info")
    now = lambda: parse_time(Path(clock).read_text())  # noqa: E731 - the clock
    asyncio.run(clustered.run(Settings(), options, now=now))


if __name__ == "__main__":
    main(*sys.argv[1:])
