"""What may be spent."""

from groundplan_policies.resource import Stack
from groundplan_policies.rule import Messages, stack_rule
from groundplan_policies.settings import Policy

SPENDING = (
    "batch/computeEnvironment:ComputeEnvironment",
    "eks/cluster:Cluster",
    "ecs/service:Service",
    "ec2/instance:Instance",
    "rds/instance:Instance",
    "sagemaker/endpoint:Endpoint",
    "batch/jobDefinition:JobDefinition",
)


@stack_rule("budget-before-compute")
def budget_before_compute(stack: Stack, policy: Policy) -> Messages:
    if not stack.of(*SPENDING):
        return
    told = [
        notification
        for budget in stack.of("budgets/budget:Budget")
        for notification in budget.sections("notifications")
        if notification.has("subscriberEmailAddresses") or notification.has("subscriberSnsTopicArns")
    ]
    if not told:
        yield "machines can be started, and no budget tells anybody what they cost"


@stack_rule("cost-anomalies-told")
def anomalies_told(stack: Stack, policy: Policy) -> Messages:
    subscriptions = stack.of("costexplorer/anomalySubscription:AnomalySubscription")
    if stack.of(*SPENDING) and stack.of("ec2/vpc:Vpc") and not any(each.has("subscribers") for each in subscriptions):
        yield "nobody is told of an unusual rise of cost"
