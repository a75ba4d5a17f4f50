"""`python -m groundplan_infra TASK --env ENV`: what the tasks `preview`, `up`, `destroy`, `outputs` and the like run."""

import argparse
import json
import sys
from pathlib import Path

from groundplan_infra.config import ConfigError
from groundplan_infra.contract import ContractError
from groundplan_infra.engine.folders import EngineError
from groundplan_infra.engine.session import open_session

OPERATIONS = ("preview", "up", "refresh", "destroy")


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="groundplan-infra")
    parser.add_argument("task", choices=[*OPERATIONS, "outputs"])
    parser.add_argument("--env", required=True, help="stack, as in Pulumi.<env>.yaml")
    parser.add_argument("--program", type=Path, default=Path(), help="folder of Pulumi.yaml")
    parser.add_argument("options", nargs="*", help="passed on to pulumi, after --")
    return parser.parse_args(words)


def run(arguments: argparse.Namespace) -> int:
    """Do the task; gives the exit code."""
    session = open_session(arguments.program, arguments.env)
    if arguments.task in OPERATIONS:
        return session.operate(arguments.task, *arguments.options)
    print(json.dumps(session.outputs(), indent=2))
    return 0


def main() -> int:
    """One clear line for what a person can put right."""
    try:
        return run(parse_arguments(sys.argv[1:]))
    except (EngineError, ConfigError, ContractError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
