"""The body of a prediction request, checked against the schema: types, missing values, ranges, categories, dates."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from ..encoding import parse_date
from ..schema import ISO, Column, Schema

LARGEST = 3.0e38  # beyond this a 32-bit float is infinite
LARGEST_INT = 2**63 - 1
MAX_PROBLEMS = 100


class Problem(msgspec.Struct, omit_defaults=True):
    """What is wrong with one value; rows count from 0."""

    row: int
    column: str
    reason: str


class BadRequestError(Exception):
    """The body is no JSON of the right form."""


class InvalidRowsError(Exception):
    """Some values break the schema."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problem(s)")
        self.problems = problems


def value_type(column: Column) -> Any:
    """The type that msgspec checks a value of this column against."""
    low = -LARGEST if column.min is None else column.min
    high = LARGEST if column.max is None else column.max
    kind: Any
    if column.type == "number":
        kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    elif column.type == "integer":
        kind = Annotated[int, msgspec.Meta(ge=max(math.ceil(low), -LARGEST_INT), le=min(math.floor(high), LARGEST_INT))]
    elif column.type == "boolean":
        kind = bool
    elif column.type == "category":
        kind = Literal[tuple(column.values or [])]
    else:
        kind = str
    return kind | None if column.nullable else kind


ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode JSON; raises BadRequestError when it is none, msgspec.ValidationError when it is of another type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise BadRequestError(f"not valid JSON: {error}") from None
    except UnicodeDecodeError:
        raise BadRequestError("not valid JSON: the text is not UTF-8") from None


class RequestReader:
    """Reads bodies: one row as an object, or many as an array of objects."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.types = {name: value_type(column) for name, column in schema.features.items()}
        self.dates = [
            (position, name, column.format or ISO)
            for position, (name, column) in enumerate(schema.features.items())
            if column.type == "date"
        ]
        self.width = len(self.types)
        known = {f"f{position}": name for position, name in enumerate([*self.types, *schema.ignored])}
        fields: list[Any] = [
            (f"f{position}", kind, None) if schema.columns[name].nullable else (f"f{position}", kind)
            for position, (name, kind) in enumerate(self.types.items())
        ]
        fields += [(f"f{self.width + position}", Any, msgspec.UNSET) for position in range(len(schema.ignored))]
        row = msgspec.defstruct("Row", fields, rename=known, forbid_unknown_fields=True, kw_only=True, gc=False)
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row | list[row])  # type: ignore[valid-type]

    def read(self, body: bytes) -> Sequence[msgspec.Struct]:
        """Decode and check a body.

        Raises BadRequestError when it is no JSON object or array, InvalidRowsError when values break the schema.
        """
        try:
            decoded = decode(self.decoder, body)
        except msgspec.ValidationError:
            raise InvalidRowsError(self.explain(body)) from None
        rows = decoded if isinstance(decoded, list) else [decoded]
        if not rows:
            raise BadRequestError("no rows: send one object, or an array of objects")
        if self.dates:
            self.check_dates(rows)
        return rows

    def values(self, row: msgspec.Struct) -> tuple[Any, ...]:
        """The features of a row, in the order of the schema."""
        return msgspec.structs.astuple(row)[: self.width]

    def check_dates(self, rows: Sequence[msgspec.Struct]) -> None:
        """Raise InvalidRowsError when a date is not written as the schema says."""
        problems = []
        for index, row in enumerate(rows):
            for position, name, date_format in self.dates:
                text = getattr(row, f"f{position}")
                reason = None if text is None else date_problem(text, date_format)
                if reason:
                    problems.append(Problem(index, name, reason))
        if problems:
            raise InvalidRowsError(problems[:MAX_PROBLEMS])

    def explain(self, body: bytes) -> list[Problem]:
        """Every value that is wrong, column by column; only reached when the fast path has refused the body."""
        raw = decode(ANY, body)
        rows = raw if isinstance(raw, list) else [raw]
        problems: list[Problem] = []
        for index, row in enumerate(rows):
            if not isinstance(row, dict):
                problems.append(Problem(index, "", "a row must be an object of column names and values"))
            else:
                problems += self.explain_row(index, row)
            if len(problems) >= MAX_PROBLEMS:
                break
        return problems[:MAX_PROBLEMS]

    def explain_row(self, index: int, row: dict[str, Any]) -> list[Problem]:
        """What is wrong with one row."""
        problems = [
            Problem(
                index, name, "this is the column that is predicted" if name == self.schema.target else "unknown column"
            )
            for name in row
            if name not in self.types and name not in self.schema.ignored
        ]
        for name, kind in self.types.items():
            column = self.schema.columns[name]
            if name not in row:
                if not column.nullable:
                    problems.append(Problem(index, name, "missing"))
                continue
            try:
                value = msgspec.convert(row[name], kind)
            except msgspec.ValidationError as error:
                allowed = f"; allowed: {', '.join(map(str, column.values))}" if column.values else ""
                problems.append(Problem(index, name, f"{error}{allowed}"))
            else:
                is_date = column.type == "date" and value is not None
                if is_date and (reason := date_problem(value, column.format or ISO)):
                    problems.append(Problem(index, name, reason))
        return problems


def date_problem(text: str, date_format: str) -> str | None:
    """Why a text is no date of this format, or None."""
    try:
        parse_date(text, date_format)
    except ValueError:
        return f"{text!r} is no date of format {date_format}"
    return None
