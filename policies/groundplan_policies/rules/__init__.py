"""The rules, by what they look at. Importing this package registers them all."""

from groundplan_policies.rules import (  # noqa: F401
    audit,
    containers,
    cost,
    database,
    governance,
    identity,
    keys,
    kubernetes,
    load_balancing,
    machines,
    models,
    network,
    storage,
)
