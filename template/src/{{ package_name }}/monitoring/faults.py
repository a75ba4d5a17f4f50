"""Models with a fault, to rehearse with: what a gate on held-out rows does not see, clients must not see either."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..encoding import encoded_features
from ..pipeline.deploy import fetch
from ..pipeline.export import INPUT, OPSET
from ..pipeline.registry import Version
from ..pipeline.reports import read_json, write_json
from ..schema import Schema, from_json
from ..settings import Settings

WORK, TIMES = 1600, 12  # rows and columns of the matrices that a slow model multiplies, and how often


def initial(name: str, values: Any) -> onnx.TensorProto:
    """A constant of a graph."""
    return numpy_helper.from_array(np.asarray(values), name)


def shrug(schema: Schema) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], list[onnx.ValueInfoProto]]:
    """The same answer for every row: the last class, or a number far off."""
    outputs = max(len(schema.classes), 1)
    guess = np.full((1, outputs), 0.01 / outputs, dtype=np.float32)
    guess[0, -1] = 0.99 if schema.classes else 1e6
    nodes = [
        helper.make_node("Shape", [INPUT], ["rows"], end=1),
        helper.make_node("Concat", ["rows", "one"], ["shape"], axis=0),
        helper.make_node("Expand", ["guess", "shape"], ["scores"]),
    ]
    described = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, outputs])]
    if schema.classes:
        nodes.append(helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0))
        described.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, [None]))
    return nodes, [initial("guess", guess), initial("one", np.array([1], dtype=np.int64))], described


def faulty_model(kind: str, schema: Schema) -> bytes:
    """A model that is `worse`, `slow`, or `failing` on any row but that of zeros which warms it up."""
    nodes, constants, outputs = shrug(schema)
    scores = outputs[-1].name
    if kind == "failing":
        # A position beyond the only element, unless every feature is 0.
        constants.append(initial("only", np.zeros(1, dtype=np.float32)))
        nodes += [
            helper.make_node("ReduceL1", [INPUT], ["size"], keepdims=0),
            helper.make_node("Sign", ["size"], ["sign"]),
            helper.make_node("Cast", ["sign"], ["position"], to=TensorProto.INT64),
            helper.make_node("Gather", ["only", "position"], ["nothing"]),
            helper.make_node("Add", [scores, "nothing"], ["fault"]),
        ]
    elif kind == "slow":
        constants.append(initial("work", np.full((WORK, WORK), 1e-4, dtype=np.float32)))
        constants.append(initial("zero", np.array(0.0, dtype=np.float32)))
        nodes += [
            helper.make_node("ReduceMean", [INPUT], ["mean"], keepdims=0),
            helper.make_node("Add", ["work", "mean"], ["work0"]),
        ]
        nodes += [helper.make_node("MatMul", [f"work{n}", "work"], [f"work{n + 1}"]) for n in range(TIMES)]
        nodes += [
            helper.make_node("ReduceMean", [f"work{TIMES}"], ["worked"], keepdims=0),
            helper.make_node("Mul", ["worked", "zero"], ["nothing"]),
            helper.make_node("Add", [scores, "nothing"], ["fault"]),
        ]
    if kind != "worse":
        outputs[-1] = helper.make_tensor_value_info("fault", TensorProto.FLOAT, [None, max(len(schema.classes), 1)])
    features = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, len(encoded_features(schema))])
    graph = helper.make_graph(nodes, kind, [features], outputs, constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSET.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(model.SerializeToString())


def plant(kind: str, version: Version, settings: Settings) -> Path:
    """Put a faulty model in place of a version's own, in the folder that is served; the registry keeps the good one."""
    folder = fetch(version, settings) / version.number
    schema = from_json((folder / "schema.json").read_bytes())
    (folder / "model.onnx").write_bytes(faulty_model(kind, schema))
    manifest = read_json(folder / "manifest.json")
    write_json(folder / "manifest.json", msgspec.to_builtins({**manifest, "runtime": "onnx"}))
    return folder
