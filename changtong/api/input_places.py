"""Where inputs of studies lie: ids become places in the data folder, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from changtong.api.data_folder import NAME, DataFolder
from changtong.api.dataset_book import DatasetBook
from changtong.api.dataset_kinds import KINDS
from changtong.api.offered import Input
from changtong.api.run_book import RunBook
from changtong.errors import NotFoundError, Problem

Seen = Callable[[str, str], bool]
"""Whether the caller may see what is of an organisation: its path and region."""

TABLES = frozenset({".csv", ".parquet"})
NOT_TABLES = frozenset({"sites.csv", "sites.parquet"})
"""Beside made-up scans: the register of sites, and no scans."""


@dataclass(frozen=True)
class InputPlaces:
    """The places of a data folder.

    Attributes
    ----------
    folder : DataFolder
    runs : RunBook
    datasets : DatasetBook
    """

    folder: DataFolder
    runs: RunBook
    datasets: DatasetBook

    def ids(self, kind: str, seen: Seen) -> list[str]:
        """Return the ids of a kind that may be seen; a network put there by hand is for all, a log is not."""
        owned = {one.id: seen(one.path, one.admin_code) for one in self.datasets.all_of(kind)}
        if kind == "network":
            return [name for name in self.folder.networks() if owned.get(name, True)]
        if kind == "log":
            return [name for name in self.folder.logs() if owned.get(name, seen("/", ""))]
        return sorted(name for name, visible in owned.items() if visible)

    def network(self, network_id: str, seen: Seen) -> Path:
        """Return the folder of a network that may be seen; any other is not there.

        Raises
        ------
        NotFoundError
            With the nearest one.
        """
        known = self.ids("network", seen)
        if network_id not in known:
            near = get_close_matches(network_id, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise NotFoundError(f"There is no network of this id.{hint}")
        return self.folder.dataset("network", network_id)

    def problem_of_id(self, one: Input, given: str, seen: Seen) -> Problem | None:
        """Return why an id will not do for an input."""
        kind = kind_of(one)
        if kind is None:
            expected = " or ".join(f'{{"run": id of {name}}}' for name in runs_of(one))
            return Problem("wrong-type", "This is the result of a run.", expected=expected)
        known = self.ids(kind, seen)
        if given not in known:
            near = get_close_matches(given, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else ""
            return Problem("not-found", f"There is no {kind} of this id.", hint=hint)
        return self._problem_of_files(one, kind, self._dataset(kind, given))

    def _problem_of_files(self, one: Input, kind: str, folder: Path) -> Problem | None:
        if kind in KINDS and KINDS[kind].is_files and not one.many:
            count = len(self._files(folder))
            if count != 1:
                return Problem("out-of-range", f"It has {count} files.", expected="a data set of one file")
        return None

    def problem_of_run(self, one: Input, run_id: str, seen: Seen) -> Problem | None:
        """Return why a run will not do for an input."""
        wanted = runs_of(one)
        try:
            run = self.runs.get(run_id)
        except NotFoundError:
            run = None
        if run is None or not seen(run.path, run.admin_code):
            return Problem("not-found", "There is no run of this id.")
        if run.study not in wanted:
            expected = f"a run of {' or '.join(wanted)}" if wanted else "an id"
            return Problem("wrong-type", f"This is a run of {run.study}.", expected=expected)
        if run.state != "done":
            return Problem("wrong-state", f"This run is {run.state}.", expected="one that is done")
        try:
            self._of_run(one, run_id)
        except NotFoundError as error:
            return Problem("not-found", str(error))
        return None

    def places(self, one: Input, value: Any) -> list[Path]:
        """Return the places of what was asked for and checked; one for an input that is not many.

        Raises
        ------
        NotFoundError
            It was taken away in the meantime.
        """
        given = value if isinstance(value, list) else [value]
        found: list[Path] = []
        for single in given:
            if isinstance(single, dict):
                found += self._of_run(one, single["run"])
            else:
                found += self._of_id(one, single)
        return found

    def _of_id(self, one: Input, given: str) -> list[Path]:
        kind = kind_of(one)
        if kind is None:
            raise NotFoundError(f"There is no {one.name} of this id.")
        folder = self._dataset(kind, given)
        if not folder.is_dir():
            raise NotFoundError(f"There is no {kind} of this id.")
        return self._files(folder) if kind in KINDS and KINDS[kind].is_files else [folder]

    def _dataset(self, kind: str, given: str) -> Path:
        if not NAME.fullmatch(given):
            raise NotFoundError(f"There is no {kind} of this id.")
        return self.folder.dataset(kind, given)

    def _of_run(self, one: Input, run_id: str) -> list[Path]:
        result = self.folder.run(run_id)
        study = self.runs.get(run_id).study
        part = runs_of(one)[study]
        if part == "*":
            found = [
                path for path in self._files(result) if path.suffix in TABLES and path.name not in NOT_TABLES
            ]
        else:
            found = [result / part] if part else [result]
        if not found or not all(path.exists() and not path.is_symlink() for path in found):
            raise NotFoundError(f"The run of {study} has no {part or 'files'} for this.")
        return found

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())


def kind_of(one: Input) -> str | None:
    """Return the kind that an id is of, for an input; None where only runs will do."""
    named = (name for name in one.sources if name != "rows" and not name.startswith("run "))
    return next(named, None)


def runs_of(one: Input) -> dict[str, str]:
    """Return the studies whose results will do, and which file of them: empty for the whole folder."""
    found = {}
    for source in one.sources:
        if source.startswith("run "):
            study, _, part = source[4:].partition("/")
            found[study] = part
    return found
