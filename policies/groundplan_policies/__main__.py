"""`python -m groundplan_policies check|evidence`: judge a stack, without an engine and without a cloud.

Exit codes: 0 nothing stands against a deployment, 1 something does, 2 the input is wrong.
"""

import argparse
import datetime
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from groundplan_policies.evaluate import Evaluation, evaluate
from groundplan_policies.evidence import Evidence, EvidenceError, changes, oscal, read_last
from groundplan_policies.facts import from_file
from groundplan_policies.report import render, summary, write
from groundplan_policies.repository import evaluate_repository
from groundplan_policies.resource import Stack
from groundplan_policies.settings import SettingsError, make_policy, read_policy_file
from groundplan_policies.sources import SourceError, digest, read_source
from groundplan_policies.waivers import read_waivers


@dataclass(frozen=True)
class Source:
    """A stack, and where it was read from."""

    stack: Stack
    described: str


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="groundplan-policies")
    parser.add_argument("task", choices=["check", "evidence"])
    parser.add_argument("--stack", required=True, help="stack, as in Pulumi.<stack>.yaml")
    parser.add_argument("--program", type=Path, default=Path(), help="folder of Pulumi.yaml")
    parser.add_argument("--policies", type=Path, default=Path(), help="folder of policy.yaml and waivers.yaml")
    parser.add_argument(
        "--graph", default="", help="file of a captured graph, or of `pulumi stack export`; - for stdin"
    )
    parser.add_argument("--repository", type=Path, help="repository whose own evidence enters the report")
    parser.add_argument("--out", type=Path, default=Path("evidence"), help="for evidence: folder of the report")
    return parser.parse_args()


def read_stack(arguments: argparse.Namespace) -> Source:
    """The stack that is judged; raises SourceError."""
    if arguments.graph:
        name = "standard input" if arguments.graph == "-" else arguments.graph
        try:
            text = sys.stdin.read() if arguments.graph == "-" else Path(arguments.graph).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{name} cannot be read: {error}") from None
        return Source(read_source(text, name), name)
    command = [sys.executable, "-m", "groundplan_infra", "graph", "--env", arguments.stack]
    done = subprocess.run([*command, "--program", str(arguments.program)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SourceError(done.stderr.strip().removeprefix("error: ") or "the graph cannot be captured")
    return Source(read_source(done.stdout, "the captured graph"), "the captured graph of the program")


def judge(arguments: argparse.Namespace) -> Evidence:
    """The evidence of a stack; raises SettingsError and SourceError."""
    facts = from_file(arguments.program, arguments.stack)
    if not arguments.policies.is_dir():
        raise SettingsError(f"{arguments.policies} is no folder; it should hold policy.yaml and waivers.yaml")
    policy = make_policy(read_policy_file(arguments.policies), facts)
    waivers = read_waivers(arguments.policies, facts.environment)
    source = read_stack(arguments)
    time = datetime.datetime.now(datetime.UTC)
    evaluation = evaluate(source.stack, policy, waivers, time.date())
    if arguments.repository:
        own = evaluate_repository(arguments.repository, policy)
        evaluation = Evaluation([*evaluation.results, *own], evaluation.waiver_problems)
    return Evidence(arguments.stack, policy, evaluation, waivers, time, digest(source.stack), source.described)


def write_evidence(evidence: Evidence, folder: Path) -> list[Path]:
    """Write the three files of a report; gives their paths. Raises EvidenceError."""
    file = folder / f"{evidence.stack}.json"
    evidence = replace(evidence, changes=changes(read_last(file), evidence.results))
    write(file.with_suffix(".md"), render(evidence, "report.md.jinja"))
    write(file.with_suffix(".html"), render(evidence, "report.html.jinja"))
    # Last: what is compared with the next time.
    write(file, json.dumps(oscal(evidence), indent=1) + "\n")
    return [file.with_suffix(suffix) for suffix in (".json", ".md", ".html")]


def main() -> int:
    """One clear line for what a person can put right."""
    arguments = parse_arguments()
    try:
        evidence = judge(arguments)
        print(summary(evidence))
        if arguments.task == "evidence":
            print(f"wrote {', '.join(str(each) for each in write_evidence(evidence, arguments.out))}")
    except (SettingsError, SourceError, EvidenceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if evidence.passed else 1


if __name__ == "__main__":
    sys.exit(main())
