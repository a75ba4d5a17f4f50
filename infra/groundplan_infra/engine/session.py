"""One stack and the engine that runs it: `preview`, `up`, `refresh`, `destroy`, `outputs`."""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from groundplan_infra.engine import emulator
from groundplan_infra.engine.aws_plugin import Plugin, find_plugin
from groundplan_infra.engine.cli import Cli, find_cli
from groundplan_infra.engine.folders import EngineError, say, state_folder
from groundplan_infra.settings import read_settings

LIMIT_SECONDS = 3600
INTERRUPT_SECONDS = 60
# A killed engine needs a moment to be gone.
DYING_SECONDS = 3
SALT = "encryptionsalt:"
HALF_WRITTEN, WRITING_TRIES = "failed to load checkpoint: EOF", 10


@dataclass(frozen=True)
class Session:
    """A stack `name` of the program in `program`.

    `emulated`: it runs against the embedded AWS, with state beside it.
    """

    program: Path
    name: str
    emulated: bool

    @cached_property
    def cli(self) -> Cli:
        """The Pulumi CLI."""
        return find_cli()

    @cached_property
    def plugin(self) -> Plugin:
        """The AWS plugin."""
        return find_plugin(self.cli)

    @cached_property
    def aws(self) -> emulator.Emulator:
        """The embedded AWS of an emulated stack."""
        return emulator.ensure()

    @cached_property
    def environment(self) -> dict[str, str]:
        """What the engine's process is told."""
        folders = [str(self.cli.folder), *([str(self.plugin.folder)] if self.plugin.folder else [])]
        own = {
            "PATH": os.pathsep.join([*folders, os.environ.get("PATH", "")]),
            "GROUNDPLAN_PYTHON": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_LEGACY_WARNING": "true",
        }
        return {**os.environ, **own, **(self.local_environment() if self.emulated else {})}

    def local_environment(self) -> dict[str, str]:
        """State and passphrase of emulated stacks: kept beside the emulator, and of no use without it."""
        folder = Path(self.aws.folder)
        (folder / "state").mkdir(exist_ok=True)
        passphrase = folder / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_urlsafe(24))
        return {
            **self.aws.environment,
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            "PULUMI_HOME": str(state_folder() / "pulumi"),
            # Nothing of an emulated stack may reach a real account.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @cached_property
    def folder(self) -> Path:
        """Where the engine works: the program's folder; for emulated stacks, copied settings with links to the rest.

        The engine writes the salt of the passphrase into the stack's settings, and an emulated stack lives a day.
        """
        if not self.emulated:
            return self.program
        work = Path(self.aws.folder) / "programs" / hashlib.sha256(str(self.program).encode()).hexdigest()[:12]
        work.mkdir(parents=True, exist_ok=True)
        for there in self.program.iterdir():
            here = work / there.name
            if there.name == f"Pulumi.{self.name}.yaml":
                salt = (
                    [line for line in here.read_text().splitlines() if line.startswith(SALT)] if here.exists() else []
                )
                here.write_text("\n".join([there.read_text().rstrip(), *salt, ""]))
            elif there.name == "Pulumi.yaml":
                here.write_text(there.read_text())
            elif not here.is_symlink() and not there.name.startswith("Pulumi."):
                here.symlink_to(there)
        return work

    def run(self, *words: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the CLI on this stack; its output is shown as it comes, or kept where `quiet`."""
        command = [str(self.cli.command), *words, "--cwd", str(self.folder), "--non-interactive"]
        process = subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
        )
        try:
            out, err = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            stop(process)
            raise EngineError(f"pulumi {words[0]} took over {LIMIT_SECONDS} s and was stopped; run it again") from None
        except KeyboardInterrupt:
            # The terminal has sent the signal to the engine too; it finishes what has begun, or stops at a second one.
            process.wait()
            raise
        return subprocess.CompletedProcess(command, process.returncode, out or "", err or "")

    def select(self) -> None:
        """Make this stack the current one; create it where it does not exist."""
        provider = os.environ.get("GROUNDPLAN_SECRETS_PROVIDER", "") if not self.emulated else ""
        chosen = ["--secrets-provider", provider] if provider else []
        done = self.run("stack", "select", self.name, "--create", *chosen, quiet=True)
        tries = WRITING_TRIES
        while done.returncode and HALF_WRITTEN in done.stderr and tries:
            # Another engine writes the state just now.
            time.sleep(0.5)
            tries -= 1
            done = self.run("stack", "select", self.name, "--create", *chosen, quiet=True)
        if done.returncode:
            raise EngineError(f"stack {self.name}: {last_line(done.stderr)}")

    def operate(self, operation: str, *options: str, policies: Path | None = None) -> int:
        """`preview`, `up`, `refresh` or `destroy`; gives the engine's exit code.

        Under a policy pack, `up` previews first: what is about the whole stack is known only when all is planned.
        Raises EngineError where there are no credentials, or where they would lead elsewhere than the settings say.
        """
        if not self.emulated:
            check_account()
        say(f"engine: pulumi {self.cli.origin}; AWS plugin: {self.plugin.origin}")
        if self.emulated:
            say(f"AWS: embedded, a stand-in (moto) at {self.aws.url}")
        held = self.refuse_locked() if operation != "preview" else []
        self.select()
        if operation != "preview":
            self.recover(held)
        if operation == "destroy":
            self.refuse_protected()
        words = [operation, "--stack", self.name, *options]
        judged = policies and operation in ("preview", "up")
        if judged:
            words += ["--policy-pack", str(policies)]
        if operation != "preview":
            words += ["--yes", *([] if judged else ["--skip-preview"])]
        code = self.run(*words).returncode
        if self.emulated and operation == "destroy" and code == 0:
            say(f"the embedded AWS goes on, for other stacks; `kill {self.aws.pid}` ends it and all that it holds")
        return code

    def refuse_locked(self) -> list[dict[str, Any]]:
        """The locks that killed engines left; raises EngineError where another engine is still at work."""
        held = self.locks()
        deadline = time.monotonic() + DYING_SECONDS
        while (alive := [lock for lock in held if emulator.alive(lock["pid"])]) and time.monotonic() < deadline:
            time.sleep(0.2)
        if alive:
            raise EngineError(f"stack {self.name} is locked: process {alive[0]['pid']} is at work on it; wait for it")
        return held

    def recover(self, held: list[dict[str, Any]]) -> None:
        """Take up what a killed engine left: its locks, and operations that it had begun."""
        if held:
            say(f"stack {self.name}: an engine was killed at work; its lock is removed")
            self.run("cancel", self.name, "--yes", quiet=True)
        pending = self.deployment().get("pending_operations") or []
        begun = sorted(each["resource"]["urn"].split("::")[-1] for each in pending if each["type"] == "creating")
        if begun:
            say(
                f"stack {self.name}: creation had begun of {', '.join(begun)}; they are made anew, look for a first one"
            )
            done = self.run("refresh", "--stack", self.name, "--yes", "--clear-pending-creates", quiet=True)
            if done.returncode:
                raise EngineError(f"stack {self.name}: {last_line(done.stdout + done.stderr)}")

    def refuse_protected(self) -> None:
        """Raise EngineError where something is protected: the engine would remove all the rest before it says so."""
        guarded = [
            each["urn"].split("::")[-1] for each in self.deployment().get("resources") or [] if each.get("protect")
        ]
        if guarded:
            raise EngineError(
                f"stack {self.name} has {len(guarded)} protected resources ({', '.join(guarded[:3])}, ...), so nothing "
                f"was removed; to remove them too, run `pulumi state unprotect --all --stack {self.name}` first"
            )

    def deployment(self) -> dict[str, Any]:
        """The state of the stack."""
        exported = self.run("stack", "export", "--stack", self.name, quiet=True)
        return dict(json.loads(exported.stdout or "{}").get("deployment") or {})

    def locks(self) -> list[dict[str, Any]]:
        """The locks on an emulated stack; those of other backends are the engine's to report."""
        if not self.emulated:
            return []
        folder = Path(self.aws.folder) / "state" / ".pulumi" / "locks"
        return [json.loads(file.read_text()) for file in folder.glob(f"**/{self.name}/*.json")]

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; empty where it was never brought up."""
        done = self.run("stack", "output", "--json", "--stack", self.name, quiet=True)
        if done.returncode:
            raise EngineError(f"stack {self.name}: {last_line(done.stderr)}")
        return dict(json.loads(done.stdout or "{}"))


def check_account() -> None:
    """Whether this shell leads to an account of AWS; raises EngineError where it does not."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        raise EngineError(f"AWS_ENDPOINT_URL is {endpoint}, but the stack is for AWS itself; unset the variable")
    if boto3.Session().get_credentials() is None:
        raise EngineError("no AWS credentials: log in (`aws sso login`), or set AWS_PROFILE; ENV=local needs none")


def stop(process: subprocess.Popen) -> None:
    """Ask the engine to end, and then make it."""
    process.terminate()
    try:
        process.wait(timeout=INTERRUPT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "no message"


def open_session(program: Path, name: str) -> Session:
    """The session of a stack, whose file says whether it is emulated.

    Raises ConfigError where there is no such file.
    """
    values = read_settings(program / f"Pulumi.{name}.yaml")
    return Session(program.resolve(), name, emulated=bool(values.get("emulated")))
