"""What other projects of the field expect: torch tensors, and the dataset folders of SpikeCV and Spike-Zoo."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from spikesim.checks import require_choice, require_instance, require_path, require_whole
from spikesim.errors import InvalidValueError, MissingExtraError, OutputError
from spikesim.files import atomic_path
from spikesim.formats import write_spikes
from spikesim.formats.sidecar import config_size
from spikesim.stream import SpikeStream, require_stream

if TYPE_CHECKING:
    import torch


def to_torch(stream: SpikeStream, device: "torch.device | str | None" = None) -> "torch.Tensor":
    """The spikes as a tensor of 0 and 1, what networks take.

    On the processor it is unpacked in one pass and not copied again. To another device the packed bits travel, a 32nd
    of the bytes, and are unpacked there.

    Args:
        stream: Spikes (T, H, W).
        device: `cpu`, `cuda`, `cuda:1`, ..., `auto`, or an object of torch's; None for the processor.

    Returns:
        float32 (T, H, W) on the device.

    Raises:
        InvalidValueError: `stream` is no stream, or the device is not available.
        MissingExtraError: torch is not installed.
    """
    require_stream(stream)
    try:
        from spikesim.gpu import tensors
    except ModuleNotFoundError as error:
        raise MissingExtraError("spikes as tensors need torch; pip install 'spikesim[ssdm]'") from error
    return tensors.to_torch(stream, device)


def write_spikecv(folder: str | os.PathLike[str], name: str, stream: SpikeStream) -> None:
    """Adds a recording to a SpikeCV dataset: `FOLDER/NAME.dat`, and once `FOLDER/config.yaml` with the size.

    Below SpikeCV's `spkData/datasets/` it is found by `data_parameter_dict("FOLDER/NAME", "raw")`.

    Args:
        folder: The dataset; it is made where it is missing.
        name: Of the recording, with `/` for folders below.
        stream: Spikes (T, H, W), H and W those of all recordings of the dataset.

    Raises:
        InvalidValueError: The name leads out of the folder, or H·W is no multiple of 8, which SpikeCV cannot read.
        OutputError: The dataset is of another size, or cannot be written.

    Source:
        github.com/Zyj061/SpikeCV, `spkData/load_dat.py` and the `config.yaml` of its datasets.
    """
    root = require_path(folder, "folder")
    _write_sample(root, _below(root, name, ".dat"), stream)


def write_spikezoo(
    folder: str | os.PathLike[str],
    name: str,
    stream: SpikeStream,
    *,
    split: str = "train",
) -> None:
    """Adds a sample to a Spike-Zoo dataset: `FOLDER/SPLIT/spike/NAME.dat`.

    The image that it pairs with is yours to put at `FOLDER/SPLIT/gt/NAME.png`.

    Spike-Zoo reads it with `BaseDatasetConfig(root_dir=FOLDER, height=H, width=W)`. The size is not looked up there;
    `FOLDER/config.yaml` tells it to `read_spikes`.

    Args:
        folder: The dataset; it is made where it is missing.
        name: Of the sample, with `/` for folders below; files are paired by their order.
        stream: Spikes (T, H, W), H and W those of all samples of the dataset.
        split: `train` or `test`.

    Raises:
        InvalidValueError: As for `write_spikecv`, or the split is not as above.
        OutputError: As for `write_spikecv`.

    Source:
        github.com/chenkang455/Spike-Zoo, `spikezoo/datasets/base_dataset.py`.
    """
    root = require_path(folder, "folder")
    require_choice(split, "split", ("train", "test"))
    _write_sample(root, _below(root / split / "spike", name, ".dat"), stream)


def require_multiple_of_8(height: int, width: int) -> None:
    """Check that tools which read whole bytes a readout can read spikes of a size.

    Args:
        height, width: Of the spikes, pixels.

    Raises:
        InvalidValueError: They cannot.
    """
    if require_whole(height, "height", 1) * require_whole(width, "width", 1) % 8:
        raise InvalidValueError(f"other tools read no readouts of {height}×{width}: the pixels must be a multiple of 8")


def _below(folder: Path, name: str, extension: str) -> Path:
    require_instance(name, "name", str)
    if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InvalidValueError(f"a name must lead to a file inside {folder}, got {name!r}")
    return folder / f"{name}{extension}"


def _write_sample(folder: Path, path: Path, stream: SpikeStream) -> None:
    _, height, width = require_stream(stream).shape
    require_multiple_of_8(height, width)
    config = folder / "config.yaml"
    if config.exists():
        if config_size(config) != (height, width):
            raise OutputError(f"{config} is not of recordings of {height}×{width}; choose another folder")
    else:
        with atomic_path(config) as temporary:
            temporary.write_text(
                f"filename: {json.dumps(folder.absolute().name)}\nspike_w: {width}\nspike_h: {height}\n"
                "is_labeled: false\nlabeled_data_type: [0]\nlabeled_data_suffix: None\n",
                encoding="utf-8",
            )
    write_spikes(path, stream, describe=False)  # tools of the field take every file for spikes
