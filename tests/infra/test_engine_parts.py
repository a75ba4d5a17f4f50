"""Where CLI and plugin are taken from, in which order, and what is said when there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from groundplan_infra.config import ConfigError
from groundplan_infra.engine import aws_plugin, cli
from groundplan_infra.engine.aws_plugin import LAYOUT, Plugin, find_plugin, find_terraform_provider
from groundplan_infra.engine.cli import Cli, find_cli
from groundplan_infra.engine.folders import EngineError
from groundplan_infra.engine.mapping import find, norm
from groundplan_infra.engine.session import check_account, open_session

Command = Callable[[str, str], Path]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Puts a command on a PATH that has nothing else; caches are empty, and nothing outside is reachable."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("GROUNDPLAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cli, "reachable", lambda url: False)
    monkeypatch.setattr(aws_plugin, "reachable", lambda url: False)

    def put(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


def test_the_cli_on_the_path_comes_first(command: Command) -> None:
    path = command("pulumi", "exit 0")
    assert find_cli() == Cli(path.parent, "on PATH")


def test_a_cli_that_was_built_before_is_used_again(command: Command, tmp_path: Path) -> None:
    built = tmp_path / "cache" / "engine" / cli.VERSION / "bin"
    built.mkdir(parents=True)
    (built / "pulumi").touch()
    assert find_cli() == Cli(built, "built from Go modules")
    assert "groundplan_infra.engine.language_host" in (built / "pulumi-language-python").read_text()


def test_no_cli_is_told_with_every_way_out(command: Command) -> None:
    with pytest.raises(EngineError) as error:
        find_cli()
    assert all(word in str(error.value) for word in ("PATH", cli.INSTALLER, "Go (1.25", cli.VERSION))


def test_a_build_that_fails_is_told(command: Command) -> None:
    command("go", "echo 'no route to the proxy' >&2; exit 1")
    with pytest.raises(EngineError, match=r"go install failed: no route to the proxy"):
        find_cli()


def test_the_plugin_on_the_path_comes_first(command: Command) -> None:
    command("pulumi-resource-aws", "exit 0")
    assert find_plugin(Cli(Path(), "test")) == Plugin(None, "pulumi-resource-aws on PATH")


def test_the_official_plugin_comes_before_the_bridge(command: Command) -> None:
    version = aws_plugin.sdk_version()
    path = command("pulumi", f"""echo '[{{"name": "aws", "version": "{version}"}}]'""")
    assert find_plugin(Cli(path.parent, "test")) == Plugin(None, f"official {version}")


def test_no_plugin_is_told_with_both_ways_out(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    path = command("pulumi", "echo '[]'")
    monkeypatch.setattr(aws_plugin, "mirrors", list)
    monkeypatch.delenv("TERRAFORM_AWS_PROVIDER", raising=False)
    with pytest.raises(EngineError) as error:
        find_plugin(Cli(path.parent, "test"))
    assert all(word in str(error.value) for word in ("pulumi-resource-aws", "TERRAFORM_AWS_PROVIDER"))


def test_the_newest_terraform_provider_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERRAFORM_AWS_PROVIDER", raising=False)
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(tmp_path))
    for version in ("5.9.0", "99.100.0", "99.20.1"):
        file = tmp_path / LAYOUT.replace("*/*", f"{version}/linux_amd64").replace("_v*", f"_v{version}_x5")
        file.parent.mkdir(parents=True)
        file.touch()
    found = find_terraform_provider()
    assert found
    assert found.parts[-3] == "99.100.0"


def test_a_provider_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRAFORM_AWS_PROVIDER", "/nowhere/provider")
    with pytest.raises(EngineError, match="TERRAFORM_AWS_PROVIDER=/nowhere/provider is not a file"):
        find_terraform_provider()


@pytest.mark.parametrize(
    ("token", "terraform"),
    [
        ("aws:s3/bucket:Bucket", "aws_s3_bucket"),
        ("aws:rds/instance:Instance", "aws_db_instance"),
        ("aws:lb/loadBalancer:LoadBalancer", "aws_lb"),
        ("aws:ec2/vpc:Vpc", "aws_vpc"),
        ("aws:nowhere/thing:Thing", None),
    ],
)
def test_tokens_lead_to_terraform_types(token: str, terraform: str | None) -> None:
    types = ["aws_s3_bucket", "aws_db_instance", "aws_lb", "aws_vpc"]
    assert find(token, {norm(name): name for name in types}) == terraform


def test_a_stack_without_settings_is_told(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    with pytest.raises(ConfigError, match=r"there is no .*Pulumi\.prd\.yaml; there is Pulumi\.dev\.yaml"):
        open_session(tmp_path, "prd")


def test_an_endpoint_in_the_shell_stops_a_stack_for_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(EngineError, match="unset the variable"):
        check_account()


def test_the_modules_of_the_cli_are_pinned() -> None:
    text = (Path(cli.__file__).parent / "go" / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{cli.VERSION}" in text
