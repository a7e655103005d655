"""Datasets in buckets and on web servers: what is read is equal, little is fetched, and what goes wrong is told."""

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from field_data import make_sample as make_toy
from field_data import toys as toys
from remote_data import WebServer, bucket_server, serving, upload
from shard_data import assert_equal, chunks, flip_bits, make_sample, write_shard

from spikesim.errors import InputFileError, InvalidValueError, MissingExtraError, SpikesimError
from spikesim_datasets.remote import transport
from spikesim_datasets.remote.block_cache import FOLDER_VARIABLE, SIZE_VARIABLE
from spikesim_datasets.remote.remote_file import BLOCK
from spikesim_datasets.remote.url import Url
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.index import write_index

pytest.importorskip("fsspec", reason="fsspec is an extra")

CLIPS = {"train/a": (1, 2, 3), "train/b c#%é?": (1, 2), "test/c": (5,)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache of each test."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(SIZE_VARIABLE, raising=False)
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.01)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three clips; not to be changed."""
    root = tmp_path_factory.mktemp("made") / "set"
    for name, windows in CLIPS.items():
        write_shard(root / f"{name}.000.h5", *(make_sample(w, key=name) for w in windows), compression="zstd")
    write_index(root, {"choices": {}})
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """The same dataset, to be changed, in a folder that is served."""
    return Path(shutil.copytree(made, tmp_path / "served" / "set"))


@pytest.fixture
def web(root: Path) -> Iterator[WebServer]:
    with serving(root.parent) as web:
        yield web


@pytest.fixture
def address(web: WebServer) -> str:
    return f"{web.address}/set"


@pytest.fixture(scope="module")
def bucket(made: Path) -> Iterator[str]:
    """The address of the same dataset in a bucket."""
    pytest.importorskip("moto.server", reason="a server of buckets is for development alone")
    with bucket_server():
        yield upload(made, "bucket/data/set")


def assert_reads(found: str, expected: Path) -> None:
    for split in ("train", "test"):
        there, here = open_dataset(found, split), open_dataset(expected, split)
        assert len(there) == len(here)
        assert (there.fingerprint, there.thresholds, there.extra) == (here.fingerprint, here.thresholds, here.extra)
        for number in range(len(here)):
            assert_equal(there[number], here[number])


# What is read


def test_a_dataset_on_a_web_server_is_equal(address: str, made: Path) -> None:
    assert_reads(address, made)
    assert_reads(f"{address}/", made)


def test_a_dataset_in_a_bucket_is_equal(bucket: str, made: Path) -> None:
    assert bucket == "s3://bucket/data/set"
    assert_reads(bucket, made)
    assert_reads(f"{bucket}/", made)


def test_an_address_may_be_signed_for_a_folder(web: WebServer, made: Path) -> None:
    signed = f"{web.address.replace('//', '//me:secret@')}/set?signature=secret"
    dataset = open_dataset(signed, "train")
    assert_equal(dataset[4], open_dataset(made, "train")[4])
    assert "secret" not in repr(dataset) + str(dataset.root)
    with pytest.raises(InputFileError) as told:
        open_dataset(signed.replace("/set", "/none"), "train")
    assert "secret" not in str(told.value)


def test_what_others_say_is_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(fs: Any, url: Url, headers: Any) -> None:
        raise RuntimeError(f"no way to {url.address}")

    monkeypatch.setattr(transport, "_http_get", fail)
    with pytest.raises(InputFileError, match=r"RuntimeError: no way to https://host/set/dataset\.json$"):
        open_dataset("https://me:secret@host/set?signature=secret", "train")


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_field_is_equal(toys: None, tmp_path: Path, compression: Any) -> None:
    samples = [make_toy(window) for window in (1, 2)]
    local = write_shard(tmp_path / "web" / "train" / "clip.000.h5", *samples, compression=compression)
    with serving(tmp_path / "web") as web, ShardReader(f"{web.address}/train/clip.000.h5") as shard:
        assert len(shard.extra) == 5
        for number in (1, 0):
            found = shard.sample(number)
            assert_equal(found, samples[number])
            for name, array in samples[number].extra.items():
                np.testing.assert_array_equal(found.extra[name], array, strict=True)
        with ShardReader(local) as here:
            for part in ({"rows": slice(3, 9), "columns": slice(8, 23)}, {"rows": slice(17, 18)}):
                np.testing.assert_array_equal(shard.blur(1, **part), here.blur(1, **part))
                np.testing.assert_array_equal(shard.spikes(1, **part).packed, here.spikes(1, **part).packed)
            assert (shard.compression, shard.has_checksums) == (here.compression, here.has_checksums)


# What is fetched


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of twenty samples of a megabyte each."""
    root = tmp_path_factory.mktemp("large")
    samples = (make_sample(window, 256, 384, 137) for window in range(20))
    write_shard(root / "train" / "clip.000.h5", *samples)
    write_index(root, {"choices": {}})
    return root


