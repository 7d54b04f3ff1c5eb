"""`-o env`: values as a shell reads them, quoted so that it reads nothing else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from sealer.errors import Refused
from sealer.manifests.models import Secret

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def variable_lines(secrets: Sequence[Secret]) -> str:
    """Lines that a shell reads as these values and nothing else.

    Raises:
        Refused: an item's key is no name of a variable or stands there twice, or its value is not
            text that a variable can hold.
    """
    lines: dict[str, str] = {}
    for secret in secrets:
        for key, value in secret.data.items():
            if not _VARIABLE.fullmatch(key):
                raise _no_variable("is not a name for a shell variable", secret, key)
            if key in lines:
                raise _no_variable("stands in two of these objects", secret, key)
            try:
                text = value.decode()
            except UnicodeDecodeError:
                raise _no_variable("has a value that is not UTF-8 text", secret, key) from None
            if "\0" in text:
                raise _no_variable("has a value with a zero byte", secret, key)
            lines[key] = f"{key}={shlex.quote(text)}\n"
    return "".join(lines.values())


def _no_variable(reason: str, secret: Secret, key: str) -> Refused:
    return Refused(reason, obj=str(secret), key=key, hint="use -o yaml or -o json")
