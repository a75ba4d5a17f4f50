"""The cards as Markdown, for people."""

from collections.abc import Iterable
from typing import Any

MOST_LINES = 15


def cell(value: Any) -> str:
    """A value in a table or a line."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> str:
    """A table, or that there is nothing to show."""
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not lines:
        return "None."
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines])


def section(title: str, *parts: str) -> str:
    """A heading and what is below it."""
    return "\n\n".join([f"## {title}", *(part for part in parts if part)])


def said(text: Any) -> str:
    """A text of a person, or that it is missing."""
    return cell(text) or "**Not filled in.**"


def facts(values: dict[str, Any]) -> str:
    """Names and values."""
    return table(
        ("", ""), ((name.replace("_", " "), value) for name, value in values.items() if value not in ("", None))
    )


def fairness_text(fairness: dict[str, Any]) -> str:
    """The gaps between groups, or why there are none."""
    if not fairness["protected"]:
        return "No column is protected: `gate.protected` in params.yaml is empty, so groups were not compared."
    rows = [
        (each["column"], each["measure"], each["gap"], each["lowest"], each["highest"]) for each in fairness["gaps"]
    ]
    head = ("column", "measure", "gap", "lowest", "highest")
    return f"At most {cell(fairness['allowed_gap'])} is allowed.\n\n{table(head, rows)}"


def model_page(card: dict[str, Any]) -> str:
    """The model card."""
    more = len(card["importance"]) - MOST_LINES
    parts = [
        f"# Model card: {card['model']}, version {card['version']}",
        f"{said(card['purpose'])}",
        f"Owner: {said(card['owner'])}. Users: {said(card['users'])}",
        section("Out of scope", said(card["out_of_scope"])),
        section("Limits", said(card["limits"])),
        section("Data", facts(card["data"]), "More in [the data card](data-card.md)."),
        section("Metrics", "On rows that were held out.", facts(card["metrics"])),
        section("Thresholds of the gate", facts(card["thresholds"])),
        section(
            "Slices",
            table(
                ("column", "value", "rows", "skill"),
                ((each["column"], each["value"], each["rows"], each["skill"]) for each in card["slices"]),
            ),
        ),
        section(
            "Calibration",
            table(
                ("rows", "claimed", "true"),
                ((each["rows"], each["claimed"], each["true"]) for each in card["calibration"]),
            ),
        ),
        section("Fairness", fairness_text(card["fairness"])),
        section(
            "What matters",
            "Skill that is lost when the values of a column are shuffled.",
            table(
                ("column", "skill lost", "spread"),
                ((each["column"], each["importance"], each["spread"]) for each in card["importance"][:MOST_LINES]),
            ),
            f"And {more} more, in governance/model-card.json." if more > 0 else "",
        ),
        section("Estimator", facts(card["estimator"])),
        section("Training", facts(card["training"])),
        section("Lineage", facts(card["lineage"])),
        section(
            "Approvals",
            table(
                ("time", "promoted by", "approver"),
                ((each["time"], each["by"], each["approver"] or "none named") for each in card["approvals"]),
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def data_page(card: dict[str, Any]) -> str:
    """The data card."""
    known = ("origin", "sha256", "rows", "labelled_predictions", "rejected_rows", "target")
    columns = (
        (
            name,
            column["type"],
            "yes" if column.get("nullable") else "no",
            allowed_values(column),
        )
        for name, column in card["columns"].items()
    )
    personal = (
        (each["column"], each["kind"], format(each["share"], ".1%"), "yes" if each["allowed"] else "no")
        for each in card["personal_data"]
    )
    parts = [
        f"# Data card, of what version {card['version']} learned from",
        said(card["description"]),
        f"Owner: {said(card['owner'])}",
        section("How it was collected", said(card["collected"])),
        section("Licence", said(card["licence"])),
        section("Limits", said(card["limits"])),
        section("What it is", facts({name: card[name] for name in known})),
        section("Columns", table(("column", "type", "may be missing", "allowed"), columns)),
        section("What identifies persons", table(("column", "kind", "share of the values", "allowed"), personal)),
    ]
    return "\n\n".join(parts) + "\n"


def allowed_values(column: dict[str, Any]) -> str:
    """What a column may hold."""
    if column.get("values"):
        shown = [str(value) for value in column["values"][:MOST_LINES]]
        return ", ".join(shown) + (", ..." if len(column["values"]) > MOST_LINES else "")
    bounds = [
        f"{word} {column[key]:g}" for word, key in (("from", "min"), ("to", "max")) if column.get(key) is not None
    ]
    return " ".join(bounds) or column.get("reason") or column.get("format") or ""
