"""Commands that only read datasets, given addresses: they do what they do of folders; all others refuse them."""

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import commands
import pytest
from commands import Run, assert_refused
from remote_data import WebServer, bucket_server, serving, upload

from spikesim import write_spikes
from spikesim.addresses import without_secrets
from spikesim.errors import InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.remote import transport
from spikesim_datasets.remote.block_cache import FOLDER_VARIABLE, SIZE_VARIABLE
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.index import INDEX
from spikesim_datasets.sources import DemoClip

pytest.importorskip("fsspec", reason="fsspec is an extra")

run, dataset, shard, frames = commands.run, commands.dataset, commands.shard, commands.frames

SHARD = "train/clip.000.h5"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(SIZE_VARIABLE, raising=False)
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.01)


@pytest.fixture
def web(dataset: Path) -> Iterator[WebServer]:
    with serving(dataset.parent) as web:
        yield web


@pytest.fixture
def address(web: WebServer) -> str:
    return f"{web.address}/data"


@pytest.fixture
def signed(address: str) -> str:
    """The same address with a password and a signature."""
    return address.replace("//", "//me:secret@") + "?signature=secret"


@pytest.fixture(scope="module")
def bucket(dataset: Path) -> Iterator[str]:
    pytest.importorskip("moto.server", reason="a server of buckets is for development alone")
    with bucket_server():
        yield upload(dataset, "bucket/sets/data")


