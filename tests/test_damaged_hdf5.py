"""HDF5 files that are damaged, lead to other files, or declare more than they hold: shards and files of spikes."""

import json
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from shard_data import make_sample, write_shard

from spikesim import SpikeStream, read_spikes, write_spikes
from spikesim.errors import InputFileError
from spikesim.hdf5 import looked_through, open_hdf5
from spikesim.hdf5.child import AT_ONCE, Inspector
from spikesim_datasets.recognition import recognise
from spikesim_datasets.shards import ShardReader

SECRET = np.arange(6, dtype=np.uint8).reshape(1, 2, 3) % 2


@pytest.fixture
def spikes(tmp_path: Path) -> Path:
    """Dense spikes as somebody else writes them."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["raw_spike"] = SECRET
    (tmp_path / "secret.raw").write_bytes(SECRET.tobytes())
    return tmp_path / "clip.h5"


def external_link(file: h5py.File) -> None:
    file["raw_spike"] = h5py.ExternalLink("secret.h5", "raw_spike")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("raw_spike", SECRET.shape, "u1", external=[("secret.raw", 0, SECRET.size)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(SECRET.shape, "u1")
    layout[...] = h5py.VirtualSource("secret.h5", "raw_spike", SECRET.shape)
    file.create_virtual_dataset("raw_spike", layout)


def nested_link(file: h5py.File) -> None:
    file["raw_spike"] = SECRET
    file["notes/more/elsewhere"] = h5py.ExternalLink("secret.h5", "/")


def huge(file: h5py.File) -> None:
    file.create_dataset("raw_spike", (1 << 20, 1 << 14, 1 << 14), "u1", chunks=(1, 64, 64))


def huge_unallocated(file: h5py.File) -> None:
    file.create_dataset("raw_spike", (1 << 20, 1 << 10, 1 << 10), "u1")


def huge_chunks(file: h5py.File) -> None:
    file.create_dataset("raw_spike", (1, 1 << 15, 1 << 15), "u1", chunks=(1, 1 << 15, 1 << 15), compression="gzip")


def one_chunk(file: h5py.File, content: int, **filters: Any) -> bytes:
    """Another array's chunk as it is stored, of random bytes and zeros."""
    array = file.create_dataset("other", content, "u1", chunks=(content,), **filters)
    array[: content // 3] = np.random.default_rng(0).integers(0, 256, content // 3)
    return array.id.read_direct_chunk((0,))[1]


def other_filter(file: h5py.File) -> None:
    file.create_dataset("raw_spike", data=SECRET, chunks=SECRET.shape, **hdf5plugin.Blosc())


def lists(file: h5py.File) -> None:
    """A list of spikes instead of each, all of which a file could keep in one place."""
    array = file.create_dataset("raw_spike", (2, 3, 5), h5py.vlen_dtype(np.uint8))
    array[0, 0, 0] = np.zeros(9, np.uint8)


def packed_lists(file: h5py.File) -> None:
    array = file.create_dataset("spikes", (2, 3, 1), h5py.vlen_dtype(np.uint8))
    array.attrs.update(schema="spikesim.spikes/1", shape=(2, 3, 5), camera="null")


def long_attribute(file: h5py.File) -> None:
    """300 strings of one megabyte each."""
    file.attrs.create("recipe", np.array(["x" * (1 << 20)] * 300, object), dtype=h5py.string_dtype())


def name_that_is_a_path(file: h5py.File) -> None:
    """Which would be followed to the other file before anybody sees a link to it."""
    file["a"] = h5py.SoftLink("/z")
    file["a_raw_spike"] = SECRET
    file["z"] = h5py.ExternalLink("secret.h5", "/")
    file.flush()
    Path(file.filename).write_bytes(Path(file.filename).read_bytes().replace(b"a_raw_spike", b"a/raw_spike"))


def never_written(file: h5py.File) -> None:
    """Beside bytes that are there."""
    file.create_dataset("raw_spike", (3, 10_000, 10_000), "u1", chunks=(1, 64, 64))
    file["junk"] = np.zeros(300_000, np.uint8)


def many_lengths(file: h5py.File) -> None:
    array = file.create_dataset("spikes", (2, 3, 1), "u1")
    array.attrs.update(schema="spikesim.spikes/1", shape=np.ones(8000, np.int64), camera="null")


def compressed_twice(file: h5py.File) -> None:
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_chunk((1, 60, 100))
    for _ in range(2):
        created.set_deflate(1)
    space = h5py.h5s.create_simple((1, 60, 100))
    h5py.h5d.create(file.id, b"raw_spike", h5py.h5t.NATIVE_UINT8, space, created)


REFUSED: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "an external link": (external_link, "a link to another file"),
    "external storage": (external_storage, "lie in other files"),
    "a virtual dataset": (virtual, "lie in other files"),
    "an external link elsewhere in it": (nested_link, "notes/more/elsewhere is a link to another file"),
    "more than it can hold": (huge, "made to fill the memory"),
    "more than it holds": (huge_unallocated, "made to fill the memory"),
    "chunks that fill the memory": (huge_chunks, "in chunks of 1073741824 bytes"),
    "a filter that crashes": (other_filter, r"by the filter 32001 \(blosc.*h5repack -f GZIP=1 OLD NEW or by h5py"),
    "an attribute that fills the memory": (long_attribute, "the attribute recipe of / is of 314572800 bytes"),
    "a name that is a path": (name_that_is_a_path, "/a/raw_spike has a slash"),
    "what was never written": (never_written, "bytes of its values were never written.*Copy what was written"),
    "chunks compressed twice": (compressed_twice, "order that nobody uses"),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_leads_out_of_a_file_or_fills_the_memory_is_refused(
    spikes: Path, make: Callable[[h5py.File], None], said: str
) -> None:
    with h5py.File(spikes, "w") as file:
        make(file)
    for read in (read_spikes, ShardReader):
        with pytest.raises(InputFileError, match=rf"clip\.h5.*{said}"):
            read(spikes)


CHUNKS: dict[str, dict[str, Any]] = {
    "shuffled": {"shuffle": True},
    "with a checksum": {"fletcher32": True},
    "gzip": {"compression": "gzip"},
    "gzip, shuffled, with a checksum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf"},
    "lzf with a checksum": {"compression": "lzf", "fletcher32": True},
    "zstd": dict(hdf5plugin.Zstd(clevel=1)),
    "zstd with a checksum": {"fletcher32": True, **hdf5plugin.Zstd(clevel=1)},
}


