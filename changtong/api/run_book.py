"""The book of runs: what was asked for, by whom, how far it is and how it ended; a run ends once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from changtong.api.book import Book
from changtong.errors import ConflictError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.engine import reading, writing
from changtong.storage.rows import new_id, now
from changtong.storage.schema import CODE_POINTS, Instant, JsonText, to_ms

State = Literal["waiting", "running", "done", "refused", "failed", "cancelled"]

OPEN: tuple[State, ...] = ("waiting", "running")
MOST_OPEN = 20
"""Runs of one person that have not ended."""

MOST_ATTEMPTS = 3
"""Begins of a run whose server died under it; the fourth is not tried: it may be the run that kills it."""

HELD_FOR = timedelta(seconds=60)
"""So long a run is its worker's without a word; then it died, and another one begins the run anew."""

_tables = sa.MetaData()
runs = sa.Table(
    "runs",
    _tables,
    sa.Column("id", CODE_POINTS, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("path", CODE_POINTS, nullable=False),
    sa.Column("admin_code", CODE_POINTS, nullable=False),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("request", JsonText, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("cancel_asked", sa.Boolean, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("begun_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("progress", JsonText),
    sa.Column("outcome", JsonText),
    sa.Column("problem", JsonText),
    sa.Column("worker", sa.Text),
    sa.Column("held_until", Instant),
    sa.UniqueConstraint("user", "key"),
    sa.Index("runs_open", "state"),
)


@dataclass(frozen=True)
class Run:
    """One run as it is in the book.

    Attributes
    ----------
    id, user : str
    path, admin_code : str
        Of the organisation of who asked for it: what rights to it are decided by.
    study : str
    request : dict
        Inputs and parameters.
    state : str
        waiting, running; done, refused (its input is wrong), failed (a fault of ours), cancelled.
    version : int
        Counts every change.
    attempts : int
        How often it was begun.
    cancel_asked : bool
    made_at, begun_at, ended_at : datetime
    progress, outcome, problem : dict or None
    """

    id: str
    user: str
    path: str
    admin_code: str
    study: str
    request: dict[str, Any]
    state: State
    version: int
    attempts: int
    cancel_asked: bool
    made_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    progress: dict[str, Any] | None
    outcome: dict[str, Any] | None
    problem: dict[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in OPEN


@dataclass(frozen=True)
class NewRun:
    """A run to be entered; the fields are those of `Run`, ``key`` is the Idempotency-Key or empty."""

    user: str
    path: str
    admin_code: str
    study: str
    request: dict[str, Any]
    key: str = ""

    def digest(self) -> str:
        """Return what two requests for the same have in common."""
        text = json.dumps([self.study, self.request], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


_OF_RUN = [runs.c[name] for name in Run.__dataclass_fields__]


class RunBook(Book):
    """The book.

    Parameters
    ----------
    place : Path or str
        A file, or the URL of PostgreSQL, where several processes work on the same runs.
    """

    def __init__(self, place: Path | str) -> None:
        super().__init__(place, _tables)

    def add(self, new: NewRun) -> tuple[Run, bool]:
        """Enter a run, or find the one this key was used for; return it and whether it is new.

        Raises
        ------
        UsageError
            ``key-reused``: the key was used for another request; ``too-many-runs``.
        """
        try:
            return self._added(new)
        except InputError as error:  # somebody was quicker with the same key: that run is found now
            if not new.key or error.problems[0].code != "duplicate-record":
                raise
            return self._added(new)

    def _added(self, new: NewRun) -> tuple[Run, bool]:
        with writing(self.engine) as connection:
            if new.key:
                same = sa.select(*_OF_RUN, runs.c.request_digest).where(
                    runs.c.user == new.user, runs.c.key == new.key
                )
                found = connection.execute(same).mappings().first()
                if found is not None and found["request_digest"] != new.digest():
                    raise UsageError("This Idempotency-Key was used for another request.", "key-reused")
                if found is not None:
                    return _run(found), False
            waiting = (
                sa.select(sa.func.count())
                .select_from(runs)
                .where(runs.c.user == new.user, runs.c.state.in_(OPEN))
            )
            if connection.execute(waiting).scalar_one() >= MOST_OPEN:
                text = f"You have {MOST_OPEN} runs that have not ended: wait for them, or cancel some."
                raise UsageError(text, "too-many-runs")
            at = now()
            made = new_id(to_ms(at))
            row = {
                "id": made, "user": new.user, "path": new.path, "admin_code": new.admin_code,
                "study": new.study, "request": new.request, "key": new.key or None,
                "request_digest": new.digest(), "state": "waiting", "version": 1, "attempts": 0,
                "cancel_asked": False, "made_at": at,
            }  # fmt: skip
            connection.execute(runs.insert(), row)
            return self._read(connection, made), True

    def get(self, run_id: str) -> Run:
        """Return a run.

        Raises
        ------
        NotFoundError
        """
        with reading(self.engine) as connection:
            return self._read(connection, run_id)

    def page(
        self,
        scopes: Sequence[Scope],
        limit: int,
        after: str = "",
        *,
        study: str = "",
        state: str = "",
        network: str = "",
    ) -> tuple[tuple[Run, ...], str]:
        """Return the newest runs within scopes, and where the next page begins; empty: there is none.

        Parameters
        ----------
        scopes : sequence of Scope
            What the person may see.
        limit : int
        after : str
            The id of the last run of the page before.
        study, state, network : str
            Only those of it; empty: all.
        """
        inside = [sa.and_(*_within(scope)) for scope in scopes]
        chosen = sa.select(*_OF_RUN).where(sa.or_(sa.false(), *inside))
        if after:
            chosen = chosen.where(runs.c.id < after)
        if study:
            chosen = chosen.where(runs.c.study == study)
        if state:
            chosen = chosen.where(runs.c.state == state)
        if network:
            as_json = sa.cast if self.is_shared else sa.type_coerce
            of_network = as_json(runs.c.request, sa.JSON)["network"].as_string()
            chosen = chosen.where(of_network == network)
        with reading(self.engine) as connection:
            rows = connection.execute(chosen.order_by(runs.c.id.desc()).limit(limit + 1)).mappings().all()
        found = tuple(_run(row) for row in rows[:limit])
        return found, found[-1].id if len(rows) > limit else ""

    def newest(self, scopes: Sequence[Scope], studies: Sequence[str], *, state: str = "") -> dict[str, Run]:
        """Return the newest run of each study within scopes, by the study's name.

        Parameters
        ----------
        scopes : sequence of Scope
            What the person may see.
        studies : sequence of str
        state : str
            In this state only; empty: in any.
        """
        inside = [sa.and_(*_within(scope)) for scope in scopes]
        which = sa.select(sa.func.max(runs.c.id)).where(
            sa.or_(sa.false(), *inside), runs.c.study.in_(studies)
        )
        if state:
            which = which.where(runs.c.state == state)
        chosen = sa.select(*_OF_RUN).where(runs.c.id.in_(which.group_by(runs.c.study)))
        with reading(self.engine) as connection:
            return {row["study"]: _run(row) for row in connection.execute(chosen).mappings()}

    def open_runs(self) -> tuple[str, ...]:
        """Return the ids of the runs that have not ended, the oldest first."""
        chosen = sa.select(runs.c.id).where(runs.c.state.in_(OPEN)).order_by(runs.c.id)
        with reading(self.engine) as connection:
            return tuple(connection.execute(chosen).scalars())

    def ids(self) -> frozenset[str]:
        """Return the ids of all runs."""
        with reading(self.engine) as connection:
            return frozenset(connection.execute(sa.select(runs.c.id)).scalars())

    def ended_before(self, at: datetime) -> tuple[str, ...]:
        """Return the ids of the runs that ended before an instant."""
        chosen = sa.select(runs.c.id).where(runs.c.state.not_in(OPEN), runs.c.ended_at < at)
        with reading(self.engine) as connection:
            return tuple(connection.execute(chosen).scalars())

    def open_requests(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Return study and request of the runs that have not ended."""
        chosen = sa.select(runs.c.study, runs.c.request).where(runs.c.state.in_(OPEN))
        with reading(self.engine) as connection:
            return tuple((row.study, row.request) for row in connection.execute(chosen))

    def delete(self, run_id: str) -> None:
        """Take a run out that has ended, and that no open run is of.

        Raises
        ------
        ConflictError
            It has not ended; ``in-use``.
        """
        with writing(self.engine) as connection:
            run = self._read(connection, run_id)
            if not run.ended:
                raise ConflictError(f"This run has not ended ({run.state}): cancel it first.")
            chosen = sa.select(runs.c.request).where(runs.c.state.in_(OPEN))
            if any(run_id in runs_named(request) for request in connection.execute(chosen).scalars()):
                raise InUseError("A run that has not ended is of this one.")
            connection.execute(runs.delete().where(runs.c.id == run_id))

    def counts(self) -> dict[str, int]:
        """Return how many runs there are in each state."""
        chosen = sa.select(runs.c.state, sa.func.count()).group_by(runs.c.state)
        with reading(self.engine) as connection:
            return {str(state): int(count) for state, count in connection.execute(chosen)}

    def begin(self, run_id: str, worker: str) -> Run | None:
        """Note that a run begins, or begins anew after its worker died; None where there is nothing to do.

        Parameters
        ----------
        run_id : str
        worker : str
            Who works on it now; nothing is begun that has ended, or that another worker holds.
        """
        with writing(self.engine) as connection:
            run, holder, until = self._held(connection, run_id)
            if run.ended or (holder not in (None, worker) and until is not None and until > now()):
                return None
            if run.cancel_asked:
                self._change(connection, run_id, state="cancelled", ended_at=now())
                return None
            if run.attempts >= MOST_ATTEMPTS:
                text = f"The server died {run.attempts} times while this ran; it is not begun again."
                problem = {"code": "internal", "detail": text, "problems": []}
                self._change(connection, run_id, state="failed", ended_at=now(), problem=problem)
                return None
            values = {"state": "running", "begun_at": now(), "attempts": run.attempts + 1, "progress": None,
                      "worker": worker, "held_until": now() + HELD_FOR}  # fmt: skip
            self._change(connection, run_id, **values)
            return self._read(connection, run_id)

    def hold(self, run_id: str, worker: str) -> bool:
        """Hold a run for longer; False where it is this worker's no more."""
        with writing(self.engine) as connection:
            same = (runs.c.id == run_id, runs.c.state == "running", runs.c.worker == worker)
            held = runs.update().where(*same).values(held_until=now() + HELD_FOR)
            return connection.execute(held).rowcount == 1

    def unheld(self) -> tuple[str, ...]:
        """Return the ids of open runs that nobody works on, though somebody should: their worker is gone."""
        at = now()
        gone = sa.or_(
            runs.c.held_until < at, sa.and_(runs.c.held_until.is_(None), runs.c.made_at < at - HELD_FOR)
        )
        chosen = sa.select(runs.c.id).where(runs.c.state.in_(OPEN), gone).order_by(runs.c.id)
        with reading(self.engine) as connection:
            return tuple(connection.execute(chosen).scalars())

    def leave(self, run_id: str) -> None:
        """Note that a run waits again: its worker stops, and this attempt does not count."""
        values = {"state": "waiting", "attempts": runs.c.attempts - 1, "progress": None, "worker": None,
                  "held_until": now()}  # fmt: skip
        with writing(self.engine) as connection:
            self._change(connection, run_id, **values)

    def tell(self, run_id: str, progress: Mapping[str, Any]) -> bool:
        """Keep how far a run is; return whether it shall stop."""
        with writing(self.engine) as connection:
            self._change(connection, run_id, progress=dict(progress))
            return self._read(connection, run_id).cancel_asked

    def end(
        self,
        run_id: str,
        state: State,
        *,
        worker: str,
        outcome: Mapping[str, Any] | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a run that a worker works on; return whether it had not ended before, and is still its own."""
        values = {"state": state, "ended_at": now(), "outcome": outcome, "problem": problem}
        with writing(self.engine) as connection:
            _, holder, _ = self._held(connection, run_id)
            return holder == worker and self._change(connection, run_id, **values)

    def cancel(self, run_id: str) -> Run:
        """Ask a run to stop; one that waits ends at once. Asked twice it is as asked once.

        Raises
        ------
        ConflictError
            It has ended already.
        """
        with writing(self.engine) as connection:
            run = self._read(connection, run_id)
            if run.state == "cancelled" or (run.cancel_asked and not run.ended):
                return run
            if run.ended:
                raise ConflictError(f"This run has ended already ({run.state}).")
            if run.state == "waiting":
                self._change(connection, run_id, cancel_asked=True, state="cancelled", ended_at=now())
            else:
                self._change(connection, run_id, cancel_asked=True)
            return self._read(connection, run_id)

    def _change(self, connection: sa.Connection, run_id: str, **values: Any) -> bool:
        """Change a run that has not ended."""
        same = (runs.c.id == run_id, runs.c.state.in_(OPEN))
        changed = runs.update().where(*same).values(version=runs.c.version + 1, **values)
        return connection.execute(changed).rowcount == 1

    def _read(self, connection: sa.Connection, run_id: str) -> Run:
        return self._held(connection, run_id)[0]

    def _held(self, connection: sa.Connection, run_id: str) -> tuple[Run, str | None, datetime | None]:
        """Return a run, who works on it, and until when without a word.

        With PostgreSQL the row stays as it is until what is written by it is.
        """
        chosen = sa.select(*_OF_RUN, runs.c.worker, runs.c.held_until).where(runs.c.id == run_id)
        if connection.get_execution_options().get("changtong_writes"):
            chosen = chosen.with_for_update()
        found = connection.execute(chosen).mappings().first()
        if found is None:
            raise NotFoundError("There is no run of this id.")
        return _run(found), found["worker"], found["held_until"]


class InUseError(ConflictError):
    """Something that has not ended needs it."""

    code = "in-use"


def runs_named(request: Mapping[str, Any]) -> set[str]:
    """Return the runs whose results a request is of.

    Examples
    --------
    >>> runs_named({"network": "tiny", "plan": {"run": "a"}, "days": [{"run": "b"}]}) == {"a", "b"}
    True
    """
    given = [one for value in request.values() for one in (value if isinstance(value, list) else [value])]
    return {one["run"] for one in given if isinstance(one, dict) and one.keys() == {"run"}}


def _within(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return what rows within a scope fulfil, by ranges: LIKE takes capitals for small letters."""
    rules = [runs.c.path >= scope.path, runs.c.path < f"{scope.path[:-1]}0"]  # 0 follows /
    if scope.prefix:
        rules += [runs.c.admin_code >= scope.prefix, runs.c.admin_code < f"{scope.prefix}:"]  # : follows 9
    return rules


def _run(row: Mapping[Any, Any]) -> Run:
    return Run(**{name: row[name] for name in Run.__dataclass_fields__})
