"""The analyses of a scorecard behind the doorway: what ``run_study`` runs on one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.assess import assess, what_if
from changtong.assessment.card_writer import check_card_folder
from changtong.assessment.closing import Gap
from changtong.assessment.result import ASSESSMENT_FOLDER, Assessment
from changtong.assessment.scorecard import Scorecard
from changtong.assessment.sensitivity import Sensitivity, sensitivity
from changtong.errors import UsageError
from changtong.events.period_counts import Watch
from changtong.network.io import check_replaceable
from changtong.report.assessment_notice import write_assessment_notice
from changtong.report.assessment_report import write_assessment_report
from changtong.scorecards.fill import Filled, fill_scorecard
from changtong.scorecards.known_counts import Inputs
from changtong.wording import Language

MOST_SAMPLED = 2000
"""Levels with more subjects are left out where weights are moved, unless they are all there is."""


@dataclass(frozen=True)
class Assessed:
    """An assessment with what was asked beside it.

    Attributes
    ----------
    assessment : Assessment
    sensitivity : Sensitivity or None
        None where weights are not moved.
    what_if : polars.DataFrame or None
        What closing the gaps named would bring; None where none is named.
    """

    assessment: Assessment
    sensitivity: Sensitivity | None = None
    what_if: pl.DataFrame | None = None

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by."""
        facts = self.assessment.summary()
        facts["sensitivity"] = None if self.sensitivity is None else self.sensitivity.summary()
        facts["what_if"] = None if self.what_if is None else self.what_if.to_dicts()
        return facts

    def __str__(self) -> str:
        parts = [str(self.assessment)]
        if self.what_if is not None:
            parts.append("closing what is named would bring:")
            for row in self.what_if.filter(pl.col("gain") != 0).head(10).iter_rows(named=True):
                parts.append(
                    f"  {row['subject_id']} {row['name']}: {row['score']:g} → {row['new_score']:g}"
                    f" ({row['gain']:+g}), rank {row['rank']} → {row['new_rank']}"
                )
        if self.sensitivity is not None:
            parts.append(str(self.sensitivity))
        return "\n".join(parts)


def _assessment(
    card: Scorecard,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    closing: Sequence[Gap | str] = (),
    on: date | None = None,
    within: float = 0.2,
    draws: int = 500,
    notices: Sequence[str] = (),
) -> tuple[Assessed, Path | None]:
    """Score a card; the folder gets the page, the notices and what was asked beside it."""
    if folder is not None:
        check_replaceable(folder.resolve(), **ASSESSMENT_FOLDER)
    result = assess(card, on=on)
    for name in notices:
        result.row_of(name)
    moved = None
    if within > 0:
        moved = sensitivity(result, within=within, draws=draws, seed=seed or 0, levels=_sampled(result))
    made = Assessed(result, moved, what_if(result, closing) if closing else None)
    if folder is None:
        return made, None

    def more(into: Path) -> None:
        if made.what_if is not None:
            made.what_if.write_csv(into / "what_if.csv")
        if moved is not None:
            moved.ranks.write_csv(into / "sensitivity.csv")
            moved.swaps.write_csv(into / "swaps.csv")
        write_assessment_report(
            result, into / "report.html", language=language, sensitivity=moved, what_if=made.what_if
        )
        for number, name in enumerate(notices, 1):
            write_assessment_notice(result, name, into / "notices", number=number, language=language)

    return made, result.save(folder, extra=more)


def _sampled(result: Assessment) -> tuple[str, ...]:
    """Return the levels whose weights are moved: those of a size that a ranking is read in."""
    sizes = result.scores.group_by("level", maintain_order=True).len()
    small = sizes.filter(pl.col("len") <= MOST_SAMPLED)["level"].to_list()
    return tuple(small or sizes["level"].to_list()[:1])


def _fill(
    card: Scorecard,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    inputs: Inputs,
    at: datetime | None = None,
    watch: Watch | None = None,
) -> tuple[Filled, Path | None]:
    """Compute what the card says comes from the system; the folder gets the card with it."""
    if seed is not None:
        raise UsageError("Filling a scorecard draws nothing: leave the seed out.")
    if folder is not None:
        check_card_folder(folder)
    result = fill_scorecard(card, inputs, at=at, watch=watch)
    return result, None if folder is None else result.save(folder)


def card_digest(card: Scorecard, result: Assessed | Filled) -> str:
    """Return a SHA-256 over a card and, where it was filled, over what that was computed from.

    Parameters
    ----------
    card : Scorecard
    result : Assessed or Filled
    """
    if isinstance(result, Assessed):
        return card.digest()
    total = hashlib.sha256(card.digest().encode())
    for source, (_, digest) in sorted(result.inputs.items()):
        total.update(f"{source} {digest}\n".encode())
    return total.hexdigest()


def card_facts(card: Scorecard, result: Assessed | Filled) -> dict[str, Any]:
    """Return what ``study.json`` says of a card and, where it was filled, of each source.

    Parameters
    ----------
    card : Scorecard
    result : Assessed or Filled
    """
    facts = card.facts_about()
    if isinstance(result, Filled):
        facts["inputs"] = {
            source: {"input": name, "digest": digest} for source, (name, digest) in result.inputs.items()
        }
    return facts


ASSESSMENT_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "assessment": _assessment,
    "scorecard-fill": _fill,
}
