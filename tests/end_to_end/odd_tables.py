"""Odd tables through the stages and the service of a generated repository; run by its own Python, in its folder.

Prints one line a table: `ok`, or `refused` with the reason. Anything else is a fault and ends with its traceback.
"""

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS = 300
PACKAGE = sys.argv[1]
PROJECT = Path.cwd()
STAGES = ("ingest", "validate", "split", "train", "evaluate", "export")


def module(name: str) -> Any:
    """A module of the generated package."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def tables(*, classes: bool) -> dict[str, pd.DataFrame]:
    """The tables, by what is odd about them; the target is `t`."""
    generator = np.random.default_rng(0)
    number = generator.normal(size=ROWS)
    letter = generator.choice(list("abc"), ROWS)
    signal = number + (letter == "a")
    target: Any = np.where(signal > 0, "yes", "no") if classes else signal * 10
    gone = generator.random(ROWS) < 0.3

    def table(**columns: Any) -> pd.DataFrame:
        return pd.DataFrame({"x": number, "c": letter, **columns, "t": target})

    def with_target(values: Any) -> pd.DataFrame:
        return table().assign(t=values)

    names = [
        "row",
        "index",
        "column",
        "a.b",
        "$x[0]",
        "naïve 名前",
        "it's",
        "  padded  ",
        "f0",
        "from",
        "__class__",
        "rows",
    ]
    found = {
        "names": table(**{name: number * (place + 1) for place, name in enumerate(names)}, broken_rules=letter),
        "booleans only": pd.DataFrame({"one": signal > 0, "two": number > 0.5, "t": target}),
        "categories only": pd.DataFrame({"c": letter, "t": target}),
        "dates only": pd.DataFrame({"d": pd.date_range("2000", periods=ROWS).strftime("%d/%m/%Y"), "t": target}),
        "times": table(d=pd.date_range("2000-01-01 03:04:05", periods=ROWS, freq="7h").astype(str)),
        "time zones": table(d=pd.date_range("2000", periods=ROWS, freq="7h", tz="Europe/Paris").astype(str)),
        "missing categories": table(m=pd.Series(letter).where(~gone, None)),
        "missing booleans": table(m=pd.Series(letter == "a").astype(object).where(~gone, None)),
        "missing dates": table(m=pd.Series(["2020-01-05"] * ROWS).where(~gone, "2021-05-06").where(number < 1, None)),
        "200 columns": table(**{f"n{place}": generator.normal(size=ROWS) for place in range(200)}),
        "line breaks": table(q=np.where(letter == "a", "line\nbreak", "x,y")),
        "big whole numbers": table(i=generator.integers(1, 2**53, ROWS)),
        "huge numbers": table(i=number * 1e30),
        "tiny numbers": table(i=number * 1e-30),
        "numbers and text": table(m=np.where(gone, "12", "n/k")),
        "an empty column": table(e=[None] * ROWS),
        "leading zeros": table(z=[f"{place % 30:05d}" for place in range(ROWS)]),
        "per cent": table(z=[f"{place % 30}%" for place in range(ROWS)]),
        "pictures": table(z=np.where(number > 0, "😀", "ñ")),
        "a grid of tenths": table(g=(number * 10).round() / 10),
    }
    if classes:
        rare = table()
        rare.loc[0, "t"] = "rare"
        found |= {
            "a boolean target": with_target(signal > 0),
            "a 0/1 target": with_target((signal > 0).astype(int)),
            "a 0.0/1.0 target": with_target((signal > 0).astype(float)),
            "a target of odd whole numbers": with_target(np.where(signal > 0, 7, -3)),
            "a class with one row": rare,
            "60 classes": with_target([f"c{place % 60}" for place in range(ROWS)]),
            "150 classes": with_target([f"c{place % 150}" for place in range(ROWS)]),
        }
    else:
        found["a target of whole numbers"] = with_target(np.round(signal * 10).astype(int))
    return found


def as_request(frame: pd.DataFrame, schema: Any) -> bytes:
    """Rows of a typed table, as a client sends them."""

    def value(name: str, given: Any) -> Any:
        if given is None or given != given:
            return None
        return int(given) if schema.columns[name].type == "integer" else given

    records = frame[list(schema.features)].to_dict("records")
    return json.dumps([{name: value(name, given) for name, given in row.items()} for row in records]).encode()


def run(path: str) -> str:
    """One table, in the current folder; returns what the bundle runs on."""
    with contextlib.redirect_stdout(io.StringIO()):
        module("pipeline.data").take(path, "t")
        for stage in STAGES:
            module(f"pipeline.{stage}").main()
    Path("models/bundle/info.json").write_text('{"version": "1"}')
    predictor = module("serving.predictor").Predictor(Path("models/bundle"))
    test = pd.read_parquet("data/test.parquet")
    rows = predictor.reader.read(as_request(test, predictor.schema))
    served = predictor.encoder.encode([predictor.reader.values(row) for row in rows])
    trained = module("pipeline.frame").encode_frame(test, predictor.schema)
    assert np.array_equal(served, trained, equal_nan=True), "training and serving see different numbers"
    assert len(predictor.predict(rows)) == len(test)
    example = module("serving.openapi").example_row(predictor.schema)
    predictor.predict(predictor.reader.read(json.dumps(example).encode()))
    return str(predictor.runtime)


def main() -> None:
    """Every table, as CSV and as Parquet."""
    warnings.filterwarnings("ignore")
    for name, frame in tables(classes=module("task").TASK == "classification").items():
        for suffix in ("csv", "parquet"):
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                subprocess.run(["git", "init", "--quiet"], check=True)
                Path(".dvc").mkdir()
                Path(".dvc/config").touch()
                Path("data").mkdir()
                Path("params.yaml").write_text((PROJECT / "params.yaml").read_text())
                if suffix == "csv":
                    frame.to_csv("odd.csv", index=False)
                else:
                    frame.to_parquet("odd.parquet")
                try:
                    print(f"ok {run(f'odd.{suffix}')}: {name}, {suffix}", flush=True)
                except module("cli").UserError as error:
                    print(f"refused: {name}, {suffix}: {error}", flush=True)
                finally:
                    os.chdir(PROJECT)


if __name__ == "__main__":
    main()
