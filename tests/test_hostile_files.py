"""Files that somebody made to do harm, or that are something else than their names say, for every reader of files."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageFile

from spikesim import SpikeCamera, SpikeStream, read_spikes, write_spikes
from spikesim.calibration import calibrated
from spikesim.errors import SpikesimError
from spikesim.formats.sidecar import Sidecar, config_size
from spikesim_datasets.image_files import image_header, page_times, read_image, read_pages
from spikesim_datasets.interpolation import rife
from spikesim_datasets.interpolation.networks.torchscript import load_script
from spikesim_datasets.layouts import open_layout
from spikesim_datasets.layouts.sample_files import read_array
from spikesim_datasets.recognition import recognise
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.sources import open_clips
from ssdm_models import checkpoints
from ssdm_models.evaluation.rows import read_rows
from ssdm_models.training.state import load_state


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    os.chdir(path.parent)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def circle(path: Path) -> None:
    path.symlink_to(path)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a pipe": pipe,
    "a socket": listening,
    "a device": endless,
    "a folder": folder,
    "a link to itself": circle,
    "nothing": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(100_001)),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(100_001)),
    "text": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "deep JSON": lambda path: path.write_text("[" * 100_000 + "]" * 100_000),
    "a number without end": lambda path: path.write_text("9" * 100_000),
}


def dataset(path: Path) -> Any:
    return open_dataset(path.parent, "train")[0]


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "spikes .dat": ("clip.dat", lambda path: read_spikes(path, 7, 13)),
    "spikes .npz": ("clip.npz", read_spikes),
    "spikes .npy": ("clip.npy", read_spikes),
    "spikes .h5": ("clip.h5", read_spikes),
    "description of spikes": ("clip.json", lambda path: Sidecar.read(path.with_suffix(".dat"))),
    "calibration": ("camera.npz", lambda path: calibrated(SpikeCamera(), path)),
    "shard": ("clip.000.h5", ShardReader),
    "index": ("dataset.json", dataset),
    "layout": ("spikesim.json", lambda path: open_layout(path.parent, "train")),
    "array of a layout": ("flow.npy", lambda path: read_array(path, "float32", (3,), (slice(None),))),
    "image": ("blur.png", read_image),
    "stack": ("stack.tif", lambda path: list(read_pages(path, 0, 1))),
    "video": ("clip.mp4", lambda path: open_clips([path])),
    "photo": ("photo.jpg", lambda path: open_clips([f"photo:{path}"])),
    "checkpoint": ("ldn.safetensors", checkpoints.load),
    "released checkpoint": ("ldn.pth", lambda path: checkpoints.load_released(path, "ldn")),
    "state of a training": ("state.pt", load_state),
    "weights of an interpolator": ("flownet.pkl", rife.load_released),
    "exported interpolator": ("network.pt", load_script),
    "figures of an evaluation": ("samples.csv", read_rows),
}


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """Whatever waits for more of a pipe, or reads a device to its end, is ended."""
    previous = signal.signal(signal.SIGALRM, stop_waiting)
    signal.alarm(50)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def stop_waiting(*_: object) -> None:
    raise TimeoutError("reading it does not come to an end")


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_such_file_is_refused(tmp_path: Path, monkeypatch: Any, reader: str, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    name, read = READERS[reader]
    HOSTILE[kind](tmp_path / name)
    with pytest.raises(SpikesimError):
        read(tmp_path / name)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket"])
def test_what_is_no_file_is_not_recognised_as_one(tmp_path: Path, monkeypatch: Any, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    HOSTILE[kind](tmp_path / "clip.h5")
    with pytest.raises(SpikesimError, match="pipe, a socket or a device"):
        recognise(tmp_path / "clip.h5")


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket"])
@pytest.mark.parametrize("reader", ["released checkpoint", "weights of an interpolator", "exported interpolator"])
def test_what_is_no_file_is_not_called_missing(tmp_path: Path, monkeypatch: Any, reader: str, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    name, read = READERS[reader]
    HOSTILE[kind](tmp_path / name)
    for path in (tmp_path / name, Path(name)):
        with pytest.raises(SpikesimError, match=rf"{name}: it is a pipe, a socket or a device; a file is expected"):
            read(path)


def test_a_pipe_beside_spikes_is_not_waited_for(tmp_path: Path) -> None:
    pipe(tmp_path / "config.yaml")
    with pytest.raises(SpikesimError, match=r"config\.yaml: it is a pipe"):
        config_size(tmp_path / "config.yaml")


@pytest.mark.parametrize("name", ["half a pair \ud800", "x" * 300, "long/" * 1000])
@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "description of spikes"])
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, reader: str, name: str) -> None:
    file, read = READERS[reader]
    with pytest.raises(SpikesimError):
        read(tmp_path / name / file)
    with pytest.raises(SpikesimError):
        read(tmp_path / f"{name}{file}")


def test_spikes_are_not_written_under_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("\ud800.npy", f"{'x' * 300}.dat"):
        with pytest.raises(SpikesimError, match=r"path must be a path, as text or as a Path, got .{20,200}$"):
            write_spikes(tmp_path / name, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
    path = tmp_path / os.fsdecode(b"latin\xe4.npy")
    write_spikes(path, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
    assert len(read_spikes(path)) == 1


def test_a_small_archive_that_says_a_long_shape_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "clip.npz", packed=np.zeros((1, 1, 1), np.uint8), shape=np.ones(100_000, int), camera="null")
    with pytest.raises(SpikesimError, match=r"no.* a stream of shape with 100000 numbers$"):
        read_spikes(tmp_path / "clip.npz")


def claim_npy(path: Path, shape: tuple[int, ...], columns_first: bool = False) -> None:
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": columns_first, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)


def claim_npz(path: Path, shape: tuple[int, ...]) -> None:
    np.savez(path, np.zeros(shape, np.uint8))


def claim_our_npz(path: Path, shape: tuple[int, ...]) -> None:
    packed = np.zeros((*shape[:2], -(-shape[2] // 8)), np.uint8)
    np.savez(path, packed=packed, shape=np.array(shape), camera=np.array("null"))


def claim_raw_spike(path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("raw_spike", shape, np.uint8)


def claim_our_h5(path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "w") as file:
        spikes = file.create_dataset("spikes", (*shape[:2], -(-shape[2] // 8)), np.uint8)
        spikes.attrs.update(schema="spikesim.spikes/1", shape=shape, camera="null")


CLAIMS: dict[str, tuple[str, Callable[..., None]]] = {
    "npy": ("clip.npy", claim_npy),
    "npy, columns first": ("clip.npy", partial(claim_npy, columns_first=True)),
    "npz": ("clip.npz", claim_npz),
    "our npz": ("clip.npz", claim_our_npz),
    "raw_spike": ("clip.h5", claim_raw_spike),
    "our h5": ("clip.h5", claim_our_h5),
}
"""Small files that say that they hold arrays of any shape, as far as one of their sides is 0."""


@pytest.mark.parametrize("shape", [(2**40, 0, 16), (16, 0, 2**40), (2**40, 16, 0), (5, 0, 7), (0, 0, 0)])
@pytest.mark.parametrize("kind", CLAIMS)
def test_spikes_without_pixels_are_refused_at_once(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    name, claim = CLAIMS[kind]
    claim(tmp_path / name, shape)
    with pytest.raises(SpikesimError, match=rf"{name}: .*one column of pixels, got H={shape[1]}, W={shape[2]}$"):
        read_spikes(tmp_path / name)


@pytest.mark.parametrize(("shape", "axes"), [((0, 2**40, 16), "THW"), ((2**40, 16, 0), "HWT"), ((5, 2**40, 0), "WHT")])
@pytest.mark.parametrize("kind", ["npy", "npy, columns first", "npz", "raw_spike"])
def test_spikes_without_readouts_are_read_at_once(tmp_path: Path, kind: str, shape: tuple[int, ...], axes: str) -> None:
    name, claim = CLAIMS[kind]
    claim(tmp_path / name, shape)
    size = {"THW": (2**40, 16), "HWT": (2**40, 16), "WHT": (2**40, 5)}[axes]
    assert read_spikes(tmp_path / name, axes=axes).shape == (0, *size)


CUT = """
import os, sys
from spikesim import SpikeStream, read_spikes
from spikesim.errors import InputFileError
from spikesim.formats import decoding

