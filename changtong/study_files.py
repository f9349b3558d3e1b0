"""What a kept result says of how it was made: ``study.json``, and digests of what it was made from."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.network.model import Network
from changtong.outages import Outage

STUDY_FILE = "study.json"


def network_digest(network: Network, outages: tuple[Outage, ...]) -> str:
    """Return a SHA-256 over a network's tables and outages: equal inputs, equal digest."""
    total = hashlib.sha256()
    for name in ("sites", "legs", "service_classes"):
        total.update(getattr(network, name).write_csv().encode())
    for column in network.demand.get_columns():
        total.update(column.to_physical().to_numpy().tobytes())
    total.update(repr(outages).encode())
    return total.hexdigest()


def write_study_file(
    folder: Path,
    study: str,
    version: str,
    made_at: datetime,
    input_digest: str,
    seed: int | None,
    subject: Mapping[str, Any],
) -> None:
    """Write ``study.json`` into a result's folder.

    Parameters
    ----------
    folder : Path
    study : str
        Which analysis.
    version : str
        Of this package.
    made_at : datetime
    input_digest : str
    seed : int or None
    subject : mapping
        What else is to be said of what it was made from.
    """
    facts = {
        "study": study,
        "made_at": made_at.isoformat(timespec="seconds"),
        "version": version,
        "python": platform.python_version(),
        "input_digest": input_digest,
        "seed": seed,
        **subject,
    }
    text = json.dumps(facts, ensure_ascii=False, indent=1, default=str)
    (folder / STUDY_FILE).write_text(text, "utf-8")
