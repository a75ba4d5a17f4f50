"""From a row to the numbers a model sees. Serving needs NumPy alone here; training adds pandas and must agree.

Every feature becomes one 32-bit float, a date becomes three; missing is NaN:
    number, integer   the value
    boolean           0 or 1
    category          the position in the schema's `values`
    date              days since 1970-01-01 (UTC), month (1 to 12), weekday (0 is Monday)
A 32-bit float keeps seven digits: a date is exact to about three minutes.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from .schema import ISO, Column, Schema

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_PER_DAY = 86_400
Floats = npt.NDArray[np.float32]


class Feature(msgspec.Struct, frozen=True):
    """One position of the encoded row."""

    name: str
    kind: Literal["number", "category"]


def parse_date(text: str, date_format: str) -> datetime:
    """Read a date; without a time zone it counts as UTC. Raises ValueError when it does not fit the format."""
    date = datetime.fromisoformat(text) if date_format == ISO else datetime.strptime(text, date_format)
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def date_parts(date: datetime) -> tuple[float, float, float]:
    """Days since the epoch, month, weekday."""
    return (date - EPOCH).total_seconds() / SECONDS_PER_DAY, date.month, date.weekday()


def encoded_features(schema: Schema) -> list[Feature]:
    """The positions of an encoded row, in order."""
    features: list[Feature] = []
    for name, column in schema.features.items():
        if column.type == "date":
            features += [
                Feature(f"{name}.days", "number"),
                Feature(f"{name}.month", "category"),
                Feature(f"{name}.weekday", "category"),
            ]
        else:
            features.append(Feature(name, "category" if column.type == "category" else "number"))
    return features


def column_width(column: Column) -> int:
    """How many floats a value of a column becomes."""
    return 3 if column.type == "date" else 1


def feature_places(schema: Schema) -> dict[str, slice]:
    """Where each feature is in an encoded row."""
    found, start = {}, 0
    for name, column in schema.features.items():
        found[name] = slice(start, start + column_width(column))
        start = found[name].stop
    return found


def column_encoder(column: Column) -> Callable[[Any], tuple[float | None, ...]]:
    """The function that turns one value of a column into its floats; None stands for missing."""
    if column.type == "category":
        codes = {value: float(code) for code, value in enumerate(column.values or [])}
        return lambda value: (codes[value],)
    if column.type == "date":
        date_format = column.format or ISO
        return lambda value: date_parts(parse_date(value, date_format))
    return lambda value: (value,)


class RowEncoder:
    """Encodes rows given as sequences of values in the order of the schema's features."""

    def __init__(self, schema: Schema) -> None:
        columns = list(schema.features.values())
        self.width = len(encoded_features(schema))
        self.plain = all(column.type in ("number", "integer", "boolean") for column in columns)
        self.encoders = [column_encoder(column) for column in columns]
        self.missing: list[tuple[None, ...]] = [
            (None, None, None) if column.type == "date" else (None,) for column in columns
        ]

    def encode(self, rows: Sequence[Sequence[Any]]) -> Floats:
        """Rows to an array of shape (rows, width); KeyError for an unknown category, ValueError for a bad date."""
        if self.plain:
            return np.array(rows, dtype=np.float32).reshape(len(rows), self.width)
        encoded = np.empty((len(rows), self.width), dtype=np.float32)
        for index, row in enumerate(rows):
            values: list[float | None] = []
            for value, encode, missing in zip(row, self.encoders, self.missing, strict=True):
                values.extend(missing if value is None else encode(value))
            encoded[index] = values
        return encoded
