"""Stage ingest: the table as it came, every value as text, in one format."""

from pathlib import Path

from ..cli import run
from . import paths
from .params import load_params
from .reports import write_json, write_parquet
from .table import read_table


def main() -> None:
    """From the source that params.yaml names to data/ingested.parquet."""
    source = Path(load_params().data.source)
    frame = read_table(source)
    write_parquet(paths.INGESTED, frame)
    write_json(paths.INGESTION, {"source": str(source), "rows": len(frame), "columns": len(frame.columns)})
    print(f"{source}: {len(frame)} rows, {len(frame.columns)} columns.")


if __name__ == "__main__":
    run(main)
