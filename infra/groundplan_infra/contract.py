"""What a stack promises to those who use it: its outputs, by name and version.

`PlatformOutputs` is what a project's program reads from a platform stack; `ProjectOutputs` is all that a repository
knows of the cloud. A field may be added at any time; removing or renaming one raises `VERSION`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError

VERSION = 1


class ContractError(Exception):
    """The outputs of a stack are not those that were promised; the message names the output."""


@dataclass(frozen=True)
class PlatformOutputs:
    """Outputs of a platform stack. Names of things that the stack does not have are empty."""

    contract: pulumi.Input[int]
    region: pulumi.Input[str]
    account: pulumi.Input[str]
    tracking_uri: pulumi.Input[str]
    tracking_secret_arn: pulumi.Input[str]
    dvc_bucket: pulumi.Input[str]
    artifacts_bucket: pulumi.Input[str]
    models_bucket: pulumi.Input[str]
    data_key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    vpc_cidr: pulumi.Input[str]
    public_subnet_ids: pulumi.Input[list[str]]
    private_subnet_ids: pulumi.Input[list[str]]
    workload_subnet_ids: pulumi.Input[list[str]]
    workloads_are_public: pulumi.Input[bool]
    logs_bucket: pulumi.Input[str]
    cpu_queue_arn: pulumi.Input[str]
    gpu_queue_arn: pulumi.Input[str]
    jobs_log_group: pulumi.Input[str]
    serving_cluster_arn: pulumi.Input[str]
    eks_cluster: pulumi.Input[str]
    alarm_topic_arn: pulumi.Input[str]
    ci_provider_arn: pulumi.Input[str]
    metrics_endpoint: pulumi.Input[str]


class ProjectOutputs(BaseModel):
    """Outputs of a project stack, as `pulumi stack output --json` gives them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    contract: int = Field(description="Version of this contract.")
    environment: str = Field(description="Environment of the stack.")
    region: str = Field(description="AWS region.")
    tracking_uri: str = Field(description="MLflow tracking server; empty where runs stay in the repository's database.")
    tracking_secret_arn: str = Field(description="Secret with user and password of the tracking server, or empty.")
    artifact_store: str = Field(pattern="^s3://", description="Where MLflow keeps artifacts.")
    dvc_remote: str = Field(pattern="^s3://", description="Where DVC keeps data.")
    model_store: str = Field(pattern="^s3://", description="Where released models are kept, under object lock.")
    image_repository: str = Field(description="Registry and name of the repository's images.")
    job_queue: str = Field(description="Queue of training jobs, or empty.")
    job_definition: str = Field(description="Definition of the training job, or empty.")
    job_role_arn: str = Field(description="Role of the training job.")
    serving_cluster_arn: str = Field(description="Cluster of the prediction service, or empty.")
    service_url: str = Field(description="Address of the prediction service, or empty.")
    deploy_role_arn: str = Field(description="Role of CI for this environment, or empty.")
    preview_role_arn: str = Field(description="Role of CI for pull requests, or empty.")
    alarm_topic_arn: str = Field(description="Topic that gets the alarms.")
    log_group: str = Field(description="Log group of the repository's jobs and services.")


def export(outputs: Mapping[str, pulumi.Input[Any]]) -> None:
    """Make each a stack output."""
    for name, value in outputs.items():
        pulumi.export(name, value)


def from_stack(reference: pulumi.StackReference) -> PlatformOutputs:
    """The outputs of a platform stack; the engine stops where one is missing."""
    return PlatformOutputs(**{field.name: reference.require_output(field.name) for field in fields(PlatformOutputs)})


def made_up(region: str, account: str) -> dict[str, Any]:
    """Outputs of a platform that nobody asks, for the graph of a project that joins it."""
    outputs: dict[str, Any] = {"contract": VERSION, "region": region, "account": account, "vpc_cidr": "10.20.0.0/16"}
    for field in fields(PlatformOutputs):
        words = field.name.replace("_", "-")
        if field.name.endswith("_arn"):
            value: Any = f"arn:aws:platform:{region}:{account}:{words}"
        elif field.name.endswith("_ids"):
            value = [f"platform-{words}"]
        else:
            value = field.name.startswith("workloads_are") or f"platform-{words}"
        outputs.setdefault(field.name, value)
    return outputs


def validate(values: Mapping[str, Any], stack: str) -> ProjectOutputs:
    """Check the outputs of a project stack; raises ContractError that names what is wrong and what to do."""
    if not values:
        raise ContractError(f"stack {stack} has no outputs; run `make up ENV={stack}` first")
    found = values.get("contract")
    if found != VERSION:
        raise ContractError(
            f"stack {stack} speaks contract {found}, this program {VERSION}; run `make up ENV={stack}` again"
        )
    try:
        return ProjectOutputs.model_validate(dict(values))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise ContractError(f"stack {stack} breaks the outputs contract: {problems}") from None
