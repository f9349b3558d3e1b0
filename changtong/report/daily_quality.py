"""What the daily report says of its data: age, confidence, what was set aside."""

from __future__ import annotations

from collections.abc import Sequence

from changtong.events.indicator_result import Indicators
from changtong.events.log import SCANS, Batch
from changtong.report.daily_parts import Section, Table, columns, compared, say_shown
from changtong.report.daily_words import foreign, say_note
from changtong.report.texts import same, sentences, text, whole

QUALITY = ("data_age_h", "confidence", "whole_chain_share", "scanning_share")
MOST_FILES = 5


def quality_section(found: Indicators, batches: Sequence[Batch] | None) -> Section:
    """Say how good the data are, and what of the files was set aside."""
    tables = [compared(found, "daily-quality", QUALITY, text("daily.quality_note"))]
    lines = [say_note(note) for note in found.notes]
    if batches is None:
        lines.append(text("daily.files_absent"))
    else:
        here = [batch for batch in batches if found.day.isoformat() in batch.files]
        if here:
            tables.append(_files(here))
            reasons = _reasons(here)
            if reasons:
                lines.append(text("daily.reasons", reasons=", ".join(f"{k} {whole(n)}" for k, n in reasons)))
        else:
            lines.append(text("daily.files_none"))
        lost = [batch for batch in batches if batch.kind == SCANS and not batch.files and batch.quarantined]
        if lost:
            count = whole(sum(batch.quarantined for batch in lost))
            lines.append(text("daily.files_unknown", files=whole(len(lost)), rows=count))
    return Section("quality", text("daily.quality"), tuple(lines), tuple(tables))


def _files(batches: Sequence[Batch]) -> Table:
    """Return what the files brought: all together, then those with most rows in quarantine."""
    fields = ("rows_read", "rows_added", "duplicates", "quarantined")
    total = [same(whole(sum(getattr(batch, name) for batch in batches))) for name in fields]
    rows = [(text("daily.all_files", count=whole(len(batches))), *total)]
    worst = sorted(batches, key=lambda batch: (-batch.quarantined, batch.number))[:MOST_FILES]
    rows += [
        (same(foreign(batch.source)), *(same(whole(getattr(batch, name))) for name in fields))
        for batch in worst
    ]
    numbers = ("daily.rows_read", "daily.rows_added", "daily.duplicates", "daily.quarantined")
    shown = say_shown(len(worst), len(batches))
    note = text("daily.files_note") if shown is None else sentences([text("daily.files_note"), shown])
    return Table("daily-files", columns(["daily.file"], numbers), tuple(rows), text("daily.files"), note)


def _reasons(batches: Sequence[Batch]) -> list[tuple[str, int]]:
    """Return the codes of rows in quarantine, the most frequent first."""
    counts: dict[str, int] = {}
    for batch in batches:
        for code, rows in batch.reasons.items():
            counts[code] = counts.get(code, 0) + rows
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
