from __future__ import annotations

from typing import Any

import pytest

from sealer.errors import InvalidManifest
from sealer.label_selectors import LabelSelector
from sealer.manifests.fields import Fields

LABELS = {"env": "prod", "team": "shop"}


def selector(**fields: Any) -> LabelSelector:  # noqa: ANN401 - what a manifest may hold
    return LabelSelector.read(Fields(fields, "spec.namespaceSelector"))


def requires(operator: str, *values: str, key: str = "env") -> LabelSelector:
    return selector(matchExpressions=[{"key": key, "operator": operator, "values": list(values)}])


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (selector(), True),
        (selector(matchLabels={"env": "prod"}), True),
        (selector(matchLabels={"env": "prod", "team": "other"}), False),
        (selector(matchLabels={"zone": ""}), False),
        (requires("In", "test", "prod"), True),
        (requires("In", "test"), False),
        (requires("In", "", key="zone"), False),
        (requires("NotIn", "test"), True),
        (requires("NotIn", "prod"), False),
        (requires("NotIn", "prod", key="zone"), True),
        (requires("Exists"), True),
        (requires("Exists", key="zone"), False),
        (requires("DoesNotExist"), False),
        (requires("DoesNotExist", key="zone"), True),
        # What makes no sense selects nothing, so that nobody is given anything by mistake.
        (requires("In"), False),
        (requires("NotIn"), False),
        (requires("Like", "prod"), False),
    ],
)
def test_selector_means_what_kubernetes_means(wanted: LabelSelector, *, is_meant: bool) -> None:
    assert wanted.selects(LABELS) is is_meant


def test_all_of_a_selector_has_to_hold() -> None:
    exists = {"key": "zone", "operator": "Exists"}
    assert not selector(matchLabels=LABELS, matchExpressions=[exists]).selects(LABELS)
    assert selector(matchLabels=LABELS, matchExpressions=[exists]).selects({**LABELS, "zone": "a"})


def test_selector_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="expected a mapping"):
        selector(matchLabels=["env"])
