"""`verify --repair`: what is damaged or missing is rebuilt from its source, bit for bit, or told why not."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import build_data
import cv2
import h5py
import numpy as np
import pytest
import shard_data
from build_data import assert_whole, command, content, leftovers, recipe, snapshot, wait_until, write_frames
from commands import Run, assert_refused, run
from dataset_arguments import NoiseClip
from photo_data import write_photos
from PIL import Image
from shard_data import chunks, flip_bits
from source_data import noise, write_video
from test_origins import strange
from test_timing import RESAMPLE, dropped, write_brightening

from spikesim.errors import InputFileError, OutputError
from spikesim.locks import locked
from spikesim_datasets import repair, shard_work
from spikesim_datasets.build import build_clips
from spikesim_datasets.indexing import rebuild_index
from spikesim_datasets.progress import Progress
from spikesim_datasets.repair import RepairReport, repair_dataset
from spikesim_datasets.shards import verify_dataset
from spikesim_datasets.shards.index import INDEX, read_index, read_whole_index, shard_files
from spikesim_datasets.sources import DemoClip, DemoVariant, FrameClip, PhotoClip, excerpt, open_clips

__all__ = ["run"]

ROOT_ATTRIBUTES = ("schema", "key", "split", "exposure", "recipe", "cuts", "fast", "left_out")
SPIKES = ("spikes/vth_1", "spikes/vth_2")
ARRAYS = ("blur", "sharp", *SPIKES, "window", "first_frame", "light", "flow", "flow_exact")
ATTRIBUTES = (
    *(("/", name) for name in ROOT_ATTRIBUTES),
    ("sharp", "readouts"),
    *((path, name) for path in SPIKES for name in ("width", "v_th", "camera")),
)
DAMAGED = "train/desk_0001.001.h5"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose shards have every field: 3 and 3 samples of two clips; not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "data"
    clips = [
        DemoVariant("train", f"desk_{i:04d}", "desk", seed=3, number=i, n_frames=14, height=64, width=96)
        for i in (1, 2)
    ]
    every = recipe(light=True, flow=True, sharp="sequence")
    build_clips(clips, out, every, workers=1, command="spikesim build demo:desk#2")
    return out


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """The same dataset, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "data"))


def hashes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def problems(root: Path) -> list[str]:
    return [check.path for check in verify_dataset(root) if check.problem]


def repaired(root: Path, **options: Any) -> RepairReport:
    return repair_dataset(root, list(verify_dataset(root)), **options)


def assert_healed(data: Path, whole: Path, *damaged: str) -> None:
    """Exactly these are found damaged, and are the same files as before once they are repaired."""
    before = snapshot(data)
    assert problems(data) == sorted(damaged)
    report = repaired(data)
    assert (report.repaired, report.changed, report.left, report.indexed) == (tuple(sorted(damaged)), (), {}, False)
    assert hashes(data) == hashes(whole)
    after = snapshot(data)
    assert [name for name in after if after[name] != before.get(name)] == sorted(damaged)


# What is found and healed


def test_every_array_and_attribute_of_a_shard_is_among_those_below(whole: Path) -> None:
    with h5py.File(whole / DAMAGED) as file:
        arrays: list[str] = []
        file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
        found = [("/", name) for name in file.attrs] + [(path, name) for path in arrays for name in file[path].attrs]
    assert sorted(arrays) == sorted(ARRAYS)
    assert sorted(found) == sorted(ATTRIBUTES)


@pytest.mark.parametrize("path", ARRAYS)
def test_an_array_that_somebody_has_written_to(data: Path, whole: Path, path: str) -> None:
    """With a checksum of HDF5 that is right."""
    with h5py.File(data / DAMAGED, "r+") as file:
        array = file[path]
        values = array[:].copy()
        values.reshape(-1).view(np.uint8)[0] ^= 1
        array[:] = values
    assert_healed(data, whole, DAMAGED)


