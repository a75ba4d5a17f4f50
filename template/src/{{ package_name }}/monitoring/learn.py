"""`make labels LEARN=1`: predictions whose label is known become rows to learn from, in data/labelled.csv.

The file is versioned by DVC beside the source table. A prediction is taken once; a row that breaks data/schema.yaml is
left out, and told.
"""

from pathlib import Path

import duckdb
import msgspec
import pandas as pd

from ..cli import UserError, reason, run
from ..pipeline import paths
from ..pipeline.data import dvc
from ..pipeline.ingest import ID_COLUMN, read_labelled
from ..pipeline.params import load_data_schema, load_params
from ..pipeline.table import as_objects
from ..pipeline.validate import find_failures
from ..schema import Schema
from ..settings import Settings, load_settings
from .labels import FOLDER, has_labels, labels_sql
from .traffic import connect, log_files, predictions_sql, quoted


class Learned(msgspec.Struct):
    """How many rows were added and left out, and how many there are."""

    added: int
    left_out: int
    all: int


def labelled_predictions(files: list[Path], schema: Schema, folder: Path = FOLDER) -> pd.DataFrame:
    """Every logged prediction with a label, oldest first: its id, the features as text, the label as the target."""
    names = list(schema.features)
    features = ", ".join(f"CAST(f{position} AS VARCHAR) AS {quoted(name)}" for position, name in enumerate(names))
    # A prediction that a challenger shadowed is logged twice under one id.
    query = (
        f"SELECT p.id AS {quoted(ID_COLUMN)}, {features}, l.label AS {quoted(schema.target)} "
        f"FROM ({predictions_sql(files, schema)}) p JOIN ({labels_sql(folder)}) l USING (id) "
        "QUALIFY row_number() OVER (PARTITION BY p.id ORDER BY p.time) = 1 ORDER BY p.time, p.id"
    )
    try:
        with connect() as database:
            return as_objects(database.sql(query).to_arrow_table().to_pandas())
    except duckdb.Error as error:
        raise UserError(f"labels and predictions cannot be joined: {reason(error)}") from None


def without_failures(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The rows that keep the schema."""
    if rows.empty:
        return rows
    numbered = rows.reset_index(drop=True)
    _, failures = find_failures(numbered.drop(columns=ID_COLUMN), schema)
    return numbered.drop(index=failures["row"].unique().tolist())


def learn(settings: Settings, folder: Path = FOLDER) -> Learned:
    """Add what is new to data/labelled.csv and version it; raises UserError when the log cannot be read."""
    known = read_labelled()
    files = log_files(Path(settings.serve_log_path), needed=False)
    if not files or not has_labels(folder):
        return Learned(0, 0, len(known))
    schema = load_data_schema(load_params())
    found = labelled_predictions(files, schema, folder)
    new = found[~found[ID_COLUMN].isin(known[ID_COLUMN])] if len(known) else found
    usable = without_failures(new, schema)
    if len(usable):
        table = pd.concat([known, usable], ignore_index=True)
        part = paths.LABELLED.with_suffix(".part")
        table.to_csv(part, index=False)
        part.replace(paths.LABELLED)
        dvc("add", str(paths.LABELLED))
    return Learned(len(usable), len(new) - len(usable), len(known) + len(usable))


def main() -> None:
    """Add, and say how many."""
    learned = learn(load_settings())
    print(f"{learned.added} labelled predictions are new in {paths.LABELLED}, {learned.all} in all; `make pipeline`.")
    if learned.left_out:
        print(f"  {learned.left_out} are left out: they break {paths.SCHEMA}")


if __name__ == "__main__":
    run(main)
