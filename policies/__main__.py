"""The policy pack of the platform; policy.yaml and waivers.yaml beside this file say how strict it is."""

from pathlib import Path

from groundplan_policies.pack import serve

serve(Path(__file__).parent)
