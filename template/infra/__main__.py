"""The cloud of this repository. Its settings stand in Pulumi.<env>.yaml; add resources of your own below."""

from groundplan_infra.program import run_project

run_project()
