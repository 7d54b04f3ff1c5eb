"""Admission policies that stand in the controller's way."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.cluster.harness.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.running import Namespace

TEXT: Final = "quoted by the policy"
_GROUP: Final = "/apis/admissionregistration.k8s.io/v1"


@contextmanager
def refusing_secrets(shop: Namespace, *, quoting: str = "") -> Iterator[None]:
    """Refuse new Secrets in a namespace, with a text of the policy's own.

    Args:
        shop: the namespace.
        quoting: an item whose value the text repeats.
    """
    name = f"refuse-{shop.name}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": shop.name}}
    validation = {"expression": "false", "message": TEXT}
    if quoting:
        quoted = f"has(object.data) ? string(object.data['{quoting}']) : 'none'"
        validation["messageExpression"] = f"'{TEXT}: ' + ({quoted})"
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [{**rule, "operations": ["CREATE"]}],
            "namespaceSelector": selector,
        },
        "validations": [validation],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    encoded = base64.b64encode(b"made-up-value").decode()  # which is how it repeats values
    made = {"validatingadmissionpolicies": policy, "validatingadmissionpolicybindings": binding}

    def refused() -> bool:
        path = f"/api/v1/namespaces/{shop.name}/secrets?dryRun=All"
        probe = {"metadata": {"name": "probe"}, "stringData": {quoting or "a": "made-up-value"}}
        answer = shop.api.request("POST", path, probe)
        return answer.status == 422 and (not quoting or encoded in str(answer.body))

    try:
        for plural, spec in made.items():
            body = {"metadata": {"name": name}, "spec": spec}
            assert shop.api.request("POST", f"{_GROUP}/{plural}", body).status == 201
        eventually(refused, what="the policy to hold")
        yield
    finally:
        for plural in made:
            shop.api.request("DELETE", f"{_GROUP}/{plural}/{name}")
