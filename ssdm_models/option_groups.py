"""Keywords of a call, sorted into the groups that they belong to."""

from collections.abc import Collection, Mapping
from typing import Any

from spikesim.errors import InvalidValueError


def sort_options(options: Mapping[str, Any], *groups: Collection[str]) -> list[dict[str, Any]]:
    """Options by the groups whose names they have.

    Args:
        options: Values by name.
        groups: The names of each group; no name is in two.

    Returns:
        For each group, its options.

    Raises:
        InvalidValueError: An option is in no group.
    """
    for name in options:
        if not any(name in group for group in groups):
            known = ", ".join(sorted({known for group in groups for known in group}))
            raise InvalidValueError(f"there is no option {name!r}; options are {known}")
    return [{name: value for name, value in options.items() if name in group} for group in groups]
