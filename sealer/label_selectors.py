"""Label selectors, as Kubernetes writes them: which labels are meant. Pure.

A selector that asks for nothing means everything, as everywhere in Kubernetes; one that is absent
is for whoever reads it to understand. A requirement that makes no sense is met by nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sealer.manifests.fields import Fields


@dataclass(frozen=True, slots=True)
class Requirement:
    """One of `matchExpressions`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def is_met(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as it wants them."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return bool(self.values) and labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        return False


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """What labels have to be like: all of it."""

    labels: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> LabelSelector:
        """Read a selector.

        Raises:
            InvalidManifest: a field is of the wrong type.
        """
        return cls(
            labels=fields.texts("matchLabels"),
            requirements=tuple(
                Requirement(item.text("key"), item.text("operator"), item.text_list("values"))
                for item in fields.entries("matchExpressions")
            ),
        )

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are meant."""
        return all(labels.get(name) == text for name, text in self.labels.items()) and all(
            requirement.is_met(labels) for requirement in self.requirements
        )
