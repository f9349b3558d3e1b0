"""What no plan of a two-echelon instance can keep, seen without a search: each reason with its numbers."""

from __future__ import annotations

from changtong.errors import Problem
from changtong.rural.two_echelon import TwoEchelonInstance


def impossible_demands(instance: TwoEchelonInstance) -> tuple[Problem, ...]:
    """Return every reason, seen without a search, why no plan can keep all limits."""
    found = []
    fleet, demand = instance.freighters, instance.demand
    slack = 1 + 1e-9
    for number, customer in enumerate(instance.customers, 1):
        if customer.demand > fleet.capacity * slack:
            found.append(
                Problem(
                    "demand-above-capacity",
                    f"customer {number} asks for {customer.demand:g}; a freighter holds {fleet.capacity:g}.",
                )
            )
    limit = instance.freighters_per_satellite * len(instance.satellites)
    vehicles = min(fleet.vehicles, limit)
    if demand > vehicles * fleet.capacity * slack:
        found.append(
            Problem(
                "freighters-too-few",
                f"all customers ask for {demand:g}; {vehicles} city freighters of {fleet.capacity:g} hold"
                f" {vehicles * fleet.capacity:g}.",
            )
        )
    big = sum(customer.demand > fleet.capacity / 2 * slack for customer in instance.customers)
    if big > vehicles:
        found.append(
            Problem(
                "freighters-too-few",
                f"{big} customers ask for more than half a city freighter each; there are {vehicles}.",
            )
        )
    trucks = instance.trucks
    if demand > trucks.vehicles * trucks.capacity * slack:
        found.append(
            Problem(
                "trucks-too-few",
                f"all customers ask for {demand:g}; {trucks.vehicles} trucks of {trucks.capacity:g} hold"
                f" {trucks.vehicles * trucks.capacity:g}.",
            )
        )
    room = sum(satellite.capacity for satellite in instance.satellites)
    if demand > room * slack:
        found.append(
            Problem(
                "satellites-too-small", f"all customers ask for {demand:g}; the satellites pass {room:g}."
            )
        )
    return tuple(found)


def beyond_solver(part: TwoEchelonInstance) -> tuple[Problem, ...]:
    """Return why the part of an instance that is searched holds no plan, though the instance may."""
    return tuple(
        Problem(
            "beyond-solver",
            f"no plan is looked for: of this instance {extent(part)} are searched, and {reason.message}",
            hint="There may be a plan. Part the instance, or raise capacities.",
        )
        for reason in impossible_demands(part)
    )


def extent(part: TwoEchelonInstance) -> str:
    """Say what part of an instance is searched."""
    return f"{len(part.satellites)} satellites and {part.trucks.vehicles} trucks"
