"""`make monitor`: has what the service sees, or what it answers, changed since the model was trained?

Writes reports/monitoring.json and .html. Exit code 0 when nothing drifted, 3 when something did.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from ..cli import run
from ..pipeline import paths
from ..pipeline.params import Monitor, load_params
from ..pipeline.reports import write_json
from ..schema import from_json
from ..settings import load_settings
from .drift import Drift, Finding, compare
from .performance import Performance, measure
from .report import page, performance_section, row
from .served import Served, served_version
from .traffic import Traffic, log_files, read_traffic

DRIFTED = 3


def find_drift(traffic: Traffic, reference: dict[str, Any], limits: Monitor) -> list[Finding]:
    """Every feature and the prediction, those that changed most first."""
    tests = len(traffic.features) + 1
    found = [
        compare(name, reference["features"][name], tally, limits, tests) for name, tally in traffic.features.items()
    ]
    found.append(compare("the prediction", reference["prediction"], traffic.prediction, limits, tests))
    return sorted(found, key=lambda each: -each.drift.psi)


def describe(served: Served, traffic: Traffic, found: list[Finding], performance: Performance | None) -> str:
    """The page."""
    drifted = [each.drift.column for each in found if each.drift.drifted]
    lead = f"{traffic.rows} predictions against {served.reference['rows']} rows of training data. "
    lead += f"Drifted: {', '.join(drifted)}." if drifted else "Nothing drifted."
    title = f"Monitoring of version {served.version}"
    return page(title, lead, [row(each) for each in found], performance_section(performance, served.metrics))


def line(drift: Drift) -> str:
    """A column in the terminal."""
    verdict = "DRIFTED" if drift.drifted else drift.reason
    measured = f"PSI {drift.psi:6.3f}  {drift.test} {drift.statistic:.3f}  p {drift.p_value:.2g}"
    return f"{drift.column:24.24}  {measured}  {verdict}"


def main() -> None:
    """Read the log once, compare, write both reports, and tell what changed."""
    settings, limits = load_settings(), load_params().monitor
    served = served_version(settings)
    schema = from_json((served.folder / "schema.json").read_bytes())
    files = log_files(Path(settings.serve_log_path))
    traffic = read_traffic(files, schema, served.reference, served.version)
    found = find_drift(traffic, served.reference, limits)
    performance = measure(files, schema, served.version)
    drifts = [each.drift for each in found]
    summary = {"version": served.version, "rows": traffic.rows, "limits": limits, "drift": drifts}
    write_json(paths.MONITORING, msgspec.to_builtins({**summary, "performance": performance}))
    html = paths.MONITORING.with_suffix(".html")
    html.write_text(describe(served, traffic, found, performance), encoding="utf-8")
    print("\n".join(line(each).rstrip() for each in drifts))
    count = sum(each.drifted for each in drifts)
    print(f"Version {served.version}, {traffic.rows} predictions: {count} of {len(found)} columns drifted; see {html}.")
    if count:
        sys.exit(DRIFTED)


if __name__ == "__main__":
    run(main)
