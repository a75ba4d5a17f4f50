"""`make labels SOURCE=`: what turned out to be true, joined with the predictions by their ids.

A file of labels has the columns `id` and `label`. The first label of a prediction is kept; each file that brought
something new is a file in .local/labels.
"""

import argparse
import time
from pathlib import Path

import duckdb
import msgspec

from ..cli import UserError, reason, run
from ..schema import Schema, from_json
from ..settings import load_settings
from .served import served_version
from .traffic import connect, literal, log_files, predictions_sql

FOLDER = Path(".local/labels")
COLUMNS = {"id", "label"}


class Counted(msgspec.Struct):
    """What became of the rows of a file."""

    rows: int
    new: int
    repeated: int
    contradicting: int
    unknown: int
    unusable: int


def has_labels(folder: Path) -> bool:
    """Whether any label was kept so far."""
    return any(folder.glob("*.parquet"))


def labels_sql(folder: Path) -> str:
    """A table of all labels so far: id, label, time."""
    if not has_labels(folder):
        return "SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS label, NULL::DOUBLE AS time WHERE false"
    return f"SELECT * FROM read_parquet({literal(str(folder / '*.parquet'))})"


def read_source(database: duckdb.DuckDBPyConnection, source: Path) -> None:
    """Read a file of labels into the table `given`; raises UserError when it has other columns."""
    reader = "read_parquet" if source.suffix == ".parquet" else "read_csv"
    options = "" if source.suffix == ".parquet" else ", all_varchar=true, header=true"
    if not source.exists():
        raise UserError(f"{source} does not exist; SOURCE names a .csv or .parquet file with the columns id and label")
    try:
        database.execute(f"CREATE TABLE given AS SELECT * FROM {reader}({literal(str(source))}{options})")
    except duckdb.Error as error:
        raise UserError(f"{source} cannot be read: {reason(error)}") from None
    found = {row[0] for row in database.execute("DESCRIBE given").fetchall()}
    if not found >= COLUMNS:
        raise UserError(f"{source} has the columns {', '.join(sorted(found))}; id and label are needed")


def usable(schema: Schema) -> str:
    """The condition of SQL that a label can be compared with a prediction."""
    if not schema.classes:
        return "TRY_CAST(label AS DOUBLE) IS NOT NULL"
    return f"label IN ({', '.join(literal(str(label)) for label in schema.classes)})"


def add_labels(source: Path, log: list[Path], schema: Schema, folder: Path = FOLDER) -> Counted:
    """Keep the labels of a file that are of a logged prediction and have a meaning; count all others."""
    folder.mkdir(parents=True, exist_ok=True)
    with connect() as database:
        read_source(database, source)
        database.execute(f"CREATE TABLE known AS {labels_sql(folder)}")
        database.execute(
            f"CREATE TABLE checked AS SELECT id::VARCHAR AS id, label::VARCHAR AS label, "
            f"{usable(schema)} AS usable, row_number() OVER (PARTITION BY id ORDER BY rowid) AS turn FROM given"
        )
        database.execute(
            "CREATE TABLE judged AS SELECT c.*, first_value(c.label) OVER (PARTITION BY c.id ORDER BY turn) AS first, "
            "k.label AS before, c.id IN (SELECT id FROM "
            f"({predictions_sql(log, schema)})) AS logged FROM checked c LEFT JOIN known k USING (id)"
        )
        counted = database.execute(
            "SELECT count(*), "
            "count(*) FILTER (usable AND logged AND before IS NULL AND turn = 1), "
            "count(*) FILTER (usable AND logged AND (before IS NOT NULL OR turn > 1) "
            "AND label = coalesce(before, first)), "
            "count(*) FILTER (usable AND logged AND (before IS NOT NULL OR turn > 1) "
            "AND label <> coalesce(before, first)), "
            "count(*) FILTER (usable AND NOT logged), count(*) FILTER (NOT coalesce(usable, false)) FROM judged"
        ).fetchone()
        result = Counted(*(counted or (0,) * 6))
        if result.new:
            write(database, folder)
    return result


def write(database: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write what is new, whole or not at all."""
    now = time.time()
    target = folder / f"{now:.6f}.parquet"
    part = target.with_suffix(".part")
    database.execute(
        f"COPY (SELECT id, label, {now}::DOUBLE AS time FROM judged WHERE usable AND logged AND before IS NULL "
        f"AND turn = 1) TO {literal(str(part))} (FORMAT parquet)"
    )
    part.rename(target)


def main() -> None:
    """Add a file of labels and say what became of its rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    source = parser.parse_args().source
    if not source:
        raise UserError("name the file: make labels SOURCE=labels.csv (columns id and label)")
    settings = load_settings()
    served = served_version(settings)
    schema = from_json((served.folder / "schema.json").read_bytes())
    counted = add_labels(Path(source), log_files(Path(settings.serve_log_path)), schema)
    print(f"{source}: {counted.rows} rows, {counted.new} new labels.")
    for number, meaning in (
        (counted.repeated, "repeat a label that is known"),
        (counted.contradicting, "contradict a label that is known; the first one stays"),
        (counted.unknown, "are of predictions that the log does not have"),
        (counted.unusable, "have a label that the model cannot predict"),
    ):
        if number:
            print(f"  {number} {meaning}")


if __name__ == "__main__":
    run(main)
