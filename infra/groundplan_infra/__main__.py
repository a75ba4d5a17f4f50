"""`python -m groundplan_infra TASK --env ENV`.

What the tasks `preview`, `up`, `destroy`, `connect`, `cost` and so on run.
"""

import argparse
import json
import sys
from pathlib import Path

from groundplan_infra.config import ConfigError
from groundplan_infra.contract import ContractError
from groundplan_infra.engine.folders import EngineError, say
from groundplan_infra.settings import read_settings

OPERATIONS = ("preview", "up", "refresh", "destroy")
GRAPH_TASKS = ("cost", "diagram", "graph")


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="groundplan-infra")
    parser.add_argument("task", choices=[*OPERATIONS, *GRAPH_TASKS, "outputs", "connect", "backend"])
    parser.add_argument("--env", required=True, help="stack, as in Pulumi.<env>.yaml")
    parser.add_argument("--program", type=Path, default=Path(), help="folder of Pulumi.yaml")
    parser.add_argument("--repository", type=Path, default=Path(), help="for connect: the repository to join")
    parser.add_argument("--policies", type=Path, help="for preview and up: folder of the policy pack they are held to")
    parser.add_argument("--svg", action="store_true", help="for diagram: SVG instead of Mermaid")
    parser.add_argument("--bucket", default="", help="for backend: the bucket that keeps the state")
    parser.add_argument("--against", default="", help="for cost: the stack to compare with")
    parser.epilog = "What follows -- is passed on to pulumi."
    place = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:place])
    arguments.options = words[place + 1 :]
    return arguments


def run_engine(arguments: argparse.Namespace) -> int:
    """A task that needs the engine; gives the exit code."""
    from groundplan_infra.connect import connect
    from groundplan_infra.contract import validate
    from groundplan_infra.engine import emulator
    from groundplan_infra.engine.session import open_session

    session = open_session(arguments.program, arguments.env)
    if arguments.task in OPERATIONS:
        return session.operate(arguments.task, *arguments.options, policies=pack_folder(arguments.policies))
    outputs = session.outputs()
    if arguments.task == "outputs":
        print(json.dumps(outputs, indent=2))
        return 0
    aws = emulator.ensure().environment if session.emulated else {}
    written = connect(arguments.repository, validate(outputs, arguments.env), aws)
    say(f"wrote {' and '.join(str(path) for path in written)}: MLflow and DVC use stack {arguments.env} from now on")
    return 0


def pack_folder(given: Path | None) -> Path | None:
    """The folder of a policy pack, if one is given; raises EngineError where there is none."""
    if given and not (given / "PulumiPolicy.yaml").exists():
        raise EngineError(f"{given} is no policy pack: it has no PulumiPolicy.yaml")
    return given.resolve() if given else None


def run_backend(arguments: argparse.Namespace) -> int:
    """Make the place where the state is kept; prints the variables that lead the engine there."""
    from groundplan_infra.backend import make_backend

    region = str(read_settings(arguments.program / f"Pulumi.{arguments.env}.yaml").get("region", ""))
    for name, value in make_backend(arguments.bucket, region).items():
        print(f"export {name}={value}")
    return 0


def run_graph(arguments: argparse.Namespace) -> int:
    """A task that needs the graph alone; prints what it finds."""
    from groundplan_infra import cost, diagram, stacks

    def graph(env: str) -> stacks.Graph:
        return stacks.graph_of(arguments.program / f"Pulumi.{env}.yaml")

    if arguments.task == "diagram":
        draw = diagram.svg if arguments.svg else diagram.mermaid
        print(draw(graph(arguments.env)), end="")
    elif arguments.task == "graph":
        print(graph(arguments.env).to_json())
    elif arguments.against:
        print(cost.delta(cost.estimate(graph(arguments.against)), cost.estimate(graph(arguments.env))))
    else:
        print(cost.report(cost.estimate(graph(arguments.env))))
    return 0


def main() -> int:
    """One clear line for what a person can put right."""
    arguments = parse_arguments(sys.argv[1:])
    try:
        if arguments.task == "backend":
            return run_backend(arguments)
        return run_graph(arguments) if arguments.task in GRAPH_TASKS else run_engine(arguments)
    except (EngineError, ConfigError, ContractError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
