"""Cutting a stage of a network into tiles, so that its memory does not grow with the frame.

A stage looks no further than its convolutions reach. A tile is computed with a margin of at least that reach around
it, and only its middle is kept: every pixel then comes out as in one piece. What looks further, warps and the coarse
levels, is never cut.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor


class Tile(NamedTuple):
    """A rectangle of cells: what is computed, and what of it is kept.

    A cell is a square of pixels whose side all strides of a stage divide; a tensor has `per_cell` pixels a side of it.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    kept_rows: tuple[int, int]
    kept_columns: tuple[int, int]

    def take(self, whole: Tensor, per_cell: int) -> Tensor:
        """The part of a tensor (..., H, W) that is computed, margin included."""
        return whole[..., _slice(self.rows, per_cell), _slice(self.columns, per_cell)]

    def put(self, computed: Tensor, whole: Tensor, per_cell: int) -> None:
        """Write what is kept of a computed part to its place."""
        top, left = self.rows[0], self.columns[0]
        inner = tuple(edge - top for edge in self.kept_rows), tuple(edge - left for edge in self.kept_columns)
        whole[..., _slice(self.kept_rows, per_cell), _slice(self.kept_columns, per_cell)] = computed[
            ..., _slice(inner[0], per_cell), _slice(inner[1], per_cell)
        ]


def _slice(edges: tuple[int, ...], per_cell: int) -> slice:
    return slice(edges[0] * per_cell, edges[1] * per_cell)


def in_tiles(
    compute: Callable[[Tile], Tensor], height: int, width: int, per_cell: int, side: int | None, reach: int
) -> Tensor:
    """Compute an image tile by tile.

    Args:
        compute: Gives the whole of what is computed for a tile, (..., h, w).
        height, width: Size of the image, cells.
        per_cell: Pixels of the image a side of a cell.
        side: Side of what a tile keeps, pixels, rounded down to cells; None computes everything in one piece.
        reach: Pixels around it that are computed as well, where there are any, rounded up to cells.

    Returns:
        The image (..., height · per_cell, width · per_cell).
    """
    kept = None if side is None else max(1, side // per_cell)
    whole: Tensor | None = None
    for tile in tiles(height, width, kept, -(-reach // per_cell)):
        part = compute(tile)
        if tile.kept_rows == (0, height) and tile.kept_columns == (0, width):
            return part
        if whole is None:
            whole = part.new_empty((*part.shape[:-2], height * per_cell, width * per_cell))
        tile.put(part, whole, per_cell)
    assert whole is not None
    return whole


def tiles(height: int, width: int, side: int | None, margin: int) -> Iterator[Tile]:
    """The tiles that cover a grid of cells, each kept cell once.

    Args:
        height, width: Size of the grid, cells.
        side: Side of what a tile keeps, cells; None takes everything in one piece.
        margin: Cells around it that are computed as well, where there are any.
    """
    for rows, kept_rows in _spans(height, side, margin):
        for columns, kept_columns in _spans(width, side, margin):
            yield Tile(rows, columns, kept_rows, kept_columns)


def _spans(length: int, side: int | None, margin: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    step = length if side is None else side
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield (max(start - margin, 0), min(stop + margin, length)), (start, stop)
