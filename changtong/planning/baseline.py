"""Today's flow on the legs, and when a leg's volume counts as changed."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network

Floats = NDArray[np.float64]

CHANGE_SHARE = 0.01
CHANGE_PIECES = 0.5
"""A leg is changed when its volume differs from today's by more than 1 % and by more than half a piece."""

USED_PIECES = 0.5
"""Pieces a day above which a leg is in use."""


def baseline_flow(network: Network) -> Floats:
    """Return today's pieces on each leg; zero where the network does not say."""
    legs = network.legs
    if "flow_pieces_per_day" not in legs.columns:
        return np.zeros(legs.height)
    return legs["flow_pieces_per_day"].cast(pl.Float64).fill_null(0.0).to_numpy().copy()


def tolerance(flow: Floats) -> Floats:
    """Return by how much each leg may differ and still count as unchanged, pieces a day."""
    return np.asarray(np.maximum(CHANGE_SHARE * flow, CHANGE_PIECES))


def change_words(before: Floats, after: Floats) -> list[str]:
    """Return same, more, less, opened or dropped for each leg."""
    away = np.abs(after - before) > tolerance(before)
    words = np.select(
        [
            away & (before <= USED_PIECES),
            away & (after <= USED_PIECES),
            away & (after > before),
            away,
        ],
        ["opened", "dropped", "more", "less"],
        "same",
    )
    return [str(word) for word in words]
