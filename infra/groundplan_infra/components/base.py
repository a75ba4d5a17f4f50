"""What all components have in common."""

from collections.abc import Sequence
from typing import Any

import pulumi

from groundplan_infra.context import Context


def dependencies(opts: pulumi.ResourceOptions | None) -> list[pulumi.Resource]:
    """What has to exist before, as a list."""
    after: Any = opts.depends_on if opts else None
    if after is None:
        return []
    return list(after) if isinstance(after, Sequence) else [after]


class Component(pulumi.ComponentResource):
    """A group of resources: its children are parented to it and begin with its name."""

    def __init__(self, kind: str, name: str, context: Context, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(f"groundplan:aws:{kind}", name, None, opts)
        self.name, self.context = name, context
        # The engine does not hand the dependencies of a component to its children; `options` does.
        self.after = dependencies(opts)

    def child(self, *parts: str) -> str:
        """The name of a child."""
        return "-".join([self.name, *parts])

    def options(self, *, stateful: bool = False, **more: Any) -> pulumi.ResourceOptions:
        """Options of a child; stateful ones are protected in staging and prod."""
        after = [*self.after, *more.pop("depends_on", [])]
        protect = True if stateful and self.context.guarded else None
        return pulumi.ResourceOptions(parent=self, protect=protect, depends_on=after or None, **more)

    def tags(self, name: str, **more: str) -> dict[str, str]:
        """Tags of a child."""
        return self.context.tags(name, **more)
