"""A registry of container images."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.context import Context

UNTAGGED_DAYS = 7
KEPT_IMAGES = 100


@dataclass(frozen=True)
class ImageRegistryArgs:
    """`repositories`: names; `key_arn`: key that encrypts them; `force_delete`: destroy with images in them."""

    repositories: Sequence[str]
    key_arn: pulumi.Input[str]
    force_delete: bool = False


class ImageRegistry(Component):
    """ECR repositories: a tag never moves, each image is scanned when it is pushed, old ones are removed."""

    repositories: dict[str, aws.ecr.Repository]

    def __init__(
        self, name: str, context: Context, args: ImageRegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ImageRegistry", name, context, opts)
        self.repositories = {image: self.repository(image, args) for image in args.repositories}
        self.register_outputs({image: repository.repository_url for image, repository in self.repositories.items()})

    def repository(self, image: str, args: ImageRegistryArgs) -> aws.ecr.Repository:
        """A repository and its lifecycle."""
        name = self.child(image)
        repository = aws.ecr.Repository(
            name,
            name=f"{self.context.prefix}/{image}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
            force_delete=args.force_delete,
            tags=self.tags(name),
            opts=self.options(stateful=True),
        )
        rules = [
            rule(
                1,
                "untagged images",
                {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"},
                UNTAGGED_DAYS,
            ),
            rule(2, "all but the newest", {"tagStatus": "any", "countType": "imageCountMoreThan"}, KEPT_IMAGES),
        ]
        aws.ecr.LifecyclePolicy(
            name, repository=repository.name, policy=json.dumps({"rules": rules}), opts=self.options()
        )
        return repository


def rule(priority: int, description: str, selection: dict[str, str], count: int) -> dict[str, object]:
    """A rule of ECR's lifecycle policy that removes images."""
    return {
        "rulePriority": priority,
        "description": f"Remove {description}",
        "selection": {**selection, "countNumber": count},
        "action": {"type": "expire"},
    }