@pytest.mark.parametrize("content", [600, 5999, 6001, 900_000])
@pytest.mark.parametrize("filters", CHUNKS.values(), ids=CHUNKS)
def test_a_chunk_of_another_size_is_refused(spikes: Path, filters: dict[str, Any], content: int) -> None:
    """HDF5 would read beyond what it holds, or take memory for more; the other chunks are read."""
    dense = np.random.default_rng(1).integers(0, 2, (3, 60, 100), np.uint8)
    with h5py.File(spikes, "w") as file:
        array = file.create_dataset("raw_spike", data=dense, chunks=(1, 60, 100), **filters)
        array.id.write_direct_chunk((1, 0, 0), one_chunk(file, content, **filters))
    with pytest.raises(InputFileError, match=r"a chunk of .*/raw_spike holds .*6000"):
        read_spikes(spikes)
    if "compression" in filters and filters["compression"] in ("gzip", "lzf"):  # whose chunks are seen when read
        assert np.array_equal(read_spikes(spikes, axes="THW", start=2).dense(), dense[2:])


def test_a_chunk_of_a_shard_that_holds_too_little_is_refused(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.h5", make_sample(), compression="gzip")
    with h5py.File(path, "r+") as file:
        little = one_chunk(file, 99, compression="gzip", fletcher32=True)
        file["blur"].id.write_direct_chunk((0, 0, 0, 0), little)
    with ShardReader(path) as shard, pytest.raises(InputFileError, match=r"blur of sample 0 is damaged.*its size"):
        shard.sample(0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lists, "its /raw_spike holds no numbers, but object"),
        (packed_lists, "its /spikes holds no numbers, but object"),
        (many_lengths, "no.* a stream of shape with 8000 numbers"),
    ],
)
def test_spikes_that_are_no_numbers_are_not_read(spikes: Path, make: Callable[[h5py.File], None], said: str) -> None:
    with h5py.File(spikes, "w") as file:
        make(file)
    with pytest.raises(InputFileError, match=rf"clip\.h5: .*{said}"):
        read_spikes(spikes)


def test_what_is_not_read_may_be_anything(spikes: Path) -> None:
    with h5py.File(spikes, "w") as file:
        file["raw_spike"] = SECRET
        file.create_dataset("notes", data=["dark", "light"] * 9, dtype=h5py.string_dtype(), chunks=(5,), shuffle=True)
        file.attrs["places"] = np.array([file.ref, file["notes"].ref], h5py.ref_dtype)
        file.attrs["names"] = ["a", "b"]
    assert np.array_equal(read_spikes(spikes).dense(), SECRET)


def test_a_soft_link_to_a_link_to_another_file_opens_nothing(spikes: Path) -> None:
    os.mkfifo(spikes.parent / "pipe.h5")  # which would be waited for
    with h5py.File(spikes, "w") as file:
        file["raw_spike"] = SECRET
        file["aaa"] = h5py.SoftLink("/zzz/out")
        file["zzz/out"] = h5py.ExternalLink("pipe.h5", "/")
    with pytest.raises(InputFileError, match="zzz/out is a link to another file"):
        read_spikes(spikes)


