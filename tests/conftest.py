"""Fixtures and the profile of property tests."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("spikesim", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spikesim")


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
