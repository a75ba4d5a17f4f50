"""Bring bundles to where the service looks for them, and say which one answers. A running service follows by itself."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
from mlflow import MlflowClient

from ..cli import UserError, run
from ..serving.flags import FLAGS, read_variants
from ..serving.predictor import current_version
from ..settings import Settings, load_settings
from .registry import CHAMPION, Version, connect, download_bundle, get_version
from .reports import read_json, write_json

KEPT = 3


def deploy_champion(client: MlflowClient, settings: Settings) -> str:
    """Fetch the champion and let it answer every request; returns the version number.

    Raises UserError when there is no champion.
    """
    champion = get_version(client, settings, CHAMPION)
    if champion is None:
        raise UserError(f"{settings.model_name} has no champion yet; run `make pipeline promote` first")
    root = fetch(champion, settings)
    replace_json(root / "current.json", {"version": champion.number})
    if read_variants(root).get("champion") != champion.number:  # else a rollout may be going on
        write_flags(root, {"champion": champion.number})
    remove_old(root)
    return champion.number


def deploy_challenger(settings: Settings, challenger: Version, champion: str, share: int, *, shadow: bool) -> None:
    """Fetch a challenger and let it answer `share` percent of the requests beside the champion; in shadow, none."""
    root = fetch(challenger, settings)
    write_flags(root, {"champion": champion, "challenger": challenger.number}, share, shadow=shadow)


def withdraw_challenger(settings: Settings, champion: str) -> None:
    """Let the champion answer every request."""
    write_flags(Path(settings.serve_model_dir), {"champion": champion})


def fetch(version: Version, settings: Settings) -> Path:
    """Fetch the bundle of a version, unless it is there, with its lineage beside it; returns the folder of bundles."""
    root = Path(settings.serve_model_dir)
    folder = root / version.number
    if not (folder / "info.json").exists() or read_json(folder / "info.json")["run_id"] != version.run_id:
        staging = root / f".incoming-{os.getpid()}"
        bundle = download_bundle(version, staging)
        info = {"model": settings.model_name, "version": version.number, "run_id": version.run_id}
        write_json(bundle / "info.json", info | {"created": version.created, "lineage": version.tags})
        shutil.rmtree(folder, ignore_errors=True)
        bundle.rename(folder)
        shutil.rmtree(staging)
    return root


def write_flags(root: Path, variants: dict[str, str], share: int = 0, *, shadow: bool = False) -> None:
    """Write the flag file of serving/flags.py."""
    model: dict[str, Any] = {"state": "ENABLED", "variants": variants, "defaultVariant": "champion"}
    if "challenger" in variants and not shadow:
        shares = [["champion", 100 - share], ["challenger", share]]
        model["targeting"] = {"fractional": [{"var": "targetingKey"}, *shares]}
    mode = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on" if shadow else "off"}
    replace_json(root / FLAGS, {"flags": {"model": model, "shadow": mode}})


def replace_json(path: Path, content: Any) -> None:
    """Replace a file in one step, so that a service sees the old one or the new one, never half of one."""
    part = path.with_name(f".{path.stem}-{os.getpid()}")
    part.write_bytes(msgspec.json.encode(content))
    part.replace(path)


def remove_old(root: Path) -> None:
    """Keep the newest bundles, and those that are served whatever their age."""
    served = {current_version(root), *read_variants(root).values()}
    folders = sorted((path for path in root.iterdir() if path.name.isdigit()), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-KEPT]:
        if folder.name not in served:
            shutil.rmtree(folder)


def deploy_or_keep(settings: Settings) -> str:
    """Deploy the champion; when the registry is out of reach, what was deployed last stays, and it is told."""
    try:
        return deploy_champion(connect(settings), settings)
    except UserError as error:
        root = Path(settings.serve_model_dir)
        try:
            version = current_version(root)
        except UserError:
            raise error from None
        print(f"{error}; version {version}, deployed before, stays", file=sys.stderr)
        return version


def main() -> None:
    """Deploy the champion; with --runtime, print only what its bundle runs on."""
    settings = load_settings()
    number = deploy_or_keep(settings)
    runtime = read_json(Path(settings.serve_model_dir) / number / "manifest.json")["runtime"]
    if "--runtime" in sys.argv[1:]:
        print(runtime)
    else:
        print(f"Version {number} ({runtime}) is in {settings.serve_model_dir}.")


if __name__ == "__main__":
    run(main)
