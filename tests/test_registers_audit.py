"""The audit: nothing altered, missing, put in or cut off stays unseen."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from registers_cases import (  # noqa: F401
    ADMIN,
    OWN,
    SOON,
    WORDS,
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    region,
    site,
    small,
    small_database,
    small_file,
)

from changtong.errors import UsageError
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store


def tamper(store: Store, statement: str) -> None:
    """Change the database behind the doorway, triggers off."""
    with store.engine.connect() as connection:
        connection = connection.execution_options(changtong_writes=True)
        with connection.begin():
            if store.engine.dialect.name == "postgresql":
                connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER ALL")
            else:
                connection.exec_driver_sql("DROP TRIGGER IF EXISTS audit_is_never_changed")
                connection.exec_driver_sql("DROP TRIGGER IF EXISTS audit_is_never_deleted")
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'x' WHERE n = 2",
        "DELETE FROM audit WHERE n = 2",
        "DELETE FROM audit",
        "UPDATE audit SET n = n",
    ],
)
def test_the_database_refuses_to_change_the_audit(small: tuple[Store, Desk], statement: str) -> None:
    store, admin = small
    with pytest.raises(sa.exc.DBAPIError, match="never"), store.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    if store.engine.dialect.name == "postgresql":
        with pytest.raises(sa.exc.DBAPIError, match="never"), store.engine.begin() as connection:
            connection.exec_driver_sql("TRUNCATE audit")
    assert admin.verify_audit().whole


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE audit SET reason = 'x' WHERE n = 5", {(5, 5, "altered")}),
        ("UPDATE audit SET actor = 'x' WHERE n = 1", {(1, 1, "altered")}),
        ("UPDATE audit SET at = at + 1 WHERE n IN (3, 7)", {(3, 3, "altered"), (7, 7, "altered")}),
        ("DELETE FROM audit WHERE n = 5", {(5, 5, "missing")}),
        ("DELETE FROM audit WHERE n IN (1, 2)", {(1, 2, "missing")}),
        ("DELETE FROM audit WHERE n > 10", {(11, 14, "cut-off")}),
        ("DELETE FROM audit", {(1, 14, "cut-off")}),
        ("UPDATE audit SET n = 16 - n WHERE n = 2", {(2, 2, "missing")}),
        (
            "UPDATE audit SET detail = (SELECT detail FROM audit a WHERE a.n = 4) WHERE n = 3",
            {(3, 3, "altered")},
        ),
        ("UPDATE audit SET seal = before WHERE n = 6", {(6, 6, "altered"), (7, 7, "unlinked")}),
    ],
    ids=lambda value: value[:44] if isinstance(value, str) else "",
)
def test_what_was_changed_behind_the_doorway_is_named(
    small: tuple[Store, Desk], statement: str, expected: set[tuple[int, int, str]]
) -> None:
    store, admin = small
    noted = admin.verify_audit()
    # set-up, sign-in and nine organisations, then three more
    region(store, admin)
    with store.engine.connect() as connection:
        last = connection.execute(sa.text("SELECT n FROM audit_head")).scalar_one()
    tamper(store, statement.replace("16 - n", f"{last} + n"))
    if "16 - n" in statement:
        expected = expected | {
            (last + 1, last + 1, "missing"),
            (last + 2, last + 2, "altered"),
            (last + 2, last + 2, "head-differs"),
        }
    expected = {(n, last if what == "cut-off" else end, what) for n, end, what in expected}
    found = admin.verify_audit()
    assert {(f.n, f.last, f.what) for f in found.findings} == expected
    assert not found.whole
    assert noted.entries == 11


def test_a_head_noted_elsewhere_finds_a_chain_that_was_made_anew(small: tuple[Store, Desk]) -> None:
    store, admin = small
    noted = admin.verify_audit().head
    region(store, admin)
    assert admin.verify_audit(noted).whole
    from changtong.storage import audit

    # someone who can write to the database drops the newest entries and makes the head fit
    with store.engine.connect() as connection:
        seal = connection.execute(sa.text("SELECT seal FROM audit WHERE n = 8")).scalar_one()
    tamper(store, "DELETE FROM audit WHERE n > 8")
    with store.engine.begin() as connection:
        connection.execute(audit.audit_head.update().values(n=8, seal=seal))
    assert admin.verify_audit().whole
    found = admin.verify_audit(noted)
    assert [(f.what, f.last) for f in found.findings] == [("cut-off", 11)]
    with pytest.raises(UsageError) as caught:
        admin.verify_audit("11:abc")
    assert caught.value.code == "bad-head"


def test_records_changed_behind_the_doorway_are_named(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    made = [li.add("site", site(number)).id for number in range(4)]
    with store.engine.begin() as connection:
        table = registers["site"]
        connection.execute(table.update().where(table.c.id == made[0]).values(status="closed"))
        connection.execute(table.delete().where(table.c.id == made[1]))
        copy = dict(connection.execute(sa.select(table).where(table.c.id == made[2])).mappings().one())
        connection.execute(table.insert(), {**copy, "id": "slipped-in", "site_id": "X"})
    assert admin.verify_audit().whole
    found = {(f.what, f.record) for f in admin.verify_audit(with_records=True).findings}
    assert found == {
        ("record-altered", f"site {made[0]}"),
        ("record-missing", f"site {made[1]}"),
        ("record-unknown", "site slipped-in"),
    }
