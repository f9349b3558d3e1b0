"""How an assessment is said: names of the card in both languages, points without float noise, reasons."""

from __future__ import annotations

from changtong.assessment.exact import say_points
from changtong.assessment.explain import Line
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import Scorecard
from changtong.report.daily_words import foreign
from changtong.report.texts import Both, has_text, named, same, text


class CardWords:
    """Names of a card's rows and subjects in both languages.

    Parameters
    ----------
    card : Scorecard
    """

    def __init__(self, card: Scorecard) -> None:
        self._names: dict[str, dict[str, Both]] = {}
        for table in ("sections", "indicators", "rules", "bands", "departments"):
            zh, en = card.names_of(table), card.names_of(table, "en")
            self._names[table] = {key: Both(foreign(zh[key]), foreign(en[key])) for key in zh}
        ids = card.subjects["subject_id"].to_list()
        self.subjects: dict[str, str] = dict(
            zip(ids, map(foreign, card.subjects["name"].to_list()), strict=True)
        )

    def __call__(self, table: str, key: str | None) -> Both:
        """Return the name of a row, or its id where it has none."""
        return self._names[table].get(key, same(key)) if key is not None else same("–")

    def subject(self, key: str) -> str:
        """Return the name of a subject."""
        return self.subjects.get(key, key)

    def ref(self, key: str | None) -> Both:
        """Return the name of a rule or an indicator."""
        for table in ("rules", "indicators"):
            if key in self._names[table]:
                return self._names[table][str(key)]
        return same(key or "–")

    def departments(self, keys: tuple[str, ...]) -> Both:
        """Return the names of departments as a list."""
        said = [self("departments", key) for key in keys]
        return Both("、".join(one.zh for one in said), ", ".join(one.en for one in said))


def foreign_text(value: str, most: int = 600) -> str:
    """Return a longer text from data in one line, without controls."""
    parts = [value[start : start + 50] for start in range(0, min(len(value), most), 50)]
    return "".join(part if not part.strip() else _kept(part) for part in parts)


def _kept(part: str) -> str:
    """Return a part of a text with the spaces it begins and ends with."""
    before, after = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
    return (" " if before else "") + foreign(part) + (" " if after else "")


def say_level(level: str) -> Both:
    """Say a level; one that is not known by its own word."""
    return named("assess_level", level) if has_text(f"assess_level.{level}") else same(foreign(level))


def signed_points(units: int, decimals: int | None = None) -> str:
    """Say points with their sign and a true minus.

    Examples
    --------
    >>> signed_points(-1_500_000), signed_points(250_000), signed_points(0)
    ('−1.5', '+0.25', '0')
    """
    if units == 0:
        return "0"
    return ("+" if units > 0 else "−") + say_points(abs(units), decimals)


def say_line(line: Line, words: CardWords) -> Both:
    """Say what a line of a score is.

    Parameters
    ----------
    line : Line
    words : CardWords
    """
    if line.kind in ("indicator", "deduct", "bonus", "veto"):
        return words.ref(line.ref)
    said = named("assess_line", line.kind)
    if line.kind == "rule_cap":
        return words.ref(line.ref) + Both("：", ": ") + said
    if line.kind == "section":
        return words("sections", line.section_id) + Both("：", ": ") + said
    if line.child is not None:
        return said + Both("：", ": ") + foreign(words.subject(line.child))
    return said


def say_detail(line: Line, words: CardWords) -> Both:
    """Say the rest of a line: its finding, its text, why it does not count."""
    parts: list[Both] = []
    if line.fact_id is not None:
        parts.append(text("assess.fact", fact=foreign(line.fact_id)))
    if line.text:
        said = say_value(line.text) if line.kind == "indicator" else same(foreign(line.text))
        if line.stage is not None:
            stage = named("assess_stage", line.stage)
            said += Both(f"（{stage.zh}）", f" ({stage.en})")
        parts.append(said)
    parts += [words("departments", key) + f" {points:.10g}" for key, points in line.marks]
    if has_text(f"assess_why.{line.why}"):
        parts.append(named("assess_why", line.why))
    return Both("；".join(part.zh for part in parts), "; ".join(part.en for part in parts))


def say_value(value: str) -> Both:
    """Say the value of an indicator: shares in per cent, known units in both languages, others as given.

    Examples
    --------
    >>> say_value("0.9581 share").zh, say_value("3 tasks").zh, say_value("7 vans").en
    ('95.81 %', '3 项任务', '7 vans')
    """
    number, _, unit = value.partition(" ")
    if unit == "share":
        try:
            return same(f"{100 * float(number):.8g} %")
        except ValueError:
            return same(foreign(value))
    if has_text(f"assess_unit.{unit}"):
        name = named("assess_unit", unit)
        return Both(f"{foreign(number)} {name.zh}", f"{foreign(number)} {name.en}")
    return same(foreign(value))


def say_note(note: str, words: CardWords) -> Both:
    """Say a note of an assessment.

    Parameters
    ----------
    note : str
        A code and its value.
    words : CardWords
    """
    code, _, value = note.partition(" ")
    if code == "waiting-for":
        return text("assess_note.waiting-for", value=words.departments(tuple(value.split(", "))))
    return text(f"assess_note.{code}", value=value)


def say_cause(cause: str, words: CardWords, ref: str | None = None) -> Both:
    """Say a gap: the finding with its rule, or the indicator."""
    kind, _, key = cause.partition(":")
    if kind == "fact":
        rule = words.ref(ref)
        fact = text("assess.fact", fact=foreign(key))
        return rule + Both(f"（{fact.zh}）", f" ({fact.en})") if ref else fact
    return words.ref(key)


def score_said(result: Assessment, row: int) -> str:
    """Say a score with the decimals of the card."""
    return say_points(int(result.parts.score[row]), result.card.head.decimals)
