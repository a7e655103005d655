"""Cutting a stage of a network into tiles, so that its memory does not grow with the frame.

A stage looks no further than its convolutions reach. A tile is computed with a margin of at least that reach around
it, and only its middle is kept: every pixel then comes out as in one piece. What looks further, warps and the coarse
levels, is never cut.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

from torch import Tensor


class Span(NamedTuple):
    """A part of an axis, in cells: what is computed, and what of it is kept.

    A cell is as many pixels long as all strides of a stage divide.
    """

    start: int
    stop: int
    kept_start: int
    kept_stop: int

    def computed(self, per_cell: int) -> slice:
        """The computed pixels of the whole axis."""
        return slice(self.start * per_cell, self.stop * per_cell)

    def kept(self, per_cell: int) -> slice:
        """The kept pixels of the whole axis."""
        return slice(self.kept_start * per_cell, self.kept_stop * per_cell)

    def inner(self, per_cell: int) -> slice:
        """The kept pixels of the computed ones."""
        return slice((self.kept_start - self.start) * per_cell, (self.kept_stop - self.start) * per_cell)


class Tile(NamedTuple):
    """A rectangle of an image."""

    rows: Span
    columns: Span

    def take(self, image: Tensor, per_cell: int) -> Tensor:
        """What is computed of it, of an image (..., H, W) with so many pixels a cell."""
        return image[..., self.rows.computed(per_cell), self.columns.computed(per_cell)]


def in_tiles(
    compute: Callable[[Tile], Tensor],
    cells: tuple[int, int],
    wanted: tuple[int, int],
    per_cell: int,
    side: int | None,
    reach: int,
) -> Tensor:
    """Compute an image, or as much of it as is wanted, tile by tile.

    Args:
        compute: Gives all that is computed of a tile, (..., h, w).
        cells: Height and width of the image, cells.
        wanted: How many of them are wanted, from the upper left corner.
        per_cell: Pixels of the image a cell.
        side: Side of what is kept of a tile, pixels, rounded down to cells; None takes one tile for all.
        reach: Pixels around it that are computed as well, where there are any, rounded up to cells.

    Returns:
        The image, (..., wanted · per_cell).
    """
    step = max(wanted) if side is None else max(1, side // per_cell)
    axes = (_spans(length, part, step, -(-reach // per_cell)) for length, part in zip(cells, wanted, strict=True))
    tiles = [Tile(rows, columns) for rows, columns in product(*axes)]
    whole: Tensor | None = None
    for tile in tiles:
        computed = compute(tile)
        kept = computed[..., tile.rows.inner(per_cell), tile.columns.inner(per_cell)]
        if len(tiles) == 1:
            return kept
        if whole is None:
            whole = kept.new_empty((*kept.shape[:-2], *(part * per_cell for part in wanted)))
        whole[..., tile.rows.kept(per_cell), tile.columns.kept(per_cell)] = kept
    assert whole is not None
    return whole


def _spans(length: int, wanted: int, step: int, margin: int) -> Iterator[Span]:
    for start in range(0, wanted, step):
        stop = min(start + step, wanted)
        yield Span(max(start - margin, 0), min(stop + margin, length), start, stop)
