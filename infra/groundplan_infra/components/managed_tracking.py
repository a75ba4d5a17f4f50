"""SageMaker's managed MLflow: a tracking server without a server."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context
from groundplan_infra.sections import ManagedTracking as ManagedTrackingConfig


@dataclass(frozen=True)
class ManagedTrackingArgs:
    """`config`: the tracking section; `artifacts`: bucket of the artifacts; `key_arn`: its key."""

    config: ManagedTrackingConfig
    artifacts: aws.s3.Bucket
    key_arn: pulumi.Input[str]


class ManagedTracking(Component):
    """An MLflow App. People and machines sign each request with their AWS identity; nothing is reachable without."""

    uri: pulumi.Output[str]

    def __init__(
        self, name: str, context: Context, args: ManagedTrackingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ManagedTracking", name, context, opts)
        role = self.make_role(self.child("app"), iam.trust("sagemaker", context.account))
        policy = aws.iam.RolePolicy(
            self.child("app"),
            role=role.id,
            policy=iam.document(*iam.read_write(args.artifacts.arn), iam.use_key(args.key_arn)),
            opts=self.options(),
        )
        app = aws.sagemaker.MlflowApp(
            self.child("app"),
            name=self.child("app"),
            role_arn=role.arn,
            artifact_store_uri=pulumi.Output.concat("s3://", args.artifacts.id),
            weekly_maintenance_window_start=args.config.weekly_maintenance,
            tags=self.tags(self.child("app")),
            opts=self.options(stateful=True, depends_on=[policy]),
        )
        self.uri = app.arn
        self.register_outputs({"uri": self.uri})
