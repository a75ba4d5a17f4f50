"""How long the pack takes over the real graph of prod, in process: all rules, and a whole evaluation.

Run with `make bench`. What the pack adds to a preview stands in docs/explanation/measurements.md.
"""

import datetime
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "policies"))

from conftest import captured, judged, policy_for
from groundplan_policies.evaluate import evaluate
from groundplan_policies.sources import from_graph

ROUNDS = 20
RESULT = Path(__file__).parent / "results" / "policies.md"


def main() -> None:
    """Print the table and keep it."""
    lines = ["| stack | resources | median ms | min to max |", "| --- | ---: | ---: | --- |"]
    for name in ("local", "dev", "staging", "prod"):
        graph, facts = captured(name)
        policy, today = policy_for(facts), datetime.datetime.now(datetime.UTC).date()
        assert judged(graph, policy).passed
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            evaluate(from_graph(graph), policy, [], today)
            times.append(1000 * (time.perf_counter() - started))
        spread = f"{min(times):.1f} to {max(times):.1f}"
        lines.append(f"| {name} | {len(graph['resources'])} | {statistics.median(times):.1f} | {spread} |")
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
