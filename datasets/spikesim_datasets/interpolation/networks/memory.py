"""How much memory is free for a network, and what to say when it is not enough."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from spikesim.errors import InvalidValueError
from spikesim.gpu.devices import ran_out
from spikesim_datasets.interpolation.networks.network import InterpolationNetwork

_ROOT = Path("/")


def available_memory(device: torch.device, root: Path = _ROOT) -> int | None:
    """Bytes that a program can still take on a device, None where the system does not tell.

    Args:
        device: Where.
        root: Where the system's own files are.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return min(1024 * int(found[1]), *_left_to_groups(root), sys.maxsize) if found else None


def _left_to_groups(root: Path) -> Iterator[int]:
    """What each control group of this process may still take (containers, batch systems), where it has a limit."""
    try:
        own = re.search(r"^0::/(.*)$", (root / "proc/self/cgroup").read_text(), re.MULTILINE)
    except OSError:
        return
    top = root / "sys/fs/cgroup"
    group = top / own[1] if own else top
    for folder in (group, *group.parents):
        if not folder.is_relative_to(top):
            return
        try:
            limit = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            cache = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
        except (OSError, ValueError):  # no such file, or no limit: "max"
            continue
        yield max(0, limit - used + (int(cache[1]) if cache else 0))


def check_memory(
    network: InterpolationNetwork[Any, Any], height: int, width: int, needed: int, available: int | None
) -> None:
    """Raise `InvalidValueError` if a network needs more memory for a frame than there is."""
    if available is not None and needed > available:
        why = f"it takes about {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are free"
        raise _too_large(network, height, width, why)


@contextmanager
def explained(network: InterpolationNetwork[Any, Any], height: int, width: int) -> Iterator[None]:
    """Turn the errors of exhausted memory into one that says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if ran_out(error):
            raise _too_large(network, height, width, "memory ran out") from error
        raise


def _too_large(network: InterpolationNetwork[Any, Any], height: int, width: int, why: str) -> InvalidValueError:
    tile = "compute in tiles (--tile 512)" if network.tile is None else f"take tiles under {network.tile} (--tile)"
    return InvalidValueError(
        f"a frame of {height}×{width} is too large for {network.title}: {why}; {tile}, or run fewer workers at once"
    )
