"""Bring the champion's bundle to where the service looks for it. A running service picks it up by itself."""

import os
import shutil
import sys
from pathlib import Path

import msgspec
from mlflow import MlflowClient

from ..cli import UserError, run
from ..settings import Settings, load_settings
from .registry import CHAMPION, connect, download_bundle, get_version
from .reports import read_json, write_json

KEPT = 3


def deploy_champion(client: MlflowClient, settings: Settings) -> str:
    """Fetch the champion, write its lineage beside it, and point current.json at it; returns the version number.

    The pointer is replaced in one step, so a service sees the old version or the new one, never half of one.
    Raises UserError when there is no champion.
    """
    champion = get_version(client, settings, CHAMPION)
    if champion is None:
        raise UserError(f"{settings.model_name} has no champion yet; run `make pipeline promote` first")
    root = Path(settings.serve_model_dir)
    folder = root / champion.number
    if not (folder / "info.json").exists() or read_json(folder / "info.json")["run_id"] != champion.run_id:
        staging = root / f".incoming-{os.getpid()}"
        bundle = download_bundle(champion, staging)
        info = {"model": settings.model_name, "version": champion.number, "run_id": champion.run_id}
        write_json(bundle / "info.json", info | {"lineage": champion.tags})
        shutil.rmtree(folder, ignore_errors=True)
        bundle.rename(folder)
        shutil.rmtree(staging)
    pointer = root / f".current-{os.getpid()}"
    pointer.write_bytes(msgspec.json.encode({"version": champion.number}))
    pointer.replace(root / "current.json")
    remove_old(root, champion.number)
    return champion.number


def remove_old(root: Path, current: str) -> None:
    """Keep the newest bundles, and the current one whatever its age."""
    folders = sorted((path for path in root.iterdir() if path.name.isdigit()), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-KEPT]:
        if folder.name != current:
            shutil.rmtree(folder)


def main() -> None:
    """Deploy the champion; with --runtime, print only what its bundle runs on."""
    settings = load_settings()
    number = deploy_champion(connect(settings), settings)
    runtime = read_json(Path(settings.serve_model_dir) / number / "manifest.json")["runtime"]
    if "--runtime" in sys.argv[1:]:
        print(runtime)
    else:
        print(f"Version {number} ({runtime}) is in {settings.serve_model_dir}.")


if __name__ == "__main__":
    run(main)
