"""`sealer install`: what puts the controller into a cluster."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

import sealer
from sealer import install
from sealer.cli import options
from sealer.cli.output import Destination, Terminal

_EXAMPLES = """\
sealer install --image registry.example/sealer:1.0 | kubectl apply --server-side -f -
sealer install --image registry.example/sealer:1.0 -w sealer.yaml
sealer install --image registry.example/sealer:1.0 --no-first-key -w sealer.yaml
"""


@options.command("install", examples=_EXAMPLES)
@click.option(
    "--image",
    required=True,
    metavar="IMAGE",
    help="The controller's image, as Containerfile builds it; best with its digest.",
)
@click.option(
    "-n",
    "--namespace",
    "--controller-namespace",
    "namespace",
    default=install.DEFAULT_NAMESPACE,
    metavar="NAMESPACE",
    help=f"The controller's own namespace; {install.DEFAULT_NAMESPACE} unless given.",
)
@click.option(
    "--no-first-key",
    is_flag=True,
    help="Make no key where there is none: a backup is going to be restored.",
)
@options.write
@options.force
def command(
    *,
    image: str,
    namespace: str,
    no_first_key: bool,
    destination: str | None,
    force: bool,
    terminal: Terminal,
) -> None:
    """Print what installs the controller.

    That is CRDs, namespace, RBAC, Deployment. Nothing is sent to a cluster; kubectl does that,
    and applying it again upgrades. Deleting the namespace deletes the unsealing keys, and
    deleting the CRDs every SealedSecret.
    """
    folder = _schemas()
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in install.FILES]
    text = install.stream(texts, image=image, namespace=namespace, first_key=not no_first_key)
    Destination(destination, force).put(text, terminal=terminal)


def _schemas() -> Traversable:
    """`schemas/`: in the wheel inside of the package, in a checkout beside it."""
    packaged = resources.files("sealer") / "schemas"
    return packaged if packaged.is_dir() else Path(sealer.__file__).parents[1] / "schemas"
