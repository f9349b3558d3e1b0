"""The planner's kernels, compiled before a time limit runs, and where they are kept.

Compiling runs in processes of its own, one for each part of the planner, so that a network is
read or built meanwhile. Of several commands that need the same kernels one has them compiled, and
the others wait. Run as ``python -m changtong.kernels`` it compiles them and says nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from changtong.errors import UsageError
from changtong.file_locks import lock_file
from changtong.flows.kernel_cache import kernel_folder

if TYPE_CHECKING:
    from changtong.network.model import Network
    from changtong.planning.assemble import Question

PACKAGE = Path(__file__).parent
NO_LOCK = -1
"""Stands for a lock where there is no place for one, or the file system knows none."""

LONGEST_WAIT_S = 900.0
"""For another process that compiles; who needs the kernels after that compiles them when it runs."""


def _stamp(whose: str = "planner") -> Path:
    """Return the file that says the kernels of these very sources are compiled."""
    return kernel_folder() / ("complete" if whose == "planner" else f"complete-{whose.replace(' ', '-')}")


def prepare_kernels(say: Callable[[str], None], whose: str = "planner") -> Callable[[], None]:
    """Begin to compile kernels where they are not compiled yet.

    Parameters
    ----------
    say : callable
        Gets the messages.
    whose : str
        ``planner`` or a name of `OTHER_PARTS`. A stress test needs the planner's as well: wait for those
        first.

    Returns
    -------
    callable
        Waits until they are compiled. Should compiling fail there, who needs them compiles them
        when it runs.
    """
    stamp = _stamp(whose)
    if stamp.exists():
        return lambda: None
    begin = time.perf_counter()
    lock = _lock(stamp)
    if lock is not None:
        return _begin_to_compile(say, whose, begin, lock)
    say(f"Another process compiles the {whose}'s kernels: waiting for it …")
    return lambda: _wait_for_other(say, whose, begin)


def _begin_to_compile(say: Callable[[str], None], whose: str, begin: float, lock: int) -> Callable[[], None]:
    """Begin to compile, and return what waits for the end; the lock is let go of then, waited for or not."""
    stamp = _stamp(whose)
    if stamp.exists():  # by who held the lock before
        _unlock(lock)
        return lambda: None
    say(f"Compiling the {whose}'s kernels: once, about a minute; later runs have them at hand …")
    works = [
        subprocess.Popen(
            _command(part),
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for part in (PARTS if whose == "planner" else OTHER_PARTS[whose])
    ]

    def watch() -> None:
        try:
            codes = [work.wait() for work in works]
            if not any(codes):
                _note_done(stamp)
        finally:
            _unlock(lock)

    # a thread of its own: who gives up meanwhile, over a wrong input, must not keep the others waiting
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()

    def wait() -> None:
        while watcher.is_alive():
            watcher.join(10.0)
            if watcher.is_alive():
                say(f"  still compiling, {time.perf_counter() - begin:.0f} s …")
        if stamp.exists():
            say(f"Compiled in {time.perf_counter() - begin:.0f} s.")

    return wait


def _wait_for_other(say: Callable[[str], None], whose: str, begin: float) -> None:
    """Wait until another process has compiled them; should it die or fail, compile them here."""
    stamp, told = _stamp(whose), 10.0
    while not stamp.exists() and time.perf_counter() - begin < LONGEST_WAIT_S:
        lock = _lock(stamp)
        if lock is not None:
            _begin_to_compile(say, whose, begin, lock)()
            return
        time.sleep(0.2)
        if time.perf_counter() - begin > told:
            say(f"  still waiting, {told:.0f} s …")
            told += 10.0


def _lock(stamp: Path) -> int | None:
    """Return a lock of those who write a stamp; None where another process has it."""
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        return lock_file(stamp.with_name(f"{stamp.name}.lock"))
    except (OSError, UsageError):
        return NO_LOCK  # everyone compiles, as well as it goes


def _unlock(lock: int) -> None:
    if lock != NO_LOCK:
        os.close(lock)


def _python_path() -> list[str]:
    given = os.environ.get("PYTHONPATH", "")
    return [given] if given else []


def compile_kernels() -> None:
    """Compile what all commands run, as many parts at once as there are cores, and note that it is done.

    What another process compiles meanwhile is waited for.
    """
    locks: dict[str, int] = {}
    others = []
    try:
        for whose in ("planner", *OTHER_PARTS):
            lock = None if _stamp(whose).exists() else _lock(_stamp(whose))
            if lock is not None:
                locks[whose] = lock
            else:
                others.append(whose)
        # asked again: who held the lock before may have compiled them
        mine = [whose for whose in locks if not _stamp(whose).exists()]
        parts = [name for whose in mine for name in (PARTS if whose == "planner" else OTHER_PARTS[whose])]
        parts.sort(key=lambda name: name in BUILT_ON_OTHERS)
        with ThreadPoolExecutor(os.cpu_count() or 1) as crew:
            list(crew.map(lambda name: subprocess.run(_command(name), env=_environment(), check=True), parts))
        for whose in mine:
            _note_done(_stamp(whose))
    finally:
        for lock in locks.values():
            _unlock(lock)
    for whose in others:
        _wait_for_other(lambda _: None, whose, time.perf_counter())


def _command(part: str) -> list[str]:
    return [sys.executable, "-m", "changtong.kernels", part]


def _environment() -> dict[str, str]:
    """Return the environment in which this very package is found."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *_python_path()])}


