"""The bucket that keeps the engine's state, and the key of the secrets in it. Both come before any stack."""

import json

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from groundplan_infra.engine.folders import EngineError

KEY_ALIAS = "alias/groundplan-state"


def make_backend(bucket: str, region: str) -> dict[str, str]:
    """Make bucket and key, or leave them as they are where they exist; gives the variables that name them.

    The bucket is versioned, encrypted and private; the engine keeps its locks there too. Raises EngineError.
    """
    if not bucket or not region:
        raise EngineError("backend needs --bucket NAME, and a region in Pulumi.<env>.yaml")
    try:
        make_bucket(bucket, region)
        make_key(region)
    except (ClientError, BotoCoreError) as error:
        raise EngineError(f"bucket {bucket} in {region}: {error}") from None
    return {
        "PULUMI_BACKEND_URL": f"s3://{bucket}?region={region}",
        "GROUNDPLAN_SECRETS_PROVIDER": f"awskms:///{KEY_ALIAS}?region={region}",
    }


def make_bucket(bucket: str, region: str) -> None:
    """A bucket for state: every earlier state can be had back."""
    client = boto3.client("s3", region_name=region)
    if bucket not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client.create_bucket(Bucket=bucket, **place)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]
        },
    )
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(flags, True))
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]}))


def make_key(region: str) -> None:
    """A key for the secrets in the state."""
    client = boto3.client("kms", region_name=region)
    pages = client.get_paginator("list_aliases").paginate()
    if KEY_ALIAS not in {alias["AliasName"] for page in pages for alias in page["Aliases"]}:
        key = client.create_key(Description="Secrets in the state of groundplan's stacks")["KeyMetadata"]["KeyId"]
        client.enable_key_rotation(KeyId=key)
        client.create_alias(AliasName=KEY_ALIAS, TargetKeyId=key)
