"""Which version answers a request: one flag file in flagd's format, read in this process by OpenFeature.

The flag `model` has the variants `champion` and, while a rollout goes on, `challenger`; each is a version. Its
targeting shares the requests out by their key, so that a key always meets the same version. The flag `shadow` lets the
challenger answer every request for the log alone.
"""

import logging
from pathlib import Path

import msgspec
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from ..cli import UserError, reason

FLAGS = "rollout.json"


def read_variants(root: Path) -> dict[str, str]:
    """The versions that the flag file names, by role; none without a file. Raises UserError for a damaged one."""
    path = root / FLAGS
    try:
        variants = msgspec.json.decode(path.read_bytes())["flags"]["model"]["variants"]
        return {str(role): str(version) for role, version in variants.items()}
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no flag file: {reason(error)}") from None


def read_share(root: Path, challenger: str) -> int:
    """The percentage that a challenger has; 0 where the flag file does not name it."""
    if read_variants(root).get("challenger") != challenger:
        return 0
    model = msgspec.json.decode((root / FLAGS).read_bytes())["flags"]["model"]
    shares = dict(model.get("targeting", {}).get("fractional", [])[1:])
    return int(shares.get("challenger", 0))


def flag_client(root: Path, poll_seconds: float) -> OpenFeatureClient:
    """A client on the flag file, which it reads again by itself; a file that cannot be read leaves the last state.

    Raises UserError when the file cannot be read at first.
    """
    # Not needed before the first rollout, and a quarter of a second to import.
    from openfeature import api
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    # The service tells about a damaged file itself, once.
    logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE,
        offline_flag_source_path=str(root / FLAGS),
        deadline_ms=max(int(poll_seconds * 1000), 100),
    )
    domain = str(root.resolve())
    try:
        api.set_provider_and_wait(provider, domain)
    except OpenFeatureError as error:
        raise UserError(f"{root / FLAGS} cannot be used: {reason(error)}") from None
    return api.get_client(domain)


def chosen_version(client: OpenFeatureClient, key: str, champion: str) -> str:
    """The version that a key is to meet."""
    return client.get_string_value("model", champion, EvaluationContext(key))


def is_shadowing(client: OpenFeatureClient) -> bool:
    """Whether the challenger sees all requests without answering any."""
    return client.get_boolean_value("shadow", False)
