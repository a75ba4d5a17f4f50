"""`make demo`: one set of answers, from nothing to a governed environment, on this machine.

No account and no container engine. Each step prints one line with its time; what it prints itself goes to
build/demo.log. A step that fails says so, and the next `make demo` goes on with it. AWS is embedded, a stand-in (moto).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier import run_copy
from demo_service import call, first_row, serving

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build/demo"
TEMPLATE, PROJECT, STATE = FOLDER / "template", FOLDER / "repository", FOLDER / "aws"
PROGRESS, LOG = FOLDER / "progress.json", ROOT / "build/demo.log"
FIRST, SECOND = "1.0.0", "1.1.0"
ANSWERS = {"project_name": "Demo", "platform": "shared", "budget_email": "demo@example.com"}
STOP = "from groundplan_infra.engine import emulator; found = emulator.running(); found and emulator.stop(found)"
RUNNING = "import sys; from groundplan_infra.engine import emulator; sys.exit(not emulator.running())"
IDENTITY = (("user.name", "demo"), ("user.email", "demo@example.com"))


class StepError(Exception):
    """A step did not do what it should."""


def environment() -> dict[str, str]:
    """What every command is told: the demo's own AWS, and an identity for git where the machine has none."""
    given = {**os.environ, "GROUNDPLAN_STATE": str(STATE)}
    missing = [pair for pair in IDENTITY if not git(ROOT, "config", "--default", "", "--get", pair[0]).strip()]
    given["GIT_CONFIG_COUNT"] = str(len(missing))
    for number, (key, value) in enumerate(missing):
        given |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return given


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def command(folder: Path, *words: str) -> str:
    """Run a command and return what it printed; raises StepError with its last words when it fails."""
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-8:]
        raise StepError(f"`{' '.join(words)}` failed; all of it is in {LOG}:\n" + "\n".join(last))
    return done.stdout


def task(*words: str) -> str:
    """Run a task of the generated repository."""
    return command(PROJECT, "make", "--silent", *words)


def emulator(script: str) -> bool:
    """Ask the embedded AWS of the demo for something; whether it succeeded."""
    words = ["uv", "run", "--quiet", "--directory", str(ROOT / "infra"), "python", "-c", script]
    return subprocess.run(words, env=environment(), capture_output=True, check=False).returncode == 0


def release(tag: str, edit: Callable[[], None] = lambda: None) -> None:
    """Release the working tree as the demo's template; a release that is there stays."""
    TEMPLATE.mkdir(parents=True, exist_ok=True)
    command(TEMPLATE, "git", "init", "--quiet", "--initial-branch", "main")
    if tag in git(TEMPLATE, "tag").split():
        return
    for path in TEMPLATE.iterdir():
        if path.is_dir() and path.name != ".git":
            shutil.rmtree(path)
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (TEMPLATE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, TEMPLATE / name)
    edit()
    command(TEMPLATE, "git", "add", "--all")
    command(TEMPLATE, "git", "commit", "--quiet", "--allow-empty", "--no-verify", "--message", tag)
    command(TEMPLATE, "git", "tag", tag)


def generate() -> str:
    """A repository of the first release."""
    release(FIRST)
    source = f"git+{TEMPLATE.as_uri()}"
    run_copy(source, PROJECT, data=ANSWERS, defaults=True, quiet=True, vcs_ref=FIRST)
    return f"{sum(path.is_file() for path in PROJECT.rglob('*'))} files in {PROJECT}"


def platform_up() -> str:
    """The platform of the environment `local`, under the policies."""
    told = command(ROOT, "make", "--silent", "up", "ENV=local")
    return f"{resources(told)} on an embedded AWS (a stand-in, moto)"


def project_up() -> str:
    """What the repository has of its own on it."""
    told = task("up", "connect", "ENV=local")
    return f"{resources(told)} of the repository's own; joined by .env and .dvc/config.local"


def resources(told: str) -> str:
    """How many resources the engine says it made, or that they are there."""
    made = re.findall(r"\+ (\d+) created", told)
    return f"{made[-1]} resources" if made else "resources as before"


def train() -> str:
    """Data and artifacts in the buckets of the cloud, a challenger in the registry."""
    command(PROJECT, ".venv/bin/dvc", "push")
    told = task("pipeline")
    return next(line for line in told.splitlines() if line.startswith("On "))


def promote() -> str:
    """The gate, and the cards."""
    return task("promote").strip().splitlines()[-1]


def serve() -> str:
    """One prediction and its reasons."""
    with serving(PROJECT, LOG, environment()) as url:
        row, label = first_row(PROJECT)
        body = json.dumps(row).encode()
        answer = call(f"{url}/predict", body)["predictions"][0]["prediction"]
        why = next(iter(call(f"{url}/explain", body)["explanations"][0]["contributions"]))
        lineage = call(f"{url}/info")["lineage"]
    known = ", ".join(f"{name} {value[:12]}" for name, value in lineage.items())
    return f"{answer} (the table says {label}), most of it by {why}; {known}"


def loop() -> str:
    """Drift, alert, retraining, canary, a fault and the rollback, in a copy."""
    told = task("loop")
    clients = next(line for line in told.splitlines() if "Clients made" in line)
    return clients.partition("s ")[2].strip()


def cost() -> str:
    """What the environment dev would cost in an account: the platform, and the repository on it."""
    platform = monthly(command(ROOT, "make", "--silent", "cost", "STACK=dev"))
    return (
        f"dev costs {platform} USD a month for the platform and {monthly(task('cost', 'ENV=dev'))} for the repository"
    )


def monthly(told: str) -> str:
    """The total of an estimate, before data and jobs."""
    found = re.search(r"total before data and jobs\W+([\d.,]+)", told)
    if not found:
        raise StepError("the estimate has no total")
    return found[1]


