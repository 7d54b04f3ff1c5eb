from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from controller import logs
from controller.logs import LogFormat

Capsys = pytest.CaptureFixture[str]


_NAMES = ("", "controller", "sealer.audit", "kopf", "aiohttp", "asyncio")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in _NAMES}
    handlers = root.handlers[:]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_json_line_carries_object_reason_and_keys(capsys: Capsys) -> None:
    logs.start(LogFormat.JSON, "info")
    about = {"object": "SealedSecret shop/db", "reason": "UnknownKey", "keys": ("ab12",)}
    logging.getLogger("controller.engine").warning("not %s", "opened", extra=about)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "controller.engine",
        "message": "not opened",
        "object": "SealedSecret shop/db",
        "reason": "UnknownKey",
        "keys": ["ab12"],
    }


def test_text_line_begins_with_the_object(capsys: Capsys) -> None:
    logs.start(LogFormat.TEXT, "info")
    about = {"object": "SealedSecret shop/db", "keys": ("ab12", "cd34")}
    logging.getLogger("controller.engine").info("opened", extra=about)
    logging.getLogger("controller.engine").info("at work")
    first, second = capsys.readouterr().err.splitlines()
    assert first.partition(" ")[2] == "INFO SealedSecret shop/db: opened (key ab12, cd34)"
    assert second.partition(" ")[2] == "INFO controller.engine: at work"


@pytest.mark.parametrize("form", list(LogFormat))
def test_exception_is_shown_by_type_and_place_without_its_text(
    capsys: Capsys, form: LogFormat
) -> None:
    logs.start(form, "debug")
    try:
        int("made-up-value")
    except ValueError:
        logging.getLogger("controller.engine").exception("failed")
    text = capsys.readouterr().err
    assert "made-up-value" not in text
    assert "ValueError at " in text
    assert "test_logs.py:" in text


def test_level_is_ours_and_libraries_only_warn(capsys: Capsys) -> None:
    logs.start(LogFormat.TEXT, "debug")
    for name in ("controller.engine", "kopf.objects", "aiohttp.client"):
        logging.getLogger(name).debug("detail of %s", name)
    shown = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in shown] == ["controller.engine"]


_AUDIT = {"reason": "a laptop\nwas stolen", "audit": {"user": "kim", "action": "Revoke"}}


def test_audit_line_is_shown_at_every_level(capsys: Capsys) -> None:
    logs.start(LogFormat.JSON, "error")
    logging.getLogger(logs.AUDIT).info("Revoke", extra=_AUDIT)
    line = json.loads(capsys.readouterr().err)
    assert (line["audit"], line["user"], line["action"]) == (True, "kim", "Revoke")
    assert (line["logger"], line["reason"]) == ("sealer.audit", "a laptop\nwas stolen")


def test_audit_line_is_one_line_whatever_people_wrote(capsys: Capsys) -> None:
    logs.start(LogFormat.TEXT, "info")
    logging.getLogger(logs.AUDIT).info("Revoke", extra=_AUDIT)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('{"user": "kim", "action": "Revoke", "reason": "a laptop\\nwas stolen"}')


def test_text_line_is_one_line_whatever_it_names(capsys: Capsys) -> None:
    logs.start(LogFormat.TEXT, "info")
    logging.getLogger("controller.x").info("left out: %s", "kim\n2026 INFO forged: \x1b[2J")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("left out: kim\\n2026 INFO forged: \\x1b[2J")


@pytest.mark.parametrize("form", list(LogFormat))
def test_what_python_would_print_of_an_exception_is_shown_without_its_text(
    capsys: Capsys, form: LogFormat
) -> None:
    class Leaver:
        def __del__(self) -> None:
            raise ValueError("made-up-value")

    def fail() -> None:
        raise KeyError("made-up-value")

    logs.start(form, "info")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    leaver = Leaver()
    del leaver
    try:
        fail()
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    shown = capsys.readouterr().err
    assert "made-up-value" not in shown
    kinds = ("KeyError", "ValueError", "KeyError")
    for kind, line in zip(kinds, shown.splitlines(), strict=True):
        assert f"[{kind} at {__file__}:" in line


def test_what_kopf_says_of_an_exception_is_shown_without_its_text(capsys: Capsys) -> None:
    logs.start(LogFormat.TEXT, "info")
    kopf = logging.getLogger("kopf.made")
    try:
        int("made-up-value")
    except ValueError as error:
        text = f"Watcher for things has failed: {error}"  # as kopf does it
        kopf.exception(text)
    kopf.warning("Unresolved resources: things")
    first, second = capsys.readouterr().err.splitlines()
    assert f" ERROR kopf.made: Watcher for things has failed [ValueError at {__file__}:" in first
    assert second.endswith(" WARNING kopf.made: Unresolved resources: things")


def test_a_task_that_nobody_waited_for_is_shown_without_what_it_ended_by(capsys: Capsys) -> None:
    async def fail() -> None:
        raise ValueError("made-up-value")

    async def run() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    logs.start(LogFormat.TEXT, "info")
    asyncio.run(run())
    shown = capsys.readouterr().err
    assert f"never retrieved [ValueError at {__file__}:" in shown
    assert "made-up-value" not in shown
