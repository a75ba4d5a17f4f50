"""Reading a table and giving its columns the types of the schema. Every value starts as the text in the file."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ..cli import UserError
from ..encoding import parse_date
from ..schema import ISO, Column, Schema
from .reports import read_parquet

TRUE_FALSE = {"true": True, "false": False}
DELIMITERS = ",;\t|"
# What JSON would have to escape in a name; the service reads names as they stand.
UNUSABLE = re.compile(r"[\x00-\x1f\"\\]")
NO_TEXT = pd.Series(dtype="object")


def read_table(path: Path) -> pd.DataFrame:
    """Read a .csv or .parquet file as text, missing values as None; the index is the row number, from 1.

    Raises UserError when the file is missing, empty, damaged, or of another kind.
    """
    if not path.exists():
        raise UserError(f"{path} is missing; `make data` brings it back, or takes another SOURCE=")
    if path.suffix == ".csv":
        frame = read_csv(path)
    elif path.suffix == ".parquet":
        frame = read_parquet_as_text(path)
    else:
        raise UserError(f"{path}: only .csv and .parquet files can be read")
    if frame.empty:
        raise UserError(f"{path}: the table has no rows")
    unusable = [name for name in frame.columns if UNUSABLE.search(name)]
    if unusable:
        raise UserError(f"{path}: rename the column {unusable[0]!r}; it may hold no quote, backslash or control code")
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def read_csv(path: Path) -> pd.DataFrame:
    """Read a UTF-8 CSV file. A row with more or fewer fields than the header is an error, never padded or cut."""
    try:
        delimiter = check_fields(path)
        frame = pd.read_csv(path, sep=delimiter, dtype=str, skip_blank_lines=True, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise UserError(f"{path}: not a readable CSV file: {error}") from None
    frame.columns = [str(name).strip() for name in frame.columns]
    return as_objects(frame)


def check_fields(path: Path) -> str:
    """Find the delimiter and compare every row with the header; pandas alone would pad a short row in silence."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header_line = file.readline()
        if not header_line.strip():
            raise UserError(f"{path}: the first line must name the columns")
        delimiter = max(DELIMITERS, key=header_line.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(reader)
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise UserError(f"{path}: the header repeats the column {repeated[0]!r}")
        for fields in reader:
            if fields and len(fields) != len(header):
                raise UserError(
                    f"{path}: line {reader.line_num} has {len(fields)} fields, the header has {len(header)}"
                )
    return delimiter


def read_parquet_as_text(path: Path) -> pd.DataFrame:
    """Read a Parquet file and write each value as a CSV file would hold it."""
    try:
        frame = read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable Parquet file: {error}") from None
    return as_objects(pd.DataFrame({str(name).strip(): as_text(frame[name]) for name in frame.columns}))


def as_text(values: pd.Series) -> pd.Series:
    """A column as text; whole numbers lose the `.0` that a missing neighbour gave them."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values.map(lambda value: value.isoformat(), na_action="ignore")
    if pd.api.types.is_float_dtype(values.dtype):
        return values.map(lambda value: repr(float(value)), na_action="ignore")
    return values.map(str, na_action="ignore")


def as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Python strings, and None where a value is missing."""
    objects = frame.astype(object)
    return objects.where(frame.notna(), None)


def readable(parse: Callable[[str], object], values: pd.Series) -> pd.Series:
    """Which of the texts `parse` accepts; each distinct text is tried once."""

    def accepts(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    known = {text: accepts(text) for text in values.unique()}
    return values.map(known).astype(bool)


def to_numbers(values: pd.Series) -> pd.Series:
    """Texts as 64-bit floats; what is no finite number becomes NaN."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def coerce_column(values: pd.Series, column: Column) -> tuple[pd.Series, pd.Series]:
    """Give a column of texts its type.

    Returns the typed column (None or NaN where missing or unreadable) and a mask of the values that could not be read.
    """
    present = values.dropna()
    unread = pd.Series(False, index=values.index)
    if column.type in ("number", "integer"):
        typed = to_numbers(values)
        unread[present.index] = typed[present.index].isna()
        return typed, unread
    typed = values.astype(object)
    if column.type == "boolean":
        typed[present.index] = present.str.strip().str.lower().map(TRUE_FALSE)
        unread[present.index] = typed[present.index].isna()
    elif column.type == "date":
        date_format = column.format or ISO
        unread[present.index] = ~readable(lambda text: parse_date(text, date_format), present)
    elif column.type == "category" and not all(isinstance(value, str) for value in column.values or []):
        known = {str(value): value for value in column.values or []}
        typed[present.index] = present.map(lambda text: known.get(text, known.get(text.removesuffix(".0"), text)))
    return typed.astype(object).where(~unread & typed.notna(), None), unread


def coerce_table(frame: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every column its type.

    Returns the typed table (features and target) and the failures: row, column, rule, value.
    Raises UserError when the table lacks a column of the schema or has one that the schema does not know.
    """
    missing = [name for name in schema.columns if name not in frame.columns and name not in schema.ignored]
    if missing:
        raise UserError(f"the table has no column {missing[0]!r}, which data/schema.yaml asks for")
    unknown = [name for name in frame.columns if name not in schema.columns]
    if unknown:
        raise UserError(
            f"the table has a column {unknown[0]!r} that data/schema.yaml does not know; "
            "add it there, or give it `type: ignored`"
        )
    typed: dict[str, pd.Series] = {}
    failures: list[pd.DataFrame] = []
    for name in [*schema.features, schema.target]:
        column = schema.columns[name]
        typed[name], unread = coerce_column(frame[name], column)
        if unread.any():
            values = frame.loc[unread, name]
            rule = f"not a {column.type}" + (f" of format {column.format}" if column.format else "")
            failures.append(failure_rows(values, name, rule))
    return pd.DataFrame(typed, index=frame.index), join_failures(failures)


def failure_rows(values: pd.Series, column: str, rule: str) -> pd.DataFrame:
    """Failures of one rule on one column."""
    return pd.DataFrame({"row": values.index, "column": column, "rule": rule, "value": values.astype(str).to_numpy()})


def join_failures(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """All failures, ordered by row."""
    if not parts:
        return pd.DataFrame({"row": pd.Series(dtype="int64"), **dict.fromkeys(("column", "rule", "value"), NO_TEXT)})
    return pd.concat(parts, ignore_index=True).sort_values(["row", "column"], kind="stable", ignore_index=True)
