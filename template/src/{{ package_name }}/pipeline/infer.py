"""From a table of texts to a first schema. The result is a proposal: it is reviewed and edited like code."""

import math
from functools import partial
from typing import Any

import pandas as pd
import yaml

from ..cli import UserError
from ..encoding import parse_date
from ..schema import ISO, Column
from ..task import infer_target
from .table import TRUE_FALSE, readable, to_numbers

DATE_FORMATS = (ISO, "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
MAX_CATEGORIES = 200
EXACT = 2.0**53  # beyond this a 64-bit float no longer tells whole numbers apart
HEADER = """\
# The columns of the table. Inferred once by `make data`, yours from then on: review it like code.
#   type      number, integer, boolean, category, date, or ignored (with a reason)
#   nullable  whether a value may be missing (default false)
#   min, max  bounds; inferred ones leave half the observed span on each side
"""


def infer_schema(frame: pd.DataFrame, target: str) -> dict[str, Column]:
    """Propose a column for each column of the table.

    Raises UserError when the target is not there or cannot be predicted by this repository's task.
    """
    if target not in frame.columns:
        raise UserError(f"the table has no column {target!r} to predict; it has {', '.join(frame.columns)}")
    columns = {name: infer_column(frame[name]) for name in frame.columns if name != target}
    columns[target] = infer_target(frame[target], target)
    if not any(column.type != "ignored" for name, column in columns.items() if name != target):
        raise UserError(f"no column can be learned from beside the target {target!r}: {ignored_reasons(columns)}")
    return {name: columns[name] for name in frame.columns}


def ignored_reasons(columns: dict[str, Column]) -> str:
    """Each ignored column with its reason, for messages."""
    return "; ".join(f"{name}: {column.reason}" for name, column in columns.items() if column.type == "ignored")


def infer_column(values: pd.Series) -> Column:
    """Propose the type of one column of texts."""
    present = values.dropna()
    nullable = len(present) < len(values)
    distinct = present.nunique()
    if distinct == 0:
        return Column(type="ignored", reason="empty")
    if distinct == 1:
        return Column(type="ignored", reason=f"constant: {present.iloc[0]}"[:80])
    if set(present.str.strip().str.lower()) <= set(TRUE_FALSE):
        return Column(type="boolean", nullable=nullable)
    if is_numeric(present):
        return infer_number(to_numbers(present), nullable=nullable)
    for date_format in DATE_FORMATS:
        if readable(partial(parse_date, date_format=date_format), present).all():
            return Column(type="date", nullable=nullable, format=date_format)
    if distinct <= MAX_CATEGORIES and distinct * 2 <= len(present):
        return Column(type="category", nullable=nullable, values=sorted(present.unique()))
    return Column(type="ignored", reason=f"text or identifier: {distinct} distinct values")


def is_numeric(present: pd.Series) -> bool:
    """Whether every text is a finite number; codes with leading zeros are text."""
    return bool(to_numbers(present).notna().all()) and not bool(present.str.match(r"^\s*0\d").any())


def infer_number(numbers: pd.Series, *, nullable: bool) -> Column:
    """A number or integer with bounds half a span outside what was seen; never below 0 where nothing was."""
    low, high = float(numbers.min()), float(numbers.max())
    whole = bool((numbers % 1 == 0).all()) and max(-low, high) < EXACT
    if whole and not nullable and low in (0, 1) and bool((numbers.diff().dropna() == 1).all()):
        return Column(type="ignored", reason="row number")
    margin = (high - low) / 2
    step = 10.0 ** (math.floor(math.log10(margin)) - 1)
    lower = math.floor((low - margin) / step) * step
    upper = math.ceil((high + margin) / step) * step
    return Column(
        type="integer" if whole else "number",
        nullable=nullable,
        min=tidy(max(0.0, lower) if low >= 0 else lower),
        max=tidy(upper),
    )


def tidy(bound: float) -> float:
    """A bound without the dust of binary fractions."""
    return float(f"{bound:.12g}")


def to_yaml(columns: dict[str, Column]) -> str:
    """The schema file: one line a column where it fits."""

    def fields(column: Column) -> dict[str, Any]:
        values = {name: getattr(column, name) for name in column.__struct_fields__}
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in values.items()
            if value is not None and value is not False
        }

    document = {name: fields(column) for name, column in columns.items()}
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
