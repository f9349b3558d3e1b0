"""Networks and folders the network tests share; each says what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from changtong.network.model import Network, build_network

TINY = Path(__file__).parents[1] / "examples" / "tiny"

# Letters of any script, digits, marks, and the characters CSV must quote; no lone control characters.
LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from(",;\"'\n\r\t|=")
TEXT = st.text(LETTERS, min_size=1, max_size=8).map(str.strip).filter(bool)
AMOUNT = st.floats(0, 1e4) | st.sampled_from([0.0, 5e-324, 0.1, 1 / 3, 1e4])
MAYBE_AMOUNT = st.none() | AMOUNT
DEGREES = {"lon": st.none() | st.floats(-180, 180), "lat": st.none() | st.floats(-90, 90)}
KINDS = st.sampled_from(["exchange", "transfer", "sorting", "county", "village", None])
TIMES = st.sampled_from([None, "00:00", "06:30", "24:00"])
FURTHER: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "own_text": (pl.String(), st.none() | TEXT),
    "own_count": (pl.Int64(), st.none() | st.integers(-(2**63), 2**63 - 1)),
    "own_number": (pl.Float64(), st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    "own_flag": (pl.Boolean(), st.none() | st.booleans()),
    "own_day": (pl.Date(), st.none() | st.dates()),
}


def tables_equal(one: Network, other: Network, tables: tuple[str, ...] | None = None) -> None:
    """Assert that names, schemas and every cell are the same."""
    assert one.name == other.name
    mine, theirs = one.tables(), other.tables()
    assert tables or mine.keys() == theirs.keys()
    for name in tables or tuple(mine):
        assert mine[name].schema == theirs[name].schema, name
        assert mine[name].equals(theirs[name], null_equal=True), name


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Any network the tables allow, with every stored type and columns of its own."""
    ids = draw(st.lists(TEXT, min_size=1, max_size=5, unique=True))
    count = len(ids)

    def column(values: st.SearchStrategy[Any], rows: int) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    def frame(columns: dict[str, list[Any]], types: dict[str, pl.DataType]) -> pl.DataFrame:
        return pl.DataFrame(columns, schema_overrides=types, strict=False)

    numbers = ("sort_pieces_per_h", "hold_pieces", "population", "handling_h")
    sites: dict[str, list[Any]] = {"site_id": ids, "name": column(st.none() | TEXT, count)}
    sites |= {"kind": column(KINDS, count), "opens": column(TIMES, count)}
    sites |= {name: column(values, count) for name, values in DEGREES.items()}
    sites |= {name: column(MAYBE_AMOUNT, count) for name in numbers}
    sites |= {"cold": column(st.none() | st.booleans(), count)}
    sites |= {name: column(values, count) for name, (_, values) in FURTHER.items()}
    types = {name: kind for name, (kind, _) in FURTHER.items()} | dict.fromkeys(numbers, pl.Float64())
    types |= {"lon": pl.Float64(), "lat": pl.Float64(), "cold": pl.Boolean(), "opens": pl.String()}
    types |= {"kind": pl.String(), "name": pl.String()}
    pairs = st.tuples(st.sampled_from(ids), st.sampled_from(ids))
    ways = (
        draw(st.lists(pairs.filter(lambda pair: pair[0] != pair[1]), unique=True, max_size=6))
        if count > 1
        else []
    )
    legs: dict[str, list[Any]] = {"from_site": [a for a, _ in ways], "to_site": [b for _, b in ways]}
    measures = ("distance_km", "travel_h", "capacity_pieces_per_day", "cost_cny_per_piece")
    legs |= {name: column(MAYBE_AMOUNT, len(ways)) for name in measures}
    wants = draw(
        st.lists(st.tuples(pairs, st.sampled_from([None, "first", "last"])), unique=True, max_size=6)
    )
    width = draw(st.sampled_from([32, 64]))
    demand = {
        "from_site": [pair[0] for pair, _ in wants],
        "to_site": [pair[1] for pair, _ in wants],
        "service_class": [name for _, name in wants],
        "pieces_per_day": column(st.floats(0, 2.0**39, width=32), len(wants)),
    }
    text, single = pl.String(), pl.Float32() if width == 32 else pl.Float64()
    tables = {
        "sites": frame(sites, types),
        "legs": frame(legs, dict.fromkeys(measures, pl.Float64()) | {"from_site": text, "to_site": text}),
        "demand": frame(
            demand, {"from_site": text, "to_site": text, "service_class": text, "pieces_per_day": single}
        ),
        "service_classes": pl.DataFrame(
            {"service_class": ["first", "last"], "rank": [1, 2], "share": [0.25, 0.75]}
        ),
    }
    if ways and draw(st.booleans()):
        tables["areas"] = pl.DataFrame({"site": [ways[0][0]], "stand_in": [ways[0][1]]})
    return build_network(tables, draw(TEXT))


def write_texts(folder: Path, texts: dict[str, str], encoding: str = "utf-8") -> Path:
    """Write files as a person would, without a data package."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode(encoding))
    return folder
