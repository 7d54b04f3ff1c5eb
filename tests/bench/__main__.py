"""Measure, and print tables: `python -m tests.bench [PART]…`, or everything."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import bitnami, controller, repository, sync, table
from tests.bench.measuring import best
from tests.cluster.harness.api_server import Programs, running_api_server
from tests.cluster.installing import apply_stream
from tests.cluster.running import GROUP, cluster_key, running_controller
from tests.tools.requirement import require_program

if TYPE_CHECKING:
    from tests.bench.measuring import Result
    from tests.cluster.harness.api_server import ApiServer

_PARTS = ("controller", "bitnami", "repository", "sync")
_COUNTED = 50
"""Objects in the run in which requests are counted."""


def main() -> None:
    """Measure and print."""
    options = _options()
    programs = Programs(*(require_program(n) for n in ("etcd", "kube-apiserver", "kubectl")))
    with tempfile.TemporaryDirectory() as folder:
        if "controller" in options.parts:
            _controller(Path(folder), programs, options)
        if "bitnami" in options.parts:
            _bitnami(Path(folder), programs, options)
        if "repository" in options.parts:
            _repository(Path(folder), programs, options)
        if "sync" in options.parts:
            _sync(Path(folder), programs, options)


def _controller(folder: Path, programs: Programs, options: argparse.Namespace) -> None:
    place = folder / "audited"
    place.mkdir()
    with running_api_server(place, programs) as api:
        apply_stream(api)
        asked = controller.requests_per_object(api, "counted", _COUNTED)
    place = folder / "measured"
    place.mkdir()
    with running_api_server(place, programs, audited=False) as api:
        apply_stream(api)
        results = _measure(api, options.objects, options.rounds)
        if not options.only_ours:
            _clear(api)
            results.append(controller.sealed_secrets(api, "theirs", options.objects))
    _print(results, asked)


def _bitnami(folder: Path, programs: Programs, options: argparse.Namespace) -> None:
    for keys in bitnami.NUMBERS:
        place = folder / f"keys-{keys}"
        place.mkdir()
        with running_api_server(place, programs, audited=False) as api:
            for line in bitnami.report(
                api,
                keys=keys,
                objects=options.objects,
                rounds=options.rounds,
                theirs_too=not options.only_ours,
            ):
                _out(line)


def _repository(folder: Path, programs: Programs, options: argparse.Namespace) -> None:
    place, work = folder / "served", folder / "repositories"
    place.mkdir()
    work.mkdir()
    sample = 0 if options.only_ours else options.sample
    with running_api_server(place, programs, audited=False) as api:
        apply_stream(api)
        for line in repository.report(
            api, work, files=options.files, sample=sample, rounds=options.rounds
        ):
            _out(line)


def _sync(folder: Path, programs: Programs, options: argparse.Namespace) -> None:
    place = folder / "sync-audited"
    place.mkdir()
    with running_api_server(place, programs) as api:
        apply_stream(api)
        asked = sync.requests_per_target(api, targets=_COUNTED)
    place = folder / "sync"
    place.mkdir()
    with running_api_server(place, programs, audited=False) as api:
        apply_stream(api)
        for line in sync.report(api, targets=options.targets, rounds=options.rounds):
            _out(line)
    _out("requests for one target: " + ", ".join(f"{n:g} {what}" for what, n in asked.items()))


def _measure(api: ApiServer, objects: int, rounds: int) -> list[Result]:
    with running_controller(api, name="bench-keys"):
        cluster_key(api)  # which it makes
    bare, ours = [], []
    for number in range(rounds):
        _say(f"round {number + 1} of {rounds}")
        controller.prepare(api, f"bare-{number}", objects)
        bare.append(controller.bare(api, f"bare-{number}", objects))
        _clear(api)
        controller.prepare(api, f"ours-{number}", objects)
        ours.append(controller.ours(api, f"ours-{number}", objects))
        _say(f"bare {bare[-1].seconds:.2f} s, sealer {ours[-1].seconds:.2f} s")
        if number < rounds - 1:
            _clear(api)
    return [best(bare), best(ours), controller.restart(api)]


def _clear(api: ApiServer) -> None:
    """Delete what is sealed, so that each round has only its own."""
    for item in api.request("GET", "/api/v1/namespaces").body["items"]:
        name = item["metadata"]["name"]
        api.request("DELETE", f"{GROUP}/namespaces/{name}/sealedsecrets")


def _print(results: list[Result], asked: dict[str, float]) -> None:
    for line in table.lines(results, floor=results[0]):
        _out(line)
    _out("requests for one new object: " + ", ".join(f"{n:g} {what}" for what, n in asked.items()))
    named = {each.name: each for each in results}
    if theirs := named.get("sealed-secrets"):
        faster = theirs.seconds / named["sealer"].seconds
        _out(f"sealer is {faster:.1f} times as fast as sealed-secrets with its limits off, one key")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(_PARTS)}")
    parser.add_argument("--objects", type=int, default=1000, help="of each controller (1000)")
    parser.add_argument("--files", type=int, default=2000, help="in the repository (2000)")
    parser.add_argument("--sample", type=int, default=100, help="files for kubeseal (100)")
    parser.add_argument("--targets", type=int, default=5000, help="of a SharedSecret (5000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-ours", action="store_true", help="leave sealed-secrets out")
    options = parser.parse_args()
    options.parts = options.parts or list(_PARTS)
    if unknown := set(options.parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _out(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
