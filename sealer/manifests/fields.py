"""Strict reading of mappings: every field has the expected type, and none is left over.

What comes in is what a YAML or JSON reader gave. A field that we do not know is refused, not
skipped: in a security format, a silently ignored field is a rule that silently does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from sealer.errors import InvalidManifest


class Fields:
    """A mapping that is read field by field; `finish` refuses whatever was not asked for.

    Attributes:
        path: where the mapping stands in its document, such as `spec.template`; empty at the top.
    """

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise InvalidManifest(f"expected a mapping, found {type_name(value)}", key=path)
        for name in value:
            if not isinstance(name, str):
                raise InvalidManifest(
                    f"expected text as field name, found {type_name(name)}",
                    key=path,
                    hint="put it in double quotes",
                )
        self.path = path
        self._rest = dict(value)

    def text(self, name: str) -> str:
        """A required text field."""
        value = self.optional_text(name)
        if value is None:
            raise InvalidManifest("this field is required", key=self._at(name))
        return value

    def optional_text(self, name: str) -> str | None:
        """A text field, or None where it is absent or null."""
        value = self._rest.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise InvalidManifest(
                f"expected text, found {type_name(value)}",
                key=self._at(name),
                hint="put it in double quotes",
            )
        return value

    def optional_flag(self, name: str) -> bool | None:
        """A boolean field, or None where it is absent or null."""
        value = self._rest.pop(name, None)
        if value is not None and not isinstance(value, bool):
            raise InvalidManifest(
                f"expected true or false, found {type_name(value)}", key=self._at(name)
            )
        return value

    def optional_number(self, name: str) -> int | None:
        """An integer field, or None where it is absent or null."""
        value = self._rest.pop(name, None)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise InvalidManifest(
                f"expected a whole number, found {type_name(value)}", key=self._at(name)
            )
        return value

    def texts(self, name: str) -> dict[str, str]:
        """A mapping of text to text; empty where it is absent or null."""
        inner = self.mapping(name)
        return {key: inner.text(key) for key in inner.names()}

    def text_list(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty where it is absent or null."""
        values = self.items(name)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise InvalidManifest(
                    f"expected text, found {type_name(value)}", key=f"{self._at(name)}[{index}]"
                )
        return tuple(str(value) for value in values)

    def items(self, name: str) -> list[object]:
        """A list of anything; empty where it is absent or null."""
        value = self._rest.pop(name, None)
        if value is None:
            return []
        if not isinstance(value, list):
            raise InvalidManifest(f"expected a list, found {type_name(value)}", key=self._at(name))
        return value

    def raw(self, name: str) -> object:
        """A field of any type as it is; None where it is absent."""
        return self._rest.pop(name, None)

    def mapping(self, name: str) -> Fields:
        """A nested mapping; empty where it is absent or null."""
        value = self._rest.pop(name, None)
        return type(self)({} if value is None else value, self._at(name))

    def entries(self, name: str) -> list[Fields]:
        """A list of mappings; empty where it is absent or null."""
        return [
            type(self)(value, f"{self._at(name)}[{index}]")
            for index, value in enumerate(self.items(name))
        ]

    def ignore_rest(self) -> Self:
        """Give up what is left: for mappings that are somebody else's, such as `metadata`."""
        self._rest.clear()
        return self

    def finish(self) -> None:
        """Refuse fields that were not asked for.

        Raises:
            InvalidManifest: names the first of them.
        """
        for name in self._rest:
            raise InvalidManifest("unknown field", key=self._at(name))

    def names(self) -> list[str]:
        """The fields that have not been read yet."""
        return list(self._rest)

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def type_name(value: object) -> str:
    """What a user calls the type of a value; never the value itself."""
    names: list[tuple[type | tuple[type, ...], str]] = [
        (type(None), "nothing"),
        (bool, "true/false"),
        ((int, float), "a number"),
        (str, "text"),
        (list, "a list"),
        (Mapping, "a mapping"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)
