"""Run a program that believes it is in a pod.

Some programs read only what a pod has: two environment variables, and the service account files at
a fixed path. They get these in a mount namespace of their own, so the machine's own files stay as
they are. Linux only; without root it takes unprivileged user namespaces.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.harness.processes import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.harness.api_server import ApiServer

_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_SCRIPT = f"""
mount -t tmpfs none /var/run && mkdir -p {_MOUNT} && cp "$1"/* {_MOUNT} || exit
shift
exec "$@"
"""


def in_pod(
    api: ApiServer,
    command: Sequence[str | Path],
    *,
    namespace: str,
    service_account: str,
    log: Path,
) -> Server:
    """Prepare a program to be started as if in a pod of that namespace and service account.

    Its token is valid for two hours and is not renewed.

    Raises:
        RuntimeError: this machine has no `unshare`.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        raise RuntimeError("running a program as if in a pod takes Linux's unshare")
    files = api.directory / f"pod-{namespace}-{service_account}"
    files.mkdir(exist_ok=True)
    (files / "token").write_text(api.service_account_token(namespace, service_account))
    (files / "ca.crt").write_bytes(api.authority.certificate)
    (files / "namespace").write_text(namespace)
    # A change of user namespace undoes the tether of the outer process, so it is tied once more.
    tether: list[str | Path] = [
        sys.executable,
        "-IS",
        Path(__file__).parent / "tethered.py",
        str(os.getpid()),
    ]
    isolation = [unshare, "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return Server(
        [*isolation, "/bin/sh", "-c", _SCRIPT, "sh", files, *tether, *command],
        log=log,
        env={
            **os.environ,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(api.port),
        },
    )
