"""What tests of checkpoints share: files that are written again after a change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, str]], object]) -> None:
    """Write a checkpoint again after a change of its tensors and its metadata."""
    with safetensors.safe_open(path, framework="pt") as held:
        metadata = held.metadata()
    tensors = safetensors.torch.load_file(path)
    metadata.pop("sha256", None)  # as older checkpoints have none
    change(tensors, metadata)
    safetensors.torch.save_file(tensors, path, metadata)


def rewrite_card(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write a checkpoint again with what a change gives of its card, or leaves of it."""

    def inside(tensors: dict[str, Any], metadata: dict[str, str]) -> None:
        card = json.loads(metadata["spikesim"])
        card = change(card) or card
        metadata["spikesim"] = json.dumps(card)

    rewrite(path, inside)
