"""The estimate: by hand once, within its targets, and never silent about a price it does not know."""

import pytest

from conftest import INFRA, PlatformGraph
from groundplan_infra.cost import UnknownPriceError, delta, estimate, price_table, report
from groundplan_infra.stacks import graph_of

SERVER = {"kind": "server", "domain": "mlflow.example.com", "hosted_zone_id": "Z1"}


@pytest.mark.parametrize(("env", "least", "most"), [("local", 0, 5), ("dev", 0, 5), ("prod", 300, 450)])
def test_stacks_cost_what_they_should(env: str, least: float, most: float) -> None:
    assert least <= estimate(graph_of(INFRA / f"Pulumi.{env}.yaml")).total <= most


def test_a_tracking_server_of_our_own_is_affordable_in_development(platform: PlatformGraph) -> None:
    found = estimate(platform(tracking={**SERVER, "spot": True, "allowed_cidrs": ["203.0.113.0/24"]}))
    by_hand = {
        "balancer": 730 * 0.0225 + 2 * 730 * 0.005,
        "task on Spot": 0.3 * 730 * (0.5 * 0.04048 + 2 * 0.004445) + 730 * 0.005,
        "database": 730 * 0.016 + 20 * 0.115,
        "secrets": 2 * 0.4,
        "keys": 2 * 1.0,
        "alarms": 4 * 0.1,
    }
    assert found.total == pytest.approx(sum(by_hand.values()), abs=0.02)
    assert found.total <= 55


def test_components_add_up(platform: PlatformGraph) -> None:
    found = estimate(platform(network={"nat": "one"}, compute={"kind": "eks"}))
    assert sum(found.by_component().values()) == pytest.approx(found.total, abs=0.05)
    assert found.by_component()["unit-dev-euw1-eks"] == pytest.approx(73 + 2 * 730 * 0.1008, abs=0.01)


def test_a_change_is_told_by_component(platform: PlatformGraph) -> None:
    text = delta(estimate(platform()), estimate(platform(network={"nat": "per_zone"})))
    assert "| unit-dev-euw1-network | 0.00 | 73.00 | +73.00 |" in text
    assert "2 NAT gateways cost 65.70 USD" in text
    assert "keys" not in text


def test_gpu_machines_are_called_out(platform: PlatformGraph) -> None:
    found = estimate(platform(compute={"kind": "batch", "gpu": {"max_vcpus": 4, "quota_vcpus": 8}}))
    assert any("g6.xlarge costs 0.80 USD an hour" in warning for warning in found.warnings)


def test_an_unknown_price_is_no_zero(platform: PlatformGraph) -> None:
    with pytest.raises(UnknownPriceError, match=r"db\.x9\.huge; add it to prices\.yaml"):
        estimate(platform(tracking={**SERVER, "database_class": "db.x9.huge"}))


def test_every_price_has_its_page_and_the_table_its_date() -> None:
    table = price_table()
    sources = [each.source for each in [*table.prices.values(), *table.by_use.values()]]
    assert all(source.startswith("https://aws.amazon.com/") for source in sources)
    assert str(table.dated) >= "2026-11-21"


def test_the_report_says_where_prices_are_from(platform: PlatformGraph) -> None:
    text = report(estimate(platform()))
    assert "2 USD" not in text
    assert "| **total before data and jobs** | **2.00** |" in text
    assert "Paid by use, not counted:" in text
    assert "https://aws.amazon.com/s3/pricing/" in text
