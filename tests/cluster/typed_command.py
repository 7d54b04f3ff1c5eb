"""`sealer` as a function that a forked process runs, so that it can be typed a hundred times."""

from __future__ import annotations

import os
import sys

IMPORTS = ("sealer.cli.keys", "sealer.cluster_keys", "pyrage")
"""What takes long to import."""


def main(directory: str, kubeconfig: str, *words: str) -> None:
    """Run a command in a directory and end with its exit code."""
    from sealer.cli import main as sealer  # noqa: PLC0415 - imported by whoever forks us

    os.chdir(directory)
    os.environ["KUBECONFIG"] = kubeconfig
    sys.exit(sealer(list(words)))
