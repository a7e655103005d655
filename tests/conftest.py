"""Fixtures and the profile of property tests."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("spikesim", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spikesim")


# Programs in the background of a shell, or of nohup, inherit that Ctrl-C is ignored; tests send it to what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    """Forget tensors that came from other processes: torch says so line by line when it is unloaded before them."""
    if reductions := sys.modules.get("torch.multiprocessing.reductions"):
        reductions.shared_cache.clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real recordings and golden files; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SPIKESIM_SHARED") or Path(__file__).parents[2] / "shared")
    if not (folder / "golden").is_dir():
        pytest.skip(f"no recordings at {folder}; set SPIKESIM_SHARED")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20241122)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads of torch that wait for each other take very long where other work shares the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
