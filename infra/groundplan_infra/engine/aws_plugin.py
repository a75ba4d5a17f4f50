"""The AWS provider plugin: Pulumi's official one, or a bridge over a Terraform AWS provider; in this order."""

import hashlib
import importlib.metadata
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from groundplan_infra.engine.cli import INSTALLER, Cli, reachable, run_go
from groundplan_infra.engine.folders import EngineError, cache_folder, locked, say
from groundplan_infra.engine.mapping import make_mapping

BRIDGE = "github.com/pulumi/pulumi-terraform-bridge/v3"
BRIDGE_VERSION = "v3.127.0"
PLUGIN = "pulumi-resource-aws"
LAYOUT = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws_v*"
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Plugin:
    """`folder` goes on PATH, None where the CLI finds the plugin by itself; `origin` says what it is."""

    folder: Path | None
    origin: str


def sdk_version() -> str:
    """Version of the installed pulumi_aws, which the plugin has to match."""
    return importlib.metadata.version("pulumi-aws")


def find_plugin(cli: Cli) -> Plugin:
    """The plugin to use, made ready where needed; raises EngineError where none can be had."""
    version = sdk_version()
    on_path = shutil.which(PLUGIN)
    if on_path:
        return Plugin(None, f"{PLUGIN} on PATH")
    if official_installed(cli, version):
        return Plugin(None, f"official {version}")
    if reachable(INSTALLER):
        say(f"installing the AWS plugin {version}")
        command = [cli.command, "plugin", "install", "resource", "aws", f"v{version}"]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS, stdout=sys.stderr)
        return Plugin(None, f"official {version}")
    terraform = find_terraform_provider()
    if terraform is None:
        raise EngineError(
            f"no AWS plugin: Pulumi's {PLUGIN} {version} is not installed and {INSTALLER} cannot be reached, and there "
            f"is no Terraform AWS provider to bridge to; install one of them, or set TERRAFORM_AWS_PROVIDER to its file"
        )
    return bridge(terraform)


def official_installed(cli: Cli, version: str) -> bool:
    """Whether Pulumi's own plugin is in its cache."""
    listed = subprocess.run(
        [cli.command, "plugin", "ls", "--json"], capture_output=True, text=True, check=False, timeout=60
    )
    plugins = json.loads(listed.stdout or "[]") if listed.returncode == 0 else []
    return any(plugin["name"] == "aws" and plugin.get("version") == version for plugin in plugins)


def find_terraform_provider() -> Path | None:
    """The newest Terraform AWS provider: TERRAFORM_AWS_PROVIDER, else one in the layout of a filesystem mirror."""
    given = os.environ.get("TERRAFORM_AWS_PROVIDER")
    if given:
        if not Path(given).is_file():
            raise EngineError(f"TERRAFORM_AWS_PROVIDER={given} is not a file")
        return Path(given)
    found = [path for mirror in mirrors() for path in mirror.glob(LAYOUT) if path.is_file()]
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.parts[-3])], default=None)


def mirrors() -> list[Path]:
    """Folders that may hold Terraform providers: its implied mirrors, its plugin cache, and the folders of /opt."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    implied = [home / ".terraform.d" / "plugins", data / "terraform" / "plugins"]
    shared = [Path("/usr/local/share/terraform/plugins"), Path("/usr/share/terraform/plugins")]
    cache = [Path(folder) for folder in [os.environ.get("TF_PLUGIN_CACHE_DIR")] if folder]
    optional = list(Path("/opt").glob("*")) if Path("/opt").is_dir() else []
    return [folder for folder in [*implied, *shared, *cache, *optional] if folder.is_dir()]


def bridge(terraform: Path) -> Plugin:
    """The bridge over a Terraform provider, built once for each pair of SDK and provider."""
    here = importlib.resources.files("groundplan_infra.engine")
    source, names = here.joinpath("bridge", "main.go").read_text(), here.joinpath("mapping.py").read_text()
    parts = [source, names, BRIDGE_VERSION, sdk_version(), str(terraform)]
    folder = cache_folder() / "bridge" / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    version = terraform.parts[-3]
    plugin = Plugin(folder, f"bridge over the Terraform AWS provider {version} (a stand-in for the official plugin)")
    with locked(folder.parent):
        if not (folder / PLUGIN).exists():
            build_bridge(source, terraform, folder)
    return plugin


def build_bridge(source: str, terraform: Path, folder: Path) -> None:
    """Compile main.go inside a copy of the bridge, whose loader of Terraform providers is internal to it."""
    go = shutil.which("go")
    if go is None:
        raise EngineError("the bridge over the Terraform AWS provider needs Go (1.25 or newer) to be built; install it")
    say(f"building the AWS plugin as a bridge over {terraform.name} (some minutes, once)")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "go.mod").write_text("module scratch\n\ngo 1.25\n")
        module = json.loads(run_go([go, "mod", "download", "-json", f"{BRIDGE}@{BRIDGE_VERSION}"], Path(scratch)))
        copy = Path(scratch) / "bridge"
        shutil.copytree(module["Dir"], copy)
        subprocess.run(["chmod", "-R", "u+w", str(copy)], check=True)
        (copy / "dynamic" / "aws").mkdir()
        (copy / "dynamic" / "aws" / "main.go").write_text(source)
        built = folder.with_suffix(".new")
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir(parents=True)
        run_go([go, "build", "-ldflags", "-s -w", "-o", str(built / "bridge"), "./dynamic/aws"], copy)
    write_wrapper(built, terraform, folder)
    environment = {**os.environ, "TERRAFORM_AWS_PROVIDER_DIR": str(terraform.parent)}
    listed = subprocess.run(
        [built / "bridge", "types"], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    (built / "mapping.json").write_text(json.dumps(make_mapping(json.loads(listed.stdout)), sort_keys=True))
    built.rename(folder)


def write_wrapper(built: Path, terraform: Path, folder: Path) -> None:
    """The command that the engine looks for."""
    wrapper = built / PLUGIN
    lines = [
        "#!/bin/sh",
        f"export TERRAFORM_AWS_PROVIDER_DIR='{terraform.parent}' PULUMI_AWS_SDK_VERSION='{sdk_version()}'",
        f"export PULUMI_AWS_MAPPING='{folder / 'mapping.json'}'",
        f"exec '{folder / 'bridge'}' \"$@\"",
        "",
    ]
    wrapper.write_text("\n".join(lines))
    wrapper.chmod(0o755)
