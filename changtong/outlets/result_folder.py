"""Results about outlets as folders of tables: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.network.io import write_whole_folder
from changtong.outlets.early_warning import OutletWarnings
from changtong.outlets.evaluation import Evaluation
from changtong.outlets.stability import Stability
from changtong.spreadsheets import write_rows

MARK = "outlets.json"
VERSION = 1
PARQUET_FROM_ROWS = 200_000
OUTLETS_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / MARK).is_file(),
    "what": f"folder of outlets (it has no {MARK})",
    "code": "not-an-outlets-folder",
}
Page = Callable[[Path], object]


def save_stability(
    folder: str | os.PathLike[str], result: Stability, month: str | None = None, page: Page | None = None
) -> Path:
    """Write the index of a month (``index``), of all months (``history``) and counts (``outlets.json``).

    Parameters
    ----------
    folder : path
    result : Stability
    month : str, optional
        By default the last.
    page : callable, optional
        Writes more into the folder.
    """
    return _save(
        folder, {"index": result.table(month), "history": _history(result)}, result.summary(month), page
    )


def save_warnings(folder: str | os.PathLike[str], result: OutletWarnings, page: Page | None = None) -> Path:
    """Write the warnings (``warnings``), the coefficients (``model``) and counts (``outlets.json``).

    Parameters
    ----------
    folder : path
    result : OutletWarnings
    page : callable, optional
    """
    model = result.warner.model
    coefficients = pl.DataFrame(
        {
            "feature": ["(intercept)", *model.features],
            "mean": [None, *model.mean.tolist()],
            "scale": [None, *model.scale.tolist()],
            **{f"months_{k + 1}": row.tolist() for k, row in enumerate(model.coefficients)},
        }
    )
    return _save(folder, {"warnings": result.table, "model": coefficients}, result.summary(), page)


def save_evaluation(folder: str | os.PathLike[str], result: Evaluation) -> Path:
    """Write what the test found (``outlets.json``) and the calibration as a table.

    Parameters
    ----------
    folder : path
    result : Evaluation
    """
    return _save(folder, {"calibration": pl.DataFrame(list(result.calibration))}, result.to_json(), None)


def _history(result: Stability) -> pl.DataFrame:
    rows, columns = np.nonzero(result.stoppages.known)
    months = np.array(result.months.months)
    return pl.DataFrame(
        {
            "outlet_id": np.array(result.months.outlets, dtype=object)[rows].tolist(),
            "month": months[columns],
            "index": result.index[rows, columns].round(2),
            "is_stopped": result.stoppages.stopped[rows, columns],
        },
        schema_overrides={"outlet_id": pl.String},
    ).with_columns(pl.col("index").fill_nan(None))


def _save(
    folder: str | os.PathLike[str],
    tables: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Any],
    page: Page | None,
) -> Path:
    def write(into: Path) -> None:
        mark = {"changtong": {"kind": "outlets", "version": VERSION}, **facts}
        (into / MARK).write_text(json.dumps(mark, ensure_ascii=False, indent=1), "utf-8")
        for name, frame in tables.items():
            flat = frame.with_columns(
                pl.col(pl.List(pl.Float64))
                .list.eval(pl.element().cast(pl.String).fill_null(""))
                .list.join(" ")
            )
            write_rows(flat, into / name, parquet_from_rows=PARQUET_FROM_ROWS)
        if page is not None:
            page(into)

    names = {"index", "history", "warnings", "model", "calibration"}
    own = {MARK, "report.html", *(f"{name}.{end}" for name in names for end in ("csv", "parquet"))}
    return write_whole_folder(Path(folder), write, own_files=own, **OUTLETS_FOLDER)
