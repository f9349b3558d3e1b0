"""Confirmed sites of a case as outages for the planner."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from changtong.emergency.case import Case
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.network.model import Network
from changtong.outages import Outage


def case_outages(case: Case, network: Network) -> tuple[Outage, ...]:
    """Return an outage for the confirmed sites of each capacity, since the first of them was confirmed.

    Parameters
    ----------
    case : Case
    network : Network

    Raises
    ------
    InputError
        ``unknown-site``: every site that the network has not.
    """
    known = set(network.site_ids)
    states = {site: one for site, one in case.site_states().items() if one.state == "confirmed"}
    problems = []
    for site in states:
        if site not in known:
            text, hint = f"The network has no site {site!r}.", NearestNames(known).hint(site)
            expected = "a site of the network"
            problems.append(Problem("unknown-site", text, case.case_id, None, "site", expected, hint))
    if problems:
        raise InputError(problems)
    by_share: dict[float, list[str]] = {}
    for site, one in states.items():
        by_share.setdefault(float(one.capacity_share), []).append(site)
    mark = "演练 DRILL " if case.is_drill else ""
    return tuple(
        Outage(
            label=f"{mark}{case.case_id}", sites=tuple(sites), capacity_share=share,
            start=min(states[site].at for site in sites).astimezone(ZoneInfo(case.zone)),
        )
        for share, sites in sorted(by_share.items())
        if share < 1.0
    )  # fmt: skip
