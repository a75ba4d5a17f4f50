"""One model version, loaded: from the bytes of a request to answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ..cli import UserError, reason
from ..encoding import RowEncoder
from ..schema import from_json
from .answer import answers, native_outputs, scores
from .explanation import contributions
from .requests import RequestReader
from .window import Window

Array = npt.NDArray[Any]
Runtime = Callable[[Array], list[Array]]


def onnx_runtime(path: Path) -> Runtime:
    """Run a converted model, on one thread: requests are many and small."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a failing model is told by the service, once
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda encoded: list(session.run(None, {name: encoded}))


def native_runtime(path: Path) -> Runtime:
    """Run a model that was not converted; needs the dependency group serve-native."""
    try:
        import joblib
    except ImportError:
        raise UserError(f"{path} is a native model: install the dependency group serve-native to serve it") from None
    model = joblib.load(path)
    return lambda encoded: native_outputs(model, encoded)


class Predictor:
    """A bundle, loaded and warmed up."""

    def __init__(self, folder: Path) -> None:
        self.schema = from_json((folder / "schema.json").read_bytes())
        self.manifest: dict[str, Any] = msgspec.json.decode((folder / "manifest.json").read_bytes())
        self.info: dict[str, Any] = msgspec.json.decode((folder / "info.json").read_bytes())
        self.version = str(self.info["version"])
        self.runtime = str(self.manifest["runtime"])
        self.reader = RequestReader(self.schema)
        self.encoder = RowEncoder(self.schema)
        self.answer = answers(self.schema)
        reference = folder / "reference.json"
        self.window = Window(self.schema, msgspec.json.decode(reference.read_bytes())) if reference.exists() else None
        onnx = self.runtime == "onnx"
        self.outputs = onnx_runtime(folder / "model.onnx") if onnx else native_runtime(folder / "model.pkl")
        self.baseline = np.array(msgspec.json.decode((folder / "baseline.json").read_bytes()), dtype=np.float32)
        self.outputs(np.zeros((1, self.encoder.width), dtype=np.float32))

    def predict(self, rows: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
        """One answer for each row that the reader accepted."""
        encoded = self.encoder.encode([self.reader.values(row) for row in rows])
        found = self.answer(self.outputs(encoded))
        if self.window is not None:
            self.window.add(encoded, found)
        return found

    def explain(self, rows: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
        """For each row that the reader accepted, the answer and what each feature has to do with it."""
        encoded = self.encoder.encode([self.reader.values(row) for row in rows])
        answers = self.answer(self.outputs(encoded))
        return [self.explain_one(row, answer) for row, answer in zip(encoded, answers, strict=True)]

    def explain_one(self, row: Array, answer: dict[str, Any]) -> dict[str, Any]:
        """One answer, the score that it rests on, that of the baseline, and the shares of the difference."""

        def score(encoded: Array) -> Array:
            return scores(self.outputs(encoded), answer["prediction"], self.schema)

        found, before = (float(score(each[None])[0]) for each in (row, self.baseline))
        shares = contributions(score, row, self.baseline, self.schema)
        return {**answer, "score": found, "baseline": before, "contributions": shares}


def current_version(root: Path) -> str:
    """The version that current.json points to; raises UserError when nothing is deployed."""
    try:
        return str(msgspec.json.decode((root / "current.json").read_bytes())["version"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        raise UserError(f"no model is deployed in {root}") from None


def load_version(root: Path, version: str) -> Predictor:
    """Load a version; raises UserError when it is missing or damaged."""
    try:
        return Predictor(root / version)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"version {version} in {root} cannot be loaded: {reason(error)}") from None
