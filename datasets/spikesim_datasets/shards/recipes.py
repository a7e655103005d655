"""The recipes of shards as an index holds them: each thing that many shards say is said once."""

import json
from collections.abc import Mapping
from typing import Any

from spikesim.checks import require_instance, require_list
from spikesim.errors import InvalidValueError
from spikesim_datasets.shards.schema import check_recipe

_OF_CLIP = "clip", "origin"
"""What a recipe says of its clip: which it is, and where it came from."""


def group_recipes(recipes: Mapping[str, tuple[str, dict[str, Any] | None]]) -> list[dict[str, Any]]:
    """The recipes of shards as JSON values, each said once; of shards whose recipes are not known, nothing.

        [{"recipe": {"choices": ..., "provenance": ..., "command": ...},
          "clips": [{"clip": ..., "origin": ..., "shards": ["train/a.000.h5", ...]}, ...]}, ...]

    Args:
        recipes: The key of the clip and the recipe of every shard, by path.
    """
    builds: dict[str, dict[str, Any]] = {}
    clips: dict[tuple[str, str], dict[str, Any]] = {}
    for path, (key, recipe) in recipes.items():
        if recipe is None or not _is_of(recipe, key):
            continue
        of_clip = {name: recipe[name] for name in _OF_CLIP if name in recipe}
        rest = {name: value for name, value in recipe.items() if name not in _OF_CLIP}
        place = json.dumps(rest), json.dumps(of_clip)
        build = builds.setdefault(place[0], {"recipe": rest, "clips": []})
        if place not in clips:
            clips[place] = {**of_clip, "shards": []}
            build["clips"].append(clips[place])
        clips[place]["shards"].append(path)
    return list(builds.values())


def ungroup_recipes(builds: Any, keys: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The recipes of shards by path, from what `group_recipes` gave.

    Args:
        builds: What a file holds.
        keys: Keys of the clips of the shards that it lists, by path.

    Raises:
        InvalidValueError, KeyError: It is none of that, or of other shards.
    """
    recipes: dict[str, dict[str, Any]] = {}
    for build in require_list(builds, "the builds", "dicts"):
        rest = check_recipe(require_instance(build, "each of the builds", dict)["recipe"])
        for clip in require_list(build["clips"], "the clips of a build", "dicts"):
            of_clip = {name: clip[name] for name in _OF_CLIP if name in require_instance(clip, "each clip", dict)}
            recipe = {**check_recipe(of_clip), **rest}
            for path in require_list(clip["shards"], "the shards of a clip", "paths"):
                if path not in keys or path in recipes or not _is_of(recipe, keys[path]):
                    raise InvalidValueError(f"it says of {path!r} how it was made, and does not list it so")
                recipes[path] = recipe
    return recipes


def _is_of(recipe: dict[str, Any], key: str) -> bool:
    """Whether a recipe is of a clip, and nothing in it has the place of something else."""
    clip, origin = recipe.get("clip"), recipe.get("origin", {})
    return isinstance(clip, dict) and isinstance(origin, dict) and clip.get("key") == key
