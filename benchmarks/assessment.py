"""A national assessment: 31 provinces, 342 cities, 100,000 outlets, 60 indicators, a million findings.

``python benchmarks/assessment.py [--outlets N] [--facts N] [--runs N] [--json]``: made-up data with every kind of
scoring, caps, vetoes, pass-through over three levels and weighted sections, as Parquet; then the folder is read and
checked, scored, explained, asked what closing three gaps would bring, and saved with its page.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.assessment.assess import assess, what_if
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.gaps import gaps
from changtong.report import write_assessment_report

PROVINCES, CITIES, INDICATORS, RULES, SECTIONS = 31, 342, 60, 40, 6
HEAD = """[scorecard]
card_id = "national"
name_zh = "全国考核（合成）"
name_en = "National assessment (synthetic)"
version = "1"
year = 2025
least_points = 0

[provenance]
kind = "synthetic"
source = "made up by benchmarks/assessment.py"
"""


def card_text() -> str:
    """Return the card: six weighted sections, 60 indicators, 40 rules, three levels."""
    parts = [HEAD]
    for k in range(SECTIONS):
        parts.append(
            f'[[sections]]\nsection_id = "s{k}"\nname_zh = "部分{k}"\nweight = {10 + k}\nmax_deduction = 60'
        )
    for k in range(INDICATORS):
        how = "zero_at = 0.8\nfull_at = 1.0" if k % 3 else "steps = [[0.85, 2], [0.9, 5], [0.97, 10]]"
        kind = "linear" if k % 3 else "steps"
        parts.append(
            f'[[indicators]]\nindicator_id = "i{k}"\nsection_id = "s{k % SECTIONS}"\nname_zh = "指标{k}"\n'
            f'max_points = 10\nscoring = "{kind}"\n{how}'
        )
    for k in range(RULES):
        effect = "veto" if k == 39 else "bonus" if k % 5 == 4 else "deduct"
        how = (
            "score_at_most = 59" if effect == "veto" else f"points = {0.05 * (1 + k % 7):.2f}\nmax_points = 9"
        )
        parts.append(
            f'[[rules]]\nrule_id = "r{k}"\nsection_id = "s{k % SECTIONS}"\nname_zh = "规则{k}"\neffect = "{effect}"\n{how}'
        )
    for level in ("outlet", "city"):
        parts.append(f'[[pass_through]]\nlevel = "{level}"\ndeductions_permille = 0.5\nbonus_permille = 0.5')
    for k, start in enumerate((85, 70, 60, 0)):
        parts.append(f'[[bands]]\nband_id = "b{k}"\nname_zh = "等次{k}"\nfrom_points = {start}')
    return "\n\n".join(parts) + "\n"


def write_card(folder: Path, outlets: int, facts: int, seed: int = 0) -> dict[str, int]:
    """Write the folder; return how many rows it has."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    (folder / "scorecard.toml").write_text(card_text(), "utf-8")
    ids = [f"P{k:02d}" for k in range(PROVINCES)] + [f"C{k:03d}" for k in range(CITIES)]
    parents: list[str | None] = [None] * PROVINCES + [f"P{k % PROVINCES:02d}" for k in range(CITIES)]
    ids += [f"W{k:06d}" for k in range(outlets)]
    parents += [f"C{k:03d}" for k in random.integers(0, CITIES, outlets)]
    levels = ["province"] * PROVINCES + ["city"] * CITIES + ["outlet"] * outlets
    subjects = pl.DataFrame({"subject_id": ids, "name": ids, "level": levels, "parent_id": parents})
    subjects.write_parquet(folder / "subjects.parquet")
    who, total = pl.Series(ids), len(ids)
    value = np.round(np.clip(random.normal(0.94, 0.05, total * INDICATORS), 0, 1), 4)
    pl.DataFrame(
        {
            "subject_id": who.gather(np.repeat(np.arange(total), INDICATORS)),
            "indicator_id": pl.Series([f"i{k}" for k in range(INDICATORS)]).gather(
                np.tile(np.arange(INDICATORS), total)
            ),
            "value": value,
        }
    ).with_columns(evidence=pl.format("LOG-{}", pl.int_range(pl.len()))).write_parquet(
        folder / "values.parquet"
    )
    again = random.random(facts) < 0.05  # one in twenty hits a second rule
    number = np.cumsum(~again)
    at = np.maximum.accumulate(np.where(again, 0, np.arange(facts)))
    rule = random.integers(0, RULES - 1, facts)
    rule = np.where(again, (rule[at] // 5) * 5 + (rule + 1) % 4, np.where(rule % 5 == 4, 4, rule))
    rule[random.integers(0, facts, 200)] = RULES - 1
    days = pl.Series(np.datetime64("2025-01-01") + random.integers(0, 365, facts)).cast(pl.Date)
    made = pl.DataFrame(
        {
            "fact_id": number,
            "subject_id": who.gather(random.integers(0, total, facts)[at]),
            "rule_id": pl.Series([f"r{k}" for k in range(RULES)]).gather(rule),
            "date": days.dt.to_string("%Y-%m-%d"),
            "count": random.integers(1, 4, facts),
            "evidence": number,
        }
    ).with_columns(
        pl.format("F{}", "fact_id").alias("fact_id"), pl.format("DOC-{}", "evidence").alias("evidence")
    )
    good = pl.col("rule_id").str.slice(1).cast(pl.Int64)
    both = (good % 5 == 4).n_unique().over("fact_id", "subject_id") > 1
    made = made.filter(~both).unique(["fact_id", "subject_id", "rule_id"], keep="first", maintain_order=True)
    made.write_parquet(folder / "facts.parquet")
    return {"subjects": total, "values": len(value), "facts": made.height}


def timed(work: Callable[[], Any], times: list[tuple[float, float]]) -> Any:
    """Do some work; note the seconds by the clock and those of the processor, all threads together."""
    begin, used = time.perf_counter(), time.process_time()
    made = work()
    times.append((time.perf_counter() - begin, time.process_time() - used))
    return made


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--outlets", type=int, default=100_000)
    asked.add_argument("--facts", type=int, default=1_000_000)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--scores-only", action="store_true", help="no gaps, no what-if, nothing saved")
    asked.add_argument("--json", action="store_true")
    options = asked.parse_args()
    times: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("read", "assess", "explain", "gaps", "what_if", "save")
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "card"
        sizes = write_card(folder, options.outlets, options.facts)
        peak = 0.0
        for run in range(options.runs):
            card = timed(lambda: read_scorecard(folder), times["read"])
            result = timed(lambda card=card: assess(card), times["assess"])
            peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            timed(lambda result=result: [result.explain(f"C{k:03d}") for k in range(100)], times["explain"])
            if options.scores_only:
                continue
            found = timed(lambda result=result: gaps(result), times["gaps"])
            three = [f"fact:{one}" for one in card.facts["fact_id"].unique(maintain_order=True).head(3)]
            timed(lambda result=result, three=three: what_if(result, three), times["what_if"])
            del found
            timed(
                lambda result=result, run=run: result.save(
                    Path(place) / f"result{run}",
                    extra=lambda into: write_assessment_report(result, into / "report.html") and None,
                ),
                times["save"],
            )
    medians, used = (
        {name: round(statistics.median(pair[k] for pair in one), 2) for name, one in times.items() if one}
        for k in (0, 1)
    )
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {**sizes, "runs": options.runs, "median_s": medians, "median_processor_s": used}
    facts |= {"peak_mib_scored": round(peak), "peak_mib": round(whole)}
    print(json.dumps(facts) if options.json else "\n".join(f"{key}: {value}" for key, value in facts.items()))


if __name__ == "__main__":
    main()
