"""The command line. Heavy modules load inside the commands, so that --help is quick."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.errors import ChangtongError, InputError, InternalError, Problem, UsageError

if TYPE_CHECKING:
    from changtong.network.model import Network
    from changtong.outages import Outage
    from changtong.planning.result import Plan

app = typer.Typer(
    name="changtong",
    help="Changtong 畅通: keeps postal and express networks moving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Language(StrEnum):
    """Language of pages."""

    zh = "zh"
    en = "en"


Folder = Annotated[Path, typer.Argument(metavar="NET/", help="A network folder.")]
Out = Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, nothing else, on standard output.")
]
Gap = Annotated[
    float, typer.Option("--gap", min=0.0, max=1.0, help="Proved gap at which to stop (0.001 = 0.1 %).")
]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Time limit for the flow.")]
PageLanguage = Annotated[Language, typer.Option("--language", help="Language pages open in.")]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "changtong"


def _kernels() -> None:
    """Say so when the kernels are about to be compiled; cache them where we may write."""
    package = Path(__file__).parent
    if not os.access(package, os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache() / "kernels"))
    place = Path(os.environ.get("NUMBA_CACHE_DIR", package / "planning" / "__pycache__"))
    if not any(place.rglob("descent.sweep_paths*.nbc")):
        _say("Compiling the planner's kernels: once, half a minute; they are cached for later runs.")
        _compile()


def _compile() -> None:
    """Plan a network of four sites, so that no time limit is spent on compiling."""
    import polars as pl

    from changtong.network.model import build_network
    from changtong.planning.plan import plan
    from changtong.planning.result import PlanSettings

    pairs = [("A", "X"), ("A", "Y"), ("B", "X"), ("B", "Y"), ("X", "Y")]
    tails, heads = zip(*(pairs + [(b, a) for a, b in pairs]), strict=True)
    legs = {"from_site": tails, "to_site": heads, "cost_cny_per_piece": [1.0, 1.1] * 5}
    network = build_network(
        {
            "sites": pl.DataFrame({"site_id": list("ABXY"), "transit": [False, False, True, True]}),
            "legs": pl.DataFrame(legs).with_columns(capacity_pieces_per_day=pl.lit(5.0)),
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
    plan(network.with_tables(demand=demand), (), settings=PlanSettings(method="large"))


class _Bar:
    """A progress line on standard error: round, bound, gap, seconds, time left of the limit."""

    def __init__(self, limit_s: float, goal: float) -> None:
        self.limit_s, self.goal, self.shown = limit_s, goal, -1.0
        self.live = sys.stderr.isatty()

    def __call__(self, done: int, lower: float, upper: float, seconds: float) -> None:
        if not self.live or seconds - self.shown < 0.2:
            return
        self.shown = seconds
        gap = max(0.0, upper - lower) / max(abs(upper), 1e-12)
        left = max(0.0, self.limit_s - seconds)
        text = f"\rround {done:>4}  gap {gap:>8.3%} of {self.goal:.3%}  {seconds:5.1f} s, {left:3.0f} s left "
        print(text, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.live and self.shown >= 0.0:
            print(file=sys.stderr)


@app.command()
def demo(
    output: Out = Path("changtong-demo"),
    close: Annotated[
        str | None, typer.Option("--close", metavar="SITE", help="Close this site instead.")
    ] = None,
    language: PageLanguage = Language.zh,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the report.")] = False,
    seconds: Seconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Run the main job: the national network, its busiest hub closed, the plan and its report."""
    _kernels()
    from changtong.network.reference import busiest_hub, reference_network
    from changtong.outages import close_sites

    _say("Building the national network (about 8 million pairs) …")
    network = reference_network()
    site = close or busiest_hub(network)
    outages = close_sites(network, [site])
    _say(f"Planning with {site} closed …")
    result = _run(network, outages, output, language=language, gap=1e-3, seconds=seconds)
    _finish(result, output, as_json=as_json)
    report = (output / "report.html").resolve()
    if not no_open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name == "nt"):
        import webbrowser

        webbrowser.open(report.as_uri())


@app.command()
def reference(
    output: Out,
    level: Annotated[
        str, typer.Option("--level", help="county (3,200 sites) or city (400 sites).")
    ] = "county",
    year: Annotated[int, typer.Option("--year", help="Published volume of this year.")] = 2022,
    as_json: AsJson = False,
) -> None:
    """Write the built-in network of China to a folder."""
    from changtong.network.io import write_network
    from changtong.network.reference import reference_network

    network = reference_network(level=level, year=year)
    write_network(network, output, format="parquet" if level == "county" else "csv")
    facts = _size(network) | {"folder": str(output)}
    _print(
        facts, f"{network.name}: {facts['sites']:,} sites, {facts['legs']:,} legs → {output}", as_json=as_json
    )


