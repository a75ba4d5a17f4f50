"""The gate: the rules a challenger must keep before it becomes the champion. Pure functions of measured numbers."""

import msgspec

from .evaluation import Slice
from .fairness import Gap
from .params import Gate


class Measured(msgspec.Struct):
    """A model on the held-out data."""

    metrics: dict[str, float]
    slices: list[Slice]
    gaps: list[Gap] = []


class Check(msgspec.Struct):
    """One rule, what was measured, what was asked, and whether it holds; a rule that is not enforced cannot stop."""

    rule: str
    measured: str
    required: str
    passed: bool
    enforced: bool = True


def threshold_checks(challenger: Measured, gate: Gate) -> list[Check]:
    """The absolute thresholds. A metric ending in loss, mae, rmse or error must stay below its threshold."""
    checks = [
        Check(
            "skill: better than guessing",
            f"{challenger.metrics['skill']:.4f}",
            f"> {gate.min_skill:g}",
            challenger.metrics["skill"] > gate.min_skill,
        )
    ]
    for name, bound in gate.thresholds.items():
        lower_is_better = name.endswith(("loss", "mae", "rmse", "error"))
        value = challenger.metrics.get(name)
        if value is None:
            checks.append(Check(name, "not measured", f"{bound:g}", passed=False))
        else:
            passed = value <= bound if lower_is_better else value >= bound
            checks.append(Check(name, f"{value:.4f}", f"{'<=' if lower_is_better else '>='} {bound:g}", passed))
    return checks


def champion_check(challenger: Measured, champion: Measured, gate: Gate) -> Check:
    """No worse than the champion on the same rows, but for the margin."""
    floor = champion.metrics["skill"] - gate.margin
    skill = challenger.metrics["skill"]
    return Check("skill against the champion", f"{skill:.4f}", f">= {floor:.4f}", skill >= floor)


def slice_checks(challenger: Measured, champion: Measured | None, gate: Gate) -> list[Check]:
    """No slice may fall further behind the whole than gate.max_slice_gap, unless it was as weak under the champion."""
    whole = challenger.metrics["skill"] - gate.max_slice_gap
    before = {(part.column, part.value): part.skill - gate.margin for part in (champion.slices if champion else [])}
    checks = []
    for part in challenger.slices:
        floor = min(whole, before.get((part.column, part.value), whole))
        rule = f"slice {part.column}={part.value} ({part.rows} rows)"
        passed = part.skill >= floor
        checks.append(Check(rule, f"{part.skill:.4f}", f">= {floor:.4f}", passed, enforced=champion is not None))
    return checks


def fairness_checks(challenger: Measured, gate: Gate) -> list[Check]:
    """The groups of no protected column may be further apart than gate.max_fairness_gap."""
    return [
        Check(
            f"fairness {each.column}: {each.measure}",
            f"{each.gap:.4f} ({each.lowest} to {each.highest})",
            f"<= {gate.max_fairness_gap:g}",
            each.gap <= gate.max_fairness_gap,
        )
        for each in challenger.gaps
    ]


def judge(challenger: Measured, champion: Measured | None, gate: Gate) -> list[Check]:
    """Every check; a first champion only has to pass the absolute bounds, its slices are shown and not enforced."""
    checks = threshold_checks(challenger, gate) + fairness_checks(challenger, gate)
    if champion is not None:
        checks.append(champion_check(challenger, champion, gate))
    return checks + slice_checks(challenger, champion, gate)


def failed(checks: list[Check]) -> list[str]:
    """The enforced rules that do not hold; a challenger passes when there are none."""
    return [check.rule for check in checks if check.enforced and not check.passed]


def table(checks: list[Check]) -> str:
    """The checks as an aligned table."""
    verdicts = [
        ("pass" if check.passed else "FAIL") + ("" if check.enforced else " (not enforced)") for check in checks
    ]
    rows = [("rule", "measured", "required", "")]
    rows += [(check.rule, check.measured, check.required, word) for check, word in zip(checks, verdicts, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]])
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
