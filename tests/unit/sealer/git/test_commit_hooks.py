"""Hooks and signing are the user's own; where they say no, nothing is committed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sealer.errors import GitError, Refused
from tests.git_repository import Repository
from tests.unit.sealer.git.committing import (
    commit,
    hook,
    program,
    state,
)

SIGNATURE = "-----BEGIN PGP SIGNATURE-----\\n\\nZm9yIGEgdGVzdA==\\n-----END PGP SIGNATURE-----\\n"


def test_hooks_see_what_is_committed_and_may_change_the_message(repository: Repository) -> None:
    hook(repository, "pre-commit", "git diff --cached --name-only > .git/seen; echo told >&2")
    hook(repository, "commit-msg", 'echo "Ticket: 1" >> "$1"')
    repository.save("other.txt", "x\n")
    repository.git("add", "other.txt")
    repository.save("new.yaml", "new\n")
    assert commit(repository, "new.yaml")
    assert (repository.root / ".git/seen").read_text(encoding="utf-8") == "new.yaml\n"
    assert repository.git("log", "-1", "--format=%B").endswith("Ticket: 1")


def test_hooks_find_git_as_the_user_has_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    hook(repository, "pre-commit", "git ls-files 'app*' > .git/seen; echo $LC_ALL >> .git/seen")
    repository.save("a.yaml", "A\n")
    assert commit(repository, "a.yaml")
    seen = (repository.root / ".git/seen").read_text(encoding="utf-8")
    assert seen == "apps/b.yaml\nC.UTF-8\n"


def test_what_a_hook_makes_of_the_files_is_not_staged_to_be_taken_back(
    repository: Repository,
) -> None:
    hook(repository, "pre-commit", "for f in a.yaml new.yaml; do echo hook >> $f; git add $f; done")
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "new\n")
    repository.save("other.txt", "x\n")
    repository.git("add", "other.txt")
    assert commit(repository, "a.yaml", "new.yaml")
    assert repository.git("show", "HEAD:new.yaml") == "new\nhook"
    assert repository.git("status", "--porcelain") == "M  other.txt"


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
def test_a_hook_that_says_no_leaves_everything_but_the_files_as_it_was(
    repository: Repository, name: str
) -> None:
    hook(
        repository,
        name,
        r"printf '\033[31mlint\033[0m:\ttoo long\n'; echo 'second line' >&2; exit 1",
    )
    repository.save("other.txt", "x\n")
    repository.git("add", "other.txt")
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    with pytest.raises(Refused, match="nothing is committed") as caught:
        commit(repository, "a.yaml", "new.yaml", branch="topic")
    assert caught.value.message.splitlines()[1:] == ["  lint:   too long", "  second line"]
    assert state(repository) == before
    assert (repository.root / "new.yaml").read_text(encoding="utf-8") == "new\n"


def test_what_hooks_say_is_bounded_and_its_end_is_kept(repository: Repository) -> None:
    hook(repository, "pre-commit", "seq 1 5000; exit 1")
    repository.save("a.yaml", "A\n")
    with pytest.raises(Refused) as caught:
        commit(repository, "a.yaml")
    assert len(caught.value.message.splitlines()) == 41
    assert caught.value.message.endswith("  5000")


def test_a_hook_that_says_nothing_is_told_as_that(repository: Repository) -> None:
    hook(repository, "pre-commit", "exit 1")
    repository.save("a.yaml", "A\n")
    with pytest.raises(Refused, match="git says:\n  nothing"):
        commit(repository, "a.yaml")


def test_commits_are_signed_where_git_is_told_to(repository: Repository) -> None:
    signer = program(
        repository, f"cat > /dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; printf %b '{SIGNATURE}'"
    )
    repository.git("config", "gpg.program", signer)
    repository.git("config", "commit.gpgSign", "true")
    repository.save("a.yaml", "A\n")
    assert commit(repository, "a.yaml")
    assert "gpgsig -----BEGIN PGP SIGNATURE-----" in repository.git("cat-file", "commit", "HEAD")


def test_a_signature_that_fails_is_an_error_and_nothing_is_committed(
    repository: Repository,
) -> None:
    repository.git("config", "gpg.program", program(repository, "echo 'no key' >&2; exit 2"))
    repository.git("config", "commit.gpgSign", "true")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    with pytest.raises(GitError, match="failed to sign"):
        commit(repository, "new.yaml")
    assert state(repository) == before


def test_a_locked_index_is_an_error_and_nothing_is_committed(repository: Repository) -> None:
    repository.save("a.yaml", "A\n")
    lock = repository.save(".git/index.lock", "")
    with pytest.raises(GitError, match=r"index\.lock"):
        commit(repository, "a.yaml")
    lock.unlink()
    assert commit(repository, "a.yaml")


def test_an_interrupt_during_a_hook_leaves_everything_but_the_files_as_it_was(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TO_INTERRUPT", str(os.getpid()))
    hook(repository, "pre-commit", "kill -INT $TO_INTERRUPT; exec sleep 20")
    repository.save("a.yaml", "A\n")
    repository.save("new.yaml", "new\n")
    before = state(repository)
    with pytest.raises(KeyboardInterrupt):
        commit(repository, "a.yaml", "new.yaml", branch="topic")
    assert state(repository) == before


def test_an_interrupt_before_git_can_clean_up_leaves_no_index_of_its_own(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(
        "#!/bin/sh\n"
        'case " $* " in *" commit "*)\n'
        f'  : > "{repository.root}/.git/next-index-$$.lock"\n'
        f"  kill -INT {os.getpid()}\n"
        "  exec sleep 20;;\n"
        "esac\n"
        f'exec "{shutil.which("git")}" "$@"\n',
        encoding="utf-8",
    )
    (folder / "git").chmod(0o755)
    repository.save("a.yaml", "A\n")
    before = state(repository)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    with pytest.raises(KeyboardInterrupt):
        commit(repository, "a.yaml")
    assert state(repository) == before
    assert not list((repository.root / ".git").glob("next-index-*"))
