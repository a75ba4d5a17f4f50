"""One repository on a platform: its places in storage, images, job, roles, budget, alarms."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.components.ci_identity import CiIdentity, CiIdentityArgs
from groundplan_infra.components.cost_control import CostControl, CostControlArgs
from groundplan_infra.components.prediction_service import PredictionService, PredictionServiceArgs
from groundplan_infra.components.registry import ImageRegistry, ImageRegistryArgs
from groundplan_infra.config import ProjectConfig
from groundplan_infra.context import Context
from groundplan_infra.contract import VERSION, PlatformOutputs
from groundplan_infra.sections import Ci

JOB_SECONDS = 24 * 3600
JOB_ATTEMPTS = 3


@dataclass(frozen=True)
class Places:
    """The project's prefixes in the platform's buckets."""

    prefix: str

    def uri(self, bucket: pulumi.Input[str]) -> pulumi.Output[str]:
        """Address of the prefix in a bucket."""
        return pulumi.Output.concat("s3://", bucket, "/", self.prefix.rstrip("/"))


class Project(Component):
    """What belongs to one repository alone; it can touch nothing of its neighbours."""

    outputs: dict[str, pulumi.Input[object]]

    def __init__(
        self,
        name: str,
        context: Context,
        config: ProjectConfig,
        platform: PlatformOutputs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("Project", name, context, opts)
        self.config, self.platform = config, platform
        self.places = Places(f"{config.name}/")
        # Accounts have few anomaly monitors; in standalone mode the platform's watches the same account.
        own_monitor = config.platform == "shared" and config.budget.anomaly_monitor
        budget = config.budget.model_copy(update={"anomaly_monitor": own_monitor})
        cost = CostControl(self.child("cost"), context, CostControlArgs(budget), self.options())
        self.after = [*self.after, cost.budget]
        images = ImageRegistry(
            self.child("images"),
            context,
            ImageRegistryArgs(["train", "serve"], platform.data_key_arn, force_delete=not context.guarded),
            self.options(),
        )
        self.image = images.repositories["train"]
        place = f"/groundplan/{context.prefix}/{config.name}"
        self.log_group = self.make_log_group(self.child("jobs"), place, platform.logs_key_arn)
        self.job_role = self.task_role("job", *self.data_statements())
        if config.kubernetes_namespace:
            aws.eks.PodIdentityAssociation(
                self.child("pods"),
                cluster_name=platform.eks_cluster,
                namespace=config.kubernetes_namespace,
                service_account=config.name,
                role_arn=self.job_role.arn,
                tags=self.tags(self.child("pods")),
                opts=self.options(),
            )
        self.execution_role = self.task_role(
            "execution",
            *iam.run_container([repository.arn for repository in images.repositories.values()], self.log_group.arn),
        )
        self.definition = self.job_definition()
        self.service = self.prediction_service(images)
        self.tell_failures()
        self.ci = self.ci_identity(images)
        self.outputs = self.make_outputs()
        self.register_outputs({})

    def bucket_arn(self, bucket: pulumi.Input[str]) -> pulumi.Output[str]:
        """ARN of a bucket of the platform."""
        return pulumi.Output.concat("arn:aws:s3:::", bucket)

    def data_statements(self) -> list[iam.Statement]:
        """Data, artifacts and models of this repository, and the tracking server."""
        platform, prefix = self.platform, self.places.prefix
        statements = [
            *iam.read_write(self.bucket_arn(platform.dvc_bucket), prefix),
            *iam.read_write(self.bucket_arn(platform.artifacts_bucket), prefix),
            *iam.read_write(self.bucket_arn(platform.models_bucket), prefix),
            iam.use_key(platform.data_key_arn),
        ]
        in_account = pulumi.Output.concat("arn:aws:sagemaker:", platform.region, ":", platform.account)
        secrets = pulumi.Output.concat("arn:aws:secretsmanager:", platform.region, ":", platform.account)
        return [
            *statements,
            # CallMlflowAppApi is the permission that the App itself asks for; sagemaker-mlflow:* alone is refused.
            iam.allow(
                ["sagemaker:CallMlflowAppApi", "sagemaker-mlflow:*"], pulumi.Output.concat(in_account, ":mlflow-app/*")
            ),
            iam.allow(
                "secretsmanager:GetSecretValue",
                pulumi.Output.concat(secrets, ":secret:*-tracking-admin-*"),
                {"StringEquals": {"aws:ResourceTag/Environment": self.config.environment}},
            ),
        ]

    def task_role(self, purpose: str, *statements: iam.Statement) -> aws.iam.Role:
        """A role of this repository's tasks."""
        trust = iam.trust_tasks(self.context.account, pods=bool(self.config.kubernetes_namespace))
        return self.make_role(self.child(purpose), trust, *statements)

    def job_definition(self) -> aws.batch.JobDefinition:
        """The training job: the training image under the job's role, tried again when its machine is taken away."""
        config, name = self.config, self.child("train")
        needs = [
            {"type": "VCPU", "value": str(config.job_vcpus)},
            {"type": "MEMORY", "value": str(config.job_memory)},
        ]
        if config.job_gpus:
            needs.append({"type": "GPU", "value": str(config.job_gpus)})
        container = {
            "image": pulumi.Output.concat(self.image.repository_url, ":release"),
            "command": ["make", "pipeline"],
            "resourceRequirements": needs,
            "jobRoleArn": self.job_role.arn,
            "executionRoleArn": self.execution_role.arn,
            "environment": [
                {"name": "AWS_REGION", "value": self.context.region},
                {"name": "MLFLOW_TRACKING_URI", "value": self.platform.tracking_uri},
            ],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": self.log_group.name, "awslogs-stream-prefix": "train"},
            },
        }
        return aws.batch.JobDefinition(
            name,
            type="container",
            container_properties=pulumi.Output.json_dumps(container),
            retry_strategy={
                "attempts": JOB_ATTEMPTS,
                "evaluate_on_exits": [
                    {"action": "RETRY", "on_status_reason": "Host EC2*"},
                    {"action": "EXIT", "on_reason": "*"},
                ],
            },
            timeout={"attempt_duration_seconds": JOB_SECONDS},
            propagate_tags=True,
            tags=self.tags(name),
            opts=self.options(),
        )

    def prediction_service(self, images: ImageRegistry) -> PredictionService | None:
        """The service of the champion, where the settings have one; it needs but its image and its log."""
        if self.config.service is None:
            return None
        image = pulumi.Output.concat(images.repositories["serve"].repository_url, ":release")
        args = PredictionServiceArgs(
            config=self.config.service,
            image=image,
            platform=self.platform,
            execution_role_arn=self.execution_role.arn,
            task_role_arn=self.make_role(self.child("serve"), iam.trust("ecs-tasks", self.context.account)).arn,
            log_group=self.log_group.name,
        )
        return PredictionService(self.child("service"), self.context, args, self.options())

    def tell_failures(self) -> None:
        """A failed job reaches the alarm topic."""
        name = self.child("failed")
        pattern = {
            "source": ["aws.batch"],
            "detail-type": ["Batch Job State Change"],
            "detail": {"status": ["FAILED"], "jobDefinition": [self.definition.arn]},
        }
        rule = aws.cloudwatch.EventRule(
            name,
            description=f"A training job of {self.config.name} failed",
            event_pattern=pulumi.Output.json_dumps(pattern),
            tags=self.tags(name),
            opts=self.options(),
        )
        aws.cloudwatch.EventTarget(name, rule=rule.name, arn=self.platform.alarm_topic_arn, opts=self.options())

    def queues_arn(self) -> pulumi.Output[str]:
        """The queues of the platform, whichever it has."""
        place = pulumi.Output.concat("arn:aws:batch:", self.platform.region, ":", self.platform.account)
        return pulumi.Output.concat(place, ":job-queue/*")

    def ci_identity(self, images: ImageRegistry) -> CiIdentity | None:
        """Roles that this repository's CI alone may take."""
        config = self.config
        if config.ci_provider == "none":
            return None
        # A platform that the project brings along has the identity provider only when its own `ci` asks for it.
        identity = Ci(
            provider=config.ci_provider,
            repositories=[config.repository],
            create_provider=config.platform == "standalone" and "ci" not in config.standalone,
        )
        push = ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart"]
        push += ["ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        statements = [
            *self.data_statements(),
            iam.allow("ecr:GetAuthorizationToken", "*"),
            iam.allow(push, [repository.arn for repository in images.repositories.values()]),
            iam.allow("batch:SubmitJob", [self.definition.arn, self.queues_arn()]),
            iam.allow("iam:PassRole", self.job_role.arn),
        ]
        return CiIdentity(self.child("ci"), self.context, CiIdentityArgs(identity, statements), self.options())

    def make_outputs(self) -> dict[str, pulumi.Input[object]]:
        """The contract with the repository."""
        platform, places = self.platform, self.places
        gpu_job = self.config.job_gpus > 0
        return {
            "contract": VERSION,
            "environment": self.config.environment,
            "region": self.context.region,
            "tracking_uri": platform.tracking_uri,
            "tracking_secret_arn": platform.tracking_secret_arn,
            "artifact_store": places.uri(platform.artifacts_bucket),
            "dvc_remote": places.uri(platform.dvc_bucket),
            "model_store": places.uri(platform.models_bucket),
            "image_repository": self.image.repository_url,
            "job_queue": platform.gpu_queue_arn if gpu_job else platform.cpu_queue_arn,
            "job_definition": self.definition.arn,
            "job_role_arn": self.job_role.arn,
            "serving_cluster_arn": platform.serving_cluster_arn,
            "service_url": self.service.url if self.service else "",
            "deploy_role_arn": self.ci.deploy.arn if self.ci else "",
            "preview_role_arn": self.ci.preview.arn if self.ci else "",
            "alarm_topic_arn": platform.alarm_topic_arn,
            "log_group": self.log_group.name,
        }
