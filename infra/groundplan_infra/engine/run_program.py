"""Runs one Pulumi program for the language host.

Settings in GROUNDPLAN_RUN, the program's folder as the first argument.
"""

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from functools import partial

import pulumi
import pulumi.runtime

# The program has shown its message itself; the engine adds none.
BAIL = 32


def run(program: str) -> None:
    """Run a program's `__main__.py`."""
    runpy.run_path(program, run_name="__main__")


def main() -> int:
    """Run the program; gives the exit code."""
    settings = json.loads(os.environ.pop("GROUNDPLAN_RUN"))
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    program, sys.argv = sys.argv[1], sys.argv[1:]
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(partial(run, program)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return BAIL
    except KeyboardInterrupt:
        return BAIL
    except Exception:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
        return BAIL
    finally:
        loop.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
