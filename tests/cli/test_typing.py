"""What a user meets at a terminal: hidden prompts, and an editor that comes back."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from sealer import opening
from sealer.cli import main
from sealer.sources import Source
from tests.cli import keys
from tests.cli.typing_user import TypingUser

_TO = ("--sealing-key", "keys/new.pem")
_TYPED = "made-up-typed"
_FORM = """\
#!/bin/sh
echo "$1" >> where.txt
n=$(wc -l < where.txt)
cp -p "$1" "$1~"
touch "$(dirname "$1")/.swap"
. ./step$n.sh
"""


_CONFIG = """\
apiVersion: sealer.dev/v1alpha1
kind: Config
clusters: {prod: {sealingKey: keys/new.pem}}
rules: [{path: "apps/**", clusters: [prod], namespace: bookshop}]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    keys.lay_out(tmp_path / "keys")
    given = ["--from-literal", "first=1", "--from-literal", "second=2"]
    assert main(["create", "generic", "db", "-n", "shop", *_TO, *given, "-w", "db.yaml"]) == 0
    editor = tmp_path / "editor"
    editor.write_text(_FORM)
    editor.chmod(0o700)
    return tmp_path


def _values(place: Path) -> dict[str, bytes]:
    (found,) = Source.read("db.yaml", (place / "db.yaml").read_text()).objects()
    return opening.open_items(found.sealed(), {keys.NEW.id: keys.NEW})


def _steps(place: Path, *steps: str) -> dict[str, str]:
    for number, step in enumerate(steps, 1):
        (place / f"step{number}.sh").write_text(step + "\n")
    return {"EDITOR": "./editor"}


def _nothing_is_left(place: Path) -> bool:
    drafts = [Path(line) for line in (place / "where.txt").read_text().splitlines()]
    return bool(drafts) and not any(draft.parent.exists() for draft in drafts)


def test_what_is_typed_is_sealed_and_not_shown(place: Path) -> None:
    user = TypingUser(["set", *_TO, "db.yaml", "first", "third"], cwd=place)
    user.type(f"{_TYPED}\n", after="first for shop/db: ")
    user.type("tütü 3\n", after="third for shop/db: ")
    assert user.leave() == 0
    assert _TYPED not in user.seen
    assert user.seen.endswith("db.yaml: first, third sealed to 507a…caa9\r\n")
    assert _values(place) == {
        "first": _TYPED.encode(),
        "second": b"2",
        "third": "tütü 3".encode(),
    }


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("made-up-one\nmade-up-two\n", 2, "only one line can be typed"),
        ("x" * 4090 + "\n", 2, "only one line can be typed"),
        ("\n", 2, "nothing was typed"),
        ("\x04", 130, ""),
    ],
    ids=["two lines", "a long line", "nothing", "end of input"],
)
def test_what_a_terminal_would_cut_off_is_refused(
    place: Path, typed: str, code: int, said: str
) -> None:
    before = (place / "db.yaml").read_bytes()
    user = TypingUser(["set", *_TO, "db.yaml", "first"], cwd=place)
    user.type(typed, after="first for shop/db: ")
    assert user.leave() == code
    assert said in user.seen
    assert (place / "db.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_prompt_that_is_broken_off_says_so_by_its_exit_code(
    place: Path, number: signal.Signals, code: int
) -> None:
    user = TypingUser(["set", *_TO, "db.yaml", "first"], cwd=place)
    user.wait_for("first for shop/db: ")
    user.process.send_signal(number)
    assert user.leave() == code
    assert "Traceback" not in user.seen


def test_passwords_are_asked_for_when_creating(place: Path) -> None:
    arguments = ["create", "generic", "db", "-n", "shop", *_TO, "--prompt", "first", "-w"]
    user = TypingUser([*arguments, "db.yaml", "--force"], cwd=place)
    user.type(f"{_TYPED}\n", after="first for shop/db: ")
    assert user.leave() == 0
    assert _values(place) == {"first": _TYPED.encode()}


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (["generic", "db", "--prompt", "first"], "first for bookshop/db: "),
        (["basic-auth", "db", "--username", "me"], "password for bookshop/db: "),
    ],
)
def test_the_question_names_the_namespace_that_a_rule_gives(
    place: Path, kind: list[str], asked: str
) -> None:
    (place / ".sealer.yaml").write_text(_CONFIG)
    user = TypingUser(["create", *kind, "-w", "apps/db.yaml"], cwd=place)
    user.type(f"{_TYPED}\n", after=asked)
    assert user.leave() == 0
    assert "namespace: bookshop" in (place / "apps/db.yaml").read_text()


