"""What the page of an assessment shows, in words: groups, reasons, gaps, rectifications, the card."""

from __future__ import annotations

from typing import Any

import polars as pl

from changtong.assessment.exact import say_points, unit
from changtong.assessment.explain import Line
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import split_list
from changtong.assessment.sensitivity import Sensitivity
from changtong.report.assessment_basis import Basis
from changtong.report.assessment_chart import draw_scores
from changtong.report.assessment_words import (
    CardWords,
    foreign_text,
    say_cause,
    say_detail,
    say_level,
    say_line,
    score_said,
    signed_points,
)
from changtong.report.charts import draw_bar
from changtong.report.daily_words import foreign
from changtong.report.texts import Both, named, percent, same, sentences, text, whole

FEW = 4
"""A level with fewer is not drawn where another has more."""

MANY = 5000
"""With more subjects only the rectifications of those shown are counted on the page."""

GROUPS, ROWS, WITH_LINES, LINES = 12, 60, 240, 60
GAPS, RECTIFICATIONS, SWAPS, DISAGREEMENTS, CHART_ROWS = 40, 60, 24, 40, 34


class AssessmentView:
    """The parts of the page.

    Parameters
    ----------
    result : Assessment
    moved : Sensitivity or None
    """

    def __init__(self, result: Assessment, moved: Sensitivity | None) -> None:
        self.result, self.words = result, CardWords(result.card)
        self.holds: dict[str, dict[str, Any]] = {}
        if moved is not None:
            self.holds = {row["subject_id"]: row for row in moved.ranks.iter_rows(named=True)}
        self.moved = moved
        self.basis = Basis(result)
        self._left = WITH_LINES
        self.shown: list[str] = []

    def head(self) -> dict[str, Any]:
        """Return the heading and the sentences below it."""
        card, scores = self.result.card, self.result.scores
        top = self._first_group()
        best = top.row(0, named=True)
        shared = int((top["rank"] == 1).sum())
        name = Both(foreign(card.head.name_zh), foreign(card.head.name_en))
        score = score_said(self.result, best["entry"])
        mean = say_points(round(float(top["score"].mean()) * 1e6), card.head.decimals)  # type: ignore[arg-type]
        values: dict[str, Both | str] = {"name": name, "year": str(card.head.year), "score": score}
        if shared > 1:
            heading = text("assess.heading_tied", count=whole(shared), **values)
        else:
            heading = text("assess.heading", best=foreign(best["name"]), **values)
        return {
            "card_name": name,
            "heading": heading,
            "scope": text(
                "assess.scope",
                subjects=whole(scores.height),
                facts=whole(card.facts["fact_id"].n_unique()),
                level=say_level(best["level"]),
                mean=mean,
                worst=score_said(self.result, top["entry"][-1]),
            ),
            "official": card.head.provenance == "official",
            "kind": named("assess_kind", card.head.provenance),
        }

    def _first_group(self) -> pl.DataFrame:
        first = self.result.scores.row(0, named=True)
        same_group = (pl.col("level") == first["level"]) & (pl.col("peer_group") == first["peer_group"])
        return self.result.scores.filter(same_group)

    def chart(self) -> dict[str, Any]:
        """Return the chart of the highest level that has something to compare, and its title."""
        grouped = self.result.scores.group_by("level", "peer_group", maintain_order=True)
        frames = [frame for _, frame in grouped]
        largest = max(frames, key=lambda frame: frame.height)
        top = next((frame for frame in frames if frame.height >= FEW), largest).head(CHART_ROWS)
        title = text("assess.chart", level=say_level(top["level"][0]))
        rows = [
            {
                "name": foreign(row["name"]),
                "score": row["score"],
                "said": score_said(self.result, row["entry"]),
                "last": row["last_score"],
            }
            for row in top.iter_rows(named=True)
        ]
        bands = self.result.card.bands.sort("from_points").select("from_points", "band_id").iter_rows()
        named_bands = [(points, self.words("bands", str(name))) for points, name in bands]
        return {"chart": draw_scores(rows, named_bands, title), "chart_title": title}

    def groups(self) -> list[dict[str, Any]]:
        """Return each group with its rows, the first of them with their reasons."""
        made = []
        grouped = self.result.scores.group_by("level", "peer_group", maintain_order=True)
        for (level, group), frame in list(grouped)[:GROUPS]:
            count = whole(frame.height)
            said = say_level(str(level))
            if group:
                heading = text("assess.group_of", level=said, group=foreign(group), count=count)
            else:
                heading = text("assess.group", level=said, count=count)
            best = max(float(frame["score"].max()), 1e-9)  # type: ignore[arg-type]
            rows = [self._row(row, best) for row in frame.head(ROWS).iter_rows(named=True)]
            made.append({"heading": heading, "rows": rows, "total": count, "cut": frame.height > len(rows)})
        return made

    def _row(self, row: dict[str, Any], best: float) -> dict[str, Any]:
        entry = row["entry"]
        self.shown.append(row["subject_id"])
        held = self.holds.get(row["subject_id"])
        change, decimals = row["change"], self.result.card.head.decimals
        return {
            "rank": str(row["rank"]),
            "tied": row["tied"],
            "name": self.words.subject(row["subject_id"]),
            "id": foreign(row["subject_id"]),
            "score": score_said(self.result, entry),
            "bar": draw_bar(max(0.0, row["score"] / best)),
            "band": self.words("bands", row["band"]) if row["band"] else None,
            "vetoed": row["vetoed"],
            "change": None if change is None else signed_points(unit(change), decimals),
            "worse": change is not None and change < 0,
            "behind": say_points(unit(row["gap_to_best"]), decimals),
            "holds": None if held is None else percent(held["holds_share"], 0),
            "range": None if held is None else f"{held['best_rank']}–{held['worst_rank']}",
            "stage": named("assess_stage", row["stage"]) if row["stage"] else None,
            **self._reasons(row["subject_id"]),
        }

    def _reasons(self, subject: str) -> dict[str, Any]:
        """Return the lines behind a score, as far as the page has room for them."""
        if self._left <= 0:
            return {"lines": None, "cut": None}
        self._left -= 1
        lines = self.result.explain(subject)
        shown, rest = lines[:LINES], lines[LINES:]
        more = None
        if rest:
            points = signed_points(sum(line.units for line in rest if line.in_score))
            more = text("assess.lines_cut", count=whole(len(rest)), points=points)
        return {"lines": [self._line(line, subject) for line in shown], "cut": more}

    def _line(self, line: Line, subject: str) -> dict[str, Any]:
        starts = line.kind in ("base", "start")
        points = say_points(line.units) if starts and line.units >= 0 else signed_points(line.units)
        return {
            "what": say_line(line, self.words),
            "points": points,
            "detail": say_detail(line, self.words),
            "evidence": foreign(line.evidence) if line.evidence else "",
            "basis": self.basis.of(subject, line.ref) if line.kind == "indicator" else None,
            "inner": not line.in_score,
            "out": line.why in ("smaller", "withdrawn"),
            "section": line.kind == "section",
        }

    def gap_rows(self) -> list[dict[str, Any]]:
        """Return the gaps that bring most, of the subjects shown first."""
        shown = self.shown[:200]
        found = self.result.gaps(*shown).filter(pl.col("gain") > 0) if shown else pl.DataFrame()
        if not found.height:
            return []
        found = found.sort("gain", descending=True, maintain_order=True).head(GAPS)
        return [
            {
                "subject": self.words.subject(row["subject_id"]),
                "gap": say_cause(row["cause"], self.words, row["ref"]),
                "section": self.words("sections", row["section_id"]),
                "lost": say_points(unit(row["lost"])),
                "gain": signed_points(unit(row["gain"])),
                "best": "–" if row["best"] is None else say_points(unit(row["best"])),
                "evidence": foreign(row["evidence"] or ""),
            }
            for row in found.iter_rows(named=True)
        ]

    def rectification_rows(self) -> tuple[list[dict[str, Any]], Both]:
        """Return rectifications, those kept by the card first, and how many there are."""
        many = self.result.card.subjects.height > MANY
        found = self.result.rectifications(subjects=tuple(self.shown) if many else ())
        left = found.filter(pl.col("state") != "closed").height
        note = text(
            "assess.rectifications_note",
            total=whole(found.height),
            open=whole(left),
            overdue=whole(int(found["overdue"].sum())),
        )
        rows = [
            {
                "subject": self.words.subject(row["subject_id"]),
                "gap": say_cause(row["cause"], self.words),
                "owner": foreign(row["owner"] or "–"),
                "deadline": row["deadline"] or "–",
                "state": named("assess_state", row["state"]),
                "closed": row["state"] == "closed",
                "overdue": row["overdue"],
                "gain": "–" if row["gain"] is None else signed_points(unit(row["gain"])),
                "evidence": foreign(row["evidence"] or ""),
            }
            for row in found.head(RECTIFICATIONS).iter_rows(named=True)
        ]
        return rows, note

    def disagreement_rows(self) -> list[dict[str, Any]]:
        """Return where departments disagree."""
        return [
            {
                "subject": self.words.subject(row["subject_id"]),
                "what": text("assess.whole")
                if row["indicator_id"] is None
                else self.words.ref(row["indicator_id"]),
                "low": self.words("departments", row["lowest_by"]) + f" {say_points(unit(row['lowest']))}",
                "high": self.words("departments", row["highest_by"]) + f" {say_points(unit(row['highest']))}",
                "spread": say_points(unit(row["spread"])),
                "evidence": foreign(row["evidence"] or ""),
            }
            for row in self.result.disagreements.head(DISAGREEMENTS).iter_rows(named=True)
        ]

    def moved_part(self) -> dict[str, Any] | None:
        """Return what moving weights does."""
        if self.moved is None or (self.result.card.sections.height < 2 and not self.moved.departments):
            return None
        facts = self.moved.summary()
        note = text(
            "assess.sensitivity_note",
            within=percent(self.moved.within, 0),
            draws=whole(self.moved.draws),
            seed=str(self.moved.seed),
            hold=whole(facts["always_hold"]),
            total=whole(facts["subjects"]),
        )
        if self.moved.departments:
            also = text("assess.sensitivity_departments", count=whole(self.moved.departments))
            note = sentences([note, also])
        inside = self.moved.swaps.filter("within").head(SWAPS)
        rows = [
            {
                "ahead": self.words.subject(row["subject_id"]),
                "behind": self.words.subject(row["below"]),
                "section": self.words("sections", row["section_id"]),
                "factor": f"× {row['factor']:.4f}",
            }
            for row in inside.iter_rows(named=True)
        ]
        return {"note": note, "rows": rows}

    def what_if_part(self, found: pl.DataFrame | None) -> list[dict[str, Any]] | None:
        """Return what closing the named gaps brings."""
        if found is None:
            return None
        changed = found.filter((pl.col("gain") != 0) | (pl.col("rank") != pl.col("new_rank"))).head(ROWS)
        return [
            {
                "subject": foreign(row["name"]),
                "score": f"{row['score']:.{self.result.card.head.decimals}f}",
                "new_score": f"{row['new_score']:.{self.result.card.head.decimals}f}",
                "gain": signed_points(unit(row["gain"])),
                "rank": str(row["rank"]),
                "new_rank": str(row["new_rank"]),
                "band": self.words("bands", row["new_band"]) if row["new_band"] else same("–"),
            }
            for row in changed.iter_rows(named=True)
        ]

    def practice_rows(self) -> list[dict[str, Any]]:
        """Return good practice."""
        return [
            {
                "title": foreign(row["title"]),
                "text": foreign_text(row["text"] or ""),
                "subject": foreign(row["name"]),
                "section": self.words("sections", row["section_id"]),
                "evidence": foreign(row["evidence"] or ""),
            }
            for row in self.result.practice_table().head(ROWS).iter_rows(named=True)
        ]

    def card_part(self) -> dict[str, Any]:
        """Return the card itself."""
        card = self.result.card
        numbers = card.sections.iter_rows(named=True)
        sections = [
            {
                "name": self.words("sections", str(one["section_id"])),
                "weight": "–" if one["weight"] is None else f"{one['weight']:g}",
                "rows": self._card_rows(str(one["section_id"])),
            }
            for one in numbers
        ]
        passing = [
            text(
                "assess.pass_up",
                level=say_level(one["level"]),
                deductions=f"{one['deductions_permille']:g}",
                bonus=f"{one['bonus_permille']:g}",
            )
            for one in card.pass_through.iter_rows(named=True)
        ]
        departments = [
            (self.words("departments", str(one["department_id"])), f"{one['weight']:g}")
            for one in card.departments.iter_rows(named=True)
        ]
        base = text("assess.base", points=say_points(unit(card.head.base)))
        return {"sections": sections, "passing": passing, "departments": departments, "base": base}

    def _card_rows(self, section: str) -> list[dict[str, Any]]:
        card, mine = self.result.card, pl.col("section_id").cast(pl.String) == section
        rows = []
        for one in card.indicators.filter(mine).iter_rows(named=True):
            rows.append(
                {
                    "name": self.words("indicators", str(one["indicator_id"])),
                    "points": same(say_points(unit(one["max_points"]))),
                    "cap": "",
                    "levels": _levels(one["levels"]),
                }
            )
        for one in card.rules.filter(mine).iter_rows(named=True):
            cap = "" if one["max_points"] is None else say_points(unit(one["max_points"]))
            name = self.words("rules", str(one["rule_id"]))
            rows.append(
                {"name": name, "points": self._rule_said(one), "cap": cap, "levels": _levels(one["levels"])}
            )
        return rows

    def _rule_said(self, one: dict[str, Any]) -> Both:
        if one["effect"] == "veto":
            if one["score_at_most"] is not None:
                return text("assess.veto_score", points=say_points(unit(one["score_at_most"])))
            return text("assess.veto_band", band=self.words("bands", one["band_at_most"]))
        sign = -1 if one["effect"] == "deduct" else 1
        said = same(signed_points(sign * unit(one["points"])))
        return said + Both(" ", " ") + text("assess.per_hit") if one["per_count"] else said


def _levels(cell: str | None) -> Both:
    said = [say_level(level) for level in split_list(cell)]
    return Both("、".join(one.zh for one in said), ", ".join(one.en for one in said))