def evidence() -> str:
    """How every control stands, in the cloud and in the repository."""
    task("policy", "ENV=prod")
    task("evidence", "ENV=local")
    document = json.loads((PROJECT / "reports/evidence/local.json").read_text(encoding="utf-8"))
    findings = document["assessment-results"]["results"][0]["findings"]
    states = Counter(each["target"]["status"]["state"] for each in findings)
    return ", ".join(f"{count} controls {state}" for state, count in sorted(states.items()))


def update() -> str:
    """A release that the demo makes up comes in, beside an edit of the user's."""

    def edit() -> None:
        root = TEMPLATE / "template"
        (root / "docs/runbook.md.jinja").rename(root / "docs/operation.md.jinja")
        log = TEMPLATE / "CHANGELOG.md"
        log.write_text(log.read_text() + f"\n## {SECOND}\n\nMade up by the demo: the runbook has another name.\n")

    release(SECOND, edit)
    runbook = PROJECT / "docs/runbook.md"
    if runbook.exists():
        runbook.write_text(runbook.read_text(encoding="utf-8") + "\nA line of the user's.\n", encoding="utf-8")
    commit("The user's work")
    if f"_commit: {SECOND}" not in (PROJECT / ".copier-answers.yml").read_text(encoding="utf-8"):
        task("update")
    commit(f"Release {SECOND} of the template")
    renamed = PROJECT / "docs/operation.md"
    if not renamed.exists() or "A line of the user's." not in renamed.read_text(encoding="utf-8"):
        raise StepError("the user's line was lost in the update")
    return f"release {SECOND} (made up) is in; the user's edit followed the file that it renames"


def commit(message: str) -> None:
    """Commit what there is."""
    command(PROJECT, "git", "add", "--all")
    command(PROJECT, "git", "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)


@dataclass(frozen=True)
class Step:
    """A step: what it is called, the word for its result in the summary, and what it does."""

    title: str
    label: str
    run: Callable[[], str]


STEPS = (
    Step("Generate a repository from the template", "repository", generate),
    Step("make setup: environment, git, data, hooks", "", lambda: task("setup") and ""),
    Step("make up: the platform, by the engine, under policies", "platform", platform_up),
    Step("make up connect: the repository's part of the cloud", "cloud", project_up),
    Step("make pipeline: data to registered model, kept in S3", "model", train),
    Step("make promote: the gate, model card, data card", "gate", promote),
    Step("make serve: one row predicted and explained", "prediction", serve),
    Step("make loop: drift, retraining, canary, fault, rollback", "loop", loop),
    Step("make cost: a month of the environment dev", "cost", cost),
    Step("make policy evidence: controls, cloud and repository", "evidence", evidence),
    Step("make update: a newer template, and the user's edits", "update", update),
)


CLOUD_STEP = STEPS[2].title  # from here on, steps rest on the embedded AWS


def load_progress() -> dict[str, str]:
    """The results of the steps that were done before; none when the cloud that they left is gone."""
    if not PROGRESS.exists():
        return {}
    found: dict[str, str] = json.loads(PROGRESS.read_text(encoding="utf-8"))
    return found if CLOUD_STEP not in found or emulator(RUNNING) else {}


def begin(fresh: bool) -> dict[str, str]:
    """Go on, or begin anew."""
    done = {} if fresh else load_progress()
    if done:
        print(f"{len(done)} steps are done; going on. `make demo FRESH=1` begins anew.")
    else:
        emulator(STOP)
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        LOG.write_text("", encoding="utf-8")
    return done


def run_steps(done: dict[str, str]) -> None:
    """Every step that is not done, a line each."""
    for step in STEPS:
        if step.title in done:
            continue
        print(f"{step.title} ".ljust(58, "."), end=" ", flush=True)
        started = time.monotonic()
        try:
            done[step.title] = step.run()
        except (OSError, LookupError, StopIteration, ValueError) as error:
            raise StepError(f"{type(error).__name__}: {error}; all of it is in {LOG}") from error
        PROGRESS.write_text(json.dumps(done, indent=1), encoding="utf-8")
        print(f"{time.monotonic() - started:5.1f} s", flush=True)


def summarise(done: dict[str, str], seconds: float) -> None:
    """What is where."""
    print(f"\nDone in {seconds / 60:.1f} minutes.")
    for step in STEPS:
        if step.label:
            print(f"  {step.label:<11} {done[step.title]}")
    where: dict[str, Any] = {
        "cards": PROJECT / "docs/model-card.md",
        "timeline": PROJECT / ".local/loop/timeline.html",
        "controls": PROJECT / "reports/evidence/local.html",
        "log": LOG,
    }
    for label, path in where.items():
        print(f"  {label:<11} {path}")


def keep_running() -> None:
    """Leave the cloud and the service as they are until Ctrl-C."""
    with serving(PROJECT, LOG, environment()) as url:
        print(f"  {'service':<11} {url}, and the embedded AWS, until Ctrl-C", flush=True)
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            print()


def main() -> None:
    """All steps, the summary, and nothing left running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the service and the cloud running until Ctrl-C")
    parser.add_argument("--fresh", action="store_true", help="begin anew, whatever was done before")
    given = parser.parse_args()
    started = time.monotonic()
    done = begin(given.fresh)
    try:
        run_steps(done)
    except StepError as error:
        print(
            f"\nerror: {error}\n`make demo` goes on with this step; the embedded AWS runs until then.", file=sys.stderr
        )
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("\ninterrupted; `make demo` goes on with this step", file=sys.stderr)
        raise SystemExit(130) from None
    summarise(done, time.monotonic() - started)
    if given.keep:
        keep_running()
    emulator(STOP)
    PROGRESS.unlink()


if __name__ == "__main__":
    main()
