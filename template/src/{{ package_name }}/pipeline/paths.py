"""Where the pipeline keeps its files, relative to the root of the repository."""

from pathlib import Path

PARAMS = Path("params.yaml")
SCHEMA = Path("data/schema.yaml")
LABELLED = Path("data/labelled.csv")
INGESTED = Path("data/ingested.parquet")
VALID = Path("data/valid.parquet")
TRAIN = Path("data/train.parquet")
TEST = Path("data/test.parquet")
REJECTED = Path("data/rejected.csv")
MODEL = Path("models/model.pkl")
BUNDLE = Path("models/bundle")
REPORTS = Path("reports")
INGESTION = REPORTS / "ingestion.json"
VALIDATION = REPORTS / "validation.json"
TRAINING = REPORTS / "training.json"
METRICS = REPORTS / "metrics.json"
SLICES = REPORTS / "slices.json"
CALIBRATION = REPORTS / "calibration.json"
FAIRNESS = REPORTS / "fairness.json"
IMPORTANCE = REPORTS / "importance.json"
PLOTS = REPORTS / "plots"
MONITORING = REPORTS / "monitoring.json"
REGISTERED = REPORTS / "registered.json"
AUDIT_LOG = Path("governance/audit.jsonl")
LOCK = Path("dvc.lock")
TUNING = "sqlite:///.local/optuna.db"
