"""The findings as a page for people. Machines read the JSON beside it."""

from html import escape
from typing import Any

from .drift import Finding, NumberTally, ValueTally
from .performance import Performance

WIDTH, HEIGHT, MOST_BARS = 220, 60, 12
STYLE = """
:root { color-scheme: light dark; --before: #8a8f98; --now: #2f6fde; --bad: #c93c37; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.drifted { color: var(--bad); font-weight: 600; }
.before { fill: var(--before); stroke: var(--before); }
.now { fill: var(--now); stroke: var(--now); }
polyline { fill: none !important; stroke-width: 2; }
"""


def steps(points: list[float], below: list[float]) -> list[tuple[float, float]]:
    """Corners of a distribution function in the picture."""
    low, high = points[0], points[-1]
    spread = (high - low) or 1.0
    return [
        ((point - low) / spread * WIDTH, HEIGHT - share * HEIGHT) for point, share in zip(points, below, strict=True)
    ]


def curves(reference: dict[str, Any], now: NumberTally) -> str:
    """Both distribution functions of a column of numbers."""
    points = reference["points"]
    if not points or not any(now.counts):
        return ""
    lines = []
    for kind, shares in (("before", reference["below"]), ("now", now.below().tolist())):
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in steps(points, shares))
        lines.append(f'<polyline class="{kind}" points="{corners}"/>')
    return picture("".join(lines), "share of rows at or below each value")


def bars(reference: dict[str, Any], now: ValueTally) -> str:
    """Both sets of shares of a column of values, the most frequent first."""
    before, total_before, total_now = reference["counts"], sum(reference["counts"].values()), sum(now.counts.values())
    values = sorted({*before, *now.counts}, key=lambda value: -before.get(value, 0) - now.counts.get(value, 0))
    values = values[:MOST_BARS]
    if not values or not total_before or not total_now:
        return ""
    width = WIDTH / len(values) / 2.5
    drawn = []
    for position, value in enumerate(values):
        left = position * WIDTH / len(values)
        for offset, (kind, share) in enumerate(
            (("before", before.get(value, 0) / total_before), ("now", now.counts.get(value, 0) / total_now))
        ):
            height = share * HEIGHT
            place = (
                f'x="{left + offset * width:.1f}" y="{HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"'
            )
            title = f"<title>{escape(value)}: {percent(share)} {kind}</title>"
            drawn.append(f'<rect class="{kind}" {place}>{title}</rect>')
    return picture("".join(drawn), "share of each value")


def percent(share: float) -> str:
    """A share in words."""
    return format(share, ".1%")


def picture(content: str, label: str) -> str:
    """A small picture."""
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{label}">{content}</svg>'


def row(finding: Finding) -> str:
    """A column's line."""
    drift, reference, now = finding.drift, finding.reference, finding.now
    drawn = curves(reference, now) if isinstance(now, NumberTally) else bars(reference, now)
    verdict = "drifted" if drift.drifted else "as before" if not drift.reason else "not judged"
    cells = [
        f"<td>{escape(drift.column)}</td>",
        f'<td class="{"drifted" if drift.drifted else ""}">{verdict}<br><small>{escape(drift.reason)}</small></td>',
        f'<td class="number">{drift.psi:.3f}</td>',
        f'<td class="number">{drift.statistic:.3f}<br><small>{drift.test}, p {drift.p_value:.2g}</small></td>',
        f'<td class="number">{percent(drift.missing_before)} → {percent(drift.missing_now)}</td>',
        f"<td>{drawn}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def performance_section(found: Performance | None, at_release: dict[str, float]) -> str:
    """How right the service was, beside what was measured before the release."""
    if found is None:
        return "<p>No prediction has a label yet: <code>make labels SOURCE=labels.csv</code>.</p>"
    lines = [
        f'<tr><td>{escape(name)}</td><td class="number">{value:.4f}</td>'
        f'<td class="number">{f"{at_release[name]:.4f}" if name in at_release else ""}</td></tr>'
        for name, value in {**found.metrics, **found.kpi}.items()
    ]
    return (
        f"<p>{found.rows} labelled predictions; half of the labels came within {found.median_delay_days:.1f} days.</p>"
        f"<table><tr><th>metric</th><th>now</th><th>on the held-out rows</th></tr>{''.join(lines)}</table>"
    )


def page(title: str, lead: str, rows: list[str], performance: str) -> str:
    """The whole page."""
    body = "\n".join(rows)
    head = "<tr><th>column</th><th>verdict</th><th>PSI</th><th>test</th><th>missing</th><th>before, now</th></tr>"
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n"
        f"<table>{head}\n{body}\n</table>\n<h2>Performance</h2>\n{performance}\n</body>\n</html>\n"
    )
