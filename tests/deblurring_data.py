"""What tests of deblurring share: a network, a recording, and their files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_weights import rebuilt
from PIL import Image

from spikesim import SpikeCamera, SpikeStream, write_spikes
from spikesim_datasets.exposure import ExposurePlan
from ssdm_models.checkpoints import save
from ssdm_models.ldn import LDN
from ssdm_models.recordings import BlurryRecording
from ssdm_models.released import slots

PLAN = ExposurePlan()
HEIGHT, WIDTH = 36, 52
EXPOSURE = (5, 25)


@pytest.fixture(scope="module")
def ldn() -> LDN:
    """A network whose images vary by far more than rounding, near and far."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = LDN(length=5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.5
    return network.eval()


def scene(height: int = HEIGHT, width: int = WIDTH, readouts: int = 30) -> BlurryRecording:
    rng = np.random.default_rng(1)
    spikes = rng.integers(0, 2, (readouts, height // 4, width // 4), np.uint8)
    return BlurryRecording(rng.integers(0, 256, (height, width, 3), np.uint8), SpikeStream.from_dense(spikes))


def tensors(recording: BlurryRecording) -> tuple[torch.Tensor, torch.Tensor]:
    blur = torch.from_numpy(recording.blur).permute(2, 0, 1).float() / 255
    return blur, torch.from_numpy(recording.spikes.dense(np.float32))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def checkpoint(ldn: LDN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "ldn.safetensors"
    save(path, ldn, v_th=(1, 2))
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the authors' is, with other weights."""
    path = tmp_path_factory.mktemp("released") / "DeblurNet_100.pth"
    torch.save(rebuilt({slot.released[0]: slot.shape for slot in slots(LDN(), "ldn")}, "ldn", {}), path)
    return path


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with an image of 52×36 and its spikes, in every format."""
    folder = tmp_path / "recorded"
    recording = scene()
    folder.mkdir()
    Image.fromarray(recording.blur).save(folder / "blur.png")
    stream = SpikeStream(recording.spikes.packed, recording.spikes.width, SpikeCamera(v_th=2.0))
    for extension in (".npz", ".npy", ".h5", ".dat"):
        write_spikes(folder / f"spikes{extension}", stream)
    write_spikes(folder / "bare.dat", stream, describe=False)
    write_spikes(folder / "wide.dat", stream, describe=False, header_columns=3, flip=False)
    return folder
