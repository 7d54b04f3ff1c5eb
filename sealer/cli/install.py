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
from sealer.errors import UsageError
from sealer.service_proxy import Service

_EXAMPLES = """\
sealer install --image registry.example/sealer:1.0 | kubectl apply --server-side -f -
sealer install --image registry.example/sealer:1.0 -w sealer.yaml
sealer install --image registry.example/sealer:1.0 \\
    --sealed-secrets-service sealed-secrets-controller | kubectl apply --server-side -f -
sealer install --image registry.example/sealer:1.0 --no-first-key -w sealer.yaml
sealer install --audit-policy -w audit-policy.yaml
"""


@options.command("install", examples=_EXAMPLES)
@click.option(
    "--image",
    metavar="IMAGE",
    help="The controller's image, as Containerfile builds it; best with its digest.",
)
@click.option(
    "-n",
    "--namespace",
    "--controller-namespace",
    "controller_namespace",
    default=install.DEFAULT_NAMESPACE,
    metavar="NAMESPACE",
    help=f"The controller's own namespace; {install.DEFAULT_NAMESPACE} unless given.",
)
@click.option(
    "--no-first-key",
    is_flag=True,
    help="Make no key where there is none: a backup is going to be restored.",
)
@click.option(
    "--audit-policy",
    is_flag=True,
    help="Print an audit policy for API servers instead, which logs no bodies.",
)
@click.option(
    "--serve-bitnami",
    is_flag=True,
    help="Have SealedSecrets of sealed-secrets opened, too.",
)
@click.option(
    "--sealed-secrets-service",
    default="",
    metavar="[NAMESPACE/]NAME",
    help="--serve-bitnami, with the Service that kubeseal asks; in kube-system unless it says "
    "otherwise, from where the keys of sealed-secrets are taken, too.",
)
@options.write
@options.force
def command(
    *,
    image: str | None,
    controller_namespace: str,
    no_first_key: bool,
    audit_policy: bool,
    serve_bitnami: bool,
    sealed_secrets_service: str,
    destination: str | None,
    force: bool,
    terminal: Terminal,
) -> None:
    """Print what installs the controller.

    That is CRDs, namespace, RBAC, Deployment. Nothing is sent to a cluster; kubectl does that,
    and applying it again upgrades. Deleting the namespace deletes the unsealing keys, and
    deleting the CRDs every SealedSecret.
    """
    if audit_policy:
        text = install.audit_policy(_read(install.AUDIT_POLICY), namespace=controller_namespace)
    elif image is None:
        raise UsageError("no image is named", hint="--image IMAGE, as Containerfile builds it")
    else:
        service = Service.read(sealed_secrets_service) if sealed_secrets_service else None
        installation = install.Installation(
            image=image,
            namespace=controller_namespace,
            serve_bitnami=serve_bitnami,
            kubeseal_service=service.name if service else "",
            kubeseal_namespace=service.namespace if service else "",
            first_key=not no_first_key,
        )
        text = install.stream([_read(name) for name in installation.files], installation)
    Destination(destination, force).put(text, terminal=terminal)


def _read(name: str) -> str:
    return _schemas().joinpath(name).read_text(encoding="utf-8")


def _schemas() -> Traversable:
    """`schemas/`: in the wheel inside of the package, in a checkout beside it."""
    packaged = resources.files("sealer") / "schemas"
    return packaged if packaged.is_dir() else Path(sealer.__file__).parents[1] / "schemas"