@pytest.mark.parametrize(("samples", "size"), [(3, (0, 120)), (3, (72, 0)), (1 << 21, (4, 4))])
def test_shards_of_nothing_are_refused(tmp_path: Path, samples: int, size: tuple[int, int]) -> None:
    path = write_shard(tmp_path / "a.h5", make_sample())
    with h5py.File(path, "r+") as file:
        del file["blur"]
        file.create_dataset("blur", (samples, *size, 3), "u1", maxshape=(None,) * 4, chunks=(1, 4, 4, 3))
    with pytest.raises(InputFileError, match=rf"it holds {samples} samples of {size[1]}×{size[0]}"):
        ShardReader(path)


@pytest.mark.parametrize("name", ["blur", "spikes/vth_1"])
def test_a_shard_whose_arrays_lie_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = write_shard(tmp_path / "a.h5", make_sample())
    with h5py.File(path, "r+") as file, h5py.File(tmp_path / "b.h5", "w") as other:
        file.copy(name, other, "array")
        del file[name]
        file[name] = h5py.ExternalLink("b.h5", "array")
    with pytest.raises(InputFileError, match="a link to another file"):
        ShardReader(path)


def test_links_within_a_file_and_sparse_data_are_read(spikes: Path) -> None:
    with h5py.File(spikes, "w") as file:
        file.create_dataset("data", (9, 20, 30), "u1", chunks=(1, 20, 30))[4] = 1  # the others were never written
        file["raw_spike"] = h5py.SoftLink("/data")
        file["loop"] = file["/"]
        file["broken"] = h5py.SoftLink("/nothing")
    assert read_spikes(spikes).dense().sum(axis=(1, 2)).tolist() == [0, 0, 0, 0, 600, 0, 0, 0, 0]


@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "codec",
    [{}, {"compression": "gzip"}, {"compression": "lzf"}, dict(hdf5plugin.Zstd())],
    ids=["none", "gzip", "lzf", "zstd"],
)
def test_chunks_of_every_usual_filter_are_read(
    spikes: Path, codec: dict[str, Any], shuffle: bool, userblock: int
) -> None:
    dense = np.random.default_rng(1).integers(0, 2, (5, 700, 900), np.uint8)
    with h5py.File(spikes, "w", userblock_size=userblock) as file:
        file.create_dataset("raw_spike", data=dense, chunks=(2, 700, 500), shuffle=shuffle, fletcher32=True, **codec)
    assert np.array_equal(read_spikes(spikes).dense(), dense)


def test_a_recording_of_darkness_is_no_bomb(spikes: Path) -> None:
    """Zeros are compressed a thousandfold; 300 MB of them are read."""
    with h5py.File(spikes, "w") as file:
        file.create_dataset("raw_spike", (300, 1000, 1000), "u1", chunks=(10, 1000, 1000), compression="gzip")
        for start in range(0, 300, 10):
            file["raw_spike"][start : start + 10] = np.zeros((10, 1000, 1000), np.uint8)
    assert spikes.stat().st_size < 1_000_000
    assert read_spikes(spikes, stop=7).counts(0, 7).sum() == 0


def planted(tmp_path: Path, program: str, seconds: float) -> Inspector:
    """An inspector whose process does what is planted, for files of a name with `bad` in it."""
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, signal, sys, time\n"
        "for line in sys.stdin:\n"
        "    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))\n"
        f"    if 'bad' in line:\n        {program}\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "    print(json.dumps(''), flush=True)\n"
    )
    return Inspector(str(script), seconds)


@pytest.mark.parametrize(
    ("program", "seconds", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 60, "HDF5 crashes on it"),
        ("time.sleep(1000)", 0.2, "does not come to an end, within 0.2 s"),
        ("while True: pass", 0.2, "does not come to an end, within 0.2 s"),
    ],
)
def test_a_process_that_crashes_or_hangs_says_so_and_the_next_file_is_read(
    tmp_path: Path, program: str, seconds: float, said: str
) -> None:
    inspector = planted(tmp_path, program, seconds)
    for _ in range(2):
        assert said in inspector.problem("bad.h5")
        assert inspector.problem("good.h5") == ""
    inspector.close()


@pytest.mark.parametrize("program", ["os.kill(os.getpid(), signal.SIGSEGV)", "while True: pass"])
@pytest.mark.parametrize("bad", [(), (0,), (3,), (7,), (2, 3, 6)])
def test_files_that_are_asked_for_together_get_the_answers_that_they_get_alone(
    tmp_path: Path, program: str, bad: tuple[int, ...]
) -> None:
    inspector = planted(tmp_path, program, 0.2)
    names = [f"{'bad' if number in bad else 'good'}{number}.h5" for number in range(AT_ONCE)]
    found = inspector.problems(names)
    assert [bool(problem) for problem in found] == [number in bad for number in range(AT_ONCE)]
    assert found == [inspector.problem(name) for name in names]
    assert inspector.problems([]) == []
    inspector.close()


