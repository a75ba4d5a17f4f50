"""The version that is served, with what was pinned to it when it was made."""

from pathlib import Path
from typing import Any

import msgspec

from ..cli import UserError
from ..serving.predictor import current_version
from ..settings import Settings


class Served(msgspec.Struct):
    """A deployed version: its folder, its reference statistics, its metrics on the held-out rows."""

    version: str
    folder: Path
    reference: dict[str, Any]
    metrics: dict[str, float]


def served_version(settings: Settings) -> Served:
    """The version that current.json points to; raises UserError when nothing is deployed, or without a reference."""
    root = Path(settings.serve_model_dir)
    try:
        version = current_version(root)
        folder = root / version
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
        reference = msgspec.json.decode((folder / "reference.json").read_bytes())
    except (OSError, msgspec.DecodeError, UserError):
        raise UserError(
            f"no model with reference statistics is deployed in {root}; run `make pipeline promote`"
        ) from None
    return Served(version, folder, reference, manifest.get("metrics", {}))
