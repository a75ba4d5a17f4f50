"""Who CI is: short-lived tokens of GitHub or GitLab instead of stored keys."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context
from groundplan_infra.sections import Ci

GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
SESSION_SECONDS = 3600


@dataclass(frozen=True)
class CiIdentityArgs:
    """`config`: who issues tokens, and for which repositories; `deploy_statements`: what the deploy role may do."""

    config: Ci
    deploy_statements: list[iam.Statement]


class CiIdentity(Component):
    """Role `preview` reads, for pull and merge requests.

    Role `deploy` writes, and only jobs of this environment get it.
    """

    preview: aws.iam.Role
    deploy: aws.iam.Role

    def __init__(
        self, name: str, context: Context, args: CiIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("CiIdentity", name, context, opts)
        self.args = args
        config = args.config
        self.issuer = GITHUB if config.provider == "github" else config.gitlab_url
        self.host = urlsplit(self.issuer).netloc
        self.audience = AUDIENCE if config.provider == "github" else config.gitlab_url
        self.provider_arn = self.provider()
        preview, deploy = self.subjects()
        self.preview = self.token_role("preview", preview)
        aws.iam.RolePolicyAttachment(
            self.child("preview"), role=self.preview.name, policy_arn=READ_ONLY, opts=self.options()
        )
        # ReadOnlyAccess reads data too; a pull request has no business there.
        no_data: iam.Statement = {
            "Effect": "Deny",
            "Action": ["s3:GetObject*", "secretsmanager:GetSecretValue", "ssm:GetParameter*", "kms:Decrypt"],
            "Resource": "*",
        }
        aws.iam.RolePolicy(
            self.child("preview"), role=self.preview.id, policy=iam.document(no_data), opts=self.options()
        )
        self.deploy = self.token_role("deploy", deploy)
        aws.iam.RolePolicy(
            self.child("deploy"),
            role=self.deploy.id,
            policy=iam.document(*args.deploy_statements),
            opts=self.options(),
        )
        self.register_outputs({"preview": self.preview.arn, "deploy": self.deploy.arn})

    def provider(self) -> pulumi.Output[str]:
        """ARN of the identity provider, made here or there already."""
        if not self.args.config.create_provider:
            return pulumi.Output.concat("arn:aws:iam::", self.context.account, f":oidc-provider/{self.host}")
        return aws.iam.OpenIdConnectProvider(
            self.child("tokens"),
            url=self.issuer,
            client_id_lists=[self.audience],
            tags=self.tags(self.child("tokens")),
            opts=self.options(),
        ).arn

    def subjects(self) -> tuple[list[str], list[str]]:
        """The exact `sub` claims of previews and of deployments, for each repository."""
        environment, repositories = self.context.config.environment, self.args.config.repositories
        if self.args.config.provider == "github":
            return (
                [f"repo:{repository}:pull_request" for repository in repositories],
                [f"repo:{repository}:environment:{environment}" for repository in repositories],
            )
        # GitLab's tokens name no environment in `sub`; a protected branch per environment stands for it.
        return (
            [f"project_path:{repository}:ref_type:branch:ref:preview" for repository in repositories],
            [f"project_path:{repository}:ref_type:branch:ref:{environment}" for repository in repositories],
        )

    def token_role(self, purpose: str, subjects: list[str]) -> aws.iam.Role:
        """A role that tokens of these subjects may take."""
        name = self.child(purpose)
        trusted = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{self.host}:aud": self.audience, f"{self.host}:sub": subjects}},
        }
        return aws.iam.Role(
            name,
            assume_role_policy=iam.document(trusted),
            max_session_duration=SESSION_SECONDS,
            tags=self.tags(name),
            opts=self.options(),
        )
