"""What clips may be called, decided in one place: never by what a file system, a reader or a terminal makes of it."""

import json

import h5py
import pytest
from commands import assert_refused, run  # noqa: F401
from source_data import write_frames, write_video

from spikesim.errors import InputFileError, InvalidValueError, SpikesimError
from spikesim_datasets.keys import check_clip, parse_key
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.sources import open_clips

UNFIT = {
    "hidden": (".walk", "begins with a dot"),
    "hidden within": ("a/.walk", "begins with a dot"),
    "this folder": (".", "begins with a dot"),
    "out of the folder": ("../../etc", "begins with a dot"),
    "out at its end": ("a/..", "begins with a dot"),
    "absolute": ("/etc/passwd", "a name in it is empty"),
    "no end": ("a/", "a name in it is empty"),
    "escape": ("a\x1b[2Jb", "control a terminal"),
    "new line": ("a\nb", "control a terminal"),
    "nothing": ("a\0b", "control a terminal"),
    "line separator": ("a\u2028b", "control a terminal"),
    "turned around": ("a\u202egnp.exe", "control a terminal"),
    "not UTF-8": ("caf\udce9", "no text"),
    "too long": ("ä" * 101, "longer than 200 bytes"),
}


@pytest.mark.parametrize(("name", "why"), UNFIT.values(), ids=UNFIT)
def test_names_that_are_treated_specially_are_refused(name, why):
    for check in (lambda: check_clip("train", name), lambda: parse_key(f"train/{name}")):
        with pytest.raises(InvalidValueError, match=f"no clip can be called .*{why}.*; rename") as caught:
            check()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("split", [".train", "..", "tr\x07ain"])
def test_so_are_splits(split):
    with pytest.raises(InvalidValueError, match="no clip can be called"):
        check_clip(split, "a")


@pytest.mark.parametrize(
    "name", ["GOPR0372_07_00", "take:1", "Straße 5", "日本", "a/b", "a.b", "-x", "👩‍🔬", "ä" * 100]
)
def test_all_others_are_kept(name):
    check_clip("train", name)
    assert parse_key(f"train/{name}") == ("train", name)


def test_a_hidden_clip_is_not_built_to_a_shard_that_nobody_reads(run, tmp_path):  # noqa: F811
    for source in (write_frames(tmp_path / ".walk"), write_video(tmp_path / ".a.mp4")):
        assert_refused(run("build", source, "--out", tmp_path / "out"), "what begins with a dot is hidden", "rename")
        assert not (tmp_path / "out").exists()


def test_a_name_that_is_not_utf_8_is_a_line(run, tmp_path):  # noqa: F811
    folder = write_frames(tmp_path / "a").rename(tmp_path / "caf\udce9")
    assert_refused(run("build", folder, "--out", tmp_path / "out"), r"caf\udce9", "no text")


def test_links_are_called_as_they_are(tmp_path):
    """Two recordings whose frames lie in folders of one name."""
    for name in ("left", "right"):
        (tmp_path / name).symlink_to(write_frames(tmp_path / f"disk_{name}" / "frames"))
    clips = open_clips([tmp_path / "left", tmp_path / "right"])
    assert [clip.name for clip in clips] == ["left", "right"]


def test_the_folder_one_is_in_has_a_name(tmp_path, monkeypatch):
    (write_frames(tmp_path / "walk") / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "walk")
    assert [clip.name for clip in open_clips(["."])] == ["walk"]
    monkeypatch.chdir(tmp_path / "walk" / "inner")
    assert [clip.name for clip in open_clips([".."])] == ["walk"]


@pytest.mark.parametrize("key", ["train/../../../escaped", "train//etc/escaped", "train/.hidden", "train/a\x1b[2J"])
def test_a_key_in_a_file_leads_nowhere(run, tmp_path, key):  # noqa: F811
    source = write_video(tmp_path / "a.mp4")
    assert run("build", source, "--out", tmp_path / "data", "--preset", "ideal", "--workers", 1).code == 0
    (shard,) = (tmp_path / "data").rglob("*.h5")
    with h5py.File(shard, "r+") as file:
        file.attrs["key"] = key
    with pytest.raises(SpikesimError, match="no clip can be called"):
        ShardReader(shard)
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "data" / "dataset.json").rename(tmp_path / "index.json")
    result = run("convert", tmp_path / "data", tmp_path / "out")
    assert_refused(result, "no clip can be called")
    assert "\x1b" not in result.err
    index = json.loads((tmp_path / "index.json").read_text())
    index["shards"][0]["key"] = key
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(index))
    with pytest.raises((InputFileError, InvalidValueError)) as caught:
        open_dataset(tmp_path / "data", "train")
    assert str(caught.value).isprintable()
    left = {tmp_path / "data" / "dataset.json", tmp_path / "index.json"}
    assert set(tmp_path.rglob("*")) - left == set(before) - left
