"""`sealer create` beside `kubectl create secret`: the same flags give the same data, or none.

kubectl asks no server for this, so there is none here.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sealer.cli import main
from sealer.manifests import documents
from sealer.opening import unseal
from sealer.plaintext import read_secret
from sealer.sources import Source
from tests.cli import keys
from tests.cluster.harness.certificates import Authority

if TYPE_CHECKING:
    from sealer.manifests.models import Secret
    from tests.cluster.harness.api_server import Programs

_VARIABLES = (
    b'\xef\xbb\xbf# comment\r\n\n  FIRST= a b \r\n\tSECOND="q" # none\nEMPTY=\nOUTER\n'
    b"my.e-n_v=a=b\nUMLAUT=\xc3\xbc"
)
_OUTER = "made-up-outside"


@dataclass(frozen=True, slots=True)
class Both:
    """Runs one command line twice."""

    kubectl: Path
    monkeypatch: pytest.MonkeyPatch

    def create(self, *flags: str) -> tuple[Secret | None, Secret | None]:
        """What kubectl makes of the flags and what sealer does; None where they are refused."""
        return self._kubectl(flags), self._sealer(flags)

    def _kubectl(self, flags: tuple[str, ...]) -> Secret | None:
        done = subprocess.run(
            [self.kubectl, "create", "secret", *flags, "-n", "shop", "--dry-run=client", "-oyaml"],
            env=os.environ | {"KUBECONFIG": os.devnull, "OUTER": _OUTER},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            return None
        (document,) = documents.read(done.stdout.decode())
        return read_secret(document.value)

    def _sealer(self, flags: tuple[str, ...]) -> Secret | None:
        self.monkeypatch.setenv("OUTER", _OUTER)
        to = ["--sealing-key", "keys/new.pem", "-w", "sealed.yaml", "--force"]
        if main(["create", *flags, "-n", "shop", *to]):
            return None
        sealed = Path("sealed.yaml").read_text(encoding="utf-8")
        (found,) = Source.read("sealed.yaml", sealed).objects()
        return unseal(found.sealed(), {keys.NEW.id: keys.NEW}).secret


@pytest.fixture
def both(programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    monkeypatch.chdir(tmp_path)
    keys.lay_out(tmp_path / "keys")
    pair = Authority("test").issue_server(["shop.example.com"])
    other = Authority("test").issue_server(["shop.example.com"])
    for name, content in {
        "a.txt": b"made-up-text\n",
        "binary": bytes(range(256)),
        "no~key": b"made-up",
        "db.env": _VARIABLES,
        "exported.env": b"export A=made-up\n",
        "config.json": b'{"auths": {"example.com": {"auth": "bWFkZTp1cA=="}}}',
        "tls.crt": pair.certificate,
        "tls.key": pair.key,
        "other.key": other.key,
        "folder/one": b"made-up-one",
        "folder/two.txt": b"made-up-two",
        "folder/inner/three": b"made-up-three",
        "bad/no~key": b"made-up",
    }.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
    Path("folder/link").symlink_to("one")
    return Both(programs.kubectl, monkeypatch)


@pytest.mark.parametrize(
    "flags",
    [
        ["generic", "db", "--from-literal=a=made-up", "--from-literal", "b='made=up'"],
        ["generic", "db", "--from-literal=a=", "--from-literal=.b-_B.1= made-up "],
        ["generic", "db", "--from-file=a.txt", "--from-file=key=binary"],
        ["generic", "db", "--from-file", "./folder/", "--from-file=a.txt"],
        ["generic", "db", "--from-file=folder/two.txt", "--from-literal=one=made-up"],
        ["generic", "db", "--from-env-file=db.env"],
        ["generic", "db", "--from-literal=a=made-up", "--type=example.com/made"],
        ["docker-registry", "r", "--docker-username=u<>&", '--docker-password=p"é\\\u2028\t'],
        [
            *("docker-registry", "r", "--docker-server=https://example.com/made?a&b"),
            *("--docker-username", "u", "--docker-password=made:up", "--docker-email=a@b.example"),
        ],
        ["docker-registry", "r", "--from-file=config.json"],
        ["docker-registry", "r", "--from-file=.dockerconfigjson=config.json"],
        ["tls", "web", "--cert=tls.crt", "--key=tls.key"],
    ],
    ids=lambda flags: " ".join(flags)[:60],
)
def test_the_same_flags_give_the_same_secret(both: Both, flags: list[str]) -> None:
    theirs, ours = both.create(*flags)
    assert theirs is not None
    assert ours is not None
    assert dict(ours.data) == dict(theirs.data)
    assert (ours.type, ours.metadata, ours.immutable) == (
        theirs.type,
        theirs.metadata,
        theirs.immutable,
    )


@pytest.mark.parametrize(
    "flags",
    [
        ["generic", "db", "--from-literal=abc"],
        ["generic", "db", "--from-literal==abc"],
        ["generic", "db", "--from-literal=a b=made-up"],
        ["generic", "db", "--from-literal=..a=made-up"],
        ["generic", "db", "--from-literal=a=x", "--from-literal=a=y"],
        ["generic", "db", "--from-file=a=b=a.txt"],
        ["generic", "db", "--from-file==a.txt"],
        ["generic", "db", "--from-file=a="],
        ["generic", "db", "--from-file=no~key"],
        ["generic", "db", "--from-file=missing"],
        ["generic", "db", "--from-file=key=folder"],
        ["generic", "db", "--from-file=bad"],
        ["generic", "db", "--from-file=folder", "--from-literal=one=x"],
        ["generic", "db", "--from-env-file=exported.env"],
        ["generic", "db", "--from-env-file=binary"],
        ["generic", "db", "--from-env-file=folder"],
        ["docker-registry", "r", "--docker-password=x"],
        ["tls", "web", "--cert=tls.crt"],
        ["tls", "web", "--cert=tls.crt", "--key=other.key"],
        ["tls", "web", "--cert=a.txt", "--key=tls.key"],
    ],
    ids=lambda flags: " ".join(flags)[:60],
)
def test_what_kubectl_refuses_is_refused(both: Both, flags: list[str]) -> None:
    assert both.create(*flags) == (None, None)


def test_what_kubectl_would_make_empty_in_silence_is_refused(both: Both) -> None:
    Path("unset.env").write_bytes(b"NOWHERE_TO_BE_FOUND\n")
    theirs, ours = both.create("generic", "db", "--from-env-file=unset.env")
    assert theirs is not None
    assert theirs.data == {"NOWHERE_TO_BE_FOUND": b""}
    assert ours is None
