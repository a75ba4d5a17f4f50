"""The last rows that a model saw, against the statistics that it was trained on. Measured when Prometheus asks."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ..encoding import encoded_features
from ..schema import Column, Schema
from ..stability import bin_shares, decile_cuts, psi, psi_by_chance

ROWS, FEWEST_ROWS = 1000, 200
PREDICTION = "the prediction"
Array = npt.NDArray[Any]


class Measured(msgspec.Struct):
    """One column of the window; `shift` is how far the mean is from that of the training data, in its deviations."""

    column: str
    psi: float
    by_chance: float
    missing: float
    shift: float | None


class Window:
    """Keeps the encoded rows and the answers of the last requests; adding to it costs a request next to nothing."""

    def __init__(self, schema: Schema, reference: dict[str, Any]) -> None:
        self.schema, self.reference = schema, reference
        self.positions = {feature.name: position for position, feature in enumerate(encoded_features(schema))}
        self.parts: deque[tuple[Array, list[Any]]] = deque()
        self.rows = 0
        self.lock = threading.Lock()  # large requests are answered by a thread, small ones are not

    def add(self, encoded: Array, answers: list[dict[str, Any]]) -> None:
        """Keep what was asked and answered; the oldest goes."""
        predictions = [answer["prediction"] for answer in answers[-ROWS:]]
        with self.lock:
            self.parts.append((encoded[-ROWS:], predictions))
            self.rows += len(predictions)
            while self.rows - len(self.parts[0][1]) >= ROWS:
                self.rows -= len(self.parts.popleft()[1])

    def measure(self) -> list[Measured]:
        """Every feature and the prediction; nothing while there are too few rows to tell."""
        with self.lock:
            parts = list(self.parts)
        encoded = np.concatenate([part for part, _ in parts]) if parts else np.empty((0, 0))
        if len(encoded) < FEWEST_ROWS:
            return []
        return list(self.columns(encoded.astype(np.float64), [each for _, found in parts for each in found]))

    def columns(self, encoded: Array, predictions: list[Any]) -> Iterator[Measured]:
        """Each column of the reference, as it is now."""
        for name, column in self.schema.features.items():
            values = encoded[:, self.positions[f"{name}.days" if column.type == "date" else name]]
            reference = self.reference["features"][name]
            if "points" in reference:
                yield measure_numbers(name, reference, values)
            else:
                yield measure_values(name, reference, labels(column, values))
        reference = self.reference["prediction"]
        if "points" in reference:
            yield measure_numbers(PREDICTION, reference, np.asarray(predictions, dtype=np.float64))
        else:
            yield measure_values(PREDICTION, reference, [str(each) for each in predictions])


def labels(column: Column, values: Array) -> list[str | None]:
    """Encoded values as the reference spells them."""
    names = [str(value) for value in column.values or [False, True]]
    return [None if np.isnan(value) else names[int(value)] for value in values]


def measure_numbers(name: str, reference: dict[str, Any], values: Array) -> Measured:
    """A column of numbers against its reference."""
    points, before = np.asarray(reference["points"]), np.asarray(reference["below"])
    present = np.sort(values[~np.isnan(values)])
    missing = 1 - len(present) / len(values)
    now = np.searchsorted(present, points, side="right") / max(len(present), 1)
    cuts = decile_cuts(before)
    bins = [
        np.append(bin_shares(below, cuts) * rows * (1 - gone), rows * gone)
        for below, rows, gone in ((before, reference["rows"], reference["missing"]), (now, len(values), missing))
    ]
    spread = reference["std"]
    shift = float(present.mean() - reference["mean"]) / spread if spread and len(present) else None
    return compare(name, bins, missing, shift)


def measure_values(name: str, reference: dict[str, Any], values: list[Any]) -> Measured:
    """A column of values against its reference."""
    present = [value for value in values if value is not None]
    known = sorted({*reference["counts"], *present})
    places = {value: place for place, value in enumerate(known)}
    now = np.bincount([places[value] for value in present], minlength=len(known)).astype(np.float64)
    before = np.array([reference["counts"].get(value, 0) for value in known], dtype=np.float64)
    gone = len(values) - len(present)
    bins = [np.append(before, reference["rows"] * reference["missing"]), np.append(now, gone)]
    return compare(name, bins, gone / len(values), None)


def compare(name: str, bins: list[Array], missing: float, shift: float | None) -> Measured:
    """The index, and the one that chance may give."""
    before, now = bins
    return Measured(name, psi(before, now), psi_by_chance(len(now), before.sum(), now.sum()), missing, shift)
