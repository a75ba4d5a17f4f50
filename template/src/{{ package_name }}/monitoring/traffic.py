"""The prediction log, counted: one pass in bounded memory, whatever its length."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from ..cli import UserError, reason
from ..encoding import date_parts, parse_date
from ..schema import ISO, Column, Schema
from .drift import NumberTally, ValueTally

BATCH_ROWS = 100_000
MEMORY = "1GB"
SQL_TYPES = {"number": "DOUBLE", "integer": "DOUBLE", "boolean": "BOOLEAN", "category": "VARCHAR", "date": "VARCHAR"}


class Traffic(msgspec.Struct):
    """What the service saw and answered, counted against the points of a reference."""

    rows: int
    features: dict[str, NumberTally | ValueTally]
    prediction: NumberTally | ValueTally


def log_files(path: Path, *, needed: bool = True) -> list[Path]:
    """The files of a prediction log, the oldest first; raises UserError when there is none and one is needed."""
    files = [path, *sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: int(each.suffix[1:]))]
    found = [file for file in reversed(files) if file.exists() and file.stat().st_size]
    if needed and not found:
        raise UserError(f"{path} holds no predictions yet; `make serve` and send some, or set SERVE_LOG_PATH")
    return found


def quoted(name: str) -> str:
    """A name as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes any text."""
    return "'" + text.replace("'", "''") + "'"


def feature_sql(schema: Schema) -> tuple[str, list[str]]:
    """The type of a logged row, and an expression for each feature of it.

    DuckDB's structures do not tell upper from lower case; a table that does is taken apart as JSON, which is slower.
    """
    kinds = {name: SQL_TYPES[column.type] for name, column in schema.features.items()}
    if len({name.lower() for name in kinds}) == len(kinds):
        fields = ", ".join(f"{quoted(name)} {kind}" for name, kind in kinds.items())
        return f"STRUCT({fields})", [f"r.{quoted(name)}" for name in kinds]
    paths = {name: literal("$." + quoted(name)) for name in kinds}
    return "JSON", [f"CAST(json_extract_string(r, {paths[name]}) AS {kind})" for name, kind in kinds.items()]


def predictions_sql(files: list[Path], schema: Schema) -> str:
    """A table of all logged predictions: version, time, id, prediction, probabilities, a column for each feature."""
    row, features = feature_sql(schema)
    answer = "prediction VARCHAR, probabilities MAP(VARCHAR, DOUBLE)" if schema.classes else "prediction DOUBLE"
    columns = {
        "time": "DOUBLE",
        "model_version": "VARCHAR",
        "rows": f"{row}[]",
        "predictions": f"STRUCT(id VARCHAR, {answer})[]",
    }
    spelled = "{" + ", ".join(f"{name}: {literal(kind)}" for name, kind in columns.items()) + "}"
    listed = ", ".join(literal(str(file)) for file in files)
    source = f"read_json([{listed}], format='newline_delimited', ignore_errors=true, columns={spelled})"
    unnested = f"SELECT time, model_version, unnest(rows) AS r, unnest(predictions) AS p FROM {source}"
    names = ", ".join(f"{expression} AS {quoted(f'f{position}')}" for position, expression in enumerate(features))
    shares = "p.probabilities" if schema.classes else "NULL"
    answers = f"p.id AS id, p.prediction AS prediction, {shares} AS probabilities"
    return f"SELECT time, model_version, {answers}, {names} FROM ({unnested})"


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory that spills to disk instead of growing."""
    return duckdb.connect(config={"memory_limit": MEMORY, "preserve_insertion_order": "false"})


def batches(files: list[Path], schema: Schema, version: str) -> Iterator[pa.RecordBatch]:
    """The predictions of a version, some at a time; raises UserError when the log cannot be read."""
    table = f"SELECT * EXCLUDE (time, id, probabilities) FROM ({predictions_sql(files, schema)})"
    query = f"{table} WHERE model_version = $version"
    try:
        with connect() as database:
            yield from database.sql(query, params={"version": version}).to_arrow_reader(BATCH_ROWS)
    except duckdb.Error as error:
        raise UserError(f"{files[-1]} cannot be read: {reason(error)}") from None


def empty(reference: dict[str, Any]) -> NumberTally | ValueTally:
    """A tally that nothing was counted in, for what a reference describes."""
    return NumberTally([0] * (len(reference["points"]) + 1)) if "points" in reference else ValueTally({})


@cache
def days(text: str, date_format: str) -> float:
    """Days since 1970 of a date."""
    return date_parts(parse_date(text, date_format))[0]


def numbers(values: pa.Array, column: Column | None) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A column as numbers with NaN for what is missing, with the precision that the model sees."""
    if column is not None and column.type == "date":
        found = [None if text is None else days(text, column.format or ISO) for text in values.to_pylist()]
        wide = np.array(found, dtype=np.float64)
    else:
        wide = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return wide.astype(np.float32).astype(np.float64)


def count(tally: NumberTally | ValueTally, values: pa.Array, column: Column | None, points: list[float]) -> None:
    """Add a batch of values to a tally."""
    if isinstance(tally, NumberTally):
        found = numbers(values, column)
        present = found[~np.isnan(found)]
        places = np.bincount(np.searchsorted(points, present), minlength=len(points) + 1)
        tally.counts = (np.asarray(tally.counts) + places).tolist()
        tally.missing += len(found) - len(present)
        return
    tally.missing += values.null_count
    added = Counter({str(each["values"]): each["counts"] for each in values.drop_null().value_counts().to_pylist()})
    tally.counts = dict(Counter(tally.counts) + added)


def read_traffic(files: list[Path], schema: Schema, reference: dict[str, Any], version: str) -> Traffic:
    """Count what a version was asked and answered."""
    traffic = Traffic(
        0, {name: empty(reference["features"][name]) for name in schema.features}, empty(reference["prediction"])
    )
    for batch in batches(files, schema, version):
        traffic.rows += batch.num_rows
        count(traffic.prediction, batch["prediction"], None, reference["prediction"].get("points", []))
        for position, (name, column) in enumerate(schema.features.items()):
            points = reference["features"][name].get("points", [])
            count(traffic.features[name], batch[f"f{position}"], column, points)
    return traffic
