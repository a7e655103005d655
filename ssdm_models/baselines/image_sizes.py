"""Sizes of images that networks with levels can take."""

from torch import Tensor
from torch.nn import functional

from spikesim.errors import InvalidValueError


def repeated(images: Tensor, multiple: int, more_rows: int = 0) -> Tensor:
    """Images (N, C, H, W) with their last rows and columns repeated, to so many rows more than a multiple, and to a
    multiple of columns."""
    height, width = images.shape[-2:]
    return functional.pad(images, (0, -width % multiple, 0, (more_rows - height) % multiple), "replicate")


def require_multiples(title: str, images: Tensor, step: int, more_rows: int = 0) -> None:
    """Refuse images whose sides do not divide into the pixels of the coarsest level.

    Args:
        title: What to call the network.
        images: Any images (..., H, W).
        step: Of what both sides must be multiples.
        more_rows: How many rows the height must have beyond a multiple.

    Raises:
        InvalidValueError: The images are of no such size; the nearest one is named.
    """
    height, width = images.shape[-2:]
    if height % step == more_rows and width % step == 0:
        return
    rows, columns = (
        more_rows + _nearest(height - more_rows, step, 0 if more_rows else step),
        _nearest(width, step, step),
    )
    wanted = f"whose sides are multiples of {step}"
    if more_rows:
        wanted = f"whose height is {more_rows} more than a multiple of {step}, and whose width is a multiple of it"
    raise InvalidValueError(
        f"{title} takes images {wanted}, got {width}×{height} pixels; pad or crop them to the nearest size, "
        f"{columns}×{rows}"
    )


def require_same_place(**images: Tensor) -> None:
    """Refuse tensors, by their names, that are not as many as the first, or not of its size.

    Raises:
        InvalidValueError: They differ in their first or in their last two axes.
    """
    (first, reference), *others = images.items()
    for name, image in others:
        if len(image) != len(reference) or image.shape[-2:] != reference.shape[-2:]:
            raise InvalidValueError(
                f"{name} must be as many as {first} and of the same height and width, got {tuple(image.shape)} for "
                f"{tuple(reference.shape)}"
            )


def _nearest(size: int, step: int, least: int) -> int:
    """Of the multiples of a step, from the least, the nearest to a size."""
    return max(least, (size + step // 2) // step * step)
