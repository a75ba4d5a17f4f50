"""Why the model said so: the share that each feature has in one prediction.

Shapley values by sampling (Strumbelj and Kononenko, 2014), each order of the features used forwards and backwards,
against one row of medians and most frequent values (Sundararajan and Najmi, The Many Shapley Values, 2020: baseline
Shapley). The shares add up to the difference between the prediction and that of the baseline.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoding import feature_places
from ..schema import Schema

PAIRS = 16  # of orders; the same ones for every row, so that an answer can be repeated
SEED = 0
Array = npt.NDArray[Any]


def contributions(score: Callable[[Array], Array], row: Array, baseline: Array, schema: Schema) -> dict[str, float]:
    """The share of each feature in the score of an encoded row, the largest first.

    `score` takes rows of shape (n, width) and gives shape (n,).
    """
    places = list(feature_places(schema).values())
    generator, totals = np.random.default_rng(SEED), np.zeros(len(places))
    for _ in range(PAIRS):
        order = generator.permutation(len(places))
        for way in (order, order[::-1]):
            steps = np.tile(baseline, (len(places) + 1, 1))
            for number, place in enumerate(way, start=1):
                steps[number:, places[place]] = row[places[place]]
            totals[way] += np.diff(score(steps).astype(np.float64))
    shares = dict(zip(schema.features, (totals / (2 * PAIRS)).tolist(), strict=True))
    return dict(sorted(shares.items(), key=lambda item: -abs(item[1])))