def _note_done(stamp: Path) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    for old in stamp.parent.parent.glob("kernels-*"):
        if old != stamp.parent:
            shutil.rmtree(old, ignore_errors=True)


def _four_sites() -> Network:
    import polars as pl

    from changtong.network.model import build_network

    pairs = [("A", "X"), ("A", "Y"), ("B", "X"), ("B", "Y"), ("X", "Y")]
    tails, heads = zip(*(pairs + [(b, a) for a, b in pairs]), strict=True)
    legs = {"from_site": tails, "to_site": heads, "cost_cny_per_piece": [1.0, 1.1] * 5}
    network = build_network(
        {
            "sites": pl.DataFrame({"site_id": list("ABXY"), "transit": [False, False, True, True]}),
            "legs": pl.DataFrame(legs).with_columns(
                capacity_pieces_per_day=pl.lit(5.0), travel_h=pl.lit(9.0)
            ),
            "demand": pl.DataFrame(
                {"from_site": ["A", "B"], "to_site": ["B", "A"], "pieces_per_day": [12.0, 9.0]}
            ),
            "service_classes": pl.DataFrame(
                {
                    "service_class": ["first", "second"],
                    "rank": [1, 2],
                    "promise_h": [24.0, 72.0],
                    "share": [0.2, 0.8],
                }
            ),
        },
        name="four sites",
    )
    demand = network.demand.with_columns(pl.col("pieces_per_day").cast(pl.Float32))
    return network.with_tables(demand=demand)


def _ask() -> tuple[Network, Question]:
    """Return the four sites and their flow problem, with nothing shut."""
    from changtong.outages import apply_outages
    from changtong.planning.assemble import OBJECTIVES, assemble

    network = _four_sites()
    question = assemble(
        network, apply_outages(network, ()), objectives=OBJECTIVES, hour_cny=0.0005, unserved_cny=None
    )
    return network, question


def _compile_flow() -> None:
    """Solve the flow of a network of four sites, and read it."""
    from changtong.planning.assemble import OBJECTIVES
    from changtong.planning.blockers import blocking_rows
    from changtong.planning.large import answer_large
    from changtong.planning.result import PlanSettings

    _, question = _ask()
    found = answer_large(question, OBJECTIVES, PlanSettings(method="large"), None)
    answer = found.prove(found.answer.solver)
    blocking_rows(answer.solver, answer.result, 1.0)


def _compile_sort_plan() -> None:
    """Make the sort plan of four sites, as if the flow had put everything on its first entry leg."""
    import numpy as np

    from changtong.flows.cutting import Cut
    from changtong.flows.flow import FlowResult, FlowSolver, Termination
    from changtong.planning.sortplan import make_sort_plan

    network, question = _ask()
    solver = FlowSolver(question.problem)
    solver.mean_cost = 1.0
    legs, pairs = np.zeros(network.legs.height), len(question.problem.pair_from)
    unserved = np.zeros(pairs, np.float32)
    made_up = FlowResult(
        termination=Termination.NOTHING_TO_DO,
        objective=1.0,
        lower_bound=0.0,
        rounds=0,
        seconds=0.0,
        leg_flow=legs,
        unserved=unserved,
        cut_off=np.zeros(pairs, np.bool_),
        leg_price=legs,
        site_price=np.zeros(network.sites.height),
        limit_price=np.zeros(0),
        row_price=np.zeros(len(solver.capacity)),
        cut=Cut(legs, unserved, solver.volumes, solver.pool),
    )
    make_sort_plan(network, question, solver, made_up, legs, stability_cny=0.05)


def _compile_simulation() -> None:
    """Play four sites forward for a day."""
    from changtong.simulation.simulate import SimulationSettings, simulate

    simulate(_four_sites(), settings=SimulationSettings(hours=24.0, warm_up_h=0.0))


def _compile_stress_test() -> None:
    """Close each of four sites in turn, by the way of large networks."""
    from changtong.executors.local import InProcess
    from changtong.resilience.result import StressSettings
    from changtong.resilience.stress import stress_test

    stress_test(_four_sites(), executor=InProcess(), settings=StressSettings(method="large"))


