"""`sealer shared` in this process, as somebody: a whole program takes two seconds to start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealer.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs `sealer shared` in a namespace with a kubeconfig.

    Attributes:
        kubeconfig: whose; none for what the environment says.
        captured: what the test prints; read after each command, so that it is looked through.
    """

    kubeconfig: Path | None
    namespace: str
    captured: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; its exit code, and what it prints and says."""
        who = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        code = main(["shared", *arguments, "-n", self.namespace, *who])
        out, err = self.captured.readouterr()
        return code, out, err

    def out(self, *arguments: str) -> str:
        """What a command that must succeed prints."""
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return out

    def err(self, *arguments: str, code: int) -> str:
        """What a command says that must end like this."""
        ended, out, err = self.run(*arguments)
        assert (ended, out) == (code, ""), err
        return err