@pytest.mark.parametrize("path", ARRAYS)
def test_a_flipped_bit_in_an_array(data: Path, whole: Path, path: str) -> None:
    flip_bits(data / DAMAGED, chunks(data / DAMAGED, path)[0][0])
    assert_healed(data, whole, DAMAGED)


@pytest.mark.parametrize(("path", "name"), ATTRIBUTES)
@pytest.mark.parametrize("change", ["other", "gone", "of another type"])
def test_an_attribute_that_somebody_has_written_to(data: Path, whole: Path, path: str, name: str, change: str) -> None:
    with h5py.File(data / DAMAGED, "r+") as file:
        attributes = file[path].attrs
        value = attributes[name]
        if change == "gone":
            del attributes[name]
        elif change == "of another type":
            attributes[name] = 3 if isinstance(value, str) else "x"
        elif isinstance(value, str):
            attributes[name] = value.replace("1", "3") if "1" in value else f"{value}x"
        else:
            attributes[name] = np.append(value, 7) if np.ndim(value) else value + 1
    assert_healed(data, whole, DAMAGED)


@pytest.mark.parametrize("part", ["clip", "choices", "origin", "provenance", "command"])
def test_a_recipe_that_somebody_has_edited(data: Path, whole: Path, part: str) -> None:
    with h5py.File(data / DAMAGED, "r+") as file:
        said = json.loads(file.attrs["recipe"])
        said[part] = {"key": "train/desk_0002"}
        file.attrs["recipe"] = json.dumps(said)
    assert_healed(data, whole, DAMAGED)


FILES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: os.truncate(path, path.stat().st_size - 1),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "no HDF5": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "of another clip": lambda path: shutil.copy(path.with_name("desk_0002.001.h5"), path),
    "other windows": lambda path: shutil.copy(path.with_name("desk_0001.000.h5"), path),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_another(data: Path, whole: Path, kind: str) -> None:
    FILES[kind](data / DAMAGED)
    assert_healed(data, whole, DAMAGED)


@pytest.mark.parametrize("place", [0, 9, 0.2, 0.4, 0.6, 0.8, -1])
def test_a_flipped_bit_anywhere(data: Path, whole: Path, place: float) -> None:
    size = (data / DAMAGED).stat().st_size
    flip_bits(data / DAMAGED, int(place * size) if 0 < place < 1 else int(place) % size)
    assert_healed(data, whole, DAMAGED)


