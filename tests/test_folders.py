"""What systems leave in folders is no part of what they hold, whoever reads them."""

from pathlib import Path

import pytest
from build_data import write_frames
from commands import assert_refused, dataset, frames, run  # noqa: F401

from spikesim_datasets.folders import entries_of, is_junk
from spikesim_datasets.layouts import layout_to_shards, open_layout, shards_to_layout
from spikesim_datasets.shards import open_dataset, verify_dataset
from spikesim_datasets.shards.index import INDEX
from spikesim_datasets.sources import open_clips, open_gopro

JUNK = (".DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "ehthumbs.db", "Icon\r")


def litter(root: Path) -> Path:
    """Leave in every folder what systems leave, beside every file what a foreign disk makes of it, and an archive's."""
    for folder in (root, *[path for path in root.rglob("*") if path.is_dir()]):
        for path in [path for path in folder.iterdir() if path.is_file()]:
            path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7 no spikes")
            archive = folder / "__MACOSX" / f"._{path.name}"
            archive.parent.mkdir(exist_ok=True)
            archive.write_bytes(b"\0\5\x16\7 no spikes")
            (archive.parent / path.name).write_bytes(b"\0\5\x16\7 no spikes")
        for name in JUNK:
            (folder / name).write_bytes(b"junk")
    return root


def test_what_is_junk():
    assert all(map(is_junk, (*JUNK, "._000019.dat", "__MACOSX", ".git")))
    assert not any(map(is_junk, ("thumbs", "desktop", "a.db", "a.DS_Store", "000019.dat", "_", "icon")))


def test_what_lies_in_junk_is_junk(tmp_path):
    for place in ("a/b.h5", "__MACOSX/b.h5", "a/.git/b.h5", "a/._b.h5"):
        (tmp_path / ".hidden" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".hidden" / place).touch()
    assert entries_of(tmp_path / ".hidden", "**/*.h5") == [
        tmp_path / ".hidden" / "a/b.h5"
    ]  # where it was asked to look
    assert entries_of(tmp_path) == []


def test_layouts_with_junk_are_read_as_without(run, dataset, tmp_path):  # noqa: F811
    shards_to_layout(dataset, tmp_path / "layout")
    (tmp_path / "layout/spikesim.json").unlink()
    before = open_layout(tmp_path / "layout", "train", 1.0)
    litter(tmp_path / "layout")
    after = open_layout(tmp_path / "layout", "train", 1.0)
    assert [(entry.path, entry.samples) for entry in after.entries] == [
        (entry.path, entry.samples) for entry in before.entries
    ]
    assert layout_to_shards(tmp_path / "layout", tmp_path / "back", v_th=1) == 4
    assert run("info", tmp_path / "layout", "--json").json["train_samples"] == 2


def test_sources_with_junk_are_read_as_without(tmp_path):
    for split in ("train", "test"):
        write_frames(tmp_path / "gopro" / split / "scene", 3)
    litter(tmp_path / "gopro")
    assert [(clip.key, clip.n_frames) for clip in open_gopro(tmp_path / "gopro")] == [
        ("train/scene", 3), ("test/scene", 3),
    ]  # fmt: skip
    (clip,) = open_clips([tmp_path / "gopro/train/scene"])
    assert clip.n_frames == 3
    (clip,) = open_clips([tmp_path / "gopro/train"])
    assert clip.name == "scene"


def test_datasets_with_junk_are_read_as_without(dataset, tmp_path):  # noqa: F811
    (tmp_path / "data").mkdir()
    for path in dataset.rglob("*.h5"):
        copy = tmp_path / "data" / path.relative_to(dataset)
        copy.parent.mkdir()
        copy.write_bytes(path.read_bytes())
    litter(tmp_path / "data")
    assert len(open_dataset(tmp_path / "data", "train")) == 2
    assert not (tmp_path / "data" / INDEX).exists()


def test_a_whole_dataset_stays_whole_beside_junk(dataset, tmp_path):  # noqa: F811
    for path in [*dataset.rglob("*.h5"), dataset / INDEX]:
        copy = tmp_path / path.relative_to(dataset)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    checks = list(verify_dataset(litter(tmp_path)))
    assert len(checks) == 2
    assert not any(check.problem for check in checks)


@pytest.mark.parametrize("name", ["desktop.ini", "Thumbs.db", "__MACOSX"])
def test_nothing_is_built_that_readers_would_skip(run, tmp_path, name):  # noqa: F811
    folder = write_frames(tmp_path / name, 3)
    assert_refused(run("build", folder, "--out", tmp_path / "out"), "file managers call their notes so", "rename")