def test_the_form_is_private_and_gone_with_all_that_the_editor_put_beside_it(place: Path) -> None:
    look = 'stat -c "%a %n" "$1" "$(dirname "$1")" > modes.txt;'
    look += ' sed -i "s/^  first:.*/  first: x/" "$1"'
    user = TypingUser(["edit", *_TO, "db.yaml"], cwd=place, environment=_steps(place, look))
    assert user.leave() == 0
    modes = [line.split()[0] for line in (place / "modes.txt").read_text().splitlines()]
    assert [int(mode, 8) for mode in modes] == [stat.S_IRUSR | stat.S_IWUSR, stat.S_IRWXU]
    assert _values(place) == {"first": b"x", "second": b"2"}
    assert _nothing_is_left(place)


def test_the_editor_comes_back_with_the_error_and_what_was_typed(place: Path) -> None:
    steps = _steps(
        place,
        'sed -i "s/^  first:.*/  first: [good/" "$1"',
        'grep -c "^# error: the form:1[01]" "$1" > found.txt; sed -i "s/\\[good/good/" "$1"',
    )
    user = TypingUser(["edit", *_TO, "db.yaml"], cwd=place, environment=steps)
    user.type("\n", after="open the editor again? [Y/n]: ")
    assert user.leave() == 0
    assert (place / "found.txt").read_text() == "1\n"
    assert _values(place)["first"] == b"good"
    assert _nothing_is_left(place)


def test_who_does_not_want_the_editor_again_keeps_the_file_as_it_was(place: Path) -> None:
    before = (place / "db.yaml").read_bytes()
    steps = _steps(place, 'echo "made-up-nonsense" >> "$1"')
    user = TypingUser(["edit", *_TO, "db.yaml"], cwd=place, environment=steps)
    user.type("n\n", after="open the editor again? [Y/n]: ")
    assert user.leave() == 1
    assert "nothing is changed" in user.seen
    assert (place / "db.yaml").read_bytes() == before
    assert _nothing_is_left(place)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["SIGTERM", "SIGHUP"]
)
def test_a_signal_while_the_editor_is_open_leaves_nothing_behind(
    place: Path, number: signal.Signals, code: int
) -> None:
    before = (place / "db.yaml").read_bytes()
    steps = _steps(place, 'echo "made-up-half" >> "$1"; echo ready; exec sleep 1000')
    user = TypingUser(
        ["edit", *_TO, "--keyring", "keys/ring", "db.yaml"], cwd=place, environment=steps
    )
    user.wait_for("ready")
    user.process.send_signal(number)
    assert user.leave() == code
    assert (place / "db.yaml").read_bytes() == before
    assert _nothing_is_left(place)


def test_an_interrupt_is_for_the_editor(place: Path) -> None:
    steps = _steps(place, 'echo ready; read -r _; sed -i "s/^  first:.*/  first: x/" "$1"')
    user = TypingUser(["edit", *_TO, "db.yaml"], cwd=place, environment=steps)
    user.wait_for("ready")
    user.process.send_signal(signal.SIGINT)
    user.type("\n", after="")
    assert user.leave() == 0
    assert _values(place)["first"] == b"x"
    assert _nothing_is_left(place)


def test_a_file_that_somebody_else_changed_meanwhile_is_not_overwritten(place: Path) -> None:
    steps = _steps(
        place, 'echo "# of somebody else" >> db.yaml; sed -i "s/^  first:.*/  first: x/" "$1"'
    )
    user = TypingUser(["edit", *_TO, "db.yaml"], cwd=place, environment=steps)
    assert user.leave() == 1
    assert "somebody else has changed it since it was read" in user.seen
    assert (place / "db.yaml").read_text().endswith("# of somebody else\n")
    assert _nothing_is_left(place)
