"""The OpenAPI description of the service, built from the schema of the model, and a page that shows it."""

from datetime import date
from typing import Any

from ..schema import ISO, Column, Schema
from .answer import answer_schema

EXAMPLE_DATE = date(2024, 1, 31)


def column_schema(column: Column) -> dict[str, Any]:
    """JSON Schema of one value."""
    described: dict[str, Any] = {"type": {"category": "string", "date": "string"}.get(column.type, column.type)}
    if column.values:
        described["enum"] = [*column.values, None] if column.nullable else column.values
    if column.min is not None:
        described["minimum"] = column.min
    if column.max is not None:
        described["maximum"] = column.max
    if column.format:
        described["description"] = f"date, format {column.format}"
    if column.nullable:
        described["type"] = [described["type"], "null"]
    return described


def response(description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """One answer of an operation."""
    content = {"content": {"application/json": {"schema": schema}}} if schema else {}
    return {"description": description, **content}


def openapi(schema: Schema, title: str, version: str) -> dict[str, Any]:
    """The whole description, OpenAPI 3.1."""
    row = {
        "type": "object",
        "properties": {
            **{name: column_schema(column) for name, column in schema.features.items()},
            **{name: {"description": "accepted and not used"} for name in schema.ignored},
        },
        "required": [name for name, column in schema.features.items() if not column.nullable],
        "additionalProperties": False,
    }
    answer = answer_schema(schema)
    predictions = {
        "type": "array",
        "items": {**answer, "properties": {"id": {"type": "string"}, **answer["properties"]}},
    }
    problem = {
        "type": "object",
        "properties": {"row": {"type": "integer"}, "column": {"type": "string"}, "reason": {"type": "string"}},
    }
    error = {"type": "object", "properties": {"error": {"type": "string"}}}
    problems = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "problems": {"type": "array", "items": problem}},
    }
    number = {"type": "number"}
    reasons = {
        "score": {**number, "description": "what is explained: the probability of the class, or the number"},
        "baseline": {**number, "description": "the score of a row of medians and most frequent values"},
        "contributions": {"type": "object", "additionalProperties": number, "description": "add up to the difference"},
    }
    explanations = {"type": "array", "items": {**answer, "properties": {**answer["properties"], **reasons}}}

    def post(summary: str, name: str, answers: dict[str, Any]) -> dict[str, Any]:
        rows = {"oneOf": [row, {"type": "array", "items": row, "minItems": 1}]}
        found = {"type": "object", "properties": {"model_version": {"type": "string"}, name: answers}}
        return {
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": rows}}},
            "responses": {
                "200": response("One answer for each row", found),
                "400": response("The body is not JSON", error),
                "413": response("The body is too large", error),
                "422": response("Values break the schema", problems),
                "503": response("No model is loaded, or too many requests wait; see Retry-After", error),
            },
        }

    def get(summary: str) -> dict[str, Any]:
        return {"get": {"summary": summary, "responses": {"200": response(summary)}}}

    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": {
            "/predict": {"post": post(f"Predict {schema.target} for one row or many", "predictions", predictions)},
            "/explain": {
                "post": post("Predict, and tell what each column has to do with it", "explanations", explanations)
            },
            "/health/live": get("The process answers"),
            "/health/ready": get("A model is loaded"),
            "/metrics": get("Prometheus metrics"),
            "/info": get("Version and lineage of the loaded model"),
            "/openapi.json": get("This description"),
        },
    }


def example_row(schema: Schema) -> dict[str, Any]:
    """A row that the schema accepts, to start from."""

    def example(column: Column) -> Any:
        if column.type == "category":
            return (column.values or [""])[0]
        if column.type == "boolean":
            return True
        if column.type == "date":
            return EXAMPLE_DATE.isoformat() if column.format == ISO else EXAMPLE_DATE.strftime(str(column.format))
        middle = ((column.min or 0.0) + (column.max or 0.0)) / 2
        return round(middle) if column.type == "integer" else middle

    return {name: example(column) for name, column in schema.features.items()}
