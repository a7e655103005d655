"""The files in which a folder layout holds a sample, each field as it is declared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from spikesim import write_spikes
from spikesim.errors import InputFileError
from spikesim.files import atomic_path
from spikesim.formats.decoding import reading
from spikesim.input_files import require_file
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.image_files import read_image, write_png
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.sample import Sample


@dataclass(frozen=True)
class SampleFiles:
    """Where the files of one sample lie.

    Attributes:
        root: Of its split.
        clip: Name of its clip.
        window: Its exposure.
        plan: How its clip is cut into exposures.
    """

    root: Path
    clip: str
    window: int
    plan: ExposurePlan

    @property
    def first_frame(self) -> int:
        """First raw frame of the exposure."""
        return self.window * self.plan.period // self.plan.factor

    @property
    def middle_frame(self) -> int:
        """The raw frame in the middle of the exposure."""
        return self.first_frame + self.plan.middle_frame

    def sharp_frames(self, sharp_readouts: Sequence[int]) -> list[int]:
        """The raw frame of each sharp frame."""
        first, plan = self.first_frame, self.plan
        return [first + (readout - plan.padding) // plan.factor for readout in sharp_readouts]

    def path(self, folder: str, extension: str) -> Path:
        """The one file of a folder, named by the raw frame in the middle of the exposure."""
        return self.root / folder / self.clip / f"{frame_name(self.middle_frame)}.{extension}"

    def of(self, field: Field, sharp_readouts: Sequence[int]) -> list[Path]:
        """The files of a field: one, or an image for each sharp frame, named by its raw frame."""
        if not (field.is_image and "S" in field.axes):
            return [self.path(field.folder, f"{field.file}")]
        names = map(frame_name, self.sharp_frames(sharp_readouts))
        return [self.root / field.folder / self.clip / f"{name}.png" for name in names]


def frame_name(frame: int) -> str:
    """The name of a raw frame, without an extension."""
    return f"{frame:06d}"


def write_field(field: Field, sample: Sample, files: SampleFiles, spike_folders: Mapping[float, str]) -> None:
    """Write what a sample has of a field.

    Args:
        field: The field.
        sample: The sample.
        files: Where to.
        spike_folders: The folder of each threshold that is to be written.

    Raises:
        OutputError: It cannot be written.
    """
    if field.file == "dat":
        for v_th, folder in spike_folders.items():
            # The field's loaders take every file of the folder for spikes, so no description may lie beside.
            write_spikes(files.path(folder, "dat"), sample.spikes[v_th], describe=False)
        return
    for array in field.stored(sample).values():  # none of an optional field that the sample is without
        paths = files.of(field, sample.sharp_readouts)
        if field.is_image:
            for path, image in zip(paths, array.reshape(-1, *array.shape[-3:]), strict=True):
                write_png(path, image)
        elif field.file == "npy":
            with atomic_path(paths[0]) as temporary, temporary.open("wb") as file:
                np.save(file, array)


def read_sized_image(path: Path, size: tuple[int, int], of: str) -> np.ndarray:
    """An RGB image, uint8 (H, W, 3).

    Args:
        path: The file.
        size: Height and width that it must have.
        of: What has this size, for the message.

    Raises:
        InputFileError: It is missing, damaged or of another size.
    """
    image = read_image(path)
    if image.shape[:2] != size:
        raise InputFileError(f"{path} is {image.shape[1]}×{image.shape[0]}, {of} is {size[1]}×{size[0]}")
    return image


def read_array(path: Path, dtype: str, shape: tuple[int, ...], cut: tuple[slice, ...]) -> np.ndarray:
    """Part of an array in a file; only that part is read.

    Args:
        path: The file.
        dtype, shape: What it must have.
        cut: The part.

    Raises:
        InputFileError: It is missing or no regular file, damaged, or of another type or shape.
    """
    require_file(path)
    with reading(path):
        array = open_memmap(path, mode="r")  # unlike np.load it takes arrays alone, no archives
    if (array.dtype, array.shape) != (np.dtype(dtype), shape):
        raise InputFileError(f"{path} is {array.dtype} {array.shape}, beside its blur {dtype} {shape} fits")
    return np.array(array[cut])
