"""The real kubeseal, run offline with keys of the tests' own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rsa_keys import RsaKey

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kubeseal:
    """A kubeseal that knows no cluster.

    Attributes:
        program: its path.
        folder: where it finds files.
    """

    program: Path
    folder: Path

    def run(self, *arguments: str | Path, stdin: str | bytes = "") -> bytes:
        """What it prints; fails where it fails."""
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        outcome = subprocess.run(
            [self.program, "--kubeconfig", self.folder / "nowhere", *arguments],
            input=raw,
            capture_output=True,
            check=False,
        )
        assert outcome.returncode == 0, outcome.stderr.decode()
        return outcome.stdout

    def seal(self, secret: object, *arguments: str, key: RsaKey, form: str = "yaml") -> str:
        """What it makes of Secrets (JSON, or text as it is)."""
        text = secret if isinstance(secret, str) else json.dumps(secret)
        certificate = self.folder / "cert.pem"
        certificate.write_text(key.certificate())
        return self.run("--cert", certificate, "--format", form, *arguments, stdin=text).decode()

    def unseal(self, sealed: str, *keys: RsaKey) -> Document:
        """The Secret that it opens with private keys."""
        files = []
        for number, key in enumerate(keys):
            file = self.folder / f"{number}.key"
            file.write_text(key.to_pem())
            file.chmod(0o600)
            files += ["--recovery-private-key", str(file)]
        opened: Document = json.loads(
            self.run("--recovery-unseal", "--format", "json", *files, stdin=sealed)
        )
        return opened
