"""`params.yaml`, typed. The file is yours; a key that does not exist or does not fit is refused."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from ruamel.yaml import YAML

from ..cli import UserError, on_one_line
from ..schema import Schema, load_schema
from ..task import TASK
from . import paths

Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Data(msgspec.Struct, forbid_unknown_fields=True):
    """Where the table came from, where its versioned copy is, which column is predicted, and which may be personal."""

    origin: str
    source: str
    target: str
    personal: list[str] = []


class Validate(msgspec.Struct, forbid_unknown_fields=True):
    """Share of rows that may break the schema before the pipeline stops."""

    max_bad_rows: Share


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """Share of rows held out, and the seed of the draw."""

    test_share: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    seed: int


class Train(msgspec.Struct, forbid_unknown_fields=True):
    """Seed and arguments of the estimator."""

    seed: int
    estimator: dict[str, Any]


class Export(msgspec.Struct, forbid_unknown_fields=True):
    """How far ONNX may be from the native model: absolute for probabilities, relative to the spread for numbers."""

    tolerance: Annotated[float, msgspec.Meta(gt=0)]


class Gate(msgspec.Struct, forbid_unknown_fields=True):
    """What a challenger must show; see docs/runbook.md."""

    min_skill: float
    thresholds: dict[str, float]
    margin: Annotated[float, msgspec.Meta(ge=0)]
    max_slice_gap: Annotated[float, msgspec.Meta(ge=0)]
    min_slice_rows: Annotated[int, msgspec.Meta(gt=0)]
    slices: list[str] | None
    protected: list[str] = []
    max_fairness_gap: Annotated[float, msgspec.Meta(gt=0)] = 0.2


class Tune(msgspec.Struct, forbid_unknown_fields=True):
    """How many trials a study has in the end, and the folds of each."""

    trials: Annotated[int, msgspec.Meta(gt=0)]
    folds: Annotated[int, msgspec.Meta(ge=2)]


class Monitor(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """From where on a change of what the service sees counts as drift; `min_rows` are needed to judge at all."""

    psi: Annotated[float, msgspec.Meta(gt=0)] = 0.2
    p_value: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.01
    min_rows: Annotated[int, msgspec.Meta(gt=0)] = 100


class Rollout(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a challenger takes over: the shares in percent, what each step waits for, and what it must not exceed."""

    steps: tuple[Annotated[int, msgspec.Meta(gt=0, le=100)], ...] = (10, 50, 100)
    min_requests: Annotated[int, msgspec.Meta(gt=0)] = 200
    max_minutes: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    p_value: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.05
    max_slowdown: Annotated[float, msgspec.Meta(ge=1)] = 2.0
    max_seconds: Annotated[float, msgspec.Meta(gt=0)] = 0.05
    max_shift: Annotated[float, msgspec.Meta(gt=0)] = 0.5


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    data: Data
    validate: Validate
    split: Split
    train: Train
    export: Export
    gate: Gate
    tune: Tune
    monitor: Monitor = Monitor()
    rollout: Rollout = Rollout()


def load_params(path: Path = paths.PARAMS) -> Params:
    """Read and check params.yaml; raises UserError naming the key that is wrong."""
    if not path.exists():
        raise UserError(f"{path} is missing; run this from the root of the repository")
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Params)
    except msgspec.MsgspecError as error:
        raise UserError(f"{path}: {on_one_line(error)}") from None


def load_data_schema(params: Params) -> Schema:
    """The schema of the data that params.yaml names."""
    return load_schema(paths.SCHEMA, target=params.data.target, task=TASK)


def update_params(section: str, values: dict[str, Any], path: Path = paths.PARAMS) -> None:
    """Set keys of one section and leave every comment and every other key as it is."""
    yaml = YAML()
    yaml.preserve_quotes = True
    document = yaml.load(path)
    document.setdefault(section, {}).update(values)
    yaml.dump(document, path)
