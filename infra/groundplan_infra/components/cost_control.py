"""What tells of money before the invoice does."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.context import Context
from groundplan_infra.sections import Budget

ACTUAL_PERCENTS = (50, 80, 100)
COST_TAGS = ("Project", "Environment", "Owner", "CostCenter")


@dataclass(frozen=True)
class CostControlArgs:
    """`config`: limit and subscribers. `by_tag`: count what carries this stack's tags only."""

    config: Budget
    by_tag: bool = True


class CostControl(Component):
    """A monthly budget that tells people, and a monitor of unusual rises. Everything that costs depends on `budget`."""

    budget: aws.budgets.Budget

    def __init__(
        self, name: str, context: Context, args: CostControlArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("CostControl", name, context, opts)
        config = args.config
        thresholds = [("ACTUAL", percent) for percent in ACTUAL_PERCENTS] + [("FORECASTED", 100)]
        tags = [
            f"user:Project${context.config.name}",
            f"user:Environment${context.config.environment}",
        ]
        self.budget = aws.budgets.Budget(
            self.child("monthly"),
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{config.monthly_usd:.1f}",
            limit_unit="USD",
            cost_filters=[{"name": "TagKeyValue", "values": tags}] if args.by_tag else None,
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "notification_type": kind,
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_email_addresses": config.emails,
                }
                for kind, percent in thresholds
            ],
            tags=self.tags(self.child("monthly")),
            opts=self.options(),
        )
        if config.anomaly_monitor:
            self.anomalies(config)
        if config.activate_tags:
            for tag in COST_TAGS:
                aws.costexplorer.CostAllocationTag(
                    self.child("tag", tag.lower()), tag_key=tag, status="Active", opts=self.options()
                )
        self.register_outputs({"budget": self.budget.name})

    def anomalies(self, config: Budget) -> None:
        """A daily mail about rises that the past does not explain."""
        name = self.child("anomalies")
        monitor = aws.costexplorer.AnomalyMonitor(
            name,
            monitor_type="DIMENSIONAL",
            monitor_dimension="SERVICE",
            tags=self.tags(name),
            opts=self.options(),
        )
        aws.costexplorer.AnomalySubscription(
            name,
            frequency="DAILY",
            monitor_arn_lists=[monitor.arn],
            subscribers=[{"type": "EMAIL", "address": email} for email in config.emails],
            threshold_expression={
                "dimension": {
                    "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    "match_options": ["GREATER_THAN_OR_EQUAL"],
                    "values": [f"{config.anomaly_usd:g}"],
                }
            },
            tags=self.tags(name),
            opts=self.options(),
        )