@app.command()
def learn(
    volumes: Annotated[Path, typer.Argument(metavar="VOLUMES", help="date, from_site, to_site, pieces.")],
    output: Out,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Days before this one.")
    ] = None,
    capacity: Annotated[str, typer.Option("--capacity", help="max, or a quantile such as 0.95.")] = "max",
    as_json: AsJson = False,
) -> None:
    """Learn a network from leg-day volumes; says what such data cannot tell."""
    from changtong.network.io import write_network
    from changtong.network.learn import LIMITS, learn_network

    try:
        most: float | str = capacity if capacity == "max" else float(capacity)
    except ValueError:
        raise UsageError(f"--capacity {capacity!r} is neither max nor a quantile.") from None
    network = learn_network(volumes, until=until, capacity=most, name=volumes.name)
    write_network(network, output)
    facts = _size(network) | {"folder": str(output), "cannot_tell": [note for _, _, note in LIMITS]}
    lines = "".join(f"\n  not in the data: {note}" for _, _, note in LIMITS)
    text = f"{network.name}: {facts['sites']:,} sites, {facts['legs']:,} legs → {output}{lines}"
    _print(facts, text, as_json=as_json)


@app.command()
def check(net: Folder, as_json: AsJson = False) -> None:
    """Check a network folder; every problem in one report."""
    from changtong.network.checks import check_network

    report = check_network(net)
    print(report.to_json() if as_json else str(report))
    if report.errors:
        raise typer.Exit(1)


@app.command()
def plan(
    net: Folder,
    output: Out,
    close: Annotated[
        list[str] | None, typer.Option("--close", metavar="SITE", help="A site that is shut.")
    ] = None,
    outages: Annotated[
        Path | None, typer.Option("--outages", metavar="FILE", help="TOML or CSV of outages.")
    ] = None,
    capacity_share: Annotated[
        float, typer.Option("--capacity-share", help="What --close leaves, 0 to 1.")
    ] = 0.0,
    objectives: Annotated[
        str, typer.Option("--objectives", help="Order of the objectives.")
    ] = "unserved,late,cost,carbon,changed_legs,max_load",
    stability: Annotated[
        float,
        typer.Option("--stability", min=0.0, help="CNY a piece for leaving today's sort plan: 0 least cost."),
    ] = 0.05,
    gap: Gap = 1e-3,
    seconds: Seconds = 30.0,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Plan how pieces move while sites, legs or areas are shut or slowed."""
    _kernels()
    from changtong.network.io import read_network
    from changtong.outages import close_sites, read_outages

    network = read_network(net)
    wrong: tuple[Outage, ...] = (
        close_sites(network, close or (), capacity_share=capacity_share) if close else ()
    )
    if outages is not None:
        wrong += read_outages(outages, network)
    if not wrong:
        raise InputError(
            [Problem("no-outage", "Nothing is shut.", expected="--close SITE or --outages FILE")]
        )
    order = tuple(part.strip() for part in objectives.split(",") if part.strip())
    result = _run(
        network,
        wrong,
        output,
        language=language,
        gap=gap,
        seconds=seconds,
        objectives=order,
        stability=stability,
    )
    _finish(result, output, as_json=as_json)


def _run(
    network: Network,
    outages: tuple[Outage, ...],
    output: Path,
    *,
    language: Language,
    gap: float,
    seconds: float,
    objectives: tuple[str, ...] | None = None,
    stability: float = 0.05,
) -> Plan:
    from changtong.planning.result import PlanSettings
    from changtong.studies import run_study

    bar = _Bar(seconds, gap)
    options: dict[str, Any] = {} if objectives is None else {"objectives": objectives}
    settings = PlanSettings(gap_share=gap, seconds=seconds, stability_cny=stability)
    try:
        study = run_study(
            "plan",
            network,
            outages,
            folder=output,
            language="en" if language is Language.en else "zh",
            settings=settings,
            progress=bar,
            **options,
        )
    finally:
        bar.close()
    return study.result


def _finish(result: Plan, output: Path, *, as_json: bool) -> None:
    _print(
        result.summary() | {"folder": str(output)}, f"{result}\n  → {output / 'report.html'}", as_json=as_json
    )


def _size(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "sites": network.sites.height,
        "legs": network.legs.height,
        "demand_rows": network.demand.height,
        "pieces_per_day": float(network.demand["pieces_per_day"].sum()),
    }


def _print(facts: dict[str, Any], text: str, *, as_json: bool) -> None:
    print(json.dumps(facts, ensure_ascii=False, allow_nan=False) if as_json else text)


def _explain(error: ChangtongError, *, as_json: bool) -> None:
    if as_json:
        problems = [p.to_dict() for p in error.problems] if isinstance(error, InputError) else []
        print(
            json.dumps({"error": error.code, "message": str(error), "problems": problems}, ensure_ascii=False)
        )
        return
    _say(f"error [{error.code}]: {error}")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0 done, 1 no good answer, 2 wrong use or input, 3 ours."""
    arguments = sys.argv[1:] if argv is None else argv
    as_json = "--json" in arguments
    run: Callable[..., Any] = typer.main.get_command(app).main
    try:
        code = run(args=arguments, prog_name="changtong", standalone_mode=False)
    except InternalError as error:
        _explain(error, as_json=as_json)
        return 3
    except ChangtongError as error:
        _explain(error, as_json=as_json)
        return 2
    except KeyboardInterrupt:
        _say("stopped.")
        return 130
    except Exception as error:
        if hasattr(error, "exit_code"):
            if hasattr(error, "show"):
                error.show()
            return int(error.exit_code)
        raise
    return code if isinstance(code, int) else 0
