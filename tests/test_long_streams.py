"""Streams longer than memory: files that grow, parts that are read, and a simulation whose memory does not grow."""

import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from child_memory import PEAK
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim import SpikeCamera, SpikeStream, SpikeWriter, read_spikes, simulate, simulate_to_file, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, OutputError

GROWING = (".dat", ".h5")
FORMATS = (*GROWING, ".npz", ".npy")
CAMERA = SpikeCamera.preset("realistic", v_th=2.5)


def random_stream(readouts: int, height: int = 5, width: int = 11, camera: SpikeCamera | None = None) -> SpikeStream:
    dense = np.random.default_rng(5).integers(0, 2, (readouts, height, width), dtype=np.uint8)
    return SpikeStream.from_dense(dense, camera)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("long")


# Growing


@pytest.mark.parametrize("extension", GROWING)
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_pieces_of_any_size_give_the_same_bytes(folder: Path, extension: str, cuts: list[int]) -> None:
    stream = random_stream(60, 3, 21, CAMERA)
    whole, pieces = folder / f"whole{extension}", folder / f"pieces{extension}"
    with SpikeWriter(whole, 3, 21, CAMERA) as writer:
        writer.append(stream)
    edges = [0, *sorted(cuts), 60]
    with SpikeWriter(pieces, 3, 21, CAMERA) as writer:
        for start, stop in pairwise(edges):
            writer.append(stream[start:stop])
            assert writer.readouts == stop
    assert pieces.read_bytes() == whole.read_bytes()
    for path in (whole, pieces):
        again = read_spikes(path)
        assert (again.shape, again.camera) == (stream.shape, CAMERA)
        assert np.array_equal(again.packed, stream.packed)


@pytest.mark.parametrize("options", [{}, {"flip": False, "header_columns": 3}, {"describe": False}])
def test_a_dat_that_grew_is_one_written_at_once(tmp_path: Path, options: dict[str, Any]) -> None:
    stream = random_stream(60, 3, 21, CAMERA)
    for name in ("at once", "grown"):
        (tmp_path / name).mkdir()
    write_spikes(tmp_path / "at once" / "clip.dat", stream, **options)
    with SpikeWriter(tmp_path / "grown" / "clip.dat", 3, 21, CAMERA, **options) as writer:
        for start in range(0, 60, 7):
            writer.append(stream[start : start + 7])
    assert content(tmp_path / "grown") == content(tmp_path / "at once")


@pytest.mark.parametrize("extension", FORMATS)
def test_a_file_can_grow_past_many_chunks(tmp_path: Path, extension: str) -> None:
    stream = SpikeStream(np.random.default_rng(5).integers(0, 256, (1500, 50, 20), np.uint8), 160)
    with SpikeWriter(tmp_path / f"clip{extension}", 50, 160) as writer:
        for start in range(0, 1500, 130):
            writer.append(stream[start : start + 130])
    assert np.array_equal(read_spikes(tmp_path / f"clip{extension}").packed, stream.packed)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_file_without_readouts(tmp_path: Path, extension: str) -> None:
    with SpikeWriter(tmp_path / f"clip{extension}", 3, 21, CAMERA):
        pass
    assert read_spikes(tmp_path / f"clip{extension}").shape == (0, 3, 21)


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), OSError("mine"), OutputError("mine")])
@pytest.mark.parametrize("extension", FORMATS)
def test_an_interrupted_writer_leaves_what_was_there(tmp_path: Path, extension: str, error: BaseException) -> None:
    def interrupted() -> None:
        with SpikeWriter(tmp_path / f"clip{extension}", 5, 11) as writer:
            writer.append(random_stream(9))
            raise error

    with pytest.raises(type(error)) as caught:
        interrupted()
    assert caught.value is error  # and not what the unfinished file makes of it
    assert content(tmp_path) == {}
    write_spikes(tmp_path / f"clip{extension}", random_stream(3))
    before = content(tmp_path)
    with pytest.raises(type(error)):
        interrupted()
    assert content(tmp_path) == before


