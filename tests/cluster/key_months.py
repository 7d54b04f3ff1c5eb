"""A cluster whose controllers have a clock that tests set, and its keys as the objects say."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sealer.crypto.keys import UnsealingKey
from sealer.install import DEFAULT_NAMESPACE
from sealer.manifests.times import format_time
from tests.cluster import clocked_controller
from tests.cluster.harness.forked import Forked
from tests.cluster.harness.processes import Server, eventually, free_port
from tests.cluster.installing import SERVICE_ACCOUNT
from tests.cluster.running import GROUP, SECRETS, Controller, sealing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.harness.api_server import ApiServer

BEGINNING: Final = datetime(2026, 12, 1, tzinfo=UTC)
KEYS: Final = f"{GROUP}/sealingkeys"
MERGE: Final = "application/merge-patch+json"
_PROGRAM: Final = Path(__file__).with_name("clocked_controller.py")

Object = dict[str, Any]


@dataclass(slots=True)
class Months:
    """A cluster, its clock, and who works in it.

    Attributes:
        recovery: the private half of the recovery key that `with_recovery` registers.
    """

    api: ApiServer
    clock: Path
    recovery: UnsealingKey = field(default_factory=UnsealingKey.generate)

    def at(self, days: float) -> datetime:
        """Set the clock to so many days after the beginning."""
        now = BEGINNING + timedelta(days=days)
        waiting = self.clock.with_suffix(".new")
        waiting.write_text(format_time(now))
        waiting.replace(self.clock)
        return now

    def clear(self) -> None:
        """Begin anew: no keys, no SealingKeys, no time gone by."""
        self.api.kubectl("delete", "secrets", "-n", DEFAULT_NAMESPACE, "--all")
        self.api.kubectl("delete", "sealingkeys", "--all")
        self.api.kubectl("delete", "leases", "-n", DEFAULT_NAMESPACE, "--all")
        self.at(0)

    def with_recovery(self) -> str:
        """Register a recovery key, and return its id."""
        item = sealing_key(self.recovery.public)
        item["spec"]["role"] = "Recovery"
        assert self.api.request("POST", KEYS, item).status == 201
        return self.recovery.id

    def controller(self, *settings: str, name: str = "clocked") -> Controller:
        """Make a controller that is not started yet."""
        config = self.api.kubeconfig_for_service_account(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
        port = free_port()
        command = [sys.executable, str(_PROGRAM), str(self.clock), str(config), str(port)]
        log = self.api.directory / f"{name}-{port}.log"
        return Controller(f"http://127.0.0.1:{port}", Server([*command, *settings], log=log))

    def forked(self, *settings: str, way: Path) -> Controller:
        """Make one that is quick to start again, and goes by way of another kubeconfig."""
        port = free_port()
        log = self.api.directory / f"forked-{port}.log"
        server = Forked(
            clocked_controller.main,
            [str(self.clock), str(way), str(port), *settings],
            imports=["controller.clustered"],
            log=log,
        )
        return Controller(f"http://127.0.0.1:{port}", server)

    @contextmanager
    def working(self, *settings: str, name: str = "clocked") -> Iterator[Controller]:
        """Run a controller for the length of a `with` block."""
        controller = self.controller(*settings, name=name)
        try:
            controller.start()
            yield controller
        finally:
            controller.server.stop()

    def key_secrets(self) -> list[Object]:
        """Metadata of the key Secrets, in the order of their ordinals."""
        listed = self.api.request("GET", f"{SECRETS}?labelSelector=sealer.dev/unsealing-key").body
        found = [item["metadata"] for item in listed["items"]]
        return sorted(found, key=lambda metadata: int(metadata["name"].rpartition("-")[2]))

    def states(self) -> list[str]:
        """States of the keys by their Secrets."""
        return [metadata["annotations"]["sealer.dev/state"] for metadata in self.key_secrets()]

    def published(self) -> list[Object]:
        """The SealingKeys of the cluster's own keys, in the order of their ordinals."""
        items = self.api.request("GET", KEYS).body["items"]
        own = [item for item in items if item["spec"]["role"] == "Cluster"]
        return sorted(own, key=lambda item: int(item.get("status", {}).get("ordinal", 0)))

    def become(self, *states: str) -> list[Object]:
        """Wait until the keys are in these states and say so, and return their SealingKeys."""

        def probe() -> list[Object]:
            assert self.states() == list(states), self.states()
            items = self.published()
            assert [item.get("status", {}).get("state") for item in items] == list(states)
            for item in items:
                assert item["status"]["observedGeneration"] == item["metadata"]["generation"]
            return items

        return eventually(probe, what=f"keys to be {', '.join(states)}")

    def decide(self, key_id: str, user: str, **spec: str) -> tuple[int, str]:
        """Change the spec of a SealingKey with kubectl as a user; its exit code and messages."""
        config = self.api.kubeconfig_for(user, groups=["system:masters"])
        patch = ("patch", "sealingkey", key_id, "--type=merge", "-p", json.dumps({"spec": spec}))
        done = self.api.kubectl(*patch, kubeconfig=config, check=False)
        return done.returncode, done.stderr

    def decided(self, key_id: str, user: str, **spec: str) -> None:
        """The same, with the user's name, and it is taken."""
        code, said = self.decide(key_id, user, decidedBy=user, **spec)
        assert code == 0, said

    def annotate(self, key_id: str, user: str, annotation: str) -> int:
        """Annotate a SealingKey with kubectl as a user; its exit code."""
        config = self.api.kubeconfig_for(user, groups=["system:masters"])
        words = ("annotate", "--overwrite", "sealingkey", key_id, annotation)
        return self.api.kubectl(*words, kubeconfig=config, check=False).returncode

    def says(self, key_id: str, check: Callable[[Object], object], *, what: str) -> Object:
        """Wait until a SealingKey says something, and return it."""

        def probe() -> Object:
            found: Object = self.api.request("GET", f"{KEYS}/{key_id}").body
            assert found.get("metadata"), found
            assert check(found), found.get("status")
            return found

        return eventually(probe, what=what)

    def events(self, key_id: str) -> list[tuple[str, str, str]]:
        """Type, reason and note of the Events about a SealingKey."""
        listed = self.api.request("GET", "/apis/events.k8s.io/v1/namespaces/default/events").body
        return [
            (event["type"], event["reason"], event["note"])
            for event in listed["items"]
            if event["regarding"]["name"] == key_id
        ]


def audited(controller: Controller, key_id: str = "") -> list[tuple[str, str, str]]:
    """Action, user and outcome of the audit lines about a key."""
    lines = [json.loads(line) for line in controller.log().splitlines() if '"audit"' in line]
    return [
        (line["action"], line["user"], line["outcome"])
        for line in lines
        if line["logger"] == "sealer.audit" and key_id in line["object"]
    ]