def test_of_a_shard_little_more_than_a_sample_is_fetched(large: Path) -> None:
    whole = (large / "train" / "clip.000.h5").stat().st_size
    assert whole > 20 * 2**20
    with serving(large) as web:
        dataset = open_dataset(web.address, "train")
        assert web.sent < 1.5 * 2**20  # metadata lie all over the shard
        before = web.sent, len(web.asked)
        dataset[7]
        assert 0.8 * whole / 20 < web.sent - before[0] < whole / 20 + 10 * BLOCK
        assert len(web.asked) - before[1] <= 8
        before = web.sent, len(web.asked)
        with ShardReader(f"{web.address}/train/clip.000.h5") as shard:
            shard.blur(12, slice(0, 100), slice(0, 100))
        assert web.sent - before[0] <= 3 * BLOCK


def test_nothing_is_fetched_twice(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(large) as web:
        first = open_dataset(web.address, "train")[3]
        parts = [part for place, part, _ in web.asked if place.endswith("h5") and part and part[1] > part[0] + 1]
        assert len(parts) == len(set(parts)) > 3
        before = len(web.asked)
        code = f"from spikesim_datasets.shards import open_dataset; open_dataset({web.address!r}, 'train')[3]"
        subprocess.run([sys.executable, "-c", code], check=True)
        # Another process asks for the index, and for the version of the shard.
        assert [place for place, _, _ in web.asked[before:]] == ["/dataset.json", "/train/clip.000.h5"]
        monkeypatch.setenv(SIZE_VARIABLE, "0")
        before = web.sent
        assert_equal(open_dataset(web.address, "train")[3], first)
        assert web.sent - before > 2**20


def test_the_cache_stays_within_its_bound(large: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, "0.005")
    here = open_dataset(large, "train")
    with serving(large) as web:
        dataset = open_dataset(web.address, "train")
        for number in (*range(8), 0, 19):
            assert_equal(dataset[number], here[number])
        assert 3 * 2**20 < sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 0.005 * 2**30


# What changes


def changed(root: Path, window: int = 9) -> None:
    """Another shard of the same size in the place of the first."""
    path = root / "train" / "a.000.h5"
    size, time = path.stat().st_size, path.stat().st_mtime_ns
    path.unlink()
    write_shard(path, *(make_sample(w, key="train/a") for w in (window, 2, 3)), compression="zstd")
    os.utime(path, ns=(time + 10**10,) * 2)
    assert path.stat().st_size == size


def test_a_file_that_changed_is_fetched_anew(address: str, root: Path) -> None:
    assert open_dataset(address, "train")[0].window == 1
    changed(root)
    assert_equal(open_dataset(address, "train")[0], make_sample(9, key="train/a"))


def test_a_file_that_changes_while_it_is_open_is_not_mixed(address: str, root: Path, cache: Path) -> None:
    dataset = open_dataset(address, "train")
    with ShardReader(f"{address}/train/a.000.h5") as shard:
        changed(root)
        shutil.rmtree(cache)
        with pytest.raises(InputFileError, match=r"a\.000\.h5: it has changed since it was opened, from .*; open the"):
            shard.sample(2)
    assert dataset[0].window == 9  # who opens it again sees it as it is


def test_another_object_in_a_bucket_is_noticed(bucket: str, made: Path, tmp_path: Path) -> None:
    import fsspec

    place = upload(made, "bucket/data/changing")
    dataset = open_dataset(place, "train")
    with dataset.open_shard(Url(place) / "train/a.000.h5") as shard:
        copy = Path(shutil.copytree(made, tmp_path / "copy"))
        changed(copy)
        fsspec.filesystem("s3").put(str(copy / "train" / "a.000.h5"), f"{place}/train/a.000.h5")
        shutil.rmtree(os.environ[FOLDER_VARIABLE])
        with pytest.raises(InputFileError, match=r"a\.000\.h5: it has changed since it was opened, from .*; open the"):
            shard.sample(1)
    assert open_dataset(place, "train")[0].window == 9


# What is damaged, or does harm


def test_a_shard_of_another_size_is_refused(address: str, root: Path) -> None:
    with (root / "train" / "a.000.h5").open("ab") as file:
        file.write(b"more")
    with pytest.raises(
        InputFileError, match=r"a\.000\.h5 has \d+ bytes, dataset\.json says \d+; copy the dataset there"
    ):
        open_dataset(address, "train")


def test_a_flipped_bit_of_values_is_refused(address: str, root: Path) -> None:
    (offset, _), *_ = chunks(root / "train" / "a.000.h5", "blur")
    flip_bits(root / "train" / "a.000.h5", offset + 40)
    dataset = open_dataset(address, "train")
    assert dataset[1].window == 2
    with pytest.raises(InputFileError, match=r"http://.*a\.000\.h5: blur of sample 0 is damaged"):
        dataset[0]


def zeros_of_zstd(path: Path) -> None:
    """A chunk that says by its header that it holds less than its size, with a checksum that is right."""
    import hdf5plugin

    with h5py.File(path, "r+") as file:
        blur = file["blur"]
        shape, small = blur.chunks, path.with_name("small.h5")
        with h5py.File(small, "w") as other:
            filters = dict(hdf5plugin.Zstd(clevel=1))
            other.create_dataset("a", data=np.zeros(7, np.uint8), chunks=(7,), fletcher32=True, **filters)
            stored = other["a"].id.read_direct_chunk((0,))[1]
        blur.id.write_direct_chunk((0,) * len(shape), stored)
        small.unlink()


def link(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["sharp"]
        file["sharp"] = h5py.ExternalLink("/etc/passwd", "a")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [zeros_of_zstd, link, noise], ids=lambda damage: damage.__name__)
def test_a_hostile_shard_is_refused_as_the_local_one(address: str, root: Path, damage: Callable[[Path], None]) -> None:
    damage(root / "train" / "a.000.h5")
    (root / "dataset.json").unlink()
    write_shard(root / "train" / "b.000.h5", make_sample(1, key="train/b"))
    told = []
    for place in (root / "train" / "a.000.h5", f"{address}/train/a.000.h5"):
        with pytest.raises(InputFileError) as error, closing(ShardReader(place)) as shard:
            shard.sample(0)
        told.append(str(error.value))
    assert told[1].startswith("cannot read http") or "damaged" in told[1]
    if damage is not zeros_of_zstd:  # which a local file is asked about before
        assert told[0].replace(str(root), "") == told[1].replace(address, "")


def test_flipped_bits_anywhere_are_read_or_refused(made: Path, web: WebServer, root: Path) -> None:
    """Also those of metadata: a crash would end the tests."""
    rng = np.random.default_rng(5)
    whole = (made / "test" / "c.000.h5").read_bytes()
    ends = []
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3) % rng.choice([4000, len(data)]):
            data[place] ^= 1 << rng.integers(8)
        (root / "x.h5").write_bytes(data)
        try:
            with ShardReader(f"{web.address}/set/x.h5?{len(ends)}") as shard:
                shard.sample(0)
            ends.append("")
        except SpikesimError as error:
            ends.append(str(error))
    assert len(set(ends)) > 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no index of a dataset"),
        ("[" * 100_000, "is no index of a dataset"),
        ('{"schema": "spikesim.dataset/9"}', "has the schema 'spikesim.dataset/9'"),
        ('{"schema": "spikesim.conversion/1", "recipe": {}}', "has the schema 'spikesim.conversion/1'"),
        ("\xff", "is no index of a dataset"),
    ],
)
def test_a_damaged_index_is_refused(address: str, root: Path, text: str, problem: str) -> None:
    (root / "dataset.json").write_text(text, "latin-1")
    with pytest.raises(InputFileError, match=rf"http://.*/set/dataset\.json {problem}"):
        open_dataset(address, "train")


