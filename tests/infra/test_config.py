"""Wrong settings are told by key, before anything is made."""

from typing import Any

import pytest

from conftest import INFRA, SMALLEST
from groundplan_infra.config import ConfigError, PlatformConfig, ProjectConfig, from_engine, parse
from groundplan_infra.schema import MODELS, outputs_page, reference_page, schema_text, stacks_page
from groundplan_infra.settings import read_settings
from groundplan_infra.stacks import graph_of

SERVER = {"kind": "server", "domain": "mlflow.example.com", "hosted_zone_id": "Z1"}
PROJECT = {**SMALLEST, "platform": "standalone"}


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        ({"netwrok": {}}, "groundplan:netwrok", "is not a key"),
        ({"network": {"nat": "some"}}, "groundplan:network.nat", "'none', 'one' or 'per_zone'"),
        ({"network": {"zone": ["a"]}}, "groundplan:network.zone", "is not a key"),
        ({"network": {"zones": ["a"]}}, "groundplan:network.zones", "at least 2"),
        ({"network": {"cidr": "10.0.0.0/8"}}, "groundplan:network", "must be a /16 to a /22"),
        ({"network": {"cidr": "8.8.0.0/16"}}, "groundplan:network", "not private"),
        ({"network": {"cidr": "ten"}}, "groundplan:network", "not an IPv4 range"),
        ({"network": {"peer_cidrs": ["10.20.128.0/20"]}}, "groundplan:network", "overlap"),
        ({"region": "eu-west-9"}, "", "region eu-west-9 is not known"),
        ({"environment": "local"}, "", "set emulated to true"),
        ({"budget": {"monthly_usd": 5, "emails": []}}, "groundplan:budget.emails", "at least 1 item"),
        ({"budget": {"monthly_usd": 5}}, "groundplan:budget.emails", "is missing"),
        ({"budget": {"monthly_usd": 0, "emails": ["a@b.de"]}}, "groundplan:budget.monthly_usd", "greater than 0"),
        ({"name": "Much Too Long A Name"}, "groundplan:name", "at most 12"),
        ({"tracking": {"kind": "server", "domain": "m.example.com"}}, "groundplan:tracking", "TLS needs"),
        ({"tracking": {**SERVER, "tasks": 3}}, "groundplan:tracking", "max_tasks 2 is less than tasks 3"),
        ({"tracking": {"kind": "existing", "uri": "http://plain"}}, "groundplan:tracking.uri", "https"),
        ({"compute": {"kind": "batch", "gpu": {"max_vcpus": 8}}}, "groundplan:compute.gpu.quota_vcpus", "is missing"),
        (
            {"compute": {"kind": "batch", "gpu": {"max_vcpus": 8, "quota_vcpus": 4}}},
            "groundplan:compute.gpu",
            "over the account's quota_vcpus 4",
        ),
        ({"compute": {"kind": "eks"}}, "", "compute.kind eks needs network.nat"),
        ({"compute": {"kind": "eks", "public_cidrs": ["0.0.0.0/0"]}}, "groundplan:compute", "whole internet"),
        ({"serving": {"kind": "eks"}}, "", "serving.kind eks needs compute.kind eks"),
        ({"ci": {"provider": "github"}}, "groundplan:ci", "repositories must name"),
        ({"ci": {"provider": "github", "repositories": ["acme/*"]}}, "groundplan:ci.repositories.0", "pattern"),
        ({"observability": {"slack_channel_id": "C1"}}, "groundplan:observability", "go together"),
        ({"regulation": "eu-ai-act"}, "", "log_days must be at least 180"),
        ({"data_classification": "restricted"}, "", "audit.data_events must be true"),
        ({"environment": "staging", "storage": {"force_destroy": True}}, "", "force_destroy must be false in staging"),
        ({"environment": "prod", "tracking": SERVER}, "", "multi_az must be true in prod"),
        ({"environment": "prod", "backup": {"enabled": False}}, "", "backup.enabled must be true in prod"),
        ({"backup": {"enabled": False, "restore_test": True}}, "", "restore_test needs backup.enabled"),
    ],
)
def test_wrong_settings_are_told_by_key(settings: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(PlatformConfig, {**SMALLEST, **settings}, "Pulumi.dev.yaml")
    lines = str(error.value).splitlines()
    assert all(line.startswith("Pulumi.dev.yaml: ") for line in lines)
    assert any(key in line and says in line for line in lines), lines


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"platform": "shared"}, "platform_stack is missing"),
        ({"platform": "shared", "platform_stack": "o/p/dev", "standalone": {"network": {}}}, "set them there"),
        ({"standalone": {"network": {"nat": "some"}}}, "nat"),
        ({"service": {"domain": "a.example.com"}}, "TLS needs"),
        ({"service": {"domain": "a.example.com", "hosted_zone_id": "Z1"}}, "service needs standalone.serving.kind ecs"),
    ],
)
def test_wrong_settings_of_a_project_are_told(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(ProjectConfig, {**PROJECT, **settings}, "Pulumi.dev.yaml")


def test_values_come_from_the_engine_as_they_were_written() -> None:
    raw = {
        "groundplan:name": "churn",
        "groundplan:owner": "123",
        "groundplan:emulated": "true",
        "groundplan:network": '{"nat": "one", "zones": ["a", "b"]}',
        "aws:region": "us-east-1",
    }
    values = from_engine(raw)
    assert values["name"] == "churn"
    assert values["owner"] == "123"
    config = parse(PlatformConfig, {**SMALLEST, **values, "name": "churn"}, "Pulumi.unit.yaml")
    assert config.emulated is True
    assert values["network"] == {"nat": "one", "zones": ["a", "b"]}
    assert set(values) == {"name", "owner", "emulated", "network"}


@pytest.mark.parametrize("name", MODELS)
def test_the_schema_for_editors_is_current(name: str) -> None:
    assert (INFRA / f"{name}.schema.json").read_text() == schema_text(name)


def test_the_reference_page_is_current() -> None:
    assert (INFRA.parent / "docs" / "reference" / "stack-settings.md").read_text() == reference_page()


def test_the_page_of_stacks_is_current() -> None:
    assert (INFRA.parent / "docs" / "reference" / "stacks.md").read_text() == stacks_page(INFRA)


def test_the_page_of_outputs_is_current() -> None:
    assert (INFRA.parent / "docs" / "reference" / "outputs.md").read_text() == outputs_page()


def test_every_key_is_described() -> None:
    assert "|  |" not in reference_page()


@pytest.mark.parametrize(
    ("text", "says"),
    [("config: [", "is not YAML"), ("name: x", "has no `config`"), (None, "there is no")],
)
def test_a_broken_file_is_told(text: str | None, says: str, tmp_path: Any) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        graph_of(file)


def test_the_settings_of_all_environments_are_right() -> None:
    files = sorted(INFRA.glob("Pulumi.*.yaml"))
    assert [file.name.split(".")[1] for file in files] == ["dev", "local", "prod", "staging"]
    for file in files:
        config = parse(PlatformConfig, read_settings(file), file.name)
        assert file.name == f"Pulumi.{config.environment}.yaml"
