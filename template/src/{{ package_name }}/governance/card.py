"""`make card`: the model card and the data card of the champion, or of the challenger while there is no champion.

What only people know is in governance/card.yaml, which is yours; all else was measured by the pipeline and is read from
the run of the version. JSON goes to governance/, Markdown to docs/. A promotion is refused while a required field is
empty. The fields are those of Mitchell et al., Model Cards for Model Reporting, 2019, and of Gebru et al., Datasheets
for Datasets, 2021.
"""

import tempfile
from pathlib import Path
from typing import Any

import mlflow
import msgspec
from mlflow import MlflowClient

from ..cli import UserError, on_one_line, reason, run, without_credentials
from ..pipeline import paths
from ..pipeline.params import Params, load_params
from ..pipeline.registry import BUNDLE, CHALLENGER, CHAMPION, Version, connect, get_version
from ..pipeline.reports import read_json, write_json
from ..schema import Schema, from_json
from ..settings import Settings, load_settings
from . import audit
from .card_text import data_page, model_page

TEXTS = Path("governance/card.yaml")
MODEL_CARD, MODEL_PAGE = Path("governance/model-card.json"), Path("docs/model-card.md")
DATA_CARD, DATA_PAGE = Path("governance/data-card.json"), Path("docs/data-card.md")
# At most 3.5 W for each virtual CPU: Cloud Carbon Footprint, methodology, coefficients of AWS.
WATTS_PER_CPU = 3.5
JOULES_PER_KWH = 3.6e6
CARDS = "cards"


class DataTexts(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What only people know of the data."""

    description: str = ""
    collected: str = ""
    licence: str = ""
    limits: str = ""


class Texts(msgspec.Struct, forbid_unknown_fields=True):
    """governance/card.yaml: what only people know."""

    purpose: str = ""
    users: str = ""
    out_of_scope: str = ""
    limits: str = ""
    owner: str = ""
    data: DataTexts = DataTexts()


class Measured(msgspec.Struct):
    """What the pipeline left with a version: its reports by name, its schema, and the parameters of its run."""

    reports: dict[str, Any]
    schema: Schema
    parameters: dict[str, str]


def load_texts(path: Path = TEXTS) -> Texts:
    """Read governance/card.yaml; raises UserError when it is missing or has a field that there is not."""
    if not path.exists():
        raise UserError(f"{path} is missing; bring it back with `git checkout HEAD -- {path}`")
    try:
        return msgspec.convert(without_gaps(msgspec.yaml.decode(path.read_bytes())), Texts)
    except msgspec.MsgspecError as error:
        raise UserError(f"{path}: {on_one_line(error)}") from None


def without_gaps(found: Any) -> Any:
    """What was read, with an empty text where nothing stands behind a key."""
    if isinstance(found, dict):
        return {name: without_gaps(value) for name, value in found.items()}
    return "" if found is None else found


def read_measured(client: MlflowClient, version: Version) -> Measured:
    """What the run of a version holds; raises UserError when its artifacts cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = [
                Path(mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path=path, dst_path=folder))
                for path in ("reports", f"{BUNDLE}/schema.json")
            ]
        except Exception as error:
            raise UserError(f"the reports of version {version.number} cannot be fetched: {reason(error)}") from None
        reports = {path.stem: read_json(path) for path in found[0].glob("*.json")}
        schema = from_json(found[1].read_bytes())
    return Measured(reports, schema, dict(client.get_run(version.run_id).data.params))


def approvals(settings: Settings, version: Version) -> list[dict[str, Any]]:
    """Who let a version become the champion, and when, from the audit log."""
    if not paths.AUDIT_LOG.exists():
        return []
    entries = audit.check_chain(paths.AUDIT_LOG.read_text(encoding="utf-8"), paths.AUDIT_LOG)
    return [
        {"time": entry["time"], "by": entry["actor"], "approver": entry["details"].get("approver", "")}
        for entry in entries
        if entry["action"] == "promotion"
        and (entry["details"]["model"], entry["details"]["version"]) == (settings.model_name, version.number)
    ]


def training_cost(training: dict[str, Any]) -> dict[str, Any]:
    """Time and an upper bound of the energy of the training."""
    seconds = float(training.get("cpu_seconds", 0.0))
    energy = seconds * WATTS_PER_CPU / JOULES_PER_KWH
    return {"seconds": training.get("seconds"), "cpu_seconds": seconds, "energy_kwh_at_most": float(f"{energy:.3g}")}


