"""An inspection from phones as one record: its current version, or all that are in conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from changtong.safety.collection import revision_states
from changtong.safety.received import Received

Filled = dict[str, Any]
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Versions:
    """Revisions of one inspection.

    Attributes
    ----------
    revisions : list of dict
        All there were: ``digest``, ``revision``, ``history``.
    heads : dict
        Digest -> filled form, of those that no other was made from.
    """

    revisions: list[dict[str, Any]]
    heads: dict[str, Filled]

    @property
    def conflict(self) -> bool:
        """Whether there are several: it was changed in two places."""
        return len(self.heads) > 1

    @property
    def newest(self) -> Filled:
        """The version that was saved last."""
        return max(self.heads.values(), key=lambda one: instant(one.get("saved_at")) or EARLIEST)

    def knows(self, digest: str) -> bool:
        """Return whether a revision was here before.

        Parameters
        ----------
        digest : str
        """
        return any(one["digest"] == digest for one in self.revisions)


def versions_of(row: Mapping[Any, Any] | None) -> Versions:
    """Return the revisions that a record holds.

    Parameters
    ----------
    row : mapping or None
        Of the register, whole.
    """
    if row is None or row["revisions"] is None:
        return Versions([], {})
    return Versions(list(row["revisions"]), {one["digest"]: one["filled"] for one in row["answers"]["heads"]})


def with_revision(versions: Versions, received: Received, filled: Filled) -> Versions:
    """Return the revisions with one more: it takes the place of those it was made from, and of no others.

    Parameters
    ----------
    versions : Versions
    received : Received
    filled : dict
        What is kept of it.
    """
    new = {"digest": received.digest, "revision": filled["revision_id"], "history": filled["history"]}
    revisions = [*versions.revisions, new]
    inspection = filled["inspection_id"]
    states = revision_states(
        [(one["digest"], inspection, one["revision"], frozenset(one["history"])) for one in revisions]
    )
    there = versions.heads | {received.digest: filled}
    return Versions(revisions, {name: one for name, one in there.items() if states[name] != "superseded"})


def instant(text: Any) -> datetime | None:
    """Return a time with its zone, None where a text is none.

    Parameters
    ----------
    text : object
    """
    try:
        made = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return made if made.tzinfo is not None and 1970 <= made.year < 9999 else None


def columns_of(versions: Versions, now: datetime) -> dict[str, Any]:
    """Return what the register keeps of an inspection, its site and inspector apart.

    Parameters
    ----------
    versions : Versions
    now : datetime
        Stands for times that the phone did not give.
    """
    heads = list(versions.heads.values())
    newest = versions.newest
    begun, saved = instant(newest.get("begun_at")), instant(newest.get("saved_at"))
    finished = all(one.get("finished") is True for one in heads)
    return {
        "form_id": newest["form"]["id"],
        "form_version": newest["form"]["version"],
        "state": "finished" if finished else "under_way",
        "planned_at": begun or saved or now,
        "started_at": begun,
        "finished_at": (saved or now) if finished else None,
        "answers": {"heads": [{"digest": name, "filled": one} for name, one in versions.heads.items()]},
        "revisions": versions.revisions,
        "conflict": versions.conflict,
    }
