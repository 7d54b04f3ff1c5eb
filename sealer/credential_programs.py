"""Programs that keep registry logins for container tools: `docker-credential-NAME`.

A login goes to them by standard input, never as an argument. What they print is not repeated, since
some print what they were given.

Source: github.com/docker/docker-credential-helpers, README, "Development".
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

from sealer.errors import KeyProviderError
from sealer.registries import Login

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SECONDS = 60
"""How long a helper may take; it may have to ask its user."""
_NOBODY = "credentials not found"
"""What they print where nobody is logged in. Source: github.com/docker/docker-credential-helpers,
credentials/error.go. Other failures (a locked chest) say nothing about who is logged in."""


def store(helper: str, login: Login) -> None:
    """Have a helper keep a login.

    Raises:
        KeyProviderError: there is no such helper, or it refuses.
    """
    _run(helper, "store", login.to_helper())


def erase(helper: str, registry: str) -> None:
    """Have a helper forget the login to a registry.

    Raises:
        KeyProviderError: there is no such helper, or it refuses.
    """
    _run(helper, "erase", registry)


def account(helper: str, registry: str) -> str | None:
    """Who is logged in to a registry, or None.

    Raises:
        KeyProviderError: there is no such helper, or it does not say.
    """
    said = _run(helper, "get", registry, refusal=_NOBODY)
    try:
        return str(json.loads(said)["Username"]) if said else None
    except (ValueError, TypeError, KeyError):
        raise KeyProviderError(f"docker-credential-{helper} get does not say who") from None


def _run(helper: str, act: str, stdin: str, *, refusal: str = "") -> str:
    """What the program answers; empty where it fails in the words of `refusal`."""
    name = f"docker-credential-{helper}"
    program = shutil.which(name) if _NAME.fullmatch(helper) else None
    if program is None:
        raise KeyProviderError(
            f"the container config names the credential helper {helper!r}, and there is no "
            f"program {name}",
            hint="install it, or take credsStore and credHelpers out of the config",
        )
    try:
        done = subprocess.run(  # noqa: S603 - a program of this name, which the config asks for
            [program, act],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeError):
        raise KeyProviderError(f"{name} {act} cannot be run to its end") from None
    if done.returncode and refusal and refusal in done.stdout + done.stderr:
        return ""
    if done.returncode:
        raise KeyProviderError(
            f"{name} {act} failed ({done.returncode})", hint=f"does `{name} list` work?"
        )
    return done.stdout