@pytest.fixture(params=["signed", "bucket"])
def place(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def inside(place: str, name: str) -> str:
    """The address of a file of a dataset."""
    whole, mark, query = place.partition("?")
    return f"{whole}/{name}{mark}{query}"


# What is read


def test_info_is_that_of_the_folder(run: Run, dataset: Path, place: str) -> None:
    shown = without_secrets(place)
    for there, here in ((place, dataset), (inside(place, SHARD), dataset / SHARD)):
        told = run("info", there, "--json")
        assert told.json == run("info", here, "--json").json | {"path": str(here).replace(str(dataset), shown)}
        table = run("info", there)
        assert (table.code, table.err) == (0, "")
        assert "secret" not in told.out + table.out
    assert_refused(run("info", place, "--height", 18), "--height is for spike files")


def test_view_is_that_of_the_folder(run: Run, dataset: Path, place: str, tmp_path: Path) -> None:
    for words in ((place, dataset, "--split", "test"), (inside(place, SHARD), dataset / SHARD)):
        there, here, *split = words
        for name, source in (("there.png", there), ("here.png", here)):
            shown = run("view", source, tmp_path / name, "--sample", 1, *split, "--overwrite")
            assert (shown.code, shown.err) == (0, f"wrote {tmp_path / name}\n")
        assert (tmp_path / "there.png").read_bytes() == (tmp_path / "here.png").read_bytes()
        assert_refused(run("view", there, tmp_path / "no.png", "--sample", 9, *split), "9")
    assert_refused(run("view", place, tmp_path / "no.png", "--vth", 1), "--vth goes with a folder in the released")


def test_a_report_is_that_of_the_folder(run: Run, dataset: Path, place: str, tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="jinja2 is an extra")
    texts = []
    for name, source in (("there.html", place), ("here.html", dataset)):
        told = run("report", source, "--out", tmp_path / name)
        assert told.code == 0, told.err
        texts.append((tmp_path / name).read_text("utf-8"))
    assert "secret" not in texts[0]
    assert texts[0].replace(without_secrets(place), str(dataset)) == texts[1]


def test_an_evaluation_is_that_of_the_folder(run: Run, dataset: Path, place: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is an extra")
    from ssdm_models.evaluation.rows import read_rows

    words = ("--limit", 1, "--device", "cpu", "--run", tmp_path / "none", "--json")
    assert_refused(run("eval-ssdm", "--data", place, *words), "there is no run folder")
    words = ("--limit", 2, "--device", "cpu", "--json")
    rows, records = [], []
    for name, source in (("there", place), ("here", dataset)):
        told = run("eval-ssdm", "--data", source, "--out", tmp_path / name, *words)
        assert told.code == 0, told.err
        rows.append([replace(row, seconds=0.0) for row in read_rows(tmp_path / name / "samples.csv")])
        records.append(told.json)
    assert rows[0] == rows[1] != []
    assert [record["data"] for record in records] == [without_secrets(place), str(dataset)]
    assert "secret" not in (tmp_path / "there" / "evaluation.json").read_text()
    again = run("eval-ssdm", "--data", place, "--out", tmp_path / "here", *words)  # it goes on from the folder's
    assert again.code == 0, again.err
    assert again.json["summary"] == records[1]["summary"]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine of one core
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python ≥ 3.12 warns of any fork beside threads
@pytest.mark.usefixtures("one_thread")
def test_a_training_that_lost_its_server_goes_on_as_that_of_the_folder(
    run: Run, dataset: Path, web: WebServer, signed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    pytest.importorskip("torch", reason="torch is an extra")
    from training_data import assert_same

    monkeypatch.setenv(SIZE_VARIABLE, "0")
    out, locks = tmp_path / "there", []
    words = ("--stage", "bsn", "--crop", 32, "--batch", 2, "--epochs", 6, "--workers", workers, "--device", "cpu")

    def lost(number: int) -> int | None:
        """Nothing is left once a state is kept; processes that read are at most five batches ahead."""
        locks.extend(path.read_text() for path in out.glob(".spikesim.lock"))
        return 404 if (out / "bsn" / "state.pt").exists() else None

    web.fault = lost
    stopped = run("train-ssdm", "--data", signed, "--out", out, *words)
    assert stopped.code == 2
    (line,) = [line for line in stopped.err.splitlines() if "Error" in line]
    assert "Traceback" not in stopped.err
    assert line.startswith(f"Error: cannot read {web.address}/data/{SHARD}: there is nothing at this address")
    web.fault = lambda number: None
    for folder, source in ((out, signed), (tmp_path / "here", dataset)):
        done = run("train-ssdm", "--data", source, "--out", folder, *words)
        assert done.code == 0, done.err
    assert_same(out / "bsn.safetensors", tmp_path / "here" / "bsn.safetensors")
    kept = run("train-ssdm", "--data", dataset, "--out", out, *words)  # wherever the samples lie, it is this training
    assert "finished before" in kept.err
    record = json.loads((out / "bsn" / "config.json").read_text())
    assert record["source"] == f"{web.address}/data"
    assert f"--data {web.address}/data --out" in record["command"]
    assert f"--data {web.address}/data --out" in locks[-1]
    assert "secret" not in stopped.err + done.err + "".join(locks)
    assert not [path for path in out.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


@pytest.mark.usefixtures("one_thread")
def test_a_training_in_a_bucket_is_that_of_the_folder(run: Run, dataset: Path, bucket: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is an extra")
    from training_data import assert_same

    words = ("--crop", 32, "--batch", 2, "--epochs", 1, "--workers", 0, "--device", "cpu", "--perceptual", "laplacian")
    for name, source in (("there", bucket), ("here", dataset)):
        done = run("train-ssdm", "--data", source, "--out", tmp_path / name, *words, "--precompute-teacher")
        assert done.code == 0, done.err
    for stage in ("bsn", "sr", "ldn"):
        assert_same(tmp_path / "there" / f"{stage}.safetensors", tmp_path / "here" / f"{stage}.safetensors")
    assert json.loads((tmp_path / "there" / "ldn" / "config.json").read_text())["source"] == bucket


# What cannot be read

READERS = [
    ("info", "ADDRESS"),
    ("view", "ADDRESS", "out.png"),
    ("eval-ssdm", "--data", "ADDRESS", "--out", "out"),
    ("train-ssdm", "--data", "ADDRESS", "--out", "out"),
]
each_reader = pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])


@pytest.fixture
def refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command, which is to refuse an address in one line and to make nothing."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def refused(words: tuple[str, ...], address: str, *said: str) -> None:
        result = run(*(word.replace("ADDRESS", address) for word in words))
        assert_refused(result, *said)
        assert result.err.count("\n") == 1, result.err
        assert not list((tmp_path / "here").iterdir())

    return refused


@each_reader
def test_what_is_no_dataset_is_told(refused: Any, words: tuple[str, ...], address: str) -> None:
    if words[0].endswith("ssdm"):
        pytest.importorskip("torch", reason="torch is an extra")
    none = address.replace("/data", "/none")
    refused(words, none, f"cannot read {none}/{INDEX}: there is nothing at this address", "check the address")
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        refused(words, f"http://127.0.0.1:{place.getsockname()[1]}/a", "cannot be reached", "check the address")
    refused(words, "gs://bucket/data", "are read from s3://BUCKET/KEY", "got 'gs://bucket/data'")
    refused(words, "https:/host/data", "are read from s3://BUCKET/KEY", "got 'https:/host/data'")
    refused(words, "https://me:secret@host:port/data?secret", "'https://host:port/data' is no address")


@each_reader
def test_a_missing_extra_is_named(
    refused: Any, words: tuple[str, ...], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0].endswith("ssdm"):
        pytest.importorskip("torch", reason="torch is an extra")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    refused(words, address, "pip install 'spikesim[remote]'")


def test_a_shard_that_is_none_is_told(refused: Any, address: str, dataset: Path) -> None:
    refused(("info", "ADDRESS"), f"{address}/none.h5", f"cannot read {address}/none.h5: there is nothing at this addr")
    refused(("info", "ADDRESS"), f"{address}/a.dat", f"datasets and shards (.h5) are read, and {address}/a.dat is nei")


# What would be written, or is no dataset


@pytest.mark.parametrize("address", ["s3://bucket/a", "https://host/a", "http://me:secret@host/a?secret", "gs://b/a"])
@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("build demo:street --out ADDRESS", "--out"),
        ("build demo:street --out ADDRESS --dry-run", "--out"),
        ("build ADDRESS --out out", "source"),
        ("build photo:ADDRESS --out out", "the path after photo:"),
        ("build-gopro --out ADDRESS", "--out"),
        ("build-gopro --root ADDRESS", "--root"),
        ("demo --out ADDRESS", "--out"),
        ("train-ssdm --out ADDRESS", "--out"),
        ("train-ssdm --init ADDRESS", "--init"),
        ("eval-ssdm --out ADDRESS", "--out"),
        ("eval-ssdm --run ADDRESS", "--run"),
        ("eval-ssdm --checkpoint ADDRESS", "--checkpoint"),
        ("verify ADDRESS", "PATH"),
        ("verify ADDRESS --repair", "PATH"),
        ("index ADDRESS", "PATH"),
        ("convert ADDRESS out", "PATH"),
        ("convert . ADDRESS", "OUTPUT"),
        ("view . ADDRESS.png", "OUTPUT"),
        ("simulate ADDRESS out.dat", "source"),
        ("simulate demo:street ADDRESS.dat", "OUTPUT"),
        ("interpolate demo:street ADDRESS", "OUTPUT"),
        ("calibrate ADDRESS a.dat --out a.npz", "DARK"),
        ("deblur a.png a.dat ADDRESS", "OUT"),
    ],
)
def test_other_commands_refuse_an_address(refused: Any, words: str, name: str, address: str) -> None:
    refused(tuple(words.split()), address, f"{name} must be a path on this machine, got the address", "copy what")


@pytest.mark.parametrize("kind", [str, Path])
def test_nothing_is_written_to_a_folder_named_after_an_address(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clip = DemoClip("train", "desk", "desk", 42, 64, 96)
    for address in ("s3://bucket/a.h5", "https://me:secret@host/a.h5?secret"):
        for write in (
            lambda place: build_clips([clip], place, make_recipe((1,)), workers=1),
            lambda place: write_spikes(place, None),
            lambda place: ShardWriter(place, {}),
        ):
            with pytest.raises(InvalidValueError, match="must be a path on this machine, got the address") as told:
                write(kind(address))
            assert "secret" not in str(told.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host:80/a/b?secret#secret", "https://host:80/a/b"),
        ("HTTP://me@se:cr@host/a@b", "HTTP://host/a@b"),
        ("https://host?secret=/a", "https://host"),
        ("s3://key:secret@bucket/a?b#c@d", "s3://bucket/a?b#c@d"),
        ("--data=https://me:secret@host/a?secret", "--data=https://host/a"),
        ("https:/me:secret@host/a?secret", "https:/host/a"),
        ("photo:/a@b#3", "photo:/a@b#3"),
        ("/data/a?b", "/data/a?b"),
    ],
)
def test_secrets_of_an_address_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
