"""The real kubeseal, run offline with keys of the tests' own."""

from __future__ import annotations

import json
import os
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

    def run(self, *arguments: str | Path, stdin: str = "") -> bytes:
        """What it prints; fails where it fails."""
        outcome = self._outcome(*arguments, stdin=stdin)
        assert outcome.returncode == 0, outcome.stderr.decode()
        return outcome.stdout

    def refused(self, *arguments: str | Path, stdin: str = "") -> bytes:
        """What it says where it fails."""
        outcome = self._outcome(*arguments, stdin=stdin)
        assert outcome.returncode != 0
        return outcome.stderr

    def seal(self, secret: object, *arguments: str, key: RsaKey, form: str = "yaml") -> str:
        """What it makes of Secrets (JSON, or text as it is)."""
        text = secret if isinstance(secret, str) else json.dumps(secret)
        certificate = self.folder / "kubeseal.pem"
        certificate.write_text(key.certificate())
        return self.run("--cert", certificate, "--format", form, *arguments, stdin=text).decode()

    def unseal(self, sealed: str, *keys: RsaKey) -> Document:
        """The Secret that it opens with private keys."""
        files: list[str | Path] = []
        for number, key in enumerate(keys):
            file = self.folder / f"kubeseal-{number}.key"
            file.write_text(key.to_pem())
            files += ["--recovery-private-key", file]
        text = self.run("--recovery-unseal", "--format", "json", *files, stdin=sealed)
        opened: Document = json.loads(text)
        return opened

    def opens(self, sealed: str, key_file: Path) -> bool:
        """Whether it opens something with a key file."""
        key = ("--recovery-private-key", key_file)
        return self._outcome("--recovery-unseal", *key, stdin=sealed).returncode == 0

    def _outcome(self, *arguments: str | Path, stdin: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.program, *arguments],
            input=stdin.encode(),
            capture_output=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.folder / "nowhere")},
        )