def test_an_index_without_end_is_refused(address: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikesim_datasets.shards.index.MOST_JSON_BYTES", 100)
    with pytest.raises(InputFileError, match="it has more than 100 bytes, more than any description"):
        open_dataset(address, "train")


# What goes wrong on the way


def test_what_is_missing_is_told(address: str, root: Path) -> None:
    with pytest.raises(InputFileError, match=r"/none/dataset\.json: there is nothing at this address \(.*404.*copied"):
        open_dataset(address.replace("/set", "/none"), "train")
    (root / "train" / "a.000.h5").unlink()
    with pytest.raises(InputFileError, match=r"/train/a\.000\.h5: there is nothing at this address"):
        open_dataset(address, "train")
    with pytest.raises(InvalidValueError, match="has no samples of the split 'val'; it has test, train"):
        open_dataset(address, "val")


def test_an_empty_file_is_told(address: str, root: Path) -> None:
    (root / "train" / "a.000.h5").write_bytes(b"")
    with pytest.raises(InputFileError, match=r"/train/a\.000\.h5: it is empty"):
        open_dataset(address, "train")


def test_an_empty_object_is_told(bucket: str) -> None:
    import fsspec

    fsspec.filesystem("s3").pipe("bucket/empty.h5", b"")
    with pytest.raises(InputFileError, match=r"s3://bucket/empty\.h5: it is empty"):
        ShardReader("s3://bucket/empty.h5")


def test_a_server_that_gives_no_parts_is_told(address: str, web: WebServer) -> None:
    web.ranges = False
    with pytest.raises(InputFileError, match=r"gives whole files only, and no parts .*; copy the dataset to this mach"):
        open_dataset(address, "train")


def test_a_server_that_tells_no_version_is_read(address: str, web: WebServer, made: Path) -> None:
    web.tags = False
    assert_reads(address, made)


@pytest.mark.parametrize("status", [401, 403])
def test_what_may_not_be_read_is_told(address: str, web: WebServer, status: int) -> None:
    web.fault = lambda number: status
    with pytest.raises(InputFileError, match=rf"the server says {status} .*; credentials are those of other programs"):
        open_dataset(address, "train")


@pytest.mark.parametrize("fault", [503, -1], ids=["busy", "ends early"])
def test_what_passes_is_asked_for_again(address: str, web: WebServer, made: Path, fault: int) -> None:
    web.fault = lambda number: fault if number % 3 == 0 else None
    assert_reads(address, made)


def test_what_does_not_pass_is_told(address: str, web: WebServer, cache: Path) -> None:
    web.fault = lambda number: 503
    with pytest.raises(InputFileError, match="the server says 503 Service Unavailable"):
        open_dataset(address, "train")
    web.fault = lambda number: -1 if number > 6 else None
    with pytest.raises(InputFileError, match=r"connection ended after \d+ of \d+ bytes, 4 times|cannot read http"):
        open_dataset(address, "train")
    blocks = [path for path in cache.rglob("*") if path.is_file()]
    web.fault = lambda number: None
    assert open_dataset(address, "train")[0].window == 1
    assert not [path for path in blocks if path.suffix == ".tmp"]


def test_a_server_that_says_nothing_is_told(address: str, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_SILENCE", 0.05)
    web.delay = 0.5
    with pytest.raises(InputFileError, match=r"no answer within 10 s to connect or 0\.05 s of silence; try"):
        open_dataset(address, "train")


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@pytest.mark.parametrize("address", ["http://127.0.0.1:PORT/a", "https://host.invalid/a"])
def test_a_server_that_cannot_be_reached_is_told(address: str) -> None:
    address = address.replace("PORT", str(free_port()))
    with pytest.raises(InputFileError, match=r"cannot be reached \(.*\); check the address and the network"):
        open_dataset(address, "train")


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("s3://nowhere/data", "there is no such bucket .*404 NoSuchBucket"),
        ("s3://bucket/none", "there is no such file .*404 NoSuchKey.*dataset.json"),
    ],
)
def test_what_is_missing_in_a_bucket_is_told(bucket: str, place: str, problem: str) -> None:
    with pytest.raises(InputFileError, match=rf"cannot read {place}/dataset\.json: {problem}"):
        open_dataset(place, "train")


