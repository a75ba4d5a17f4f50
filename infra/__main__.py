"""The platform of an environment; its settings stand in Pulumi.<env>.yaml."""

from groundplan_infra.program import run_platform

run_platform()
