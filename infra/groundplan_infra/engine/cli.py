"""The Pulumi CLI: found on PATH, installed by Pulumi's installer, or built from Go modules; in this order."""

import importlib.metadata
import importlib.resources
import os
import shutil
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from pulumi.automation import PulumiCommand
from semver import VersionInfo

from groundplan_infra.engine.folders import EngineError, cache_folder, locked, say

# The CLI has the number of the SDK, whose pin is the newest that the Go proxy serves whole.
VERSION = importlib.metadata.version("pulumi")
INSTALLER = "https://get.pulumi.com"
REACH_SECONDS = 5
BUILD_SECONDS = 1800
LANGUAGE_HOST = """#!/bin/sh
# Runs Python programs and policy packs for the Pulumi CLI beside it, which comes without the official host.
exec "${GROUNDPLAN_PYTHON:?run this through groundplan-infra, or set it to a Python that has groundplan-infra}" \\
    -u -m groundplan_infra.engine.language_host "$@"
"""


@dataclass(frozen=True)
class Cli:
    """A Pulumi CLI in `folder`; `origin` says how it got there."""

    folder: Path
    origin: str

    @property
    def command(self) -> Path:
        """The executable."""
        return self.folder / "pulumi"


def find_cli() -> Cli:
    """The CLI to use, made ready where needed; raises EngineError where none can be had."""
    found = shutil.which("pulumi")
    if found:
        return Cli(Path(found).resolve().parent, "on PATH")
    root = cache_folder() / "engine" / VERSION
    with locked(root):
        if (root / "official" / "bin" / "pulumi").exists():
            return Cli(root / "official" / "bin", "Pulumi's installer")
        if (root / "bin" / "pulumi").exists():
            return write_language_host(Cli(root / "bin", "built from Go modules"))
        if reachable(INSTALLER):
            say(f"installing Pulumi {VERSION} from {INSTALLER}")
            PulumiCommand.install(root=str(root / "official"), version=VersionInfo.parse(VERSION))
            return Cli(root / "official" / "bin", "Pulumi's installer")
        return write_language_host(build(root))


def reachable(url: str) -> bool:
    """Whether an address answers at all."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=REACH_SECONDS):
            return True
    except OSError:
        return False


def build(root: Path) -> Cli:
    """Build the CLI from Go modules, by the go.mod and go.sum beside this file."""
    go = shutil.which("go")
    if go is None:
        raise EngineError(
            f"no Pulumi CLI: there is none on PATH, {INSTALLER} cannot be reached, and there is no Go (1.25 or newer) "
            f"to build one; install Pulumi {VERSION} or Go"
        )
    say(f"building Pulumi {VERSION} from Go modules (some minutes, once): no pulumi on PATH, {INSTALLER} not reachable")
    flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("go.mod", "go.sum"):
            text = importlib.resources.files("groundplan_infra.engine").joinpath("go", name).read_text()
            (Path(folder) / name).write_text(text)
        out = Path(folder) / "bin"
        run_go([go, "install", "-ldflags", flags, "tool"], Path(folder), {"GOBIN": str(out)})
        (root / "bin").mkdir(parents=True, exist_ok=True)
        shutil.move(out / "pulumi", root / "bin" / "pulumi.new")
        (root / "bin" / "pulumi.new").rename(root / "bin" / "pulumi")
    return Cli(root / "bin", "built from Go modules")


def run_go(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run Go; gives what it printed, raises EngineError with the end of it where it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false", **(environment or {})},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise EngineError(f"{' '.join(command[:2])} failed: {error.stderr.strip()[-600:]}") from None
    except subprocess.TimeoutExpired:
        raise EngineError(f"{' '.join(command[:2])} took over {BUILD_SECONDS} s and was stopped") from None
    return done.stdout


def write_language_host(cli: Cli) -> Cli:
    """Put our Python language host beside a CLI that was built from modules."""
    host = cli.folder / "pulumi-language-python"
    if not host.exists() or host.read_text() != LANGUAGE_HOST:
        host.write_text(LANGUAGE_HOST)
        host.chmod(0o755)
    return cli
