"""A team's day: each visit begun as early as it can, and lunch where it costs least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from changtong.safety.visit_question import VisitQuestion


@dataclass(frozen=True, slots=True)
class Stop:
    """A visit on the way.

    Attributes
    ----------
    site : int
        Its row.
    arrives_s, begins_s, ends_s : int
        Seconds of the day.
    waits_s : int
        From arriving, or from the end of lunch there, until the visit begins.
    lunch_s : int or None
        When lunch begins that is taken after the place before and ahead of this visit.
    """

    site: int
    arrives_s: int
    begins_s: int
    ends_s: int
    waits_s: int
    lunch_s: int | None


@dataclass(frozen=True, slots=True)
class Drive:
    """A day that a team can do.

    Attributes
    ----------
    stops : tuple of Stop
    back_s : int
    lunch_s : int or None
        None: no lunch, or it is before the day begins or after it ends.
    """

    stops: tuple[Stop, ...]
    back_s: int
    lunch_s: int | None


def drive(question: VisitQuestion, team: int, day: date, sites: tuple[int, ...]) -> Drive | None:
    """Return a day with these visits in this order, back as early as can be; None where it cannot be done.

    Lunch is taken at a place or on the road, never in a visit. Of each beginning of the day only the earliest
    end without lunch and the earliest with it are kept: who is free earlier can begin everything as early.

    Parameters
    ----------
    question : VisitQuestion
    team : int
    day : date
    sites : tuple of int
    """
    one = question.teams[team]
    lunch = one.lunch
    eaten = lunch is None or lunch.from_s + lunch.length_s <= one.starts_s
    hungry: int | None = None if eaten else one.starts_s
    fed: int | None = one.starts_s if eaten else None
    gap: int | None = None
    lengths, at = question.visit_lengths, team
    for k, site in enumerate(sites):
        place = len(question.teams) + site
        way = int(question.seconds[at, place])
        fed_next = None if fed is None else question.ends_s(site, day, fed + way)
        if hungry is not None:
            ready = _after_lunch(question, team, hungry, way)
            end = None if ready is None else question.ends_s(site, day, ready)
            if end is not None and (fed_next is None or end < fed_next):
                fed_next, gap = end, k
            hungry = question.ends_s(site, day, hungry + way)
        fed, at = fed_next, place
        if fed is None and hungry is None:
            return None
    way = int(question.seconds[at, team])
    backs = [] if fed is None else [(fed + way, gap)]
    if hungry is not None and lunch is not None:
        if hungry + way <= lunch.last_s:
            backs.append((hungry + way, None))
        else:
            late = _after_lunch(question, team, hungry, way)
            backs += [] if late is None else [(late, len(sites))]
    back, gap = min(backs, key=lambda found: found[0], default=(0, None))
    if not backs or back > one.starts_s + one.day_s:
        return None
    return _driven(question, team, day, sites, gap, lengths)


def _after_lunch(question: VisitQuestion, team: int, free_s: int, way_s: int) -> int | None:
    """Return when a team is ready at the next place if it has lunch on the way."""
    lunch = question.teams[team].lunch
    begins = None if lunch is None else lunch.from_free(free_s)
    if lunch is None or begins is None:
        return None
    arrives = free_s + way_s
    return (begins if arrives <= begins else arrives) + lunch.length_s


def _driven(
    question: VisitQuestion,
    team: int,
    day: date,
    sites: tuple[int, ...],
    gap: int | None,
    lengths: tuple[int, ...],
) -> Drive:
    """Drive a day of which it is known that it can be done, with lunch ahead of the ``gap``-th visit."""
    one, at = question.teams[team], team
    clock, stops, eats = one.starts_s, [], None
    for k, site in enumerate(sites):
        place = len(question.teams) + site
        way = int(question.seconds[at, place])
        arrives = ready = clock + way
        lunch_s = one.lunch.from_free(clock) if one.lunch is not None and gap == k else None
        if one.lunch is not None and lunch_s is not None:
            eats = lunch_s
            ready = (lunch_s if arrives <= lunch_s else arrives) + one.lunch.length_s
            arrives = arrives if arrives <= lunch_s else ready
        ends = question.ends_s(site, day, ready)
        assert ends is not None  # the day can be done
        begins = ends - lengths[site]
        stops.append(Stop(site, arrives, begins, ends, begins - ready, lunch_s))
        clock, at = ends, place
    way = int(question.seconds[at, team])
    back = clock + way
    if one.lunch is not None and gap == len(sites):
        eats = one.lunch.from_free(clock)
        back = _after_lunch(question, team, clock, way) or back
    return Drive(tuple(stops), back, eats)


def can_alone(question: VisitQuestion, team: int, site: int) -> bool:
    """Tell whether a team can make a visit on one of its days if it makes no other.

    Parameters
    ----------
    question : VisitQuestion
    team, site : int
    """
    if not (question.can(team, site) and question.round_fits(team, site)):
        return False
    days = question.teams[team].days if site in question.windows else question.teams[team].days[:1]
    return any(drive(question, team, day, (site,)) is not None for day in days)


def without_lunch(question: VisitQuestion) -> VisitQuestion:
    """Return the same question with teams that have no lunch.

    Parameters
    ----------
    question : VisitQuestion
    """
    return replace(question, teams=tuple(replace(team, lunch=None) for team in question.teams))
