"""`make data`: bring a table in, version it with DVC, and infer its schema.

SOURCE is a .csv or .parquet file, an s3:// address of one, or sklearn:NAME. Without SOURCE the table that params.yaml
names is brought back if it is not there.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import sklearn.datasets

from ..cli import UserError, reason, run
from ..schema import load_schema
from ..task import TASK, check_target
from . import paths
from .infer import ignored_reasons, infer_schema, to_yaml
from .params import load_params, update_params
from .table import read_table

SHIPPED = {
    name.removeprefix("load_"): getattr(sklearn.datasets, name)
    for name in ("load_breast_cancer", "load_diabetes", "load_iris", "load_wine")
}
SUFFIXES = (".csv", ".parquet")


def shipped_table(name: str) -> pd.DataFrame:
    """A real dataset that scikit-learn carries, with its label names; raises UserError for another name."""
    if name not in SHIPPED:
        raise UserError(f"sklearn:{name} is not known; there are {', '.join(sorted(SHIPPED))}")
    options = {"scaled": False} if name == "diabetes" else {}
    dataset = SHIPPED[name](as_frame=True, **options)
    frame = dataset.frame.copy()
    if "target_names" in dataset:
        frame["target"] = frame["target"].map(dict(enumerate(dataset.target_names)))
    return frame


def fetch(origin: str, folder: Path) -> Path:
    """Copy a table into the repository as data/source.csv or data/source.parquet.

    Raises UserError when it cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if origin.startswith("sklearn:"):
        path = folder / "source.csv"
        shipped_table(origin.removeprefix("sklearn:")).to_csv(path, index=False)
        return path
    suffix = Path(origin).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"SOURCE={origin}: only {' and '.join(SUFFIXES)} files, s3:// addresses of them, and sklearn:NAME"
        )
    path = folder / f"source{suffix}"
    if origin.startswith("s3://"):
        fetch_s3(origin, path)
    elif not Path(origin).is_file():
        raise UserError(f"SOURCE={origin}: there is no such file")
    elif Path(origin).resolve() != path.resolve():
        shutil.copyfile(origin, path)
    return path


def fetch_s3(address: str, path: Path) -> None:
    """Download one object; credentials and endpoint come from the usual AWS variables."""
    import s3fs

    try:
        s3fs.S3FileSystem().get_file(address, str(path))
    except Exception as error:
        path.unlink(missing_ok=True)
        raise UserError(f"SOURCE={address}: {type(error).__name__}: {reason(error)}") from None


def dvc(*arguments: str) -> None:
    """Run DVC; raises UserError with its own last words when it fails."""
    done = subprocess.run([sys.executable, "-m", "dvc", "--quiet", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        told = [line.removeprefix("ERROR: ") for line in words if line.startswith("ERROR: ")] or words or ["no message"]
        raise UserError(f"dvc {' '.join(arguments)}: {told[0]}")


def take(origin: str, target: str) -> None:
    """Switch the repository to another table and predict another column of it."""
    staging = Path(".local/incoming")
    incoming = fetch(origin, staging)
    frame = read_table(incoming)
    columns = infer_schema(frame, target)
    source = Path("data") / incoming.name
    source.parent.mkdir(exist_ok=True)
    for old in Path("data").glob("source.*"):
        if old.name not in (source.name, f"{source.name}.dvc", ".gitignore"):
            old.unlink()
    shutil.move(incoming, source)
    paths.SCHEMA.write_text(to_yaml(columns), encoding="utf-8")
    update_params("data", {"origin": origin, "source": str(source), "target": target})
    dvc("add", str(source))
    print(f"{len(frame)} rows from {origin} are in {source}, versioned by DVC.")
    kinds = [column.type for name, column in columns.items() if name != target]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    print(f"{paths.SCHEMA}: predicts {target!r} from {counts}. Review it like code.")
    if "ignored" in kinds:
        print(f"Ignored: {ignored_reasons(columns)}.")


def restore() -> None:
    """Bring back what params.yaml names: nothing to do, the schema only, the shipped table, or a `dvc pull`."""
    data = load_params().data
    source = Path(data.source)
    if not Path(f"{source}.dvc").exists() and not source.exists():
        take(data.origin, data.target)
    elif not source.exists() and data.origin.startswith("sklearn:"):
        fetch(data.origin, source.parent)
        print(f"{source} is back, from {data.origin}.")
    elif not source.exists():
        dvc("pull", f"{source}.dvc")
        print(f"{source} is back, from the DVC remote.")
    elif not paths.SCHEMA.exists():
        paths.SCHEMA.write_text(to_yaml(infer_schema(read_table(source), data.target)), encoding="utf-8")
        print(f"{paths.SCHEMA} is inferred again. Review it like code.")
    else:
        check_target(load_schema(paths.SCHEMA, target=data.target, task=TASK))
        print(f"{source} is there.")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make data", description=__doc__)
    parser.add_argument("--source", default="")
    parser.add_argument("--target", default="")
    given = parser.parse_args()
    if not given.source and not given.target:
        restore()
    else:
        data = load_params().data
        take(given.source or data.source, given.target or data.target)


if __name__ == "__main__":
    run(main)