def _compile_ingest() -> None:
    """Take in two scans, one of them twice, bring them to their item, and count their days."""
    import tempfile

    from changtong.events.day_sources import sql_text
    from changtong.events.engine import open_duckdb
    from changtong.events.ingest import ingest
    from changtong.events.item_days import DayLimits, day_tables
    from changtong.events.item_scans import ItemScans, Window
    from changtong.events.log import create_log, open_log
    from changtong.events.mapping import default_mapping
    from changtong.events.period_counts import count_period

    header = "item_id,receptacle_id,code,site_id,at,recorded_at"
    rows = [f"RR123456785CN,B1,accept,A,2022-04-0{day}T00:00:00Z,2022-04-03T00:00:00Z" for day in (1, 2, 1)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scans.csv"
        file.write_text("\n".join([header, *rows]), "utf-8")
        mapping = default_mapping(header.split(","), None)
        for name in ("one", "two"):
            ingest([file], create_log(Path(folder) / name), mapping)
        codes = open_duckdb([]).query(sql_text("codes"))
        window = Window(1_648_000_000_000, 1_649_000_000_000)
        numbers = dict(codes.select("code", "code_no").iter_rows())
        log = open_log(Path(folder) / "two")
        scans = ItemScans(log.files(), window, numbers, [])
        day = DayLimits(*window, window.end_ms, True, window.base_ms, window.base_ms)
        day_tables(scans.read(0), scans.classes, window.base_ms, day, codes)
        count_period(log, log.days, ["accepted_pieces"])


def _compile_made_up_scans() -> None:
    """Write the scans of four sites, as CSV and as Parquet."""
    import tempfile

    from changtong.events.generator.generate import generate_scans
    from changtong.events.generator.settings import Damage, ScanSettings

    for kind in ("csv", "parquet"):
        settings = ScanSettings(events=500, format=kind, damage=Damage(late=0.5), damage_table=True)
        with tempfile.TemporaryDirectory() as folder:
            generate_scans(_four_sites(), folder, settings=settings)


def _compile_traces() -> None:
    """Trace three scans."""
    import numpy as np

    from changtong.events.columns import ScanColumns
    from changtong.events.tracing.contacts import index_contacts
    from changtong.events.tracing.trace import Source, trace

    zero, site, code = np.zeros(3, np.int64), np.zeros(3, np.int32), np.zeros(3, np.int8)
    log = ScanColumns(np.array([0, 9, 5]), np.array([1, 1, 2]), zero, zero, site, code, ("A",))
    trace(index_contacts(log), Source("item", 1))


def _compile_vault() -> None:
    """Keep two ids of a file, and check them."""
    import tempfile

    from changtong.events.ingest import ingest
    from changtong.events.log import create_log
    from changtong.events.mapping import default_mapping
    from changtong.events.vault.store import create_vault

    header, key = "item_id,code,site_id,at", bytes(range(32))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scans.csv"
        rows = [f"W{k},accept,A,2022-04-01T00:00:00Z" for k in range(2)]
        file.write_text("\n".join([header, *rows]), "utf-8")
        with create_vault(Path(folder) / "ids.vault", key) as vault:
            log = create_log(Path(folder) / "LOG", key=key)
            ingest([file], log, default_mapping(header.split(","), None), key=key, vault=vault)
            vault.check()


def _compile_rural() -> None:
    """Route four customers and two satellites."""
    from changtong.rural.two_echelon_search import load_kernels

    load_kernels()


def _compile_footprint() -> None:
    """Estimate the carbon of four sites."""
    import polars as pl

    from changtong.footprint.estimate import estimate_carbon

    network = _four_sites()
    estimate_carbon(network.with_tables(legs=network.legs.with_columns(distance_km=pl.lit(100.0))))


def _compile_duty() -> None:
    """Make the roster of a day: one duty, two people; without the extra `forecast` nobody makes any."""
    from datetime import date, time
    from importlib.util import find_spec
    from zoneinfo import ZoneInfo

    if find_spec("holidays") is None:
        return

    from changtong.duty.roster import make_roster
    from changtong.duty.staff import DutyFolder, Person, Post, Shift

    people = tuple(Person(name, name, "", frozenset({"officer"}), frozenset()) for name in "AB")
    shift = Shift("day", "白班", "Day", time(8), 12.0, "all", 12.0, True)
    post = Post("desk", "值班员", "Officer", "day", "officer", 1)
    folder = DutyFolder("one day", ZoneInfo("Asia/Shanghai"), people, (shift,), (post,))
    make_roster(folder, date(2026, 3, 2), date(2026, 3, 2), seconds=1.0)


PARTS: dict[str, Callable[[], None]] = {"flow": _compile_flow, "sort-plan": _compile_sort_plan}
OTHER_PARTS: dict[str, dict[str, Callable[[], None]]] = {
    "simulation": {"simulation": _compile_simulation},
    "stress test": {"stress-test": _compile_stress_test},
    "scan log": {"ingest": _compile_ingest, "traces": _compile_traces, "vault": _compile_vault},
    "made-up scans": {"made-up-scans": _compile_made_up_scans},
    "rural": {"rural": _compile_rural},
    "duty": {"duty": _compile_duty},
    "footprint": {"footprint": _compile_footprint},
}
ALL_PARTS = PARTS | {name: part for parts in OTHER_PARTS.values() for name, part in parts.items()}
BUILT_ON_OTHERS = ("footprint", "simulation", "stress-test", "traces", "vault")
"""Parts that are quick once others are compiled."""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ALL_PARTS[sys.argv[1]]()
    else:
        compile_kernels()
