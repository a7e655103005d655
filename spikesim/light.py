"""Light on its way into a sensor: which arrays are light, what is refused, and stacks of frames that arrive one by one.

The compiled sensor and the one in torch refuse the same light in the same words, which are here.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from spikesim.checks import require_array
from spikesim.errors import InvalidValueError

_STACK = 64  # frames taken at once from an iterator


def check_light(shape: tuple[int, ...], number: str, sensor: tuple[int, int]) -> None:
    """Refuse a stack of light by its shape and the name of its number type.

    Args:
        shape: (T, H, W).
        number: Such as `float32`.
        sensor: (H, W).

    Raises:
        InvalidValueError: It is of another size than the sensor, or of numbers that are no light.
    """
    if len(shape) != 3 or shape[1:] != sensor:
        raise InvalidValueError(f"light must be (T, {sensor[0]}, {sensor[1]}) as the sensor is, got shape {shape}")
    if number != "uint8" and not number.startswith(("float", "bfloat")):
        raise InvalidValueError(f"light must be float32 in [0, 1] or uint8 (value/255), got {number}")


def checked_light(light: Any, sensor: tuple[int, int], *, clip: bool) -> np.ndarray:
    """Light as contiguous (T, H, W) of uint8 or float32, without a copy where it is that already; values unchecked.

    Args:
        light: (T, H, W), or one readout (H, W).
        sensor: (H, W).
        clip: Whether to clip it to [0, 1].

    Raises:
        InvalidValueError: As for `check_light`.
    """
    light = require_array(light, "light")
    if light.ndim == 2:
        light = light[None]
    check_light(light.shape, light.dtype.name, sensor)
    if light.dtype == np.uint8:
        return np.ascontiguousarray(light)
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and so outside [0, 1]
        light = np.ascontiguousarray(light, np.float32)
    return np.clip(light, 0, 1) if clip else light


def range_error(light: np.ndarray) -> InvalidValueError:
    """The error of light that is not in [0, 1]."""
    return InvalidValueError(
        f"light must be finite and in [0, 1], got values from {np.min(light)} to {np.max(light)}; scale it (uint8 "
        "arrays are taken as value/255), or give clip=True"
    )


def light_stacks(light: Any, whole: tuple[Any, ...] = (np.ndarray,)) -> tuple[Iterator[Any], tuple[int, int]]:
    """Light as an iterator of stacks (T, H, W), and (H, W).

    Args:
        light: An array (T, H, W), which is one stack, or an iterable of frames (H, W).
        whole: The types of arrays.

    Raises:
        InvalidValueError: It is neither. Frames that differ are refused when they arrive.
    """
    if not isinstance(light, whole):
        return frame_stacks(light)
    if light.ndim != 3:
        raise InvalidValueError(f"light must have the axes (T, H, W), got shape {tuple(light.shape)}")
    return iter([light]), (light.shape[1], light.shape[2])


def frame_stacks(frames: Iterable[Any]) -> tuple[Iterator[np.ndarray], tuple[int, int]]:
    """Stacks of a few frames each, all of the first one's shape and type; and that shape.

    Raises:
        InvalidValueError: There is no frame, or the first is none. Frames that differ are refused when they arrive.
    """
    try:
        iterator = iter(frames)
    except TypeError:
        raise InvalidValueError(
            f"light must be an array (T, H, W) or frames (H, W), got {type(frames).__name__}"
        ) from None
    head = next(iterator, None)
    if head is None:
        raise InvalidValueError(
            "light holds no frame, so the size of the sensor is not known; give at least one readout"
        )
    first = require_array(head, "a frame of light")
    if first.ndim != 2:
        raise InvalidValueError(f"frames of light must have the axes (H, W), got shape {first.shape}")

    def stacks() -> Iterator[np.ndarray]:
        position = 0
        rest = chain([first], iterator)
        while stack := [require_array(frame, "a frame of light") for frame in islice(rest, _STACK)]:
            for offset, frame in enumerate(stack):
                if frame.shape != first.shape or frame.dtype != first.dtype:
                    raise InvalidValueError(
                        f"frame {position + offset} of light is {frame.dtype} {frame.shape}, the first is "
                        f"{first.dtype} {first.shape}; all must be alike"
                    )
            position += len(stack)
            yield np.stack(stack)

    return stacks(), (first.shape[0], first.shape[1])
