"""The two-echelon routing problem and its plans: what is given, what is driven, what came of a search.

Trucks bring goods from the depot to satellites; city freighters bring them from satellites to
customers. Satellites and customers are numbered from 1, in the order of the file; the depot is 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.errors import Problem, UsageError

ROUTES_FILE = "routes.csv"
RESULT_FILE = "result.json"


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the plane."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """Vehicles of one level.

    Attributes
    ----------
    vehicles : int
        Most vehicles of this level.
    capacity : float
        Load of one vehicle, in the unit of the demands.
    cost_per_distance, fixed_cost : float
        Cost of a unit of distance; of a vehicle that drives at all.
    """

    vehicles: int
    capacity: float
    cost_per_distance: float = 1.0
    fixed_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Satellite:
    """A place where goods change from trucks to city freighters.

    Attributes
    ----------
    place : Place
    handling_cost : float
        Cost of each unit of load that passes.
    capacity : float
        Most load that may pass.
    opening_cost : float
        Cost of using it at all.
    """

    place: Place
    handling_cost: float = 0.0
    capacity: float = float("inf")
    opening_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Customer:
    """A place with a demand that one city freighter brings in one visit."""

    place: Place
    demand: float


@dataclass(frozen=True, slots=True)
class TwoEchelonInstance:
    """A two-echelon capacitated vehicle routing problem.

    Attributes
    ----------
    name : str
    trucks, freighters : Fleet
        First and second level.
    freighters_per_satellite : int
        Most city freighters that may start at one satellite.
    depot : Place
    satellites : tuple of Satellite
    customers : tuple of Customer

    Examples
    --------
    >>> here, there = Place(0, 0), Place(3, 4)
    >>> stops = (Satellite(there),), (Customer(here, 2),)
    >>> TwoEchelonInstance("two", Fleet(1, 9), Fleet(1, 9), 1, here, *stops).demand
    2
    """

    name: str
    trucks: Fleet
    freighters: Fleet
    freighters_per_satellite: int
    depot: Place
    satellites: tuple[Satellite, ...]
    customers: tuple[Customer, ...]

    @property
    def demand(self) -> float:
        """Demand of all customers."""
        return sum(customer.demand for customer in self.customers)


@dataclass(frozen=True, slots=True)
class TruckRoute:
    """A truck's tour from the depot: satellites in order, and the load left at each."""

    satellites: tuple[int, ...]
    loads: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FreighterRoute:
    """A city freighter's tour from a satellite: customers in order, and its load."""

    satellite: int
    customers: tuple[int, ...]
    load: float


@dataclass(frozen=True, slots=True)
class TwoEchelonPlan:
    """Routes of both levels."""

    trucks: tuple[TruckRoute, ...]
    freighters: tuple[FreighterRoute, ...]


@dataclass(frozen=True, slots=True)
class TwoEchelonCost:
    """Cost of a plan in parts: distances of both levels, handling, vehicles and opened satellites."""

    level_one: float
    level_two: float
    handling: float
    fixed: float

    @property
    def total(self) -> float:
        """The whole."""
        return self.level_one + self.level_two + self.handling + self.fixed


