"""What names of the shard schema are made of."""

from typing import Any

from spikesim.checks import require_instance

SHARD_SCHEMA = "spikesim.shard/1"


def threshold_name(v_th: float) -> str:
    """A threshold as it is written in names: 1, 2, 0.5."""
    return format(v_th, ".12g")


def check_recipe(recipe: Any) -> dict[str, Any]:
    """The recipe that a file holds: a dict, in which `choices`, where there are any, are one as well.

    Raises:
        InvalidValueError: It is none.
    """
    record = require_instance(recipe, "the recipe", dict)
    require_instance(record.get("choices", {}), "the choices of the recipe", dict)
    return record
