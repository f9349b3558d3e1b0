"""What goes out to each site when a plan is issued, within the transaction that issues it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from changtong.response_records.order_lines import Sheet, differing, sheet_of
from changtong.response_records.plan_log import proposed_parts
from changtong.response_records.plan_rows import Row, order_id
from changtong.storage.records import add_record, rows_to_decide
from changtong.storage.work import Work, target_of


def proposed_sheets(work: Work, plan: str) -> list[Sheet]:
    """Return the orders of a plan as they were proposed, by site.

    Parameters
    ----------
    work : Work
    plan : str
    """
    return [sheet_of(one) for part in proposed_parts(work, plan) for one in part["sheets"]]


def send_orders(
    work: Work, row: Row, former: Row | None, before: Mapping[str, Row], due: datetime
) -> list[str]:
    """Add the orders of every site; return their states.

    Parameters
    ----------
    work : Work
        That holds rows.
    row : mapping
        Of the plan.
    former : mapping or None
        Of the plan that it replaces.
    before : mapping
        Site -> row of its orders under the former plan, as it was in force.
    due : datetime
        Until when sites are to answer.
    """
    sheets = {sheet.site: sheet for sheet in proposed_sheets(work, row["id"])}
    gone = [site for site, had in before.items() if had["sheet"]["lines"] or _unread(had)]
    for site in sorted(set(gone) - sheets.keys()):  # nothing to do any more: told so
        sheets[site] = Sheet(site, before[site]["site_name"] or "", (), before[site]["sheet"]["names"])
    registered = {
        one["site_id"]: one
        for one in rows_to_decide(work, "site", "site_id", sheets)
        if work.may_see("site", one)
    }
    # asked for at once: whether there are any is else asked for each
    rows_to_decide(work, "issued_order", "id", [order_id(row["id"], site) for site in sheets])
    since = None if former is None else former["valid_from"]
    states = []
    for site, sheet in sheets.items():
        values = _order_values(sheet, before.get(site), row["valid_from"], since)
        place = registered.get(site, row)
        values |= {
            "sent_at": work.at, "plan": row["id"], "due_at": due,
            "registered_site": registered[site]["id"] if site in registered else None,
        }  # fmt: skip
        add_record(
            work, "issued_order", values, organisation=place["organisation"], admin_code=place["admin_code"],
            record_id=order_id(row["id"], site), by_ledger=True,
            right=("issue", target_of("issued_plan", row)),
        )  # fmt: skip
        states.append(values["state"])
    return states


def _unread(had: Row | None) -> list[dict[str, Any]]:
    """Return what a site was told to do no longer under the former plan, and has not acknowledged."""
    if had is None or had["state"] == "acknowledged":
        return []
    return list(had["differs"]["over"])


def _order_values(
    sheet: Sheet, had: Row | None, since: datetime, since_before: datetime | None
) -> dict[str, Any]:
    """Return what is kept of a site's orders, with what differs from those it had under the former plan."""
    known = had is not None and had["state"] == "acknowledged"
    new, over = differing(
        sheet, None if had is None else sheet_of(had["sheet"]), since=since, since_before=since_before,
        unread=_unread(had),
    )  # fmt: skip
    names = {} if had is None else had["differs"]["names"] | had["sheet"]["names"]
    if not known:  # it has not said that it has read them
        new = (True,) * len(new)
    values: dict[str, Any] = {
        "site": sheet.site, "site_name": sheet.name or None, "sheet": sheet.to_json(),
        "differs": {"new": list(new), "over": list(over), "names": names},
        "counts": sheet.counts(), "digest": sheet.digest(), "state": "sent",
        "told": {"new": sum(new), "same": len(new) - sum(new), "withdrawn": len(over)},
    }  # fmt: skip
    if had is not None and known and not any(new) and not over:
        values |= {name: had[name] for name in ("state", "answered_at", "answered_by", "said_by", "words")}
    return values
