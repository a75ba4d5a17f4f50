"""The columns of the table: what `data/schema.yaml` says, and the only thing that training and serving both believe."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from .cli import UserError, on_one_line

Kind = Literal["number", "integer", "boolean", "category", "date", "ignored"]
Label = bool | int | float | str
ISO = "ISO8601"


class Column(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One column. `min` and `max` bound numbers, `values` lists categories, `format` is how dates are written."""

    type: Kind
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    values: list[Label] | None = None
    format: str | None = None
    reason: str | None = None


class Schema(msgspec.Struct):
    """The columns, and which of them is predicted."""

    task: str
    target: str
    columns: dict[str, Column]

    @property
    def features(self) -> dict[str, Column]:
        """The columns a model learns from, in the order of the file."""
        return {
            name: column for name, column in self.columns.items() if name != self.target and column.type != "ignored"
        }

    @property
    def ignored(self) -> list[str]:
        """The columns that are in the table and take no part."""
        return [name for name, column in self.columns.items() if column.type == "ignored"]

    @property
    def classes(self) -> list[Label]:
        """The labels a classifier chooses from; empty for regression."""
        return self.columns[self.target].values or []


def parse_schema(text: str | bytes, *, target: str, task: str, path: str) -> Schema:
    """Read and check the YAML of a schema.

    Raises UserError naming the file and the key when the text cannot be used.
    """
    try:
        columns = msgspec.yaml.decode(text, type=dict[str, Column])
    except msgspec.MsgspecError as error:
        raise UserError(f"{path}: {on_one_line(error)}") from None
    for name, column in columns.items():
        check_column(name, column, path)
    if target not in columns:
        raise UserError(
            f"{path}: the target {target!r} (params.yaml, data.target) is no column of the schema; "
            f"it has {', '.join(columns)}"
        )
    schema = Schema(task=task, target=target, columns=columns)
    if columns[target].type == "ignored":
        raise UserError(f"{path}: the target {target!r} is ignored: {columns[target].reason or 'no reason given'}")
    if not schema.features:
        raise UserError(f"{path}: no column is left to learn from beside the target {target!r}")
    return schema


def check_column(name: str, column: Column, path: str) -> None:
    """Raise UserError when the fields of a column contradict each other."""
    if column.type == "category" and not column.values:
        raise UserError(f"{path}: column {name!r} is a category and needs `values`")
    if column.type == "date" and not column.format:
        raise UserError(f"{path}: column {name!r} is a date and needs a `format` ({ISO} or one such as '%d/%m/%Y')")
    if column.min is not None and column.max is not None and column.min > column.max:
        raise UserError(f"{path}: column {name!r} has min {column.min} above max {column.max}")


def load_schema(path: Path, *, target: str, task: str) -> Schema:
    """Read `data/schema.yaml`; raises UserError when it is missing or cannot be used."""
    if not path.exists():
        raise UserError(f"{path} is missing; `make data` infers it from the table")
    return parse_schema(path.read_bytes(), target=target, task=task, path=str(path))


def to_json(schema: Schema) -> bytes:
    """The schema as it travels with a model version."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=1)


def from_json(data: bytes) -> Schema:
    """The inverse of `to_json`."""
    return msgspec.json.decode(data, type=Schema)


def same_problem(one: Schema, other: Schema) -> bool:
    """Whether a model of one schema can score the table of the other: the same task, target, classes and features."""

    def identity(schema: Schema) -> Any:
        features = {name: (column.type, column.values) for name, column in schema.features.items()}
        return schema.task, schema.target, schema.classes, features

    return bool(identity(one) == identity(other))
