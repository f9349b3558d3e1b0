"""Contact tracing: by hand, and against slow references on thousands of small logs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from contact_oracle import Scan, held, reference_backward, reference_spread, reference_stays
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_cases import columns_of, scan_lists, stay_sets, stays_as_set

from changtong.errors import NotFoundError, UsageError
from changtong.events.tracing import contacts
from changtong.events.tracing.contact_steps import BLOCK
from changtong.events.tracing.contacts import ContactIndex, index_contacts
from changtong.events.tracing.trace import Source, Trace, trace
from changtong.events.tracing.visits import KINDS, OPEN, Stays

DAY = (
    Scan(0, "receive", 1, site="A"),
    Scan(10, "pack", 1, receptacle=6, site="A"),
    Scan(5, "receive", 2, site="A"),
    Scan(20, "depart", 2, site="A"),
    Scan(12, "pack", 3, receptacle=6, site="B"),
    Scan(30, "load", 0, receptacle=6, vehicle=4, site="B"),
    Scan(35, "load", 8, vehicle=4),
    Scan(40, "unload", 0, receptacle=6, vehicle=4, site="C"),
    Scan(50, "deliver", 3, site="C"),
    Scan(60, "receive", 9, site="C"),
)
"""Items 1 and 2 share site A, 1 and 3 bag 6 (which links A and B), 8 the vehicle; 9 comes to C."""


def rows(made: Trace, *columns: str) -> list[tuple[object, ...]]:
    return made.items.sort("item").select(columns).rows()


def test_a_bag_and_a_vehicle_carry_exposure_onward() -> None:
    index = index_contacts(columns_of(list(DAY)))
    made = trace(index, Source("item", 2), steps=2)
    assert rows(made, "item", "step", "exposed_ms", "tied_to", "via") == [
        (1, 1, 5, 2, "site"), (2, 0, 5, None, None), (3, 2, 12, 1, "receptacle"), (8, 2, 35, 1, "vehicle"),
        (9, 2, 60, 1, "site"),
    ]  # fmt: skip
    assert made.items.filter(item=3)["overlap_s"].item() == pytest.approx(0.038)
    assert made.items.filter(item=3)["container"].item() == 6
    assert made.ties.height == 4
    assert trace(index, Source("item", 2), steps=1).items["item"].to_list() == [2, 1]
    assert trace(index, Source("item", 2), through=("vehicle",)).items["item"].to_list() == [2]


def test_what_left_before_the_exposure_is_not_found() -> None:
    index = index_contacts(columns_of(list(DAY)))
    made = trace(index, Source("site", "A", from_ms=21, to_ms=25))
    assert 2 not in made.items["item"].to_list()


def test_backward_finds_who_could_have_exposed_it() -> None:
    index = index_contacts(columns_of(list(DAY)))
    made = trace(index, Source("item", 3, to_ms=20), backward=True)
    assert rows(made, "item", "step", "exposed_ms") == [(1, 1, 20), (2, 2, 10), (3, 0, 20)]
    assert trace(index, Source("item", 3, to_ms=11), backward=True).items["item"].to_list() == [3]


def test_a_place_stays_exposed_as_long_as_asked() -> None:
    h = 3_600_000
    scans = [
        Scan(0, "receive", 1, site="A"),
        Scan(h, "depart", 1, site="A"),
        Scan(2 * h, "receive", 2, site="A"),
        Scan(3 * h, "depart", 2, site="A"),
    ]
    index = index_contacts(columns_of(scans))
    assert trace(index, Source("item", 1)).items.height == 1
    assert trace(index, Source("item", 1), linger_h=0.99).items.height == 1
    lasting = trace(index, Source("item", 1), linger_h=1.5)
    assert rows(lasting, "item", "exposed_ms", "overlap_s") == [(1, 0, None), (2, 2 * h, 1800.0)]
    assert trace(index, Source("item", 2), linger_h=1.5).items.height == 1
    assert trace(index, Source("item", 2), linger_h=1.5, backward=True).items.height == 2


def check(
    index: ContactIndex, stays: Stays, source: Source, seeds: dict[int, int], **options: object
) -> Trace:
    """Compare a forward trace with the reference: exposures, steps, every tie."""
    made = trace(index, source, **options)  # type: ignore[arg-type]
    exposed, step, ties = reference_spread(
        stays_as_set(stays),
        seeds,
        options.get("steps", 2),  # type: ignore[arg-type]
        end=stays.end_ms,
        linger=round(float(options.get("linger_h", 0.0)) * 3_600_000),  # type: ignore[arg-type]
        through=options.get("through", KINDS),  # type: ignore[arg-type]
    )
    assert rows(made, "item", "exposed_ms", "step") == sorted((x, exposed[x], step[x]) for x in exposed)
    found = {
        (r["item"], r["step"]): (
            r["exposed_ms"],
            -round(r["overlap_s"] * 1000),
            r["tied_to"],
            KINDS.index(r["via"]),
            r["site_id"] if r["via"] == "site" else r["container"],
        )
        for r in made.ties.to_dicts()
    }
    assert found == ties
    own = {(r["item"], r["step"]): r["tied_to"] for r in made.items.to_dicts() if r["step"]}
    assert own == {key: tie[2] for key, tie in ties.items() if step[key[0]] == key[1]}
    return made


OPTIONS = {
    "steps": st.integers(0, 4),
    "linger_ms": st.sampled_from([0, 0, 1, 3]),
    "through": st.sampled_from([KINDS, ("site",), ("receptacle", "vehicle"), ("vehicle", "site"), ()]),
}


@settings(max_examples=examples(150), deadline=None)
@given(stay_sets(), st.data(), OPTIONS["steps"], OPTIONS["linger_ms"], OPTIONS["through"])
def test_forward_equals_the_reference(
    stays: Stays, data: st.DataObject, steps: int, linger_ms: int, through: tuple[str, ...]
) -> None:
    forward(stays, data, steps, linger_ms, through)


@pytest.mark.slow
@settings(max_examples=examples(800), deadline=None)
@given(stay_sets(), st.data(), OPTIONS["steps"], OPTIONS["linger_ms"], OPTIONS["through"])
def test_forward_equals_the_reference_in_many_cases(
    stays: Stays, data: st.DataObject, steps: int, linger_ms: int, through: tuple[str, ...]
) -> None:
    forward(stays, data, steps, linger_ms, through)


def forward(stays: Stays, data: st.DataObject, steps: int, linger_ms: int, through: tuple[str, ...]) -> None:
    index = index_contacts(stays)
    options = {"steps": steps, "linger_h": linger_ms / 3_600_000, "through": through}
    x = data.draw(st.integers(0, len(stays.item_key) - 1))
    since = data.draw(st.integers(0, 14))
    item = int(stays.item_key[x])
    check(index, stays, Source("item", item, from_ms=since), {item: since}, **options)
    for kind, place, seeds, first, last in some_places(stays, data):
        check(index, stays, Source(kind, place, first, last), seeds, **options)


def some_places(stays: Stays, data: st.DataObject) -> list[tuple[str, str | int, dict[int, int], int, int]]:
    """Return a place that held something, a window, and what it held."""
    everything = stays_as_set(stays)
    kind, place = data.draw(st.sampled_from(sorted({stay[1:3] for stay in everything}, key=str)))  # type: ignore[misc]
    first = data.draw(st.integers(0, 14))
    last = data.draw(st.integers(first, 16))
    return [(kind, place, held(everything, kind, place, first, last, stays.end_ms), first, last)]


@settings(max_examples=examples(100), deadline=None)
@given(stay_sets(), st.data(), st.integers(0, 2), OPTIONS["linger_ms"], OPTIONS["through"])
def test_backward_equals_trying_every_instant_forward(
    stays: Stays, data: st.DataObject, steps: int, linger_ms: int, through: tuple[str, ...]
) -> None:
    back(stays, data, steps, linger_ms, through)


@pytest.mark.slow
@settings(max_examples=examples(600), deadline=None)
@given(stay_sets(), st.data(), st.integers(0, 2), OPTIONS["linger_ms"], OPTIONS["through"])
def test_backward_equals_trying_every_instant_forward_in_many_cases(
    stays: Stays, data: st.DataObject, steps: int, linger_ms: int, through: tuple[str, ...]
) -> None:
    back(stays, data, steps, linger_ms, through)


def back(stays: Stays, data: st.DataObject, steps: int, linger_ms: int, through: tuple[str, ...]) -> None:
    index = index_contacts(stays)
    everything = stays_as_set(stays)
    options = {"steps": steps, "linger_h": linger_ms / 3_600_000, "through": through, "backward": True}
    item = int(stays.item_key[data.draw(st.integers(0, len(stays.item_key) - 1))])
    by = data.draw(st.integers(0, 14))
    sources = [(Source("item", item, to_ms=by), ("item", item, by))]
    for kind, place, _, first, last in some_places(stays, data):
        sources.append((Source(kind, place, first, last), (kind, place, first, last)))
    for source, plain in sources:
        best = reference_backward(
            everything, plain, steps, end=stays.end_ms, linger=linger_ms, through=through
        )
        made = trace(index, source, **options)  # type: ignore[arg-type]
        found = {x: (at, step) for x, at, step in rows(made, "item", "exposed_ms", "step")}
        assert found == best


@settings(max_examples=examples(120), deadline=None)
@given(scan_lists(most=25, latest=12), st.data())
def test_from_scans_to_trace_equals_both_references(scans: list[Scan], data: st.DataObject) -> None:
    index = index_contacts(columns_of(scans))
    everything, last = reference_stays(scans)
    if not everything:
        return
    kind, place = data.draw(st.sampled_from(sorted({stay[1:3] for stay in everything}, key=str)))  # type: ignore[misc]
    end = max(scan.at for scan in scans)
    made = trace(index, Source(kind, place))  # type: ignore[arg-type]
    exposed, _, _ = reference_spread(everything, held(everything, kind, place, -1, end, end), 2, end=end)
    assert dict(rows(made, "item", "exposed_ms")) == exposed
    seen = {
        x: (site, at, state) for x, site, at, state in rows(made, "item", "last_site_id", "last_ms", "state")
    }
    assert seen == {x: last[x] for x in exposed}
    assert made.receiving["items"].sum() == made.items.height
    under_way = sum(last[x][2] == "under way" for x in exposed)
    assert made.receiving["not_delivered"].sum() == made.not_delivered.height == under_way
    windows = {}
    for item, k, p, f, t in everything:
        if item in exposed and (t is None or t >= exposed[item]):
            begin, until, count = windows.get((k, p), (end, 0, 0))
            until = None if t is None or until is None else max(until, t)
            windows[k, p] = (min(begin, max(f, exposed[item])), until, count + 1)
    frames = {"site": made.sites, "receptacle": made.receptacles, "vehicle": made.vehicles}
    assert windows == {(k, row[0]): row[1:] for k, frame in frames.items() for row in frame.iter_rows()}


def crowd(items: int, seed: int) -> Stays:
    """Return stays of many items at a few places: long staircases, many equal times."""
    rng = np.random.default_rng(seed)
    per = 4
    n = items * per
    begin = rng.integers(0, 400, n)
    end = begin + rng.integers(0, 60, n)
    end[rng.random(n) < 0.02] = OPEN
    kind = rng.integers(0, 3, n).astype(np.int8)
    return Stays(
        item_key=rng.permutation(items).astype(np.int64) - items // 2,
        first_stay=np.arange(0, n + 1, per),
        kind=kind,
        place=np.where(kind == 0, rng.integers(0, 2, n), rng.integers(50, 60, n)),
        from_ms=begin,
        to_ms=end,
        last_site=np.zeros(items, np.int32),
        last_ms=begin.reshape(-1, per).max(1),
        state=np.zeros(items, np.int8),
        site_ids=("A", "B"),
        end_ms=500,
    )


@pytest.mark.parametrize("seed", range(3))
def test_crowds_equal_the_reference_on_one_core_and_on_two(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays = crowd(150, seed)
    seeds = held(stays_as_set(stays), "site", "A", 40, 45, 500)
    source = Source("site", "A", 40, 45)
    one = check(index_contacts(stays), stays, source, seeds, steps=3)
    monkeypatch.setattr(contacts, "WORTH_TWO_CORES", 1)
    two = check(index_contacts(stays), stays, source, seeds, steps=3)
    assert one.items.equals(two.items)
    assert one.ties.equals(two.ties)
    back = trace(index_contacts(stays), source, backward=True, steps=1)
    tried = reference_backward(
        stays_as_set(crowd(12, seed)), ("site", "A", 40, 45), 1, end=500, linger=0, through=KINDS
    )
    few = trace(index_contacts(crowd(12, seed)), source, backward=True, steps=1)
    assert {x: (at, step) for x, at, step in rows(few, "item", "exposed_ms", "step")} == tried
    assert back.items.height >= one.items.filter(step=0).height


def halls(items: int, seed: int) -> Stays:
    """Return stays at one very large site and at small ones: more than the kernel sifts at a time."""
    rng = np.random.default_rng(seed)
    n = 2 * items
    begin = rng.integers(0, 3000, n)
    end = begin + rng.integers(0, 8, n) ** 2
    end[rng.random(n) < 0.003] = OPEN
    return Stays(
        item_key=rng.permutation(items).astype(np.int64) - items // 2,
        first_stay=np.arange(0, n + 1, 2),
        kind=np.zeros(n, np.int8),
        place=np.where(rng.random(n) < 0.6, 0, rng.integers(1, 40, n)),
        from_ms=begin,
        to_ms=end,
        last_site=np.zeros(items, np.int32),
        last_ms=begin.reshape(-1, 2).max(1),
        state=np.zeros(items, np.int8),
        site_ids=tuple(f"S{k:02d}" for k in range(40)),
        end_ms=3100,
    )


def tried_steps(stays: Stays, backward: bool, window: tuple[int, int], steps: int) -> list[dict[int, tuple]]:
    """Return what each step finds, item by item, when every stay is held against every span."""
    key, place = np.repeat(stays.item_key, 2), stays.place
    begin, end = stays.from_ms, np.minimum(stays.to_ms, stays.end_ms)
    low, high = window
    if backward:
        begin, end, low, high = -end, -begin, -high, -low
    exposed: dict[int, int] = {}
    for k in np.flatnonzero((place == 0) & (begin <= high) & (end >= low)):
        at = max(int(begin[k]), low)
        exposed[int(key[k])] = min(at, exposed.get(int(key[k]), at))
    layers = [{x: (at,) for x, at in exposed.items()}]
    for _ in range(steps):
        since = np.array([exposed.get(int(x), 10**9) if int(x) in layers[-1] else 10**9 for x in key])
        first = np.maximum(begin, since)
        spans = np.flatnonzero(first <= end)
        found: dict[int, tuple] = {}
        for k in range(len(key)):
            own = spans[place[spans] == place[k]]
            at = np.maximum(first[own], begin[k])
            until = np.minimum(end[own], end[k])
            meets = at <= until
            if not meets.any():
                continue
            x = int(key[k])
            ways = zip(at[meets], at[meets] - until[meets], key[own][meets], strict=True)
            best = (*map(int, min(ways)), int(place[k]))
            if best[0] < exposed.get(x, 10**9):
                found[x] = min(best, found.get(x, best))
        exposed |= {x: tie[0] for x, tie in found.items()}
        layers.append(found)
    return layers


@pytest.mark.parametrize("backward", [False, True])
def test_a_very_large_place_equals_the_reference(backward: bool) -> None:
    stays = halls(2600, 5)
    index = index_contacts(stays)
    assert np.diff(index.table.ptr)[0] > BLOCK
    layers = tried_steps(stays, backward, (1500, 1502), 2)
    made = trace(index, Source("site", "S00", 1500, 1502), backward=backward)
    for number, layer in enumerate(layers[1:], 1):
        ties = made.ties.filter(step=number)
        assert len(layer) > 30
        assert {
            r["item"]: (
                -r["exposed_ms"] if backward else r["exposed_ms"],
                -round(r["overlap_s"] * 1000),
                r["tied_to"],
                index.site_ids.index(r["site_id"]),
            )
            for r in ties.to_dicts()
        } == layer


def test_a_trace_is_the_same_after_others_have_used_the_memory() -> None:
    index = index_contacts(halls(800, 6))
    source = Source("site", "S00", 1500, 1510)
    fresh = trace(index, source)
    trace(index, Source("site", "S03"), backward=True, steps=3)
    again = trace(index, source, threads=1)
    for name in ("items", "ties", "receiving", "sites", "receptacles", "vehicles"):
        assert getattr(fresh, name).equals(getattr(again, name))
    assert fresh.summary() | {"runtime_s": 0} == again.summary() | {"runtime_s": 0}


@pytest.mark.parametrize("backward", [False, True])
def test_the_summary_counts_what_the_tables_hold(backward: bool) -> None:
    mixed = (np.arange(150) % 3).astype(np.int8)
    stays = replace(crowd(150, 4), last_site=mixed.astype(np.int32) - 1, state=mixed[::-1].copy())
    window = (440, 450) if backward else (40, 45)
    made = trace(index_contacts(stays), Source("site", "A", *window), backward=backward)
    told = made.summary()
    assert told["items"] == made.items.height > 50
    steps = sorted(made.items["step"].unique().to_list())
    assert told["items_by_step"] == {str(step): made.items.filter(step=step).height for step in steps}
    assert 0 < told["not_delivered"] == made.not_delivered.height < made.items.height
    tables = (made.sites, made.receptacles, made.vehicles)
    assert [told[name] for name in ("sites", "receptacles", "vehicles")] == [t.height for t in tables]
    for row in made.receiving.to_dicts():
        there = made.items.filter(pl.col("last_site_id").cast(pl.String).eq_missing(row["site_id"]))
        assert row["items"] == there.height > 0
        assert row["not_delivered"] == there.filter(state="under way").height
        assert row["first_exposed_ms"] == there["exposed_ms"].min()
        assert row["last_seen_ms"] == there["last_ms"].max()
    assert made.receiving.height == 3


def test_what_cannot_be_meant_is_refused() -> None:
    index = index_contacts(columns_of(list(DAY)))
    for source, options, code in [
        (Source("country", "A"), {}, "bad-source"),
        (Source("item", "abc"), {}, "bad-source"),
        (Source("site", "A", 5, 4), {}, "bad-window"),
        (Source("item", 1, to_ms=4), {}, "bad-window"),
        (Source("item", 1, from_ms=4), {"backward": True}, "bad-window"),
        (Source("item", 1), {"steps": -1}, "bad-steps"),
        (Source("item", 1), {"linger_h": -1.0}, "bad-linger"),
        (Source("item", 1), {"linger_h": float("nan")}, "bad-linger"),
        (Source("item", 1), {"through": ("door",)}, "unknown-kind"),
    ]:
        with pytest.raises(UsageError) as caught:
            trace(index, source, **options)  # type: ignore[arg-type]
        assert caught.value.code == code
    for source in (Source("site", "Z"), Source("item", 77), Source("receptacle", 77), Source("vehicle", -1)):
        with pytest.raises(NotFoundError):
            trace(index, source)


def test_an_empty_log_has_an_index_and_nothing_to_trace() -> None:
    index = index_contacts(columns_of([]))
    assert (index.items, index.stays) == (0, 0)
    made = trace(index, Source("site", "A"))
    assert made.items.height == made.ties.height == made.sites.height == 0
    assert "items 0 (none)" in str(made)


def test_the_result_is_told_saved_and_lists_who_must_look(tmp_path: Path) -> None:
    index = index_contacts(columns_of(list(DAY)), zone="Asia/Shanghai")
    made = trace(index, Source("site", "A", 0, 100))
    told = str(made)
    assert "site A, 1970-01-01 08:00 to 1970-01-01 08:00" in told
    assert told.count("\n") < 20
    facts = json.loads(made.to_json())
    assert facts["items"] == 5 == sum(facts["items_by_step"].values())
    assert made.received_by("C")["item"].sort().to_list() == [1, 3, 9]
    assert made.receiving.rows()[0][:3] == ("C", 3, 2)
    folder = made.save(tmp_path / "trace")
    names = {path.name for path in folder.iterdir()}
    assert names == {"trace.json"} | {
        f"{n}.csv" for n in ("items", "ties", "receiving", "sites", "receptacles", "vehicles")
    }
    made.save(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="trace folder"):
        made.save(tmp_path / "other")