def test_missing_credentials_are_told(bucket: str, tmp_path: Path) -> None:
    code = (
        "from spikesim_datasets.shards import open_dataset\n"
        "try:\n"
        f"    open_dataset({bucket!r}, 'train')\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_ACCESS")}
    options = {"env": {**kept, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}}
    del options["env"]["AWS_SECRET_ACCESS_KEY"]
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options).stdout
    assert told.startswith(f"InputFileError cannot read {bucket}/dataset.json: Unable to locate credentials; cred")


def test_a_bucket_server_that_cannot_be_reached_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(InputFileError, match=r"cannot be reached \(.*\); check the address and the network"):
        open_dataset(bucket, "train")
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.mark.parametrize(("missing", "address"), [("fsspec", "https://a/b"), ("s3fs", "s3://a/b")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str, address: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "s3fs":
        from fsspec.registry import _registry

        monkeypatch.delitem(_registry, "s3", raising=False)
        monkeypatch.delitem(_registry, "s3a", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'spikesim\[remote\]'"):
        open_dataset(address, "train")


@pytest.mark.parametrize(
    "address",
    ["gs://bucket/a", "file:///data", "https://", "s3:///key", "http://host:port/a", "https://a b/c", "http://[::1/a"],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidValueError, match=r"address|read from s3"):
        open_dataset(address, "train")
    with pytest.raises(InvalidValueError, match=r"address|read from s3"):
        ShardReader(address)


def test_credentials_in_the_address_of_a_bucket_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="holds no credentials, got some in that of 's3://bucket/a'; "):
        open_dataset("s3://key:secret@bucket/a", "train")


def test_an_interrupt_leaves_nothing_half(address: str, web: WebServer, cache: Path, made: Path) -> None:
    def interrupt(number: int) -> None:
        if number == interrupted:
            os.kill(os.getpid(), signal.SIGINT)

    for interrupted in (1, 3, 5, 9):
        before = len(web.asked)
        interrupted += before
        web.fault = interrupt
        with pytest.raises(KeyboardInterrupt):
            assert_reads(address, made)
        assert not list(cache.rglob("*.tmp"))
    web.fault = lambda number: None
    assert_reads(address, made)


def test_a_program_may_end_with_a_shard_open(address: str) -> None:
    code = f"from spikesim_datasets.shards import ShardReader; kept = ShardReader({address!r} + '/train/a.000.h5')"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Training


def test_samples_for_training_are_equal(address: str, made: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset

    there, here = (SpikeBlurDataset(p, "train", (1.0, 2.5), 32, "one", flip=True) for p in (address, made))
    assert there.fingerprint == here.fingerprint
    for draw in (SeededIndex(n % 5, n) for n in range(10)):
        for name, value in here[draw].items():
            assert torch.equal(there[draw][name], value) if torch.is_tensor(value) else there[draw][name] == value


READING = """
import sys

import torch

from spikesim_datasets.samples import SpikeBlurDataset

if __name__ == "__main__":
    address, method, out = sys.argv[1:]
    dataset = SpikeBlurDataset(address, "train")
    dataset[0]  # a connection is open when the workers start
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=None, num_workers=2, multiprocessing_context=method, timeout=60
    )
    torch.save([[sample[name] for name in ("blur", "sharp", "spikes")] for sample in (*loader, dataset[1])], out)
"""


@pytest.mark.long
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("place", ["address", "bucket"])
def test_workers_read_what_the_process_itself_reads(
    place: str, method: str, made: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    from spikesim_datasets.samples import SpikeBlurDataset

    # A program of its own, as a training is: a fork of this process would have the threads and servers of all tests.
    program, out = tmp_path / "reading.py", tmp_path / "read.pt"
    program.write_text(READING)
    address = request.getfixturevalue(place)
    subprocess.run([sys.executable, program, address, method, out], check=True, timeout=120)
    there = torch.load(out)
    here = SpikeBlurDataset(made, "train")
    assert len(there) == len(here) + 1  # and the parent read on
    for number, arrays in zip((*range(len(here)), 1), there, strict=True):
        for name, array in zip(("blur", "sharp", "spikes"), arrays, strict=True):
            assert torch.equal(array, here[number][name])


def test_a_dataset_is_sent_to_other_processes(address: str, made: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    from spikesim_datasets.samples import SpikeBlurDataset

    dataset = SpikeBlurDataset(address, "train")
    dataset[0]
    sent = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(sent[0]["spikes"], SpikeBlurDataset(made, "train")[0]["spikes"])


def test_what_is_local_stays_a_path(made: Path) -> None:
    dataset = open_dataset(str(made), "train")
    path, _ = dataset.locate(0)
    assert isinstance(path, Path)
    assert replace(dataset.entries[0]).path == "train/a.000.h5"
