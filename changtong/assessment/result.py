"""The assessment as a result: scores with everything behind them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.assessment.closing import Gap
from changtong.assessment.counted_card import CountedCard
from changtong.assessment.counted_facts import DEDUCT, SMALLER, WHY
from changtong.assessment.exact import say_points, to_points
from changtong.assessment.explain import Line, explain_row
from changtong.assessment.gaps import gaps, rectifications
from changtong.assessment.marking import disagreements
from changtong.assessment.scoring import section_percent
from changtong.network.io import write_whole_folder
from changtong.written_files import sync

MAIN_FILE = "assessment.json"
SHOWN_GROUPS, SHOWN_ROWS = 4, 5
CSV_ROWS = 1_000_000
"""Tables with more rows are saved as Parquet only."""

OWN_FILES = {
    MAIN_FILE,
    *(
        f"{name}.{ending}"
        for name in (
            "scores",
            "sections",
            "points",
            "facts",
            "passed",
            "gaps",
            "rectifications",
            "computed",
            "computed_from",
        )
        for ending in ("csv", "parquet")
    ),
    *("disagreements.csv", "practices.csv", "what_if.csv", "sensitivity.csv", "swaps.csv", "report.html"),
    *("study.json", "notices"),
}
ASSESSMENT_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / MAIN_FILE).is_file(),
    "what": f"assessment (it has no {MAIN_FILE})",
    "code": "not-an-assessment",
}
"""What `check_replaceable` and `write_whole_folder` need to know of these folders."""


@dataclass(frozen=True)
class Assessment(CountedCard):
    """Everybody's score, and what each is made of.

    Attributes
    ----------
    card : Scorecard
        What was scored; findings taken as closed are left out.
    numbers : CardNumbers
    points : IndicatorPoints
    hits : CountedFacts
    parts : Parts
    scores : polars.DataFrame
        ``subject_id``, ``name``, ``level``, ``peer_group``, ``parent_id``, ``score``, ``rank`` (equal scores
        share the better rank), ``peers``, ``tied``, ``band``, ``vetoed``, ``earned``, ``deducted``, ``bonus``
        (what was taken over included, after all caps), ``taken_deduction``, ``taken_bonus``, ``gap_to_best``,
        ``last_score``, ``last_rank``, ``change``, ``stage``, ``entry`` (row of the subject); best first.
    closed : tuple of Gap
        Gaps taken as closed.
    on : date
        Day at which rectifications are looked at.

    Examples
    --------
    >>> from changtong import assess
    >>> assess("examples/assessment/firm-credit").score_of("firm-a")  # doctest: +SKIP
    76.93
    """

    scores: pl.DataFrame
    closed: tuple[Gap, ...]
    on: date

    # --- single subjects -------------------------------------------------------------------------

    def score_of(self, subject_id: str) -> float:
        """Return the score of a subject."""
        return float(to_points(self.parts.score[self.row_of(subject_id)]))

    def explain(self, subject_id: str) -> tuple[Line, ...]:
        """Return a line for each number of a score, with its evidence; they add up to it.

        Parameters
        ----------
        subject_id : str

        Raises
        ------
        NotFoundError
            No such subject.
        """
        return explain_row(self, self.row_of(subject_id))

    # --- tables ---------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether every department with weight has handed in."""
        return not self.card.waiting_for

    @cached_property
    def disagreements(self) -> pl.DataFrame:
        """Marks that lie further apart than the card allows."""
        return disagreements(self.card)

    def gaps(self, *subject_ids: str) -> pl.DataFrame:
        """Return the gaps of subjects, with what closing each alone would bring; of all if none is named."""
        rows = np.array([self.row_of(one) for one in subject_ids], np.int64) if subject_ids else None
        return gaps(self, rows)

    def rectifications(self, *, subjects: Sequence[str] = (), **options: Any) -> pl.DataFrame:
        """Return rectifications, see :func:`changtong.assessment.gaps.rectifications`.

        Parameters
        ----------
        subjects : sequence of str
            Only of these; of all where none is named.
        **options
            ``days``, ``least_gain``, ``most``.
        """
        rows = np.array([self.row_of(one) for one in subjects], np.int64) if subjects else None
        return rectifications(self, on=self.on, subjects=rows, **options)

    def section_table(self) -> pl.DataFrame:
        """Return one row a subject and section: points, deductions, bonus, per cent of full points."""
        parts, sections = self.parts, self.card.sections
        subjects = self.card.subjects.height
        start = np.broadcast_to(self.numbers.start, parts.earned.shape)
        percent = section_percent(start, parts.earned, parts.deducted, parts.bonus, parts.full)
        frame = pl.DataFrame(
            {
                "subject_id": np.repeat(np.arange(subjects), sections.height),
                "section_id": np.tile(np.arange(sections.height), subjects),
                "earned": to_points(parts.earned.ravel()),
                "deducted": to_points(parts.deducted.ravel()),
                "bonus": to_points(parts.bonus.ravel()),
                "full_points": to_points(parts.full.ravel()),
                "percent": to_points(percent.ravel()),
            }
        )
        return frame.with_columns(
            subject_id=self.card.subjects["subject_id"].cast(pl.String).gather(frame["subject_id"]),
            section_id=sections["section_id"].cast(pl.String).gather(frame["section_id"]),
            percent=pl.when(pl.col("full_points") > 0).then("percent"),
        )

    def fact_table(self) -> pl.DataFrame:
        """Return the findings with what each hit came to and why."""
        hits = self.hits
        effect = np.array([-1, 1, 0])[hits.effect] * (hits.why == 0)
        return self.card.facts.with_columns(
            pl.col("subject_id", "rule_id").cast(pl.String),
            counted_points=pl.Series(to_points(hits.points * effect)),
            why=pl.Series([WHY[code] for code in range(len(WHY))]).gather(hits.why.astype(np.int64)),
        )

    def point_table(self) -> pl.DataFrame:
        """Return the points of every indicator for every subject it is for, with value and evidence."""
        got, card = self.points, self.card
        frames = []
        names = card.subjects["subject_id"].cast(pl.String)
        for column, ref in enumerate(card.indicators["indicator_id"].cast(pl.String)):
            who = np.flatnonzero(got.applies[:, column] & ~got.waiting[column])
            at = got.rows[who, column]
            frame = pl.DataFrame(
                {
                    "subject_id": names.gather(who),
                    "points": to_points(got.points[who, column]),
                    "row": np.where(at >= 0, at, 0),
                    "given": at >= 0,
                }
            )
            frames.append(frame.with_columns(indicator_id=pl.lit(ref)))
        if not frames:
            return pl.DataFrame(
                schema={"subject_id": pl.String(), "indicator_id": pl.String(), "points": pl.Float64()}
            )
        whole = pl.concat(frames)
        known = card.values.select("value", "stage", "evidence", "source")
        if known.height:
            found = known[whole["row"].to_numpy()]
            given = whole["given"]
            whole = whole.with_columns(
                [
                    pl.select(pl.when(given).then(found[name])).to_series().alias(name)
                    for name in found.columns
                ]
            )
        return whole.select(
            "subject_id", "indicator_id", "points", *(name for name in known.columns if known.height)
        )

    def passed_table(self) -> pl.DataFrame:
        """Return what each subject passed on to the one above."""
        rows = np.flatnonzero(self.parts.passed.any(axis=1))
        frame = self.card.subjects.select(pl.col("subject_id", "parent_id").cast(pl.String))[rows.tolist()]
        return frame.with_columns(
            deductions=pl.Series(to_points(self.parts.passed[rows, 0])),
            bonus=pl.Series(to_points(self.parts.passed[rows, 1])),
        )

    def practice_table(self) -> pl.DataFrame:
        """Return good practice: what was written down, best scores first."""
        card = self.card
        told = card.practices.with_columns(pl.col("subject_id", "section_id").cast(pl.String))
        names = self.scores.select("subject_id", "name", "level", "score", "rank")
        joined = told.join(names, on="subject_id", how="left", maintain_order="left")
        return joined.sort("score", "practice_id", descending=[True, False])

    # --- words ----------------------------------------------------------------------------------

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: codes with their number, as ``missing-values 3``."""
        found = []
        if not self.complete:
            found.append(f"waiting-for {', '.join(self.card.waiting_for)}")
        missing = int(self.points.missing.sum())
        if missing:
            found.append(f"missing-values {missing}")
        appealed = int((self.card.facts["state"] == "appealed").sum())
        if appealed:
            found.append(f"appealed-findings {appealed}")
        swallowed = self._swallowed()
        if swallowed:
            found.append(f"larger-in-full-cap {swallowed}")
        if self.closed:
            found.append(f"closed-gaps {len(self.closed)}")
        return tuple(found)

    def _swallowed(self) -> int:
        """Count findings whose larger deduction falls where a cap is full and the smaller one would not."""
        rows = np.flatnonzero(self.hits.why == SMALLER)
        if not len(rows):
            return 0
        parts, section_of = self.parts, self.numbers.rule_section
        small = pl.DataFrame({"fact": self.card.facts["fact_id"].gather(rows), "who": self.hits.who[rows]})
        kept = self.hits.counting(DEDUCT)
        large = pl.DataFrame(
            {
                "fact": self.card.facts["fact_id"].gather(kept),
                "who": self.hits.who[kept],
                "section": section_of[self.hits.rule[kept]],
            }
        )
        both = large.join(small.unique(), on=["fact", "who"])
        who, section = both["who"].to_numpy(), both["section"].to_numpy()
        return int((parts.raw[0][who, section] > parts.deducted[who, section]).sum())

    def summary(self) -> dict[str, Any]:
        """Return the result as plain values: the card, each group with its ranking, what to know."""
        head = self.card.head
        groups = []
        for (level, group), frame in self.scores.group_by("level", "peer_group", maintain_order=True):
            bands = frame["band"].drop_nulls().value_counts(sort=True)
            groups.append(
                {
                    "level": level,
                    "peer_group": group or None,
                    "subjects": frame.height,
                    "mean_score": round(float(frame["score"].mean()), 6),  # type: ignore[arg-type]
                    "best_score": frame["score"][0],
                    "worst_score": frame["score"][-1],
                    "bands": dict(bands.iter_rows()),
                    "ranking": frame.head(50).drop("entry", "level", "peer_group").to_dicts(),
                }
            )
        return {
            "card": head.card_id,
            "name_zh": head.name_zh,
            "name_en": head.name_en,
            "version": head.version,
            "year": head.year,
            "provenance": head.provenance,
            "source": head.source,
            "complete": self.complete,
            "waiting_for": list(self.card.waiting_for),
            "subjects": self.scores.height,
            "facts": self.card.facts["fact_id"].n_unique(),
            "closed": [str(gap) for gap in self.closed],
            "notes": list(self.notes),
            "disagreements": self.disagreements.to_dicts()[:50],
            "groups": groups,
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        head = self.card.head
        state = (
            "complete" if self.complete else f"provisional, waiting for {', '.join(self.card.waiting_for)}"
        )
        lines = [
            f"{head.name_zh} ({head.name_en}), {head.year}, version {head.version}: {state}",
            f"  {head.provenance}: {head.source}",
        ]
        groups = list(self.scores.group_by("level", "peer_group", maintain_order=True))
        for (level, group), frame in groups[:SHOWN_GROUPS]:
            lines.append(f"{level}{f', {group}' if group else ''}: {frame.height:,}")
            shown = (
                frame
                if frame.height <= 2 * SHOWN_ROWS
                else pl.concat([frame.head(SHOWN_ROWS), frame.tail(2)])
            )
            lines += [self._line(row) for row in shown.iter_rows(named=True)]
        if len(groups) > SHOWN_GROUPS:
            lines.append(f"… and {len(groups) - SHOWN_GROUPS} more groups")
        if self.disagreements.height:
            lines.append(f"departments disagree on {self.disagreements.height}")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _line(self, row: dict[str, Any]) -> str:
        score = say_points(int(self.parts.score[row["entry"]]), self.card.head.decimals)
        rank = f"{row['rank']}{'=' if row['tied'] else ''}"
        change = "" if row["change"] is None else f"  {row['change']:+g} on last year"
        band = f"  {row['band']}" if row["band"] else ""
        veto = "  vetoed" if row["vetoed"] else ""
        return f"  {rank:>6}  {score:>9}  {row['subject_id']} {row['name']}{band}{veto}{change}"

    # --- files ----------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str], *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write the result to a folder, whole or not at all.

        Parameters
        ----------
        folder : path
            To make, or to replace where it holds an assessment; files of others in it are kept.
        extra : callable, optional
            Writes more into the folder (a report) before it takes its place.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UsageError
            ``not-an-assessment``: the folder holds something else. ``cannot-write``.
        """

        def write(into: Path) -> None:
            tables = {
                "scores": self.scores.drop("entry"),
                "sections": self.section_table(),
                "points": self.point_table(),
                "facts": self.fact_table(),
                "passed": self.passed_table(),
                "disagreements": self.disagreements,
                "practices": self.practice_table(),
                "rectifications": self.rectifications(),
            }
            if self.card.computed.height:
                tables |= {"computed": self.card.computed, "computed_from": self.card.computed_from}
            for name, frame in tables.items():
                _write(frame, into / name)
            (into / MAIN_FILE).write_text(self.to_json() + "\n", encoding="utf-8")
            sync(into / MAIN_FILE)
            if extra is not None:
                extra(into)

        return write_whole_folder(Path(folder), write, own_files=OWN_FILES, **ASSESSMENT_FOLDER)


def _write(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV, or as Parquet where it is large."""
    if frame.height > CSV_ROWS:
        file = path.with_suffix(".parquet")
        frame.write_parquet(file)
    else:
        file = path.with_suffix(".csv")
        frame.write_csv(file)
    sync(file)
