"""Networks and factors for tests of footprints."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from changtong.network.model import Network, build_network

HERE = Path(__file__).parent.parent
TINY = HERE / "examples" / "tiny"
END = ",own,measured,2026,\n"

TABLES = {
    "transport": "factor,mode,unit,ttw,wtt,low,high,empty_running,empty_km_share,empty_ratio,kind,source\n"
    "truck,road,kgco2e/tkm,0.08,0.02,0.09,0.12,excluded,0.2,0.7,own,measured\n"
    "train,rail,kgco2e/tkm,0.02,0.01,0.027,0.036,included,,,own,measured\n",
    "vehicles": "mode,most_vehicle_pieces,factor,kind,source\nroad,,truck,own,fleet\nrail,,train,own,fleet\n",
    "distance": "mode,basis,value,low,high,kind,source,year,what\n"
    f"road,shortest_feasible,1.05,1,1.1{END}rail,shortest_feasible,1,,{END}road,great_circle,1.3,,{END}",
    "hubs": "site_kind,unit,value,low,high,kind,source,year,what\n"
    f"county,kgco2e/t,2,1,3{END}transfer,kwh/t,10,8,12{END}transfer,kgco2e/t,0.5,,{END}",
    "energy": f"energy,unit,value,low,high,kind,source,year,what\nelectricity,kgco2e/kwh,0.5,0.4,0.6{END}",
    "weights": "service_class,unit,value,low,high,kind,source,year,what\n"
    f"all,kg/piece,2,,{END}heavy,kg/piece,5,,{END}",
}


def folder(tmp_path: Path, **changed: str) -> Path:
    where = tmp_path / "factors"
    where.mkdir(exist_ok=True)
    for name, text in (TABLES | changed).items():
        (where / f"{name}.csv").write_text(text, "utf-8")
    return where


def chain(classes: bool = False, **more: float) -> Network:
    """A county, a transfer centre, a county: 100 km by road, 200 km by rail; and 7 pieces that stay."""
    pieces = {"from_site": ["A", "A"], "to_site": ["B", "A"], "pieces_per_day": [1000.0, 7.0]} | more
    tables = {
        "sites": pl.DataFrame({"site_id": list("AHB"), "kind": ["county", "transfer", "county"]}),
        "legs": pl.DataFrame(
            {"from_site": ["A", "H"], "to_site": ["H", "B"], "mode": ["road", "rail"],
             "distance_km": [100.0, 200.0], "cost_cny_per_piece": [1.0, 2.0]}
        ),
        "demand": pl.DataFrame(pieces),
    }  # fmt: skip
    if classes:
        kinds = {"service_class": ["heavy", "light"], "rank": [1, 2], "share": [0.25, 0.75]}
        tables["service_classes"] = pl.DataFrame(kinds)
    return build_network(tables, "chain")