GROW = """
import os, resource, signal, sys
import numpy as np
from spikesim import SpikeStream, SpikeWriter
from spikesim.errors import OutputError

path, trouble = sys.argv[1:]
if trouble == "full disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with SpikeWriter(path, 50, 80) as writer:
        for _ in range(10):
            writer.append(SpikeStream(np.ones((100, 50, 10), np.uint8), 80))
        if trouble == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
except OutputError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("extension", GROWING)
def test_a_full_disk_and_a_kill_leave_the_old_file(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"clip{extension}"
    write_spikes(path, random_stream(3))
    before = content(tmp_path)
    for trouble, status in (("full disk", 1), ("killed", -signal.SIGKILL)):
        command = [sys.executable, "-c", GROW, str(path), trouble]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == status
        assert ("File too large" in result.stderr) == (trouble == "full disk")
        assert {name: data for name, data in content(tmp_path).items() if not name.endswith(".tmp")} == before


def test_bad_writers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="width must be a whole number of at least 1, got 0"):
        SpikeWriter(tmp_path / "clip.dat", 5, 0)
    with pytest.raises(InvalidValueError, match=r"flip: no such option to grow \.h5 files; they have none"):
        SpikeWriter(tmp_path / "clip.h5", 5, 11, flip=True)
    with pytest.raises(InvalidValueError, match="header_columns must be a whole number of at least 0, got -1"):
        SpikeWriter(tmp_path / "clip.dat", 5, 11, header_columns=-1).__enter__()
    with pytest.raises(OutputError, match="cannot write"):
        SpikeWriter("/dev/null/clip.dat", 5, 11).__enter__()


def test_only_streams_that_fit_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "clip.dat"
    with SpikeWriter(path, 5, 11, CAMERA) as writer:
        for stream, problem in (
            (random_stream(3, 5, 12), r"clip\.dat .* 5×11, .* 5×12"),
            (
                random_stream(3, camera=SpikeCamera()),
                r"clip\.dat holds the spikes of one camera.*Expected .*v_th=2\.5.* got SpikeCamera\(\)",
            ),
            (np.zeros((3, 5, 11), np.uint8), r"got ndarray; SpikeStream\.from_dense"),
        ):
            with pytest.raises(InvalidValueError, match=problem):
                writer.append(stream)  # type: ignore[arg-type]
        writer.append(random_stream(2))
        writer.append(random_stream(1, camera=CAMERA))
    assert read_spikes(path).shape == (3, 5, 11)
    with SpikeWriter(tmp_path / "unknown.dat", 5, 11) as unknown:
        unknown.append(random_stream(1, camera=CAMERA))
    assert read_spikes(tmp_path / "unknown.dat").camera is None
    with pytest.raises(InvalidValueError, match="is not open"):
        writer.append(random_stream(1))
    with pytest.raises(InvalidValueError, match="is not open"):
        SpikeWriter(path, 5, 11).append(random_stream(1))


# Reading parts


@pytest.mark.parametrize("name", ["clip.dat", "grown.h5", "clip.h5", "raw.h5"])
@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 0), (3, 17), (59, 60), (60, None), (17, None)])
def test_a_part_of_a_file_is_read(tmp_path: Path, name: str, start: int, stop: int | None) -> None:
    stream = random_stream(60, 3, 21, None if name == "raw.h5" else CAMERA)
    if name == "raw.h5":
        with h5py.File(tmp_path / name, "w") as file:
            file["raw_spike"] = stream.dense()
    elif name == "grown.h5":
        with SpikeWriter(tmp_path / name, 3, 21, CAMERA) as writer:
            writer.append(stream)
    else:
        write_spikes(tmp_path / name, stream)
    part = read_spikes(tmp_path / name, 3, 21, start=start, stop=stop)
    assert part.camera == stream.camera
    assert np.array_equal(part.packed, stream.packed[start:stop])


def test_only_the_part_is_read_from_the_disk(tmp_path: Path) -> None:
    """The file has holes of 256 GB around the part: whoever read them would not come back."""
    path = tmp_path / "clip.dat"
    spikes = random_stream(3, 4, 16)
    write_spikes(path, spikes, describe=False)
    data = path.read_bytes()
    with path.open("wb") as file:
        file.seek(1 << 38)
        file.write(data)
        file.truncate(1 << 39)
    part = read_spikes(path, 4, 16, start=(1 << 38) // 8, stop=(1 << 38) // 8 + 3)
    assert np.array_equal(part.packed, spikes.packed)


@pytest.mark.parametrize("extension", GROWING)
@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (0, 61), (5, 4), (1.5, 4)])
def test_a_part_that_is_not_there_is_an_error(tmp_path: Path, extension: str, start: float, stop: int) -> None:
    path = tmp_path / f"clip{extension}"
    write_spikes(path, random_stream(60))
    problem = (
        "start must be a whole number, got 1.5"
        if start == 1.5
        else f"start={start} to stop={stop} are not among its 60"
    )
    with pytest.raises(InputFileError, match=rf"clip\{extension}.*{problem}"):
        read_spikes(path, start=start, stop=stop)


@pytest.mark.parametrize("extension", [".npz", ".npy"])
def test_parts_of_formats_that_are_read_whole(tmp_path: Path, extension: str) -> None:
    stream = random_stream(60)
    write_spikes(tmp_path / f"clip{extension}", stream)
    part = read_spikes(tmp_path / f"clip{extension}", start=3, stop=20)
    np.testing.assert_array_equal(part.packed, stream.packed[3:20], strict=True)


# From light to a file


def frames(readouts: int, height: int, width: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(2)
    for _ in range(readouts):
        yield rng.random((height, width), np.float32)


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("readouts", [1, 63, 64, 65, 200])
def test_the_file_holds_what_the_simulation_gives(tmp_path: Path, extension: str, readouts: int) -> None:
    light = np.stack(list(frames(readouts, 5, 11)))
    expected = simulate(light, CAMERA, seed=7, key="a")
    for name, source in (("frames", iter(light)), ("array", light)):
        path = tmp_path / f"{name}{extension}"
        recording = simulate_to_file(source, CAMERA, path, seed=7, key="a")
        assert recording.shape == (readouts, 5, 11)
        assert recording.spikes == expected.counts().sum()
        assert recording.rate == pytest.approx(expected.dense().mean())
        stream = read_spikes(path)
        assert stream.camera == (None if extension == ".npy" else CAMERA)
        assert np.array_equal(stream.packed, expected.packed)


def test_options_reach_the_camera_and_the_file(tmp_path: Path) -> None:
    light = 2 * np.stack(list(frames(70, 5, 11)))
    charge = np.full((5, 11), 0.7, np.float32)
    path = tmp_path / "clip.dat"
    camera = SpikeCamera()
    simulate_to_file(light, camera, path, charge=charge, clip=True, flip=False, describe=False)
    assert [file.name for file in tmp_path.iterdir()] == ["clip.dat"]
    stream = read_spikes(path, 5, 11, flip=False)
    assert np.array_equal(stream.packed, simulate(light, camera, charge=charge, clip=True).packed)


def test_light_that_ends_badly_leaves_no_file(tmp_path: Path) -> None:
    def light() -> Iterator[np.ndarray]:
        yield from frames(100, 5, 11)
        yield np.zeros((5, 12), np.float32)

    for source, problem in ((light(), r"frame 100 of light is float32 \(5, 12\)"), ([], "no frame")):
        with pytest.raises(InvalidValueError, match=problem):
            simulate_to_file(source, CAMERA, tmp_path / "clip.dat")
        assert content(tmp_path) == {}


@pytest.mark.parametrize("extension", GROWING)
def test_memory_does_not_grow_with_the_stream(tmp_path: Path, extension: str) -> None:
    def peak(readouts: int) -> int:
        tracemalloc.start()
        simulate_to_file(frames(readouts, 64, 72), SpikeCamera(), tmp_path / f"clip{extension}")
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory

    peak(64)  # what is loaded and compiled once
    short, long = peak(400), peak(4000)
    assert short > 64 * 64 * 72 * 4  # the measure sees arrays
    assert long < 1.2 * short


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_resident_set_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """What the libraries below allocate themselves, unseen by Python."""
    code = f"""{PEAK}
import sys
import numpy as np
from spikesim import SpikeStream, SpikeWriter
piece = SpikeStream(np.random.default_rng(0).integers(0, 256, (100, 250, 50), np.uint8), 400)
with SpikeWriter(sys.argv[1], 250, 400) as writer:
    for _ in range(int(sys.argv[2])):
        writer.append(piece)
print(peak())
"""

    def peak(name: str, pieces: int) -> int:
        command = [sys.executable, "-c", code, str(tmp_path / name), str(pieces)]
        return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)

    for name in ("clip.dat", "clip.h5"):
        assert peak(name, 100) < 1.2 * peak(name, 10)  # 125 and 12.5 MB of spikes
