"""The policy pack that this repository's cloud is held to. policy.yaml and waivers.yaml beside it are yours."""

from pathlib import Path

from groundplan_policies.pack import serve

serve(Path(__file__).parent)
