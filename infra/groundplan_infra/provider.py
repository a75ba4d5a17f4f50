"""The connection to AWS of all resources of a stack."""

import pulumi_aws as aws

from groundplan_infra.config import ConfigError, StackConfig

MAX_RETRIES = 5


def check_endpoint(config: StackConfig, endpoint: str) -> None:
    """Whether settings and AWS_ENDPOINT_URL agree: a stack for AWS must not end in an emulator, nor the reverse.

    Raises ConfigError.
    """
    if config.emulated and not endpoint:
        raise ConfigError("emulated is true, but AWS_ENDPOINT_URL names no emulator; `make up ENV=local` starts one")
    if endpoint and not config.emulated:
        raise ConfigError(f"AWS_ENDPOINT_URL is {endpoint}, but emulated is false; unset the one or set the other")


def make_provider(config: StackConfig) -> aws.Provider:
    """A provider bound to the stack's region; it takes the endpoint of an emulator from AWS_ENDPOINT_URL."""
    if not config.emulated:
        return aws.Provider("aws", region=config.region, max_retries=MAX_RETRIES)
    return aws.Provider(
        "aws",
        region=config.region,
        max_retries=MAX_RETRIES,
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_requesting_account_id=False,
        # The emulator checks no keys.
        access_key="emulated",
        secret_key="emulated",
    )
