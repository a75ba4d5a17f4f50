"""Stage validate: every row against data/schema.yaml, with Pandera.

Rows that break a rule are kept in data/rejected.csv. More of them than validate.max_bad_rows allows stops the pipeline.
"""

import math

import pandas as pd
import pandera.pandas as pa

from ..cli import UserError, run
from ..schema import Column, Schema
from ..task import check_target
from . import paths
from .params import load_data_schema, load_params
from .reports import read_parquet, write_json, write_parquet
from .table import coerce_table, join_failures

SHOWN = 10


def column_rules(column: Column) -> pa.Column:
    """The rules of one column; every check carries the words that a person reads."""
    checks = []
    if column.type == "integer":
        checks.append(pa.Check(lambda values: values % 1 == 0, error="not a whole number"))
    if column.min is not None:
        checks.append(pa.Check.ge(column.min, error=f"below min {column.min:g}"))
    if column.max is not None:
        checks.append(pa.Check.le(column.max, error=f"above max {column.max:g}"))
    if column.type == "category":
        checks.append(pa.Check.isin(column.values or [], error="not one of the values in the schema"))
    return pa.Column(checks=checks, nullable=True)


def find_failures(raw: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Type a table of texts and check it.

    Returns the typed table and one line for each failure: row, column, rule, value (as it was in the file).
    """
    typed, unread = coerce_table(raw, schema)
    names = list(typed.columns)
    rules = pa.DataFrameSchema({name: column_rules(schema.columns[name]) for name in names})
    parts = [unread]
    try:
        rules.validate(typed, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        parts.append(
            pd.DataFrame(
                {
                    "row": cases["index"].astype("int64"),
                    "column": cases["column"],
                    "rule": cases["check"],
                    "value": [raw.at[row, name] for row, name in zip(cases["index"], cases["column"], strict=True)],
                }
            )
        )
    for name in names:
        if not (schema.columns[name].nullable and name != schema.target):
            empty = raw.index[raw[name].isna()]
            parts.append(pd.DataFrame({"row": empty, "column": name, "rule": "missing", "value": ""}))
    return typed, join_failures([part for part in parts if len(part)])


def keep_rejected(raw: pd.DataFrame, failures: pd.DataFrame) -> None:
    """Write the offending rows as they were, each with the rules that it breaks."""
    reasons = (failures["column"] + ": " + failures["rule"]).groupby(failures["row"]).agg("; ".join)
    rejected = raw.loc[reasons.index].copy()
    rejected.insert(0, "broken_rules", reasons, allow_duplicates=True)
    rejected.to_csv(paths.REJECTED, index_label="row")


def describe(failures: pd.DataFrame) -> str:
    """The first failures, a line each."""
    lines = [
        f"  row {row}, column {column!r}: {rule}" + (f" ({value})" if value else "")
        for row, column, rule, value in failures.head(SHOWN).to_numpy().tolist()
    ]
    if len(failures) > SHOWN:
        lines.append(f"  and {len(failures) - SHOWN} more")
    return "\n".join(lines)


def main() -> None:
    """From data/ingested.parquet to data/valid.parquet."""
    params = load_params()
    schema = load_data_schema(params)
    check_target(schema)
    raw = read_parquet(paths.INGESTED)
    typed, failures = find_failures(raw, schema)
    bad_rows = failures["row"].unique().tolist()
    keep_rejected(raw, failures)
    allowed = int(params.validate.max_bad_rows * len(raw))
    summary = {"rows": len(raw), "rejected": len(bad_rows), "allowed": allowed}
    if len(bad_rows) > allowed:
        raise UserError(
            f"{len(bad_rows)} of {len(raw)} rows break data/schema.yaml, {allowed} allowed:\n{describe(failures)}\n"
            f"  The rows are in {paths.REJECTED}. Correct the data or the schema, or allow them: "
            f"validate.max_bad_rows {math.ceil(1e4 * len(bad_rows) / len(raw)) / 1e4:g}."
        )
    if len(bad_rows):
        print(f"{len(bad_rows)} of {len(raw)} rows are left out, {allowed} allowed; they are in {paths.REJECTED}:")
        print(describe(failures))
    else:
        print(f"{len(raw)} rows keep every rule of data/schema.yaml.")
    write_parquet(paths.VALID, typed.drop(index=bad_rows))
    write_json(paths.VALIDATION, summary)


if __name__ == "__main__":
    run(main)
