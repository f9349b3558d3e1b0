"""Derive the package data in changtong/network/china from the public source files.

Usage: ``python tools/make_china_tables.py CHINA_FOLDER FACTORS_FOLDER``. The folders hold
china-division's areas, cities and provinces, cpca's positions, the 2020 census by county
unit, and the DESNZ/DEFRA freight factors; see changtong/network/china/NOTICE.txt.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

TARGET = Path(__file__).parents[1] / "changtong" / "network" / "china"
DIRECT_CITIES = {"4190", "4290", "4690", "6590"}  # counties governed by the province itself
MUNICIPALITIES = {"1101": "北京市", "1201": "天津市", "3101": "上海市", "5001": "重庆市"}
SEAT_ENDINGS = ("自治县", "自治旗", "区", "县", "市", "旗")
# Units whose name changed so much that only the older code is in the positions: new -> old code.
RENAMED = {
    "130505": "130526", "140213": "140202", "140214": "140211", "140215": "140227", "140403": "140402",
    "140404": "140421", "230717": "230702", "230723": "230712", "230724": "230707", "320812": "320802",
    "360404": "360421", "360704": "360721", "361104": "361121", "370116": "371202", "411003": "411023",
    "430212": "430221", "510117": "510124", "511504": "511521", "540602": "542421", "610118": "610125",
}  # fmt: skip
FACTORS = (
    ("hgv_artic_over_33t", "HGV (all diesel)", "Articulated (>33t)", "Average laden"),
    ("hgv_rigid_7_17t", "HGV (all diesel)", "Rigid (>7.5 tonnes-17 tonnes)", "Average laden"),
    ("hgv_rigid_3_7t", "HGV (all diesel)", "Rigid (>3.5 - 7.5 tonnes)", "Average laden"),
    ("rail_freight_train", "Rail", "Freight train", ""),
    ("ship_general_cargo", "Cargo ship", "General cargo", "Average"),
    ("air_short_haul", "Freight flights", "Short-haul, to/from UK", "With RF"),
)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV with a header."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        return list(csv.DictReader(handle))


def write_rows(name: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a package table."""
    with (TARGET / name).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def stem(name: str) -> str:
    """Return a name without the word for its kind of unit."""
    for ending in SEAT_ENDINGS:
        if name.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def locate(code: str, name: str, places: dict[str, dict[str, str]]) -> tuple[str, str]:
    """Return the code whose position stands for a unit, and how it was found."""
    if code in places:
        return code, "same code"
    if RENAMED.get(code, "") in places:
        return RENAMED[code], "older code, renamed unit"
    wanted = {stem(name)} | (
        {stem(name)[:-1]} if stem(name).endswith("州") and len(stem(name)) > 1 else set()
    )
    found = [
        c for c, p in places.items() if c[:2] == code[:2] and c[4:] != "00" and stem(p["name"]) in wanted
    ]
    found = [c for c in found if c[:4] == code[:4]] or found
    return (found[0], "older code, same name") if len(found) == 1 else ("", "")


def make_counties(folder: Path, places: dict[str, dict[str, str]]) -> None:
    """Write counties.csv: one row per county unit of the census, located or not."""
    names = {row["code"]: row["name"] for row in read_rows(folder / "china-division_areas.csv")}
    rows = []
    for unit in sorted(read_rows(folder / "census2020_counties.csv"), key=lambda row: row["CODE"]):
        code = unit["CODE"]
        name = "嘉峪关市" if code == "620200" else names.get(code, unit["NAME"])
        seat, basis = locate(code, name, places)
        lon, lat = (places[seat]["longitude"], places[seat]["latitude"]) if seat else ("", "")
        urban = unit["POPU_URB"]
        rows.append((code, name, code[:4], lon, lat, basis or "no position", unit["POPU"], urban))
    write_rows(
        "counties.csv",
        ("admin_code", "name", "city_code", "lon", "lat", "position_basis", "population", "urban_share"),
        rows,
    )
    located = [row for row in rows if row[3]]
    print(f"{len(rows)} county units, {len(located)} located")


def make_cities(folder: Path, places: dict[str, dict[str, str]]) -> None:
    """Write cities.csv: prefecture-level cities with the position of their seat."""
    rows = []
    for city in read_rows(folder / "china-division_cities.csv"):
        code = city["code"]
        if code in DIRECT_CITIES or code == "5002":
            continue
        name = MUNICIPALITIES.get(code, city["name"])
        old = {"5406": "542400"}.get(code, code + "00")
        rows.append((code, name, places[old]["longitude"], places[old]["latitude"]))
    write_rows("cities.csv", ("city_code", "name", "lon", "lat"), rows)
    print(f"{len(rows)} cities")


def make_factors(folder: Path) -> None:
    """Write freight_factors.csv: kg CO2e per tonne-km, tank to wheel plus well to tank."""
    direct = read_rows(folder / "category_freighting_goods.csv")
    upstream = read_rows(folder / "category_wtt_delivery_vehs_and_freight.csv")

    def pick(table: list[dict[str, str]], prefix: str, group: str, level: str, text: str) -> dict[str, str]:
        wanted = [prefix + group, level, text, "tonne.km", "kg CO2e"]
        for row in table:
            laden = row["Level 4"] or row["Column Text"]
            seen = [row["Level 2"], row["Level 3"], laden, row["UOM"], row["GHG/Unit"]]
            if [word.lower() for word in seen] == [word.lower() for word in wanted]:
                return row
        raise LookupError(f"no factor for {wanted}")

    rows = []
    for name, group, level, text in FACTORS:
        ttw = pick(direct, "", group, level, text)["GHG Conversion Factor 2025"]
        wtt = pick(upstream, "WTT- ", group, level, text)["GHG Conversion Factor 2025"]
        rows.append((name, group, level, text, ttw, wtt))
    write_rows(
        "freight_factors.csv",
        ("factor", "group", "vehicle", "laden", "ttw_kgco2e_per_tkm", "wtt_kgco2e_per_tkm"),
        rows,
    )


def main() -> None:
    """Write every derived table."""
    china, factors = Path(sys.argv[1]), Path(sys.argv[2])
    positions = read_rows(china / "cpca_adcodes_latlng.csv")
    places = {row["adcode"][:6]: row for row in positions if row["longitude"] and row["latitude"]}
    make_counties(china, places)
    make_cities(china, places)
    make_factors(factors)


if __name__ == "__main__":
    main()
