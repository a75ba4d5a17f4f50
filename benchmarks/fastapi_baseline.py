"""The service that most tutorials write: FastAPI, pydantic and the scikit-learn pipeline. Run by serving.py."""

import json
import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import Field, create_model

PROJECT = Path(os.environ["BENCH_PROJECT"])
SCHEMA = json.loads((PROJECT / "models/bundle/schema.json").read_text())
FEATURES = [name for name in SCHEMA["columns"] if name != SCHEMA["target"]]
CLASSES = SCHEMA["columns"][SCHEMA["target"]]["values"]
FIELDS: dict[str, Any] = {f"f{position}": (float, Field(alias=name)) for position, name in enumerate(FEATURES)}
Row = create_model("Row", **FIELDS)
model = joblib.load(PROJECT / "models/model.pkl")
app = FastAPI()


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    """The model is loaded."""
    return {"status": "ready"}


@app.post("/predict")
async def predict(row: Row) -> dict[str, Any]:  # type: ignore[valid-type]
    """One row."""
    values = np.array([[getattr(row, f"f{position}") for position in range(len(FEATURES))]], dtype=np.float32)
    probabilities = model.predict_proba(values)[0]
    return {
        "prediction": CLASSES[int(probabilities.argmax())],
        "probabilities": dict(zip(CLASSES, probabilities.tolist(), strict=True)),
    }