def model_card(
    settings: Settings, params: Params, texts: Texts, version: Version, measured: Measured
) -> dict[str, Any]:
    """The model card of a version."""
    reports, given = measured.reports, measured.parameters
    estimator = {
        name.removeprefix("estimator."): value for name, value in given.items() if name.startswith("estimator.")
    }
    return {
        "model": settings.model_name,
        "version": version.number,
        "task": measured.schema.task,
        "owner": texts.owner,
        "purpose": texts.purpose,
        "users": texts.users,
        "out_of_scope": texts.out_of_scope,
        "limits": texts.limits,
        "data": {
            "origin": without_credentials(given.get("data.origin", "")),
            "target": given.get("data.target", ""),
            "rows_to_learn_from": reports.get("training", {}).get("rows"),
            "labelled_predictions": reports.get("ingestion", {}).get("labelled"),
            "sha256": version.tags.get("data_hash", ""),
        },
        "estimator": estimator,
        "metrics": reports.get("metrics", {}),
        "thresholds": {"min_skill": params.gate.min_skill, **params.gate.thresholds},
        "slices": reports.get("slices", []),
        "calibration": reports.get("calibration", {}).get("bins", []),
        "fairness": {
            "protected": params.gate.protected,
            "allowed_gap": params.gate.max_fairness_gap,
            "gaps": reports.get("fairness", {}).get("gaps", []),
        },
        "importance": reports.get("importance", {}).get("features", []),
        "training": training_cost(reports.get("training", {})),
        "lineage": version.tags,
        "approvals": approvals(settings, version),
    }


def data_card(texts: Texts, version: Version, measured: Measured) -> dict[str, Any]:
    """The data card of what a version was trained on."""
    ingestion, validation = (measured.reports.get(name, {}) for name in ("ingestion", "validation"))
    return {
        "version": version.number,
        "owner": texts.owner,
        "description": texts.data.description,
        "collected": texts.data.collected,
        "licence": texts.data.licence,
        "limits": texts.data.limits,
        "origin": without_credentials(measured.parameters.get("data.origin", "")),
        "sha256": version.tags.get("data_hash", ""),
        "rows": ingestion.get("rows"),
        "labelled_predictions": ingestion.get("labelled"),
        "rejected_rows": validation.get("rejected"),
        "target": measured.schema.target,
        "columns": msgspec.to_builtins(measured.schema.columns),
        "personal_data": ingestion.get("personal", []),
    }


REQUIRED = {
    "model card": ("purpose", "out_of_scope", "limits", "owner", "data", "metrics", "lineage"),
    "data card": ("description", "collected", "licence", "origin", "sha256", "rows", "columns"),
}


def empty_fields(model: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """The required fields that say nothing."""
    cards = {"model card": model, "data card": data}
    return [
        f"{field} ({name})" for name, fields in REQUIRED.items() for field in fields if is_empty(cards[name][field])
    ]


def is_empty(value: Any) -> bool:
    """Whether a field says nothing."""
    return not (value.strip() if isinstance(value, str) else value)


def build_cards(client: MlflowClient, settings: Settings, version: Version) -> tuple[dict[str, Any], dict[str, Any]]:
    """Model card and data card of a version; raises UserError when what they are made of cannot be had."""
    texts, measured = load_texts(), read_measured(client, version)
    return model_card(settings, load_params(), texts, version, measured), data_card(texts, version, measured)


def check_cards(client: MlflowClient, settings: Settings, version: Version) -> None:
    """Raise UserError when a required field of a version's cards is empty."""
    empty = empty_fields(*build_cards(client, settings, version))
    if empty:
        raise UserError(f"version {version.number} is not released: empty: {', '.join(empty)}; fill {TEXTS}")


def write_cards(client: MlflowClient, settings: Settings, version: Version) -> None:
    """Write both cards, for machines and for people, and keep them with the run of the version."""
    model, data = build_cards(client, settings, version)
    write_json(MODEL_CARD, model)
    write_json(DATA_CARD, data)
    MODEL_PAGE.parent.mkdir(exist_ok=True)
    MODEL_PAGE.write_text(model_page(model), encoding="utf-8")
    DATA_PAGE.write_text(data_page(data), encoding="utf-8")
    for path in (MODEL_CARD, DATA_CARD, MODEL_PAGE, DATA_PAGE):
        client.log_artifact(version.run_id, str(path), CARDS)


def main() -> None:
    """Write the cards; raises UserError when there is no version, or when a required field is empty."""
    settings = load_settings()
    client = connect(settings)
    version = get_version(client, settings, CHAMPION) or get_version(client, settings, CHALLENGER)
    if version is None:
        raise UserError(f"{settings.model_name} has no version in the registry; run `make pipeline` first")
    write_cards(client, settings, version)
    print(f"{MODEL_PAGE} and {DATA_PAGE} tell of version {version.number}; JSON is in {MODEL_CARD.parent}/.")
    check_cards(client, settings, version)


if __name__ == "__main__":
    run(main)
