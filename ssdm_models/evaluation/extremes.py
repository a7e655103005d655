"""The samples that all methods together do worst and best at, and their images."""

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from spikesim.errors import OutputError
from spikesim_datasets.image_files import write_png
from spikesim_datasets.shards.schema import threshold_name
from ssdm_models.evaluation.rows import Row

IMAGES = "images"
"""Their folder in that of an evaluation."""

TRUTH = "sharp"
"""What the true image is called beside those of the methods."""

_KEPT = 2  # samples of either end


class RankedSample(NamedTuple):
    """A sample, and the mean PSNR [dB] of its single frames over all methods and thresholds."""

    psnr: float
    key: str
    window: int


def rank_samples(rows: Sequence[Row], single: Sequence[int | None]) -> list[RankedSample]:
    """The samples of rows, the worst first.

    Args:
        rows: Of an evaluation; those of single colour frames count.
        single: The readouts of single frames.
    """
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        if row.domain == "colour" and row.readout in single:
            found[row.key, row.window].append(row.score.psnr)
    return sorted(RankedSample(fmean(psnr), *sample) for sample, psnr in found.items())


def extremes(ranked: Sequence[RankedSample], most: int = _KEPT) -> list[RankedSample]:
    """So many of the worst, and of the best."""
    return list(ranked) if len(ranked) <= 2 * most else [*ranked[:most], *ranked[-most:]]


def image_name(row: Row) -> str:
    """What the image of a row is called."""
    return row.method if row.v_th is None else f"{row.method}, V_th {threshold_name(row.v_th)}"


class ExtremeImages:
    """The images of the two worst and the two best samples of an evaluation, as PNG, a folder for each sample.

    What is among them at last was among them when it came, so that an evaluation that was interrupted keeps the same.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, ranked: Sequence[RankedSample], key: str, window: int, images: Mapping[str, np.ndarray]) -> None:
        """Write the images of a sample if it is at an end, and remove those of samples that no longer are.

        Args:
            ranked: All samples so far, this one among them.
            key, window: Which sample it is.
            images: RGB uint8 (H, W, 3) by name.

        Raises:
            OutputError: The folder cannot be written.
        """
        kept = {self._of(sample.key, sample.window) for sample in extremes(ranked)}
        if (place := self._of(key, window)) in kept:
            for path, image in zip(_files(place, [*images]), images.values(), strict=True):
                write_png(path, image)
        try:
            for there in self._folder.glob("*"):
                if there not in kept:
                    shutil.rmtree(there)
        except OSError as error:
            raise OutputError(f"cannot remove {error.filename}: {error.strerror}") from error

    def files(self, sample: RankedSample, names: Sequence[str]) -> dict[str, Path]:
        """The files of a sample's images, of those that are there, by their names.

        Args:
            sample: The sample.
            names: Of all its images, in the order in which they were kept.
        """
        files = _files(self._of(sample.key, sample.window), names)
        return {name: path for name, path in zip(names, files, strict=True) if path.is_file()}

    def _of(self, key: str, window: int) -> Path:
        return self._folder / f"{key.replace('/', '_')}_{window}"


def _files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Numbered, as names that differ may do so in characters that file names cannot have."""
    return [folder / f"{number:02}_{re.sub(r'[^a-zA-Z0-9.+-]+', '_', name)}.png" for number, name in enumerate(names)]
