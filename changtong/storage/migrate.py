"""The registers' schema, forward from every released version with the data in place (Alembic)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory

from changtong.errors import UsageError

SCRIPTS = str(files("changtong.storage").joinpath("migrations"))


def scripts(folder: str | Path = SCRIPTS) -> ScriptDirectory:
    """Return the migrations of a folder."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


def newest_version(folder: str | Path = SCRIPTS) -> str:
    """Return the version this program writes.

    Examples
    --------
    >>> newest_version()
    '0011'
    """
    head = scripts(folder).get_current_head()
    return head or ""


def version_of(connection: sa.Connection) -> str | None:
    """Return a database's version, or None where it holds no registers."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: sa.Connection, folder: str | Path = SCRIPTS) -> tuple[str, ...]:
    """Bring a database to the newest version within the caller's transaction.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes.
    folder : path

    Returns
    -------
    tuple of str
        Versions gone through, in order; none where it was the newest already.
    """
    script = scripts(folder)
    before = version_of(connection)
    known = {revision.revision for revision in script.walk_revisions()}
    if before is not None and before not in known:
        raise newer(before)
    gone: list[str] = []

    def steps(revision: str, _context: MigrationContext) -> list[RevisionStep]:
        made = script._upgrade_revs("head", revision)
        gone.extend(step.revision.revision for step in made)
        return made

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()
    return tuple(gone)


def check_version(connection: sa.Connection) -> None:
    """Refuse registers of another version than this program writes.

    Raises
    ------
    UsageError
        ``no-registers``, ``registers-old``, ``registers-newer``.
    """
    found = version_of(connection)
    if found is None:
        raise UsageError("There are no registers here: `registers create` makes them.", "no-registers")
    if found == newest_version():
        return
    if found in {revision.revision for revision in scripts().walk_revisions()}:
        raise UsageError(
            f"The registers have version {found}; this program needs {newest_version()}: "
            "make a backup, then run `registers upgrade`.",
            "registers-old",
        )
    raise newer(found)


def newer(found: str) -> UsageError:
    """Return the error of registers that a later program has written."""
    return UsageError(
        f"The registers have version {found}, which this program does not know: use a newer one.",
        "registers-newer",
    )