def test_a_whole_clip_that_is_missing_is_rebuilt_from_the_index_alone(data: Path, whole: Path) -> None:
    shutil.rmtree(data / "train")
    assert_healed(data, whole, *(path.relative_to(whole).as_posix() for path in shard_files(whole)))


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_makes_the_same(data: Path, whole: Path, workers: int) -> None:
    told: list[Progress] = []
    for path in shard_files(data)[:3]:
        flip_bits(path, path.stat().st_size // 2)
    report = repaired(data, workers=workers, on_progress=told.append)
    assert (len(report.repaired), report.left) == (3, {})
    assert hashes(data) == hashes(whole)
    assert [(progress.done, progress.total) for progress in told] == [(number, 3) for number in range(4)]
    assert leftovers(data) == []


def test_what_is_whole_is_not_touched(data: Path) -> None:
    before = snapshot(data)
    assert repaired(data).repaired == ()
    assert snapshot(data) == before


def test_an_entry_of_the_index_that_is_wrong(data: Path, whole: Path) -> None:
    record = json.loads((data / INDEX).read_text())
    record["shards"][1]["samples"] += 1
    (data / INDEX).write_text(json.dumps(record))
    assert repaired(data).repaired == (record["shards"][1]["path"],)
    assert hashes(data) == hashes(whole)


# Foreign files


def test_a_file_of_another_recipe_that_is_not_listed_and_has_a_name_of_the_dataset(data: Path, whole: Path) -> None:
    record = json.loads((data / INDEX).read_text())
    record["shards"] = [entry for entry in record["shards"] if entry["path"] != DAMAGED]
    record["builds"][0]["clips"][0]["shards"].remove(DAMAGED)
    (data / INDEX).write_text(json.dumps(record))
    shard_data.write_shard(data / DAMAGED, shard_data.make_sample(key="train/desk_0001"))
    report = repaired(data)
    assert (report.repaired, report.left) == ((DAMAGED,), {})
    assert hashes(data) == hashes(whole)


@pytest.mark.parametrize("name", ["desk_0001.007.h5", "desk_0001.h5", "desk.000.h5", "desk_0001.001 (1).h5"])
def test_a_file_that_the_dataset_has_no_place_for_is_left_and_told(run: Run, data: Path, name: str) -> None:
    shutil.copy(data / DAMAGED, data / "train" / name)
    before = snapshot(data)
    result = run("verify", data, "--repair", "--json")
    assert result.code == 2
    assert (result.json["repaired"], list(result.json["left"])) == ([], [f"train/{name}"])
    assert f"{name} is not listed in dataset.json" in result.err
    assert snapshot(data) == before


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_links_and_folders_are_not_replaced(data: Path, tmp_path: Path, kind: str) -> None:
    path, outside = data / DAMAGED, tmp_path / "outside.txt"
    outside.write_text("not ours")
    path.unlink()
    if kind == "link":
        path.symlink_to(outside)
    else:
        path.mkdir()
    assert "such are never replaced; remove it" in repaired(data).left[DAMAGED]
    assert outside.read_text() == "not ours"
    assert path.is_symlink() == (kind == "link")


def test_nothing_is_replaced_in_a_folder_that_a_link_leads_to(data: Path, tmp_path: Path) -> None:
    (data / "train").rename(tmp_path / "elsewhere")
    (data / "train").symlink_to(tmp_path / "elsewhere")
    flip_bits(data / DAMAGED, 5000)
    before = snapshot(tmp_path / "elsewhere")
    assert "lies behind a link" in repaired(data).left[DAMAGED]
    assert snapshot(tmp_path / "elsewhere") == before


def test_a_dataset_that_a_link_leads_to_is_repaired(data: Path, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    (data / DAMAGED).unlink()
    assert repaired(tmp_path / "link").repaired == (DAMAGED,)
    assert hashes(data) == hashes(whole)


# Without an index


def test_without_an_index_it_is_rebuilt(run: Run, data: Path, whole: Path) -> None:
    (data / INDEX).unlink()
    result = run("verify", data, "--repair", "--json")
    assert (result.code, result.json["indexed"], result.json["repaired"]) == (0, True, [])
    assert hashes(data) == hashes(whole)


@pytest.mark.parametrize("kind", ["cut in half", "empty", "no HDF5", "flipped"])
def test_without_an_index_the_other_shards_of_a_clip_say_how_it_was_made(data: Path, whole: Path, kind: str) -> None:
    (data / INDEX).unlink()
    if kind == "flipped":  # which the checksum of a chunk shows
        flip_bits(data / DAMAGED, chunks(data / DAMAGED, SPIKES[0])[0][0])
    else:
        FILES[kind](data / DAMAGED)
    report = repaired(data)
    assert (report.repaired, report.left, report.indexed) == ((DAMAGED,), {}, True)
    assert hashes(data) == hashes(whole)


def test_without_an_index_and_other_shards_a_damaged_one_says_it_itself_if_it_can(data: Path, whole: Path) -> None:
    (data / INDEX).unlink()
    (data / "train/desk_0001.000.h5").unlink()
    flip_bits(data / DAMAGED, chunks(data / DAMAGED, SPIKES[0])[0][0])
    assert repaired(data).repaired == (DAMAGED,)
    assert hashes(data)[DAMAGED] == hashes(whole)[DAMAGED]


def test_what_nobody_knows_is_left(data: Path) -> None:
    (data / INDEX).unlink()
    (data / "train/desk_0001.000.h5").unlink()
    os.truncate(data / DAMAGED, 3000)
    report = repaired(data)
    assert list(report.left) == [DAMAGED]
    assert (
        "nor another shard of its clip says how it was made; remove it, and run the build again" in report.left[DAMAGED]
    )
    assert not (data / INDEX).exists()


def test_an_index_that_does_not_say_how_clips_were_made_leaves_it_to_the_other_shards(data: Path, whole: Path) -> None:
    """As of a dataset so large that this has no place in it."""
    record = json.loads((data / INDEX).read_text())
    del record["builds"]
    (data / INDEX).write_text(json.dumps(record, indent=1) + "\n")
    (data / DAMAGED).unlink()
    assert repaired(data).repaired == (DAMAGED,)
    assert hashes(data)[DAMAGED] == hashes(whole)[DAMAGED]


# What is refused


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Frames of two clips, to be changed."""
    return write_frames(tmp_path / "source" / "a", 20).parent


@pytest.fixture
def of_frames(source: Path, tmp_path: Path) -> Path:
    """A dataset of them: three shards."""
    build_clips(open_clips([source]), tmp_path / "frames", recipe(), workers=1)
    return tmp_path / "frames"


def test_a_source_that_has_changed(run: Run, of_frames: Path, source: Path) -> None:
    (source / "a" / "000003.png").write_bytes((source / "a" / "000004.png").read_bytes())
    path = of_frames / "train/a.001.h5"
    flip_bits(path, path.stat().st_size // 2)
    before = snapshot(of_frames)
    result = run("verify", of_frames, "--repair", "--json")
    assert result.code == 2
    assert result.json["damaged"] == 1
    said = result.json["left"]["train/a.001.h5"]
    assert "the source has changed (from another clip of this name: its files are others)" in said
    assert "Error: 1 of 3 shards of" in result.err
    assert snapshot(of_frames) == before


def test_a_source_that_is_gone(of_frames: Path, source: Path) -> None:
    shutil.rmtree(source)
    (of_frames / "train/a.001.h5").unlink()
    assert f"{source / 'a'} is no folder of frames" in repaired(of_frames).left["train/a.001.h5"]


def test_a_source_that_comes_back_is_taken(of_frames: Path, source: Path) -> None:
    before = hashes(of_frames)
    source.rename(source.with_name("elsewhere"))
    (of_frames / "train/a.001.h5").unlink()
    assert repaired(of_frames).repaired == ()
    source.symlink_to("elsewhere")
    assert repaired(of_frames).repaired == ("train/a.001.h5",)
    assert hashes(of_frames) == before


def test_a_damaged_frame_is_named_and_the_rest_is_repaired(of_frames: Path, source: Path) -> None:
    """A file that is damaged where its fingerprint does not look."""
    path = source / "a" / "000010.png"
    whole = bytearray(path.read_bytes())
    padded = bytes(whole[:33]) + _chunk(b"teXt", bytes(40_000)) + bytes(whole[33:])
    path.write_bytes(padded)
    build_clips(open_clips([source]), of_frames, recipe(), workers=1, overwrite=True)
    before = hashes(of_frames)
    damaged = bytearray(padded)
    damaged[10_000] ^= 1  # in what is no sample of the file, whose checksum it breaks
    path.write_bytes(damaged)
    for name in ("a.000.h5", "a.001.h5", "a.002.h5"):
        (of_frames / "train" / name).unlink()
    report = repaired(of_frames)
    assert report.left
    assert report.left.keys() | set(report.repaired) == {f"train/a.00{number}.h5" for number in range(3)}
    for name in report.repaired:
        assert hashes(of_frames)[name] == before[name]
    for said in report.left.values():
        assert "000010.png" in said


def _chunk(kind: bytes, content_: bytes) -> bytes:
    import zlib

    return len(content_).to_bytes(4, "big") + kind + content_ + zlib.crc32(kind + content_).to_bytes(4, "big")


@pytest.mark.parametrize("name", ["opencv", "interpolation"])
def test_an_installation_that_would_make_other_samples(
    of_frames: Path, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """OpenCV draws scenes, and describes an interpolator: where its version is another, so may be the samples."""
    if name == "opencv":
        monkeypatch.setattr(cv2, "__version__", "3.0")
        root, place, said = data, DAMAGED, "opencv: .* there, 3.0 now"
    else:
        described = "spikesim_datasets.interpolation.linear.LinearInterpolator.describe"
        monkeypatch.setattr(described, lambda self: {"name": "linear", "version": 2})
        root, place, said = of_frames, "train/a.000.h5", "this installation would make other samples .*'version': 2"
    (root / place).unlink()
    before = snapshot(root)
    report = repaired(root)
    assert report.repaired == ()
    with pytest.raises(ValueError, match=said):
        raise ValueError(report.left[place])
    assert snapshot(root) == before


@pytest.mark.parametrize("kind", ["of an earlier version", "of another package"])
def test_datasets_that_do_not_say_where_clips_came_from(
    of_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "of another package":
        noise = [NoiseClip(n_frames=8, height=32, width=48)]
        root, place, clips = tmp_path / "noise", "train/noise.000.h5", noise
    else:
        monkeypatch.setattr(shard_work, "origin_of", lambda clip: None)
        root, place, clips = tmp_path / "old", "train/a.000.h5", open_clips([tmp_path / "source"])
    build_clips(clips, root, recipe(), workers=1)
    before = content(root)
    (root / place).write_bytes(b"")
    report = repaired(root)
    assert "it is not recorded where its clip came from" in report.left[place]
    assert "remove it, and run the build again, which makes missing shards" in report.left[place]
    (root / place).unlink()
    build_clips(clips, root, recipe(), workers=1)  # as it says
    assert content(root) == before


def test_a_dataset_that_says_nothing_of_how_it_was_made(tmp_path: Path) -> None:
    path = shard_data.write_shard(tmp_path / "train/a.000.h5", shard_data.make_sample(key="train/a"), recipe={})
    rebuild_index(tmp_path)
    path.write_bytes(b"")
    assert "says how it was made" in repaired(tmp_path).left["train/a.000.h5"]


def test_strange_origins_and_clips_in_an_index_are_refused(data: Path) -> None:
    """Whatever an index says, nothing outside the dataset changes, and only our errors come out."""
    (data / DAMAGED).unlink()
    whole = json.loads((data / INDEX).read_text())
    checks = list(verify_dataset(data))
    ends = set()
    for clip_ in strange(whole["builds"][0]["clips"][0]):
        record = json.loads((data / INDEX).read_text())
        record["builds"][0]["clips"][0] = clip_
        try:
            text = json.dumps(record)
        except (TypeError, ValueError):
            continue
        (data / INDEX).write_text(text)
        try:
            report = repair_dataset(data, checks)
            ends.add("repaired" if not report.left else "left")
        except InputFileError:
            ends.add("refused")
        (data / DAMAGED).unlink(missing_ok=True)
        (data / INDEX).write_text(json.dumps(whole))
    assert ends <= {"refused", "left", "repaired"}
    assert {"refused", "left"} <= ends


def test_output_in_a_source_is_refused(of_frames: Path) -> None:
    """Which an index from elsewhere could say."""
    write_frames(of_frames / "train" / "b", 20)
    build_clips([FrameClip.open(of_frames / "train/b", "train", "b", "/nowhere")], of_frames, recipe(), workers=1)
    record = json.loads((of_frames / INDEX).read_text())
    for found in (each for built in record["builds"] for each in built["clips"]):
        found["origin"]["source"] = str(of_frames)
    (of_frames / INDEX).write_text(json.dumps(record))
    (of_frames / "train/b.000.h5").unlink()
    assert "lies in the source" in repaired(of_frames).left["train/b.000.h5"]


# Other bytes


def test_other_versions_write_other_files_of_equal_samples(run: Run, of_frames: Path) -> None:
    """The index says of two shards of one clip that they were built by one command; they were not."""
    before = content(of_frames)
    record = json.loads((of_frames / INDEX).read_text())
    record["builds"][0]["recipe"]["command"] = "spikesim build something else"
    (of_frames / INDEX).write_text(json.dumps(record))
    (of_frames / "train/a.001.h5").unlink()
    result = run("verify", of_frames, "--repair", "--json")
    assert (result.code, result.json["changed"]) == (0, ["train/a.001.h5"])
    assert "rebuilt train/a.001.h5, in other bytes: dataset.json lists the new checksum" in result.err
    assert content(of_frames) == before
    assert_whole(of_frames)


# Clips of every kind


def test_part_of_a_clip_is_repaired(tmp_path: Path) -> None:
    (whole_clip,) = open_clips([write_frames(tmp_path / "a", 40)])
    out = tmp_path / "out"
    build_clips([excerpt(whole_clip, 11, 20)], out, recipe(), workers=1)
    before = hashes(out)
    (out / "train/a.001.h5").unlink()
    assert repaired(out).repaired == ("train/a.001.h5",)
    assert hashes(out) == before


def test_clips_of_every_kind_are_repaired(tmp_path: Path) -> None:
    """Beside the random variants of scenes, of which most datasets here are made."""
    folder = tmp_path / "sources"
    images = [Image.fromarray(noise(number)) for number in range(9)]
    write_frames(folder / "frames", 9, 24, 40)
    images[0].save(folder / "s.tif", save_all=True, append_images=images[1:])
    photos = write_photos(folder / "photos")
    size = {"seed": 3, "number": 1, "n_frames": 8, "height": 64, "width": 96}
    clips = [
        *open_clips([folder / "frames", folder / "s.tif", write_video(folder / "v.mp4")]),
        *open_clips([write_brightening(folder / "r.mkv", dropped(40, 17))], reading=RESAMPLE),
        PhotoClip("train", "p", photos / "a.png", (photos / "b.jpg", photos / "c.png"), photos, **size),
        DemoClip("test", "scene", "desk", 8, 64, 96),
    ]
    out = tmp_path / "out"
    build_clips([clips[0], *(excerpt(each, 0, 8) for each in clips[1:])], out, recipe(), workers=1)
    before, samples = hashes(out), content(out)
    assert len({key for key, _ in samples}) == len(clips)
    for path in shard_files(out):
        path.unlink()
    assert repaired(out, workers=1).left == {}
    assert hashes(out) == before


# Interruptions, and others


def test_a_repair_that_is_interrupted_loses_nothing_and_goes_on(
    data: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in shard_files(data):
        flip_bits(path, path.stat().st_size // 2)
    damaged = hashes(data)
    made = repair.make_shard

    def interrupted(job: Any, *arguments: Any, **options: Any) -> Any:
        if "0002.000" in job.path.name:
            monkeypatch.setattr(shard_work, "synthesise", interrupt)
        return made(job, *arguments, **options)

    def interrupt(*arguments: Any) -> Any:
        raise KeyboardInterrupt
        yield

    with monkeypatch.context() as patched:
        patched.setattr(repair, "make_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            repaired(data, workers=1)
    monkeypatch.undo()
    found = hashes(data)
    for name, expected in hashes(whole).items():
        assert found[name] in (expected, damaged[name])
    assert leftovers(data) == []
    assert len(problems(data)) in (1, 2, 3)
    repaired(data)
    assert hashes(data) == hashes(whole)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_repair_that_is_ended_from_outside(tmp_path: Path, number: signal.Signals) -> None:
    """Two workers, in the middle of what they do; running it again finishes."""
    clips = open_clips([write_frames(tmp_path / "source" / "a", 160)])
    out = tmp_path / "out"
    build_clips(clips, out, build_data.LONGER, workers=1)
    before = hashes(out)
    for path in shard_files(out):
        flip_bits(path, path.stat().st_size // 2)
    process = subprocess.Popen(
        command("verify", out, "--repair", "--workers", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until(lambda: hashes_of_shards(out) & set(before.values()))
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in said
    if number != signal.SIGKILL:
        assert leftovers(out) == []
    left = problems(out)
    assert 0 < len(left) < 10
    wait_until(lambda: repaired(out, workers=1).left == {})
    assert {name: value for name, value in hashes(out).items() if "/." not in name} == before


def hashes_of_shards(root: Path) -> set[str]:
    found = set()
    for path in shard_files(root):
        with suppress(FileNotFoundError):  # it is just being replaced
            found.add(hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def test_not_beside_what_does_something_else(data: Path) -> None:
    (data / DAMAGED).unlink()
    checks = list(verify_dataset(data))
    for work in (None, recipe(seed=1).choices()):
        with locked(data, work), pytest.raises(OutputError, match="is being written by"):
            repair_dataset(data, checks)
    assert not (data / DAMAGED).exists()


def test_beside_a_build_by_the_same_recipe(data: Path, whole: Path) -> None:
    (data / DAMAGED).unlink()
    with locked(data, recipe(light=True, flow=True, sharp="sequence").choices()):
        assert repaired(data).repaired == (DAMAGED,)
    assert hashes(data) == hashes(whole)


def test_what_another_has_repaired_since_is_left_alone(data: Path) -> None:
    saved = (data / DAMAGED).read_bytes()
    (data / DAMAGED).unlink()
    checks = list(verify_dataset(data))
    (data / DAMAGED).write_bytes(saved)
    before = snapshot(data)
    report = repair_dataset(data, checks)
    assert (report.repaired, report.left) == ((), {})
    assert snapshot(data) == before


def test_a_disk_that_is_full_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / DAMAGED).write_bytes(b"damaged")

    def full(*arguments: Any, **options: Any) -> Any:
        raise OutputError("cannot write: no space left on device")

    monkeypatch.setattr(shard_work, "ShardWriter", full)
    assert "no space left" in repaired(data).left[DAMAGED]
    assert (data / DAMAGED).read_bytes() == b"damaged"


# The command


def test_the_command_says_what_it_did(run: Run, data: Path, whole: Path) -> None:
    (data / DAMAGED).unlink()
    result = run("verify", data, "--repair")
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines()[-2:] == [f"rebuilt {DAMAGED}", f"{data}: 4 shards, 1 rebuilt, all whole"]
    assert hashes(data) == hashes(whole)
    found = run("verify", data, "--repair", "--json", "--workers", 1)
    assert (found.code, found.json["damaged"], found.json["repaired"]) == (0, 0, [])


def test_only_datasets_are_repaired(run: Run, data: Path, tmp_path: Path) -> None:
    assert run("convert", data, tmp_path / "layout").code == 0
    for path in (data / DAMAGED, tmp_path / "layout"):
        for option in (["--repair"], ["--workers", 2]):
            assert_refused(run("verify", path, *option), "--repair and --workers are for datasets of shards")


def test_there_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="there is no dataset at"):
        repair_dataset(tmp_path, [])


def test_nothing_of_the_index_changes_but_the_line_of_the_shard(data: Path) -> None:
    before = read_whole_index(data)
    record = json.loads((data / INDEX).read_text())
    record["shards"][0]["sha256"] = "0" * 64
    (data / INDEX).write_text(json.dumps(record))
    repaired(data)
    assert read_whole_index(data) == before
    assert read_index(data) == list(before.entries if before else ())
