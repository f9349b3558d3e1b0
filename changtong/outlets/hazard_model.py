"""A discrete-time hazard: for each month ahead a ridge-penalised logistic regression, in the open.

The probability that an outlet stops in the k-th month ahead, given that it has not before, is logistic in its
features now, with coefficients of its own for each k. Within h months it stops with 1 − Π(1 − hazard).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST_STEPS = 60
ENOUGH = 1e-8
MOST_LOGIT = 30.0
BLOCK = 1024
FREE_SHARE = 0.01


@dataclass(frozen=True)
class HazardModel:
    """A fitted model.

    Attributes
    ----------
    features : tuple of str
    mean, scale : array
        Of the features in the months learned from; a scale of 0 (always the same) leaves a feature out.
    coefficients : array
        Months ahead x (1 + features): the intercept first, then for features in units of their scale.
    rows, events : tuple of int
        Outlet-months and stops learned from, for each month ahead.
    """

    features: tuple[str, ...]
    mean: Array
    scale: Array
    coefficients: Array
    rows: tuple[int, ...]
    events: tuple[int, ...]

    def standardised(self, features: Array) -> Array:
        """Return features in units of their scale, at most 8 from the mean.

        Parameters
        ----------
        features : array
            Rows x features.
        """
        used = self.scale > 0
        made = np.zeros_like(features)
        made[:, used] = (features[:, used] - self.mean[used]) / self.scale[used]
        return np.clip(made, -8.0, 8.0)

    def hazards(self, features: Array) -> Array:
        """Return the hazard of each row and month ahead.

        Parameters
        ----------
        features : array
        """
        z = self.standardised(features)
        return _logistic(z @ self.coefficients[:, 1:].T + self.coefficients[:, 0])

    def within(self, features: Array) -> Array:
        """Return the probability of a stop within 1, 2, … months: it never falls with the horizon.

        Parameters
        ----------
        features : array
        """
        return 1.0 - np.cumprod(1.0 - self.hazards(features), axis=1, dtype=np.float64)

    def contributions(self, features: Array) -> Array:
        """Return what each feature adds to the log-odds, weighted over the months ahead by their hazard.

        Parameters
        ----------
        features : array
        """
        z, hazards = self.standardised(features), self.hazards(features)
        weight = hazards / np.maximum(hazards.sum(axis=1, keepdims=True), 1e-300)
        made: Array = z * (weight @ self.coefficients[:, 1:])
        return made


def fit_hazards(
    names: Sequence[str], lessons: Sequence[tuple[Array, Array, Array]], ridge: float, free: str = ""
) -> HazardModel:
    """Fit a model.

    Parameters
    ----------
    names : sequence of str
        Of the features.
    lessons : sequence of (features, stops, weight)
        For each month ahead: rows x features; 1.0 or 0.0; how many outlet-months a row stands for.
    ridge : float
        Penalty on the squared coefficients; the intercept bears none.
    free : str
        A feature that bears a hundredth of it.
    """
    penalty = np.array([0.0, *(ridge * (FREE_SHARE if name == free else 1.0) for name in names)])
    features, _, weight = lessons[0]
    total = max(float(weight.sum()), 1e-300)
    mean = weight @ features / total
    scale = np.sqrt(weight @ (features - mean) ** 2 / total)
    scale = np.where(scale > 1e-9, scale, 0.0)
    empty = HazardModel(tuple(names), mean, scale, np.zeros((len(lessons), len(names) + 1)), (), ())
    fitted = [_fit(empty.standardised(x), y, w, penalty) for x, y, w in lessons]
    rows = tuple(round(float(w.sum())) for _, _, w in lessons)
    return HazardModel(
        tuple(names), mean, scale, np.array(fitted), rows, tuple(int(y.sum()) for _, y, _ in lessons)
    )


def _fit(x: Array, y: Array, weight: Array, penalty: Array) -> Array:
    """Return the coefficients by Newton's method with halved steps: the penalised loss is convex."""
    design = np.column_stack([np.ones(len(x)), x])
    share = (float(weight @ y) + 0.5) / (float(weight.sum()) + 1.0)
    beta = np.zeros(x.shape[1] + 1)
    beta[0] = np.log(share / (1.0 - share))
    loss = _loss(design, y, weight, beta, penalty)
    for _ in range(MOST_STEPS):
        chance = _logistic(design @ beta)
        gradient = design.T @ (weight * (chance - y)) + penalty * beta
        curvature = _weighted_squares(design, weight * chance * (1.0 - chance))
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-9), gradient)
        length, tried = 1.0, beta - step
        found = _loss(design, y, weight, tried, penalty)
        while found > loss and length > 1e-6:
            length /= 2.0
            tried = beta - length * step
            found = _loss(design, y, weight, tried, penalty)
        if found > loss:
            break
        gained, beta, loss = loss - found, tried, found
        if gained <= ENOUGH * (1.0 + abs(loss)):
            break
    return beta


def _weighted_squares(design: Array, weight: Array) -> Array:
    """Return Xᵀ W X in small blocks.

    A large product starts threads, which wait for each other on a busy machine: ten times slower there.
    """
    whole = len(design) // BLOCK * BLOCK
    blocks = design[:whole].reshape(-1, BLOCK, design.shape[1])
    weighted = blocks * weight[:whole].reshape(-1, BLOCK, 1)
    rest = design[whole:]
    made: Array = np.matmul(weighted.transpose(0, 2, 1), blocks).sum(axis=0)
    return made + (rest * weight[whole:, None]).T @ rest


def _loss(design: Array, y: Array, weight: Array, beta: Array, penalty: Array) -> float:
    logit = design @ beta
    return float(weight @ (np.logaddexp(0.0, logit) - y * logit)) + 0.5 * float((penalty * beta**2).sum())


def _logistic(logit: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -MOST_LOGIT, MOST_LOGIT)))