def test_what_was_looked_through_ahead_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.h5" for number in range(3)]
    for path in paths:
        write_spikes(path, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
    paths[1].write_bytes(b"no HDF5")
    assert list(looked_through(paths)) == paths
    monkeypatch.setattr(Inspector, "problem", lambda *_: pytest.fail("asked again"))
    assert [outcome(path) for path in paths] == ["", "InputFileError", ""]
    monkeypatch.setattr(Inspector, "problems", lambda *_: pytest.fail("asked again"))
    assert list(looked_through(paths)) == paths


def test_what_cannot_be_looked_through_is_told_when_it_is_opened(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.h5" for number in range(AT_ONCE + 3)]
    for path in paths[1:]:
        write_spikes(path, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
    assert [outcome(path) for path in looked_through(paths)] == ["InputFileError", *([""] * (AT_ONCE + 2))]
    assert list(looked_through([])) == []


def test_a_file_among_others_that_does_not_come_to_an_end_is_waited_for_once(tmp_path: Path) -> None:
    met = tmp_path / "met"
    inspector = planted(tmp_path, f"open({str(met)!r}, 'a').write('x'); signal.pause()", 0.2)
    assert [bool(problem) for problem in inspector.problems(["good.h5", "bad.h5", "good.h5"])] == [False, True, False]
    assert met.read_text() == "x"
    inspector.close()


def test_a_process_that_was_ended_by_something_else_is_started_again(tmp_path: Path) -> None:
    inspector = planted(tmp_path, "pass", 60)
    assert inspector.problem("good.h5") == ""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for child in children:
        if str(tmp_path) in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(int(child), signal.SIGKILL)
    assert inspector.problem("good.h5") == ""
    inspector.close()


def test_the_process_ends_with_the_one_that_asks(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_spikes(path, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
    asker = get_context("spawn").Process(target=ask_and_tell, args=(path, tmp_path / "children"))
    asker.start()
    asker.join(60)
    assert asker.exitcode == -signal.SIGKILL
    (child,) = json.loads((tmp_path / "children").read_text())
    for _ in range(600):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split(")")[1][:3]:
            return
        time.sleep(0.1)
    pytest.fail(f"the process {child} goes on")


def ask_and_tell(path: Path, told: Path) -> None:
    open_hdf5(path).close()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    told.write_text(json.dumps([int(child) for child in children]))
    os.kill(os.getpid(), signal.SIGKILL)


def test_forked_processes_ask_processes_of_their_own(tmp_path: Path) -> None:
    """As the workers of a data loader do; pipes shared between them would mix up their answers."""
    paths = [tmp_path / f"{number}.h5" for number in range(12)]
    for number, path in enumerate(paths):
        if number % 2:
            write_spikes(path, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
        else:
            path.write_bytes(b"no HDF5")
    expected = ["InputFileError", ""] * 6
    assert [outcome(path) for path in paths[:2]] == expected[:2]
    with get_context("fork").Pool(3) as pool:
        assert pool.map(outcome, paths * 3, chunksize=1) == expected * 3


def outcome(path: Path) -> str:
    try:
        open_hdf5(path).close()
    except InputFileError as error:
        return type(error).__name__
    return ""


def test_a_file_that_changes_is_looked_through_again(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_spikes(path, SpikeStream(np.zeros((1, 1, 1), np.uint8), 8))
    assert recognise(path) == "spikes"
    assert len(read_spikes(path)) == 1
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(InputFileError, match="truncated"):
        read_spikes(path)
    path.write_bytes(content)
    assert len(read_spikes(path)) == 1


def test_attributes_of_every_kind_are_gone_through(tmp_path: Path) -> None:
    """Nothing of them is refused that h5py reads."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["nothing"] = h5py.Empty("f4")
        file["nothing"] = h5py.Empty("f4")
        file.attrs.create("lists", np.zeros((5, 3)), dtype=np.dtype("(3,)f8"))
        file.attrs["text"], file.attrs["bytes"], file.attrs["texts"] = "ü", b"xx", ["a", "bb"]
        file.attrs["reference"] = file.ref
        record = np.dtype([("number", "f8"), ("text", h5py.string_dtype())])
        file.attrs.create("records", np.array([(1, "a")], dtype=record))
        ragged = np.array([np.arange(2), np.arange(3)], object)
        file.attrs.create("ragged", ragged, dtype=h5py.vlen_dtype(np.int32))
    with open_hdf5(path) as file:
        assert sorted(file.attrs) == [
            "bytes", "lists", "nothing", "ragged", "records", "reference", "text", "texts"
        ]  # fmt: skip
        assert file.attrs["lists"].shape == (5, 3)
