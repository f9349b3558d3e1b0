"""What is done with data sets: kept once they are checked, and removed; samples made."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from changtong.api.data_folder import NAME
from changtong.api.dataset_book import Dataset
from changtong.api.dataset_check import checked_apart
from changtong.api.dataset_kinds import KINDS, Kind, kind_named
from changtong.api.input_places import InputPlaces, kind_of
from changtong.api.offered import Offers
from changtong.api.program import command_of, environment
from changtong.api.run_book import InUseError
from changtong.api.upload import Given, Kept, is_safe, keep_files
from changtong.errors import ConflictError, InputError, InternalError, NotFoundError, Problem
from changtong.storage.rows import new_id, now

MOST_BYTES_OF_ONE = 20_000_000_000
"""Of the data sets of one organisation."""

CHECKS_AT_ONCE = 2
TAKEN = "This id is taken: choose another."
SAMPLE_COUNTY = "610524"
Level = Literal["city", "county"]


@dataclass(frozen=True)
class Owner:
    """Whose a data set is to be.

    Attributes
    ----------
    user, path, admin_code : str
    """

    user: str
    path: str
    admin_code: str


@dataclass
class DatasetDesk:
    """The data sets of a data folder.

    Attributes
    ----------
    places : InputPlaces
    offers : Offers
    """

    places: InputPlaces
    offers: Offers
    _checking: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(CHECKS_AT_ONCE))
    _naming: threading.Lock = field(default_factory=threading.Lock)

    def keep(
        self,
        kind: str,
        dataset_id: str,
        owner: Owner,
        write: Callable[[Kind, Path], Kept],
        *,
        sample: bool = False,
    ) -> Dataset:
        """Write a data set beside, let its reader check it, and put it into its place.

        The same once more, of the same organisation, is what is there already.

        Parameters
        ----------
        kind, dataset_id : str
        owner : Owner
        write : callable
            Writes into an empty folder.
        sample : bool

        Raises
        ------
        InputError
            All that is wrong with names, or all that the reader finds.
        ConflictError
            The id is taken.
        """
        of_kind = kind_named(kind)
        _check_id(dataset_id)
        known = self._known(kind, dataset_id, owner)
        beside = self.places.folder.path / "datasets" / f".{new_id()}.part"
        inside = beside / dataset_id
        inside.mkdir(parents=True)
        try:
            kept = write(of_kind, inside)
            if known is not None:
                if known.digest == kept.digest:
                    return known
                raise ConflictError(TAKEN)
            self._check_room(owner, sum(kept.files.values()))
            with self._checking:
                found = checked_apart(kind, inside)
            errors = [one for one in found if one.severity == "error"]
            if errors:
                raise InputError(errors)
            notes = [one.to_dict() for one in found]
            made = Dataset(
                kind, dataset_id, owner.user, owner.path, owner.admin_code, kept.digest, kept.files, notes,
                sample, now(),
            )  # fmt: skip
            with self._naming:
                if self._known(kind, dataset_id, owner) is not None:
                    raise ConflictError(TAKEN)
                place = self.places.folder.dataset(kind, dataset_id)
                place.parent.mkdir(exist_ok=True)
                self.places.datasets.add(made)  # first: a folder without its row would be everybody's network
                try:
                    inside.rename(place)
                except OSError:
                    self.places.datasets.remove(kind, dataset_id)
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return made

    def keep_result(self, kind: str, dataset_id: str, owner: Owner, run_id: str) -> Dataset:
        """Keep the result of a run as a data set.

        Parameters
        ----------
        kind, dataset_id : str
        owner : Owner
        run_id : str
            Of a run that is done, and that may be seen.

        Raises
        ------
        InputError
            ``wrong-type``: its result is no data set of this kind.
        """
        for offer in self.offers.studies.values():
            for one in offer.inputs:
                if kind_of(one) == kind and self.places.problem_of_run(one, run_id, _anybody) is None:
                    found = self.places.places(one, {"run": run_id})
                    return self.keep(kind, dataset_id, owner, partial(_copied, found))
        run = self.places.runs.get(run_id)
        text = f"The result of {run.study} is no {kind} (the run is {run.state})."
        raise InputError([Problem("wrong-type", text, column="run")])

    def remove(self, one: Dataset) -> None:
        """Remove a data set that no open run is of.

        Raises
        ------
        InUseError
            ``in-use``.
        """
        for study, request in self.places.runs.open_requests():
            for given in self.offers.get(study).inputs if study in self.offers.studies else ():
                value = request.get(given.name)
                named = value if isinstance(value, list) else [value]
                if kind_of(given) == one.kind and one.id in named:
                    raise InUseError("A run that has not ended is of this one.")
        if one.kind == "log" and (self.places.folder.path / "intake" / one.id).exists():
            raise InUseError("Events are taken into this log: it stays.")
        with self._naming:
            self.places.folder.remove(self.places.folder.dataset(one.kind, one.id))
            self.places.datasets.remove(one.kind, one.id)

    def add_samples(self, level: Level, owner: Owner) -> list[Dataset]:
        """Make the samples of an organisation, as far as they are not there: a network and a county.

        Parameters
        ----------
        level : str
            city (400 sites) or county (3,200).
        owner : Owner
        """
        mark = hashlib.sha256(owner.path.encode()).hexdigest()[:6]
        wanted = (
            ("network", f"sample-{level}-{mark}", ["reference", f"--level={level}"]),
            ("county", f"sample-{mark}", ["rural", "make", f"--county={SAMPLE_COUNTY}"]),
        )
        return [self._sample(kind, name, command, owner) for kind, name, command in wanted]

    def _sample(self, kind: str, name: str, command: list[str], owner: Owner) -> Dataset:
        try:
            return self.places.datasets.get(kind, name)
        except NotFoundError:
            pass

        def write(of_kind: Kind, folder: Path) -> Kept:
            made = folder.with_name("made")
            program = command_of("changtong", *command, f"--output={made}", "--json")
            done = subprocess.run(program, env=environment(), stdin=subprocess.DEVNULL, capture_output=True)
            if done.returncode:
                raise InternalError(f"The sample could not be made: {done.returncode}.")
            return _copied([made], of_kind, folder)

        return self.keep(kind, name, owner, write, sample=True)

    def samples_of(self, owner: Owner) -> list[Dataset]:
        """Return the samples of an organisation."""
        return [one for one in self.places.datasets.samples() if one.path == owner.path]

    def _known(self, kind: str, dataset_id: str, owner: Owner) -> Dataset | None:
        """Return the organisation's own data set of this id.

        Raises
        ------
        ConflictError
            The id is another's, or of a folder that was put there by hand.
        """
        try:
            known = self.places.datasets.get(kind, dataset_id)
        except NotFoundError:
            if self.places.folder.dataset(kind, dataset_id).exists():
                raise ConflictError(TAKEN) from None
            return None
        if known.path != owner.path:
            raise ConflictError(TAKEN)
        return known

    def _check_room(self, owner: Owner, size: int) -> None:
        has = sum(
            sum(one.files.values())
            for kind in KINDS
            for one in self.places.datasets.all_of(kind)
            if one.path == owner.path
        )
        if has + size > MOST_BYTES_OF_ONE:
            text = f"Your organisation has {has:,} bytes of data sets."
            raise InputError([Problem("too-large", text, expected=f"{MOST_BYTES_OF_ONE:,} at most")])


def _check_id(dataset_id: str) -> None:
    if not NAME.fullmatch(dataset_id) or not is_safe(dataset_id):
        expected = "letters, digits, . _ -, 64 at most"
        raise InputError([Problem("bad-upload", "This id will not do.", column="id", expected=expected)])


def _anybody(_path: str, _admin_code: str) -> bool:
    """See all: who asks was looked at before."""
    return True


def _copied(found: list[Path], kind: Kind, folder: Path) -> Kept:
    """Copy those files of a result that belong to a kind."""
    files = [path for one in found for path in (one.rglob("*") if one.is_dir() else [one])]
    roots = {path: (found[0] if found[0].is_dir() else path.parent) for path in files}
    named = {path.relative_to(roots[path]).as_posix(): path for path in files if path.is_file()}
    chosen = {name: path for name, path in named.items() if kind.has(name) and not path.is_symlink()}
    with ExitStack() as stack:
        given = [Given(name, stack.enter_context(path.open("rb"))) for name, path in chosen.items()]
        return keep_files(kind, given, folder)
