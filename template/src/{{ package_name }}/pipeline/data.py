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
from ..governance.lineage import git
from ..schema import load_schema
from ..task import TASK, check_target
from . import paths
from .infer import ignored_reasons, infer_schema, to_yaml
from .ingest import NO_ROWS
from .params import load_params, update_params
from .table import read_table

SHIPPED = {
    name.removeprefix("load_"): getattr(sklearn.datasets, name)
    for name in ("load_breast_cancer", "load_diabetes", "load_iris", "load_wine")
}
PREVIOUS = Path("data/schema.previous.yaml")
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
    """Copy a table into a folder as source.csv or source.parquet.

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


def settle_schema(frame: pd.DataFrame, target: str) -> bool:
    """The schema for a table: the present one where it has the same columns and target, since it may have been edited.

    Otherwise a new one is inferred; the one before is kept beside it unless git has it. Returns whether it was kept.
    """
    if paths.SCHEMA.exists() and target == load_params().data.target:
        present = load_schema(paths.SCHEMA, target=target, task=TASK).columns
        if set(present) == set(frame.columns):
            print(f"{paths.SCHEMA} fits the table and stays as it is; remove it to have it inferred again.")
            return True
    columns = infer_schema(frame, target)
    if paths.SCHEMA.exists() and not is_committed(paths.SCHEMA):
        paths.SCHEMA.replace(PREVIOUS)
        print(f"{PREVIOUS} is the schema of the table before.")
    paths.SCHEMA.parent.mkdir(exist_ok=True)
    paths.SCHEMA.write_text(to_yaml(columns), encoding="utf-8")
    kinds = [column.type for name, column in columns.items() if name != target]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    print(f"{paths.SCHEMA}: predicts {target!r} from {counts}. Review it like code.")
    if "ignored" in kinds:
        print(f"Ignored: {ignored_reasons(columns)}.")
    return False


def settle_labelled(*, same_columns: bool) -> None:
    """Have a data/labelled.csv, which the pipeline reads; one for other columns makes way."""
    versioned = paths.LABELLED.with_name(f"{paths.LABELLED.name}.dvc")
    if versioned.exists() and not same_columns:
        versioned.unlink()
        paths.LABELLED.unlink(missing_ok=True)
        print(f"{paths.LABELLED} was of other columns and is out; git and DVC have it.")
    if paths.LABELLED.exists():
        return
    if versioned.exists():
        pull(paths.LABELLED)
    else:
        paths.LABELLED.parent.mkdir(exist_ok=True)
        paths.LABELLED.write_text(NO_ROWS, encoding="utf-8")


def is_committed(path: Path) -> bool:
    """Whether git has a file just as it is."""
    return bool(git("ls-files", "--", str(path))) and git("diff", "--quiet", "HEAD", "--", str(path)) is not None


def take(origin: str, target: str, copy_of: str = "") -> None:
    """Switch the repository to another table, or to another column of the present one (`copy_of`)."""
    incoming = fetch(copy_of or origin, Path(".local/incoming"))
    frame = read_table(incoming)
    settle_labelled(same_columns=settle_schema(frame, target))
    source = Path("data") / incoming.name
    for old in Path("data").glob("source.*"):
        if old.name not in (source.name, f"{source.name}.dvc"):
            old.unlink()
    shutil.move(incoming, source)
    update_params("data", {"origin": origin, "source": str(source), "target": target})
    dvc("add", str(source))
    print(f"{len(frame)} rows from {origin} are in {source}, versioned by DVC.")


def pull(source: Path) -> None:
    """Bring the versioned table back from the DVC remote; raises UserError when the remote does not have it."""
    try:
        dvc("pull", f"{source}.dvc")
    except UserError as error:
        raise UserError(
            f"{source} is not here: {error}; run `dvc push` where it is, with a remote in .dvc/config that both reach"
        ) from None


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
        pull(source)
        print(f"{source} is back, from the DVC remote.")
    elif not paths.SCHEMA.exists():
        settle_schema(read_table(source), data.target)
    else:
        check_target(load_schema(paths.SCHEMA, target=data.target, task=TASK))
        print(f"{source} is there.")
    settle_labelled(same_columns=True)


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
        copy_of = "" if given.source else data.source
        take(given.source or data.origin, given.target or data.target, copy_of)


if __name__ == "__main__":
    run(main)
