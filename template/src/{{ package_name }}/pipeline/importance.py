"""How much each feature matters: the skill that is lost when its values are shuffled among the held-out rows.

Permutation importance: Breiman, Random Forests, 2001, section 10; on the loss of any model, Fisher, Rudin and Dominici,
All Models are Wrong, but Many are Useful, 2019. Features that tell the same thing share what they matter.
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from .. import task
from ..encoding import Floats, feature_places
from ..schema import Schema
from .evaluation import skill

MOST_ROWS, REPEATS = 2_000, 5
Array = npt.NDArray[Any]


class Importance(msgspec.Struct):
    """The skill that is lost without a column, and the spread of that over the shuffles."""

    column: str
    importance: float
    spread: float


def permutation_importance(
    model: Any, encoded: Floats, target: Array, baseline: Array, schema: Schema, seed: int
) -> list[Importance]:
    """The importance of every feature, the largest first; of more than MOST_ROWS rows, the first ones are used."""
    encoded, target, baseline = encoded[:MOST_ROWS], target[:MOST_ROWS], baseline[:MOST_ROWS]
    floor = task.losses(target, baseline)

    def measured(features: Floats) -> float:
        return skill(task.losses(target, task.predict(model, features)), floor)

    whole, generator = measured(encoded), np.random.default_rng(seed)
    found = []
    for name, part in feature_places(schema).items():
        lost = []
        for _ in range(REPEATS):
            shuffled = encoded.copy()
            shuffled[:, part] = encoded[generator.permutation(len(encoded)), part]
            lost.append(whole - measured(shuffled))
        found.append(Importance(name, round(float(np.mean(lost)), 6), round(float(np.std(lost)), 6)))
    return sorted(found, key=lambda each: -each.importance)
