"""Rights as RBAC writes them, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cluster.harness.api_server import ApiServer

Right = tuple[str, str, str]
"""Verb, API group and resource."""


def granted(api: ApiServer, roles: Iterable[str]) -> set[Right]:
    """What the roles with these paths grant."""
    rules: list[dict[str, Any]] = [
        rule for path in roles for rule in api.request("GET", path).body["rules"]
    ]
    return {
        (verb, group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
