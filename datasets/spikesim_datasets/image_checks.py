"""Checks of images that are given as arguments, shared by all that takes some."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from spikesim.errors import InvalidValueError


def require_image(image: Any, name: str) -> np.ndarray:
    """An RGB image, uint8 (H, W, 3), of one pixel at least.

    Raises:
        InvalidValueError: It is none.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InvalidValueError(f"{name} must be an RGB frame, a uint8 array (H,W,3), got {found}")
    if not image.size:
        raise InvalidValueError(f"{name} must have pixels, got the shape {image.shape}")
    return image


def require_frames(frames: Iterable[np.ndarray], use: str) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """The first of some RGB frames, and all of them; the others are not looked at.

    Args:
        frames: What was given.
        use: What they are for, for the message.

    Raises:
        InvalidValueError: It is nothing to go through, there is none, or the first is no frame.
    """
    try:
        all_ = iter(frames)
    except TypeError:
        raise InvalidValueError(f"frames must be several RGB frames, got {type(frames).__name__}") from None
    first = next(all_, None)
    if first is None:
        raise InvalidValueError(f"{use} would be a video without a frame; the stream is empty")
    return require_image(first, "the first of frames"), chain([first], all_)