def cut(dense):
    os.truncate(sys.argv[1], 500_000)
    return whole(dense)

whole, SpikeStream.from_dense = SpikeStream.from_dense, cut
decoding._BLOCK_BYTES = 100_000
try:
    read_spikes(sys.argv[1])
except InputFileError as error:
    print(error)
"""


def test_an_array_that_is_cut_short_while_it_is_read_ends_nobody(tmp_path: Path) -> None:
    path = tmp_path / "clip.npy"
    np.save(path, np.zeros((30, 200, 300), np.uint8))
    run = subprocess.run([sys.executable, "-c", CUT, path], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"cannot read {path}: it became shorter while it was read\n"


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "nowhere"])
def test_a_camera_in_a_file_opens_nothing(tmp_path: Path, path: str) -> None:
    """Its calibration may be said to lie anywhere; that is looked at when it is used, and then must have the hash."""
    pipe(tmp_path / "pipe")
    for place in (path, str(tmp_path / "pipe")):
        record = json.loads(SpikeCamera().to_json())
        record["noise"] = [{"term": "Calibration", "path": place, "sha256": "0" * 64}]
        camera = SpikeCamera.from_json(json.dumps(record))
        with pytest.raises(SpikesimError):
            camera.noise[0].maps()  # type: ignore[attr-defined]
        for sha256 in (None, "", "0" * 63, 7):
            record["noise"] = [{"term": "Calibration", "path": place, "sha256": sha256}]
            with pytest.raises(SpikesimError, match="known by its sha256"):
                SpikeCamera.from_json(json.dumps(record))
        record["noise"] = [{"term": "Calibration", "path": place}]
        with pytest.raises(SpikesimError, match="known by its sha256"):
            SpikeCamera.from_json(json.dumps(record))


def test_a_small_archive_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", spikes=np.zeros((300, 1000, 1000), np.uint8))
    with pytest.raises(SpikesimError, match=r"would unpack to 300\d+; .* unpack it \(unzip\)"):
        read_spikes(tmp_path / "bomb.npz")


@pytest.mark.parametrize("side", [9_000, 40_000])
def test_an_image_that_would_fill_the_memory_is_refused(tmp_path: Path, side: int) -> None:
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    for read in (read_image, image_header):
        with pytest.raises(SpikesimError, match=r"bomb\.png"):
            read(tmp_path / "bomb.png")


def test_an_animation_of_no_end_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (64, 64), grey) for grey in (0, 99)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    content = bytearray((tmp_path / "a.png").read_bytes())
    place = content.index(b"acTL")
    content[place + 4 : place + 8] = b"\x7f\xff\xff\xff"
    content[place + 12 : place + 16] = zlib.crc32(content[place : place + 12]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(SpikesimError, match=r"a\.png declares 2147483647 images in \d+ bytes"):
        open_clips([tmp_path / "a.png"])


def postscript(path: Path) -> None:
    Image.new("RGB", (64, 48)).save(path, "EPS")


def icon(path: Path) -> None:
    """Pixels of 0.7 GB, which Pillow decodes when it opens them."""
    one = zlib.compress(bytes(1 + 4 * 13_000), 9)
    head = struct.pack(">IIBBBBB", 13_000, 13_000, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", one), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 48, 0, 0, 1, 32, len(png), 22) + png)


IMAGE_READERS: dict[str, Callable[[Path], object]] = {
    "size": image_header,
    "image": read_image,
    "images": lambda path: list(read_pages(path, 0, 1)),
    "times": page_times,
    "a folder of frames": lambda path: open_clips([path.parent]),
    "a clip": lambda path: open_clips([path]),
    "a photo": lambda path: open_clips([f"photo:{path}"]),
}


@pytest.mark.parametrize("write", [postscript, icon])
@pytest.mark.parametrize("reader", IMAGE_READERS)
def test_what_is_called_an_image_runs_nothing(tmp_path: Path, monkeypatch: Any, write: Any, reader: str) -> None:
    """Not even Ghostscript, if the machine has it; and is not decoded to see what it is."""
    program, ran = tmp_path / "bin" / "gs", tmp_path / "ran"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\necho 10.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    decoded: list[object] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", decoded.append)
    (tmp_path / "frames").mkdir()
    path = tmp_path / "frames" / "0.png"
    write(path)
    with pytest.raises(SpikesimError, match=r"0\.png .*\(not PNG, JPEG, TIFF, WEBP, BMP, GIF or PPM, which are read"):
        IMAGE_READERS[reader](path)
    assert not ran.exists()
    assert not decoded


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "MPO"])
def test_images_of_every_kind_that_is_read_are(tmp_path: Path, kind: str) -> None:
    image = Image.new("RGB", (7, 5), (200, 200, 200))
    image.save(tmp_path / "a.png", kind, **({"save_all": True, "append_images": [image]} if kind == "MPO" else {}))
    assert image_header(tmp_path / "a.png").size == (7, 5)
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - 200).max() <= 2
