"""What the checked-out commit asks for. A file that did not change is not read again."""

from __future__ import annotations

from collections.abc import Iterator

from controller.sources import File, Reading, Sources, collect, is_manifest, read
from sealer.errors import GitError
from sealer.git.worktree import CommittedFile, Read, Worktree


class Commits:
    """The commits of a work tree, one after the other."""

    def __init__(self, worktree: Worktree) -> None:
        self._worktree = worktree
        self._readings: dict[CommittedFile, Reading] = {}
        self._seen: tuple[str, Sources] | None = None

    def head(self) -> str | None:
        """The id of the commit that is checked out; None before the first commit.

        Raises:
            GitError: Git cannot tell, or HEAD is on its way from one commit to another.
        """
        return self._worktree.head()

    def sources(self, commit: str) -> Sources:
        """What a commit asks for.

        Raises:
            GitError: the commit cannot be read at all.
        """
        if self._seen is not None and self._seen[0] == commit:
            return self._seen[1]
        files = [file for file in self._worktree.files(commit) if is_manifest(file.path)]
        with self._worktree.reader() as content:
            readings = dict(self._read(files, content))
        sources = collect(readings.values())
        # What Git could not hand out now it may hand out later.
        self._readings = {
            file: reading
            for file, reading in readings.items()
            if not any(isinstance(error, GitError) for error in reading.problems)
        }
        self._seen = (commit, sources) if len(self._readings) == len(readings) else None
        return sources

    def _read(
        self, files: list[CommittedFile], content: Read
    ) -> Iterator[tuple[CommittedFile, Reading]]:
        for file in files:
            known = self._readings.get(file)
            yield file, known or self._read_one(file, content)

    def _read_one(self, file: CommittedFile, content: Read) -> Reading:
        try:
            return read(
                File(
                    path=file.path,
                    blob_id=file.blob_id,
                    content=content(file),
                    is_link=file.is_link,
                )
            )
        except GitError as error:
            return Reading(path=file.path, problems=(error,), is_ours=True)