@dataclass(frozen=True)
class TwoEchelonResult:
    """What came of a search: the best plan, its cost by the independent checker, and how it was found.

    Attributes
    ----------
    instance : TwoEchelonInstance
    plan : TwoEchelonPlan or None
        None when none was found; ``reasons`` says why.
    cost : TwoEchelonCost or None
        As the checker recomputed it.
    reasons : tuple of Problem
        Why there is no plan.
    seconds : float
        Time the search took.
    iterations, seed : int
        Steps of the search; what its random numbers began with.
    """

    instance: TwoEchelonInstance
    plan: TwoEchelonPlan | None
    cost: TwoEchelonCost | None
    reasons: tuple[Problem, ...]
    seconds: float
    iterations: int
    seed: int

    @property
    def feasible(self) -> bool:
        """Whether there is a plan that passed the checker."""
        return self.plan is not None

    def summary(self) -> dict[str, Any]:
        """Return the result as one object, ready for JSON."""
        plan, cost = self.plan, self.cost
        return {
            "instance": self.instance.name,
            "feasible": self.feasible,
            "cost": None if cost is None else cost.total,
            "cost_level_one": None if cost is None else cost.level_one,
            "cost_level_two": None if cost is None else cost.level_two,
            "cost_handling": None if cost is None else cost.handling,
            "cost_fixed": None if cost is None else cost.fixed,
            "first_level": []
            if plan is None
            else [{"satellites": list(t.satellites), "loads": list(t.loads)} for t in plan.trucks],
            "second_level": []
            if plan is None
            else [
                {"satellite": f.satellite, "customers": list(f.customers), "load": f.load}
                for f in plan.freighters
            ],
            "reasons": [problem.to_dict() for problem in self.reasons],
            "seconds": self.seconds,
            "iterations": self.iterations,
            "seed": self.seed,
        }

    def to_json(self) -> str:
        """Return the result as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        if self.plan is None or self.cost is None:
            why = "\n".join(f"  {problem}" for problem in self.reasons)
            return f"{self.instance.name}: no plan that keeps all limits\n{why}"
        cost = self.cost
        lines = [
            f"{self.instance.name}: cost {cost.total:,.2f} = level one {cost.level_one:,.2f}"
            f" + level two {cost.level_two:,.2f} + handling {cost.handling:,.2f} + fixed {cost.fixed:,.2f}",
            f"{self.iterations:,} iterations in {self.seconds:.1f} s, seed {self.seed}; checked",
        ]
        lines += _few(
            "truck: "
            + " → ".join(f"{s} ({_figure(q)})" for s, q in zip(route.satellites, route.loads, strict=True))
            for route in self.plan.trucks
        )
        lines += _few(
            f"from satellite {route.satellite} ({_figure(route.load)}): "
            + _shortened(" → ".join(map(str, route.customers)))
            for route in self.plan.freighters
        )
        return "\n".join(lines)

    def save(self, folder: str | Path) -> Path:
        """Write ``routes.csv`` and ``result.json`` to a folder; return it.

        A row of the routes is one stop: ``level`` (1 or 2), ``route`` (from 1 in each level), ``from`` (0 the
        depot, or the satellite's number), ``stop`` (from 1), ``kind`` (satellite or customer), ``number``,
        ``load``.

        Raises
        ------
        UsageError
            ``not-a-routes-folder``: the folder holds something else.
        """
        folder = Path(folder)
        check_routes_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((ROUTES_FILE, self._rows()), (RESULT_FILE, self.to_json() + "\n")):
            beside = folder / f".{name}.new"
            beside.write_text(text, "utf-8")
            beside.replace(folder / name)
        return folder

    def _rows(self) -> str:
        rows = ["level,route,from,stop,kind,number,load"]
        if self.plan is not None:
            for r, truck in enumerate(self.plan.trucks, 1):
                for i, (s, load) in enumerate(zip(truck.satellites, truck.loads, strict=True), 1):
                    rows.append(f"1,{r},0,{i},satellite,{s},{_figure(load)}")
            for r, freighter in enumerate(self.plan.freighters, 1):
                for i, c in enumerate(freighter.customers, 1):
                    demand = self.instance.customers[c - 1].demand
                    rows.append(f"2,{r},{freighter.satellite},{i},customer,{c},{_figure(demand)}")
        return "\n".join(rows) + "\n"


def check_routes_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than routes, before long work is done for it.

    Raises
    ------
    UsageError
        ``not-a-routes-folder``.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder.", "not-a-routes-folder")
    if folder.is_dir():
        other = sorted(p.name for p in folder.iterdir() if p.name not in (ROUTES_FILE, RESULT_FILE))
        if other:
            raise UsageError(
                f"{folder} holds something else than routes ({other[0]}); it was left as it is.",
                "not-a-routes-folder",
            )


def _figure(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else repr(value)


def _few(lines: Iterable[str], most: int = 10) -> list[str]:
    """Return the first lines, indented, and how many are left out."""
    every = [f"  {line}" for line in lines]
    return every if len(every) <= most else [*every[: most - 1], f"  … and {len(every) - most + 1} more"]


def _shortened(text: str, most: int = 90) -> str:
    return text if len(text) <= most else text[: most - 2] + " …"
