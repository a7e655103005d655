"""What other projects are given: tensors that are the spikes, and folders that the field's own readers read."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import spikesim
from spikesim import SpikeCamera, SpikeStream, read_spikes, simulate, to_torch, write_spikecv, write_spikezoo
from spikesim.errors import InvalidValueError, MissingExtraError, OutputError
from spikesim.gpu.tensors import unpack_tensor


def random_stream(*shape: int) -> SpikeStream:
    return SpikeStream.from_dense(np.random.default_rng(5).integers(0, 2, shape, dtype=np.uint8))


def decode(data: bytes, height: int, width: int) -> np.ndarray:
    """As the readers of SpikeCV and Spike-Zoo do it: bit p mod 8 of byte p // 8 of each readout, then turned over."""
    pixels = np.arange(height * width).reshape(height, width)
    readouts = np.frombuffer(data, np.uint8).reshape(-1, height * width // 8)
    return ((readouts[:, pixels // 8] >> (pixels % 8).astype(np.uint8)) & 1)[:, ::-1]


# TFP and TFI as other tools make them


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """The functions that the page gives for the images of SpikeCV and Spike-Zoo."""
    page = (Path(__file__).parents[1] / "docs" / "interchange.md").read_text("utf-8")
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def their_tfi(" in block]
    names: dict[str, Any] = {"np": np, "tfi_video": spikesim.tfi_video, "part": random_stream(100, 60, 80)}
    exec(compile(block, "docs/interchange.md", "exec"), names)
    return names


def sparse_stream(rate: float = 0.15) -> SpikeStream:
    """A stream with pixels of no spike, of few and of many."""
    rng = np.random.default_rng(3)
    chances = rate * rng.random((7, 11))
    chances[0, :3] = (0, 0.01, 1)
    return SpikeStream.from_dense((rng.random((90, 7, 11)) < chances).astype(np.uint8))


def pixels(stream: SpikeStream) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Every pixel, and the readouts in which it fires."""
    dense = stream.dense()
    for place in np.ndindex(dense.shape[1:]):
        yield place, np.flatnonzero(dense[:, *place]).tolist()


@pytest.mark.parametrize("window", [41, 40, 9, 2])
@pytest.mark.parametrize("centre", [30, 45, 69])
def test_their_windows_of_one_image(documented: dict[str, Any], centre: int, window: int) -> None:
    stream, half = sparse_stream(), window // 2
    tfp, tfi = documented["their_tfp"](stream, centre, window), documented["their_tfi"](stream, centre, window)
    for place, spikes in pixels(stream):
        seen = [spike for spike in spikes if centre - half <= spike <= centre + half]
        assert tfp[place] == pytest.approx(len(seen) / (2 * half + 1))
        before = [spike for spike in spikes if centre - half < spike <= centre]
        after = [spike for spike in spikes if centre < spike <= centre + half]
        expected = 1 / (after[0] - before[-1]) if before and after else 1 / (2 * half)
        assert tfi[place] == pytest.approx(expected)


@pytest.mark.parametrize("half", [1, 20])
def test_their_video_of_intervals_is_one_readout_late(documented: dict[str, Any], half: int) -> None:
    stream = sparse_stream()
    video = documented["their_tfi_video"](stream, half)
    assert len(video) == len(stream) - 2 * half
    for place, spikes in pixels(stream):
        for number, readout in enumerate(range(half, len(stream) - half)):
            before = [spike for spike in spikes if spike < readout]
            after = [spike for spike in spikes if spike >= readout]
            expected = 1 / (after[0] - before[-1]) if before and after else 0
            assert video[number][place] == pytest.approx(expected)
            assert np.uint8(255 * video[number][place]) == int(255 / (after[0] - before[-1]) if expected else 255 / 257)


# Tensors


@given(shape=st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(1, 35)))
def test_tensors_hold_the_spikes(shape: tuple[int, int, int]) -> None:
    stream = random_stream(*shape)
    for tensor in (to_torch(stream), to_torch(stream, "cpu"), unpack_tensor(torch.tensor(stream.packed), shape[2])):
        assert tensor.dtype == torch.float32
        assert tensor.shape == shape
        assert tensor.is_contiguous()
        assert np.array_equal(tensor.numpy(), stream.dense())


def test_a_tensor_may_be_changed() -> None:
    stream = random_stream(3, 5, 11)
    before = stream.packed.copy()
    to_torch(stream).fill_(0.5)
    assert np.array_equal(stream.packed, before)


def test_another_device_gets_packed_bits() -> None:
    nowhere = torch.device("meta")  # without memory, on every machine
    tensor = to_torch(random_stream(3, 5, 11), nowhere)
    assert (tensor.device.type, tensor.shape, tensor.dtype) == ("meta", (3, 5, 11), torch.float32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_tensors_on_a_gpu() -> None:
    stream = random_stream(30, 50, 75)
    assert np.array_equal(to_torch(stream, "cuda").cpu().numpy(), stream.dense())


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delattr(spikesim, "gpu")
    for name in [name for name in sys.modules if name.startswith("spikesim.gpu")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtraError, match=r"pip install 'spikesim\[ssdm\]'"):
        to_torch(random_stream(3, 5, 11))


WORKERS = """
import numpy as np
from torch.utils.data import DataLoader, Dataset
from spikesim import SpikeCamera, simulate, to_torch

class Clips(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        light = np.full((40, 90, 210), (index + 1) / 8, np.float32)  # enough for several threads
        return to_torch(simulate(light, SpikeCamera.preset("realistic"), seed=3, key=f"clip {index}"))

if __name__ == "__main__":
    clips = Clips()
    alone = [clips[index] for index in range(len(clips))]  # threads have run and kernels are loaded before the fork
    for start, workers in (("fork", 2), ("spawn", 1)):
        loader = DataLoader(clips, batch_size=None, num_workers=workers, multiprocessing_context=start)
        print(start, all(item.equal(expected) for item, expected in zip(loader, alone, strict=True)))
"""


def test_workers_give_the_same_spikes_however_they_start(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    command = [sys.executable, str(script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == "fork True\nspawn True\n", result.stderr


def test_items_differ_by_their_keys() -> None:
    light = np.full((20, 9, 21), 0.4, np.float32)
    streams = [simulate(light, SpikeCamera.preset("realistic"), seed=3, key=f"clip {index}") for index in range(2)]
    assert not np.array_equal(streams[0].packed, streams[1].packed)


# Folders


def test_a_spikecv_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "motSim"
    streams = {"car": random_stream(3, 6, 20), "classA/fan.1": random_stream(5, 6, 20)}
    for name, stream in streams.items():
        write_spikecv(folder, name, stream)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["car.dat", "classA/fan.1.dat", "config.yaml"]
    assert (folder / "config.yaml").read_text() == (
        'filename: "motSim"\nspike_w: 20\nspike_h: 6\nis_labeled: false\nlabeled_data_type: [0]\n'
        "labeled_data_suffix: None\n"
    )
    for name, stream in streams.items():
        path = folder / f"{name}.dat"
        assert np.array_equal(decode(path.read_bytes(), 6, 20), stream.dense())
        assert np.array_equal(read_spikes(path).dense(), stream.dense())  # config.yaml knows the size


def test_a_spikezoo_dataset(tmp_path: Path) -> None:
    stream = random_stream(3, 6, 20)
    write_spikezoo(tmp_path, "0001", stream)
    write_spikezoo(tmp_path, "0002", stream)
    write_spikezoo(tmp_path, "0001", stream, split="test")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["config.yaml", "test/spike/0001.dat", "train/spike/0001.dat", "train/spike/0002.dat"]
    assert np.array_equal(decode((tmp_path / "train/spike/0002.dat").read_bytes(), 6, 20), stream.dense())
    assert np.array_equal(read_spikes(tmp_path / "test/spike/0001.dat").dense(), stream.dense())


def test_a_dataset_has_one_size(tmp_path: Path) -> None:
    write_spikecv(tmp_path, "a", random_stream(3, 6, 20))
    before = (tmp_path / "config.yaml").read_bytes()
    with pytest.raises(OutputError, match=r"config\.yaml is not of recordings of 6×24; choose another folder"):
        write_spikecv(tmp_path, "b", random_stream(3, 6, 24))
    assert (tmp_path / "config.yaml").read_bytes() == before
    assert not (tmp_path / "b.dat").exists()


def test_the_labels_of_a_dataset_are_kept(tmp_path: Path) -> None:
    config = "spike_h: 6\nspike_w: 20\nis_labeled: true\nlabeled_data_type: [4, 5]\n"
    (tmp_path / "config.yaml").write_text(config)
    write_spikecv(tmp_path, "a", random_stream(3, 6, 20))
    assert (tmp_path / "config.yaml").read_text() == config


def test_a_config_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("port: 80\n")
    with pytest.raises(OutputError, match="choose another folder"):
        write_spikezoo(tmp_path, "a", random_stream(3, 6, 20))
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("name", ["", "../a", "/tmp/a", "a/../../b"])
def test_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    for write in (write_spikecv, write_spikezoo):
        with pytest.raises(InvalidValueError, match="inside"):
            write(tmp_path / "set", name, random_stream(3, 6, 20))
    assert not (tmp_path / "set").exists()


def test_sizes_that_other_readers_cut_are_refused(tmp_path: Path) -> None:
    for write in (write_spikecv, write_spikezoo):
        with pytest.raises(InvalidValueError, match=r"5×11: .* multiple of 8"):
            write(tmp_path / "set", "a", random_stream(3, 5, 11))
    assert not (tmp_path / "set").exists()


def test_splits_that_spikezoo_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="'train', 'test', got 'val'"):
        write_spikezoo(tmp_path / "set", "a", random_stream(3, 6, 20), split="val")
    assert not (tmp_path / "set").exists()


# Recordings of real cameras


@pytest.mark.parametrize(("height", "width", "header_columns"), [(250, 400, 16), (1000, 1000, 24)])
def test_header_columns_of_real_cameras(tmp_path: Path, height: int, width: int, header_columns: int) -> None:
    rows = np.random.default_rng(1).integers(0, 2, (2, height, width + header_columns), dtype=np.uint8)
    path = tmp_path / "camera.dat"
    path.write_bytes(np.packbits(rows[:, ::-1].reshape(2, -1), axis=1, bitorder="little").tobytes())
    stream = read_spikes(path, height, width, header_columns=header_columns)
    assert np.array_equal(stream.dense(), rows[..., :width])
    with pytest.raises(InvalidValueError, match=rf"{height}×{width + header_columns} \(2 readouts\)"):
        read_spikes(path)
