"""Alarms, the dashboard, and the people they reach."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context
from groundplan_infra.sections import Observability as ObservabilityConfig

PERIOD_SECONDS = 300


@dataclass(frozen=True)
class Alarm:
    """A metric that must not leave its range.

    `dimensions`: which resource; `comparison`: CloudWatch's operator; `periods`: of five minutes, in a row.
    """

    name: str
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, pulumi.Input[str]]
    threshold: float
    comparison: str = "GreaterThanThreshold"
    statistic: str = "Average"
    periods: int = 2
    missing: str = "notBreaching"


@dataclass(frozen=True)
class ObservabilityArgs:
    """`config`: who is told; `logs_key_arn`: key of the topic."""

    config: ObservabilityConfig
    logs_key_arn: pulumi.Input[str]


class Observability(Component):
    """An encrypted topic with its subscribers, and alarms that publish to it."""

    topic: aws.sns.Topic
    workspace: aws.amp.Workspace | None

    def __init__(
        self, name: str, context: Context, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Observability", name, context, opts)
        self.args = args
        self.topic = aws.sns.Topic(
            self.child("alarms"),
            kms_master_key_id=args.logs_key_arn,
            tags=self.tags(self.child("alarms")),
            opts=self.options(),
        )
        self.subscribe()
        self.workspace = None
        if args.config.prometheus:
            self.workspace = aws.amp.Workspace(
                self.child("metrics"),
                alias=self.child("metrics"),
                kms_key_arn=args.logs_key_arn,
                tags=self.tags(self.child("metrics")),
                opts=self.options(stateful=True),
            )
        self.register_outputs({"topic": self.topic.arn})

    def subscribe(self) -> None:
        """Services of this account may publish; people and Slack get it."""
        services = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"]
        publish: iam.Statement = {
            "Sid": "ServicesOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": services},
            "Action": "sns:Publish",
            "Resource": self.topic.arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": self.context.account}},
        }
        aws.sns.TopicPolicy(self.child("alarms"), arn=self.topic.arn, policy=iam.document(publish), opts=self.options())
        for number, email in enumerate(self.args.config.emails):
            aws.sns.TopicSubscription(
                self.child("mail", str(number)),
                topic=self.topic.arn,
                protocol="email",
                endpoint=email,
                opts=self.options(),
            )
        if self.args.config.slack_channel_id:
            self.slack()

    def slack(self) -> None:
        """Alarms in a Slack channel, by Amazon Q (formerly AWS Chatbot), which may only read metrics."""
        config, name = self.args.config, self.child("slack")
        reading = iam.allow(["cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"], "*")
        role = self.make_role(name, iam.trust("chatbot"), reading)
        aws.chatbot.SlackChannelConfiguration(
            name,
            configuration_name=name,
            iam_role_arn=role.arn,
            slack_team_id=config.slack_workspace_id,
            slack_channel_id=config.slack_channel_id,
            sns_topic_arns=[self.topic.arn],
            guardrail_policy_arns=["arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"],
            tags=self.tags(name),
            opts=self.options(),
        )

    def watch(self, alarms: list[Alarm]) -> None:
        """Make the alarms, and a dashboard that shows their metrics."""
        for alarm in alarms:
            name = self.child(alarm.name)
            aws.cloudwatch.MetricAlarm(
                name,
                alarm_description=alarm.description,
                namespace=alarm.namespace,
                metric_name=alarm.metric,
                dimensions=alarm.dimensions,
                statistic=alarm.statistic,
                comparison_operator=alarm.comparison,
                threshold=alarm.threshold,
                period=PERIOD_SECONDS,
                evaluation_periods=alarm.periods,
                treat_missing_data=alarm.missing,
                alarm_actions=[self.topic.arn],
                ok_actions=[self.topic.arn],
                tags=self.tags(name),
                opts=self.options(),
            )
        if alarms:
            aws.cloudwatch.Dashboard(
                self.name,
                dashboard_name=self.name,
                dashboard_body=pulumi.Output.json_dumps({"widgets": [self.widget(alarm) for alarm in alarms]}),
                opts=self.options(),
            )

    def widget(self, alarm: Alarm) -> dict[str, object]:
        """A graph of an alarm's metric with its threshold."""
        dimensions = [part for pair in alarm.dimensions.items() for part in pair]
        return {
            "type": "metric",
            "width": 12,
            "height": 6,
            "properties": {
                "title": alarm.description,
                "region": self.context.region,
                "stat": alarm.statistic,
                "period": PERIOD_SECONDS,
                "metrics": [[alarm.namespace, alarm.metric, *dimensions]],
                "annotations": {"horizontal": [{"value": alarm.threshold, "label": "alarm"}]},
            },
        }
