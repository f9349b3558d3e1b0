"""Answers to VROOM problems, made by a rule instead of VROOM."""

from __future__ import annotations

from typing import Any


def answer(document: dict[str, Any], *, distances: bool = True) -> dict[str, Any]:
    """Answer a problem of jobs as VROOM would, the first vehicle of each depot doing all of its jobs."""
    routes, left = [], list(document["jobs"])
    for vehicle in document["vehicles"]:
        mine = [job for job in left if job.get("skills") == vehicle.get("skills")]
        left = [job for job in left if job not in mine]
        if not mine:
            continue
        held = document["matrices"][vehicle["profile"]]
        here, at, metres = vehicle["start_index"], vehicle["time_window"][0], 0
        steps = [{"type": "start", "arrival": at, "distance": 0}]
        for job in mine:
            to = job["location_index"]
            at += held["durations"][here][to]
            metres += held["distances"][here][to]
            steps.append({"type": "job", "id": job["id"], "arrival": at, "waiting_time": 60, "setup": 0,
                          "service": job["service"], "distance": metres, "violations": []})  # fmt: skip
            at, here = at + 60 + job["service"], to
        at += held["durations"][here][vehicle["end_index"]]
        metres += held["distances"][here][vehicle["end_index"]]
        steps.append({"type": "end", "arrival": at, "distance": metres})
        routes.append({"vehicle": vehicle["id"], "steps": steps})
    if not distances:
        for route in routes:
            for step in route["steps"]:
                del step["distance"]
    return {"code": 0, "routes": routes, "unassigned": []}
