"""Dense inverse search: laws of optical flow on textures whose motion is known."""

import numpy as np
import pytest

from spikesim_datasets.interpolation.flow import optical_flow, pyramid

F32 = np.float32


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves of all directions, at least 7 px long, float32 (H,W) in 0..200."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    angles, lengths = rng.uniform(0, 2 * np.pi, (2, 24)), rng.uniform(7, 40, 24)
    waves = sum(
        np.sin(2 * np.pi * (x * np.cos(a) + y * np.sin(a)) / length + phase)
        for a, phase, length in zip(*angles, lengths, strict=True)
    )
    return (100 + 100 * np.tanh(waves / 6)).astype(F32)


def moved(height: int, width: int, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """Two windows on a texture; what the first shows moves by (dy, dx)."""
    canvas = np.rint(texture(height + 2 * abs(dy), width + 2 * abs(dx))).astype(np.uint8)
    return tuple(
        np.ascontiguousarray(canvas[y : y + height, x : x + width])
        for y, x in ((abs(dy), abs(dx)), (abs(dy) - dy, abs(dx) - dx))
    )


def flow_between(frame0: np.ndarray, frame1: np.ndarray) -> np.ndarray:
    return optical_flow(pyramid(frame0), pyramid(frame1))


@pytest.mark.parametrize(("dy", "dx"), [(0, 1), (-3, 2), (7, -9), (0, 12), (-14, 0)])
def test_a_shift_is_found_to_a_tenth_of_a_pixel(dy, dx):
    flow = flow_between(*moved(181, 235, dy, dx))
    assert flow.shape == (2, 181, 235)
    inner = flow[:, 32:-32, 32:-32]
    assert np.abs(np.median(inner, axis=(1, 2)) - (dx, dy)).max() < 0.02
    assert np.percentile(np.abs(inner - np.float32([dx, dy])[:, None, None]), 99) < 0.1


@pytest.mark.parametrize("size", [(16, 16), (17, 75), (75, 16), (61, 83)])
def test_between_equal_frames_nothing_moves(size):
    noise = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    assert not flow_between(noise, noise.copy()).any()


def test_light_that_changes_moves_nothing():
    frame0, frame1 = moved(121, 135, 2, -3)
    inner = flow_between(frame0, frame1 + np.uint8(40))[:, 16:-16, 16:-16]
    assert np.percentile(np.abs(inner - np.float32([-3, 2])[:, None, None]), 99) < 0.2


def test_two_halves_that_move_apart_are_told_apart():
    left, right = moved(121, 160, 0, -4), moved(121, 160, 0, 4)
    frames = [np.hstack([one[:, :80], other[:, 80:]]) for one, other in zip(left, right, strict=True)]
    across = flow_between(*frames)[0, 16:-16]
    assert np.abs(np.median(across[:, 16:64]) + 4) < 0.1
    assert np.abs(np.median(across[:, 96:144]) - 4) < 0.1


@pytest.mark.parametrize("level", [0, 255])
def test_flow_is_finite_whatever_the_frames(level):
    """Flat, a single edge, whose motion along it nothing tells, and noise."""
    flat = np.full((45, 51), level, np.uint8)
    edge = flat.copy()
    edge[:, 20:] = 255 - level
    noise = np.random.default_rng(0).integers(0, 256, flat.shape).astype(np.uint8)
    for frame0 in (flat, edge, noise):
        for frame1 in (flat, edge, noise):
            flow = flow_between(frame0, frame1)
            assert np.isfinite(flow).all()
            assert np.abs(flow).max() <= 200
