"""What names of the shard schema are made of."""

from typing import Any

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError

SHARD_SCHEMA = "spikesim.shard/1"


def threshold_name(v_th: float) -> str:
    """A threshold as it is written in names: 1, 2, 0.5."""
    return format(v_th, ".12g")


_DEEPEST = 32
"""How deeply the values of a recipe may be nested; those of ours are nine deep at most."""


def check_recipe(recipe: Any) -> dict[str, Any]:
    """The recipe that a file holds: a dict, in which `choices`, where there are any, are one as well.

    Raises:
        InvalidValueError: It is none, or nested too deeply to be written down elsewhere.
    """
    record = require_instance(recipe, "the recipe", dict)
    require_instance(record.get("choices", {}), "the choices of the recipe", dict)
    if not _is_shallow(record, _DEEPEST):
        raise InvalidValueError(f"the values of its recipe are nested more than {_DEEPEST} deep")
    return record


def _is_shallow(value: Any, deepest: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return deepest > 0 and all(_is_shallow(part, deepest - 1) for part in parts)
