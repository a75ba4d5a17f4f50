"""What the two Pulumi programs do: read the stack's configuration, build it, export its outputs."""

import json
import os
from collections.abc import Callable
from dataclasses import fields

import pulumi
import pulumi_aws as aws

from groundplan_infra import contract
from groundplan_infra.config import (
    Config,
    ConfigError,
    PlatformConfig,
    ProjectConfig,
    StackConfig,
    from_engine,
    parse,
)
from groundplan_infra.context import Context
from groundplan_infra.platform import Platform
from groundplan_infra.project import Project
from groundplan_infra.provider import check_endpoint, make_provider


def connect(config: StackConfig) -> tuple[pulumi.ResourceOptions, pulumi.Output[str]]:
    """Options that bind a root component to AWS, and the account's number."""
    provider = make_provider(config)
    identity = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(provider=provider))
    return pulumi.ResourceOptions(providers=[provider]), identity.account_id


def build_platform(config: PlatformConfig) -> Platform:
    """A platform and its outputs."""
    options, account = connect(config)
    context = Context(config, account, log_days=config.observability.log_days)
    platform = Platform(context.prefix, context, config, options)
    contract.export({field.name: getattr(platform.outputs, field.name) for field in fields(platform.outputs)})
    return platform


def build_project(config: ProjectConfig) -> Project:
    """A project on a shared platform, or with one of its own, and its outputs."""
    options, account = connect(config)
    log_days: int = config.log_days
    if config.platform == "standalone":
        own = config.platform_config()
        log_days = own.observability.log_days
        base = Context(own, account, log_days=log_days)
        outputs = Platform(f"{base.prefix}-base", base, own, options).outputs
    else:
        outputs = contract.from_stack(pulumi.StackReference(config.platform_stack))
    context = Context(config, account, project="project", log_days=log_days)
    project = Project(context.prefix, context, config, outputs, options)
    contract.export(project.outputs)
    return project


def run_platform() -> None:
    """The program of `infra/`."""
    run(PlatformConfig, build_platform)


def run_project() -> None:
    """The program of a generated repository's `infra/`."""
    run(ProjectConfig, build_project)


def run(model: type[Config], build: Callable[[Config], object]) -> None:
    """Build what the engine's configuration says; wrong settings end the program with their message alone."""
    values = from_engine(json.loads(os.environ.get("PULUMI_CONFIG", "{}")))
    try:
        config = parse(model, values, f"Pulumi.{pulumi.get_stack()}.yaml")
        check_endpoint(config, os.environ.get("AWS_ENDPOINT_URL", ""))
        build(config)
    except ConfigError as error:
        raise pulumi.RunError(str(error)) from None
