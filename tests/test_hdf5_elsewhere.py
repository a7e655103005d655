"""HDF5 that lies elsewhere: what is asked for and when, and what becomes of failures on the way."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex

import h5py
import numpy as np
import pytest

from spikesim.errors import InputFileError, InvalidValueError
from spikesim.hdf5 import child, open_hdf5_of
from spikesim.hdf5.chunk_index import children
from spikesim.hdf5.source import Piece, Source, SourceFile
from spikesim.hdf5.values import Values

ARRAY = np.arange(400 * 30, dtype=np.int32).reshape(400, 30)


class Elsewhere(Source):
    """The bytes of a file; `before` is called with each piece that is fetched."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._bytes = path.read_bytes()
        self.name, self.size, self.version = str(path), len(self._bytes), (str(path), token_hex(8))
        self.before: Callable[[Piece], object] = lambda piece: None
        self.fetched: list[list[Piece]] = []

    def fetch(self, pieces: Sequence[Piece]) -> list[bytes]:
        self.fetched.append(list(pieces))
        for piece in pieces:
            self.before(piece)
        return [self._bytes[start : start + length] for start, length in pieces]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An array of 400 chunks, whose index has several nodes."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=ARRAY, chunks=(1, 30), compression="gzip", fletcher32=True)
        file["a"].attrs["said"] = "so"
    return tmp_path / "a.h5"


def test_values_are_equal_and_their_chunks_are_fetched_at_once(path: Path) -> None:
    source = Elsewhere(path)
    with open_hdf5_of(source) as file:
        values = Values(file["a"], source)
        assert file["a"].attrs["said"] == "so"
        before = len(source.fetched)
        np.testing.assert_array_equal(values[3:7, 4:9], ARRAY[3:7, 4:9])
        assert [len(pieces) for pieces in source.fetched[before:]] == [4]
        np.testing.assert_array_equal(values[17], ARRAY[17])


def test_nodes_of_the_index_are_fetched_at_once(path: Path) -> None:
    source = Elsewhere(path)
    open_hdf5_of(source).close()
    assert max(map(len, source.fetched)) >= 6
    pieces = [piece for pieces in source.fetched for piece in pieces]
    assert len(pieces) == len(set(pieces))


def test_children_are_those_of_inner_nodes(path: Path) -> None:
    asked: list[tuple[int, bytes]] = []
    source = Elsewhere(path)
    give = source.read

    def note(start: int, length: int) -> bytes:
        part = give(start, length)
        asked.append((start, part))
        return part

    source.read = note  # type: ignore[method-assign]
    open_hdf5_of(source).close()
    nodes = {start: part for start, part in asked if part[:5] == b"TREE\x01"}
    inner = [part for part in nodes.values() if children(part)]
    assert len(inner) == 1
    assert set(children(inner[0])) < set(nodes)
    assert len(nodes) - 1 == len(children(inner[0])) >= 6


@pytest.mark.parametrize("node", [b"", b"TREE", b"TREE\x01\x01", b"TREE\x01\x01\xff\xff" + bytes(5000), bytes(3000)])
def test_other_bytes_have_no_children(node: bytes) -> None:
    assert [place for place in children(node) if place] == []


def test_what_was_looked_at_is_what_is_read(path: Path) -> None:
    """A server may give other bytes the next time: those that another process survived are kept."""
    source = Elsewhere(path)
    open_hdf5_of(source).close()
    again = Elsewhere(path)
    again.version = source.version
    again._bytes = bytes(len(again._bytes))
    with open_hdf5_of(again) as file:
        assert file["a"].shape == ARRAY.shape
        assert again.fetched == []


def fail(piece: Piece) -> None:
    raise InputFileError("the network is down")


def interrupt(piece: Piece) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("failure", "error"), [(fail, InputFileError), (interrupt, KeyboardInterrupt)])
def test_what_fails_on_the_way_comes_out_and_nothing_is_broken(
    path: Path, failure: Callable[[Piece], None], error: type[BaseException]
) -> None:
    source = Elsewhere(path)
    source.before = failure
    with pytest.raises(error):
        open_hdf5_of(source)
    source.before = lambda piece: failure(piece) if len(source.fetched) > 5 else None
    with pytest.raises(error):
        open_hdf5_of(source)
    source.before = lambda piece: None
    with open_hdf5_of(source) as file:
        values = Values(file["a"], source)
        source.before = failure
        with pytest.raises(error):
            values[3]
        source.before = lambda piece: None
        np.testing.assert_array_equal(values[3], ARRAY[3])


@pytest.mark.parametrize(("failure", "error"), [(fail, InputFileError), (interrupt, KeyboardInterrupt)])
def test_what_fails_while_hdf5_reads_comes_out(
    path: Path, failure: Callable[[Piece], None], error: type[BaseException]
) -> None:
    source = Elsewhere(path)
    source.before = failure
    with pytest.raises(error), source.telling():
        h5py.File(SourceFile(source), "r")
    source.before = lambda piece: None
    with h5py.File(SourceFile(source), "r") as file:
        source.before = failure
        with pytest.raises(error), source.telling():
            file["a"][3]
        source.before = lambda piece: None
        np.testing.assert_array_equal(file["a"][3], ARRAY[3])


def test_a_program_may_end_after_failures_with_files_open(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from test_hdf5_elsewhere import *\n"
        "test_what_fails_while_hdf5_reads_comes_out(Path(sys.argv[2]), fail, InputFileError)\n"
        "kept = open_hdf5_of(Elsewhere(Path(sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    assert subprocess.run(command, check=False).returncode == 0


def test_waiting_for_bytes_is_no_hanging(path: Path) -> None:
    source = Elsewhere(path)
    source.before = lambda piece: time.sleep(0.1)
    inspector = child.Inspector(seconds=0.4)
    problem, parts = inspector.look_through(source)
    inspector.close()
    assert problem == ""
    assert len(source.fetched) > 6
    assert sum(len(part) for _, part in parts) < source.size


def test_more_metadata_than_anybody_writes_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_MOST_READ", 4000)
    with pytest.raises(InputFileError, match=r"a\.h5: it has more than 4000 bytes of metadata"):
        open_hdf5_of(Elsewhere(path))


def test_a_chunk_that_takes_far_more_than_it_holds_is_not_fetched(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("a", (4, 30), "i4", chunks=(1, 30), compression="gzip")
        array.id.write_direct_chunk((0, 0), bytes(1 << 20))
    source = Elsewhere(path)
    with open_hdf5_of(source) as file, pytest.raises(InvalidValueError, match="takes more bytes than it can need"):
        Values(file["a"], source)[0]
    assert max(length for pieces in source.fetched for _, length in pieces) < 1 << 16


def test_threads_share_an_open_file(path: Path) -> None:
    source = Elsewhere(path)
    with open_hdf5_of(source) as file, ThreadPoolExecutor(4) as pool:
        values = Values(file["a"], source)
        for number, found in enumerate(pool.map(values.__getitem__, range(400))):
            np.testing.assert_array_equal(found, ARRAY[number])


def test_bytes_beyond_the_end_are_zeros(path: Path) -> None:
    source = Elsewhere(path)
    size = source.size
    assert source.read(size - 3, 10) == source._bytes[-3:] + bytes(7)
    assert source.read(size + 3, 10) == bytes(10)
    assert source.fetched == [[(size - 3, 3)]]
