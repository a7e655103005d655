"""`index`: dataset.json rebuilt from the shards of any number of builders, or refused and left as it is."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import build_data
import h5py
import pytest
from build_data import assert_whole, build_command, clip, content, recipe, snapshot, wait_until
from commands import Run, assert_refused, run
from shard_data import flip_bits, make_sample, write_shard

from spikesim.errors import InputFileError, OutputError
from spikesim.locks import locked
from spikesim_datasets.build import BuildReport, build_clips
from spikesim_datasets.indexing import rebuild_index
from spikesim_datasets.progress import Progress
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.index import INDEX, Index, read_index, read_whole_index, shard_files, write_index
from spikesim_datasets.sources import origin_of

__all__ = ["run"]

source, built, copy, longer = build_data.source, build_data.built, build_data.copy, build_data.longer


def record_of(root: Path) -> Any:
    return json.loads((root / INDEX).read_text())


# What it gives


def test_the_index_of_one_builder_is_rebuilt_to_the_byte(run: Run, copy: Path) -> None:
    before = (copy / INDEX).read_bytes()
    shards = snapshot(copy / "train")
    for _ in range(2):
        result = run("index", copy)
        assert (result.code, result.out) == (0, "")
        assert result.err.splitlines()[-1].startswith(f"{copy}: 6 shards, 10 samples, ")
        assert (copy / INDEX).read_bytes() == before
        (copy / INDEX).unlink()
    assert snapshot(copy / "train") == shards


def test_shards_of_several_builders_merge(
    run: Run, source: Path, built: tuple[Path, BuildReport], tmp_path: Path
) -> None:
    out = tmp_path / "all"
    for name in "ab":  # on machines that do not see each other
        build_clips([clip(source / name)], tmp_path / name, recipe(), workers=1, command=f"spikesim build {name}")
        shutil.copytree(tmp_path / name / "train", out / "train", dirs_exist_ok=True)
    found = run("index", out, "--json")
    assert found.code == 0
    assert (found.json["samples"], len(found.json["shards"])) == (10, 6)
    assert content(out) == content(built[0])
    assert_whole(out)
    record = record_of(out)
    assert record["samples"] == {"train": 10}
    # The command is not the same everywhere, so it stands with the shards alone.
    assert record["recipe"].keys() == {"choices", "provenance"}
    assert [build["recipe"]["command"] for build in record["builds"]] == ["spikesim build a", "spikesim build b"]
    index = read_whole_index(out)
    assert index is not None
    for entry in index.entries:
        said = entry.recipe or {}
        assert said["command"] == f"spikesim build {entry.name}"
        assert said["clip"] == {"key": entry.key, **clip(source / entry.name).fingerprint()}
        assert said["origin"] == origin_of(clip(source / entry.name))


def test_further_shards_join_those_that_are_listed(copy: Path, source: Path, tmp_path: Path) -> None:
    build_data.write_frames(tmp_path / "c", 20, phase=5)
    build_clips([clip(tmp_path / "c")], tmp_path / "other", recipe(), workers=1)
    shutil.copy(tmp_path / "other/train/c.000.h5", copy / "train")
    entries = rebuild_index(copy)
    assert [entry.path for entry in entries if entry.name == "c"] == ["train/c.000.h5"]
    assert read_index(copy) == entries
    assert len(open_dataset(copy, "train")) == 12


def test_the_text_of_an_index_is_read_back(built: tuple[Path, BuildReport]) -> None:
    index = read_whole_index(built[0])
    assert index is not None
    assert index.text() == (built[0] / INDEX).read_text()
    assert all(entry.recipe for entry in index.entries)


def test_an_index_that_would_be_too_large_goes_without_the_builds(
    built: tuple[Path, BuildReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = read_whole_index(built[0])
    assert index is not None
    monkeypatch.setattr("spikesim.input_files.MOST_JSON_BYTES", len(index.text()) - 2)
    shorter = json.loads(index.text())
    assert "builds" not in shorter
    assert shorter["shards"] == record_of(built[0])["shards"]


def test_shards_that_say_nothing_of_how_they_were_made(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shard(tmp_path / "train" / f"{name}.000.h5", make_sample(key=f"train/{name}"), recipe={})
    rebuild_index(tmp_path)
    assert record_of(tmp_path)["recipe"] == {}
    assert "builds" not in record_of(tmp_path)
    assert_whole(tmp_path)


def test_what_an_index_says_of_a_conversion_stays(tmp_path: Path) -> None:
    write_shard(tmp_path / "train/a.000.h5", make_sample(key="train/a"))
    write_index(tmp_path, {"choices": {}, "conversion": {"source": "there", "sha256": "x"}})
    rebuild_index(tmp_path)
    assert record_of(tmp_path)["recipe"]["conversion"] == {"source": "there", "sha256": "x"}


def test_shards_are_told_of_one_after_the_other(copy: Path) -> None:
    told: list[Progress] = []
    rebuild_index(copy, told.append)
    assert [(progress.done, progress.total) for progress in told] == [(number, 6) for number in range(7)]
    assert told[1].at == "train/a.000.h5"


# What it refuses


def assert_index_refused(run: Run, root: Path, *said: str) -> None:
    before = snapshot(root)
    assert_refused(run("index", root), *said)
    assert snapshot(root) == before


Damage = Callable[[Path], object]


def drop_array(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["first_frame"]


def nest_recipe(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["recipe"] = '{"choices": ' + '{"a": ' * 200 + "1" + "}" * 201


BROKEN: dict[str, tuple[Damage, str]] = {
    "no HDF5": (lambda path: path.write_bytes(b"nothing" * 100), "cannot read"),
    "empty": (lambda path: path.write_bytes(b""), "cannot read"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:3000]), "cannot read"),
    "without an array": (drop_array, "first_frame"),
    "nested": (nest_recipe, "nested more than"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    "a link that leads nowhere": (lambda path: (path.unlink(), path.symlink_to("nowhere")), "No such file"),
}


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_shard_is_named(run: Run, copy: Path, kind: str, has_index: bool) -> None:
    """Also where it is listed, or where there is nothing to compare it with."""
    damage, said = BROKEN[kind]
    if not has_index:
        (copy / INDEX).unlink()
    damage(copy / "train/b.001.h5")
    assert_index_refused(run, copy, "b.001.h5", *([] if has_index else [said]))


def test_a_shard_with_another_checksum_than_the_index_says(run: Run, copy: Path) -> None:
    path = copy / "train/a.001.h5"
    flip_bits(path, path.stat().st_size // 2)
    assert_index_refused(run, copy, "a.001.h5 has another checksum than dataset.json says", "verify --repair", "remove")


def test_a_shard_that_the_index_lists_and_is_missing(run: Run, copy: Path) -> None:
    (copy / "train/a.001.h5").unlink()
    assert_index_refused(run, copy, "lists train/a.001.h5, which is missing", "verify --repair", "remove dataset.json")
    (copy / INDEX).unlink()
    assert len(rebuild_index(copy)) == 5


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"seed": 1}, "seed: 0 there, 1 now"),
        ({"v_th": (1.0, 4.0)}, "V_th: 1, 2 there, 1, 4 now"),
        ({"preset": "spikecv"}, "cameras: another"),
    ],
)
def test_shards_of_another_recipe(run: Run, copy: Path, tmp_path: Path, choices: dict[str, Any], said: str) -> None:
    build_data.write_frames(tmp_path / "c", 20, phase=5)
    build_clips([clip(tmp_path / "c")], tmp_path / "other", recipe(**choices), workers=1)
    for name in ("c.000.h5", "c.001.h5"):
        shutil.copy(tmp_path / "other/train" / name, copy / "train")
    assert_index_refused(run, copy, "c.000.h5 was built with another recipe than", "a.000.h5", said)


@pytest.mark.parametrize("cameras", [1, [1], [{}], {"a": 1}, None, [[]]])
def test_shards_whose_choices_are_nonsense(run: Run, copy: Path, cameras: Any) -> None:
    (copy / INDEX).unlink()
    for name, value in (("a.001", cameras), ("a.002", [cameras])):
        with h5py.File(copy / f"train/{name}.h5", "r+") as file:
            said = json.loads(file.attrs["recipe"])
            said["choices"]["cameras"] = value
            file.attrs["recipe"] = json.dumps(said)
    assert_index_refused(run, copy, "a.001.h5 was built with another recipe")


def test_shards_of_another_clip_of_the_name(run: Run, copy: Path, tmp_path: Path) -> None:
    build_data.write_frames(tmp_path / "b", 20, phase=5)
    build_clips([clip(tmp_path / "b")], tmp_path / "other", recipe(), workers=1)
    (copy / INDEX).unlink()
    shutil.copy(tmp_path / "other/train/b.002.h5", copy / "train")
    assert_index_refused(run, copy, "b.002.h5 was built from another clip than", "b.000.h5", "'train/b'")


def test_a_shard_that_lies_there_twice(run: Run, copy: Path) -> None:
    (copy / "test").mkdir()
    shutil.copy(copy / "train/b.001.h5", copy / "train/b.001 (1).h5")
    assert_index_refused(run, copy, "holds window 3 of train/b, which")


def test_a_damaged_index_is_named(run: Run, copy: Path) -> None:
    (copy / INDEX).write_text("{}")
    assert_index_refused(run, copy, "dataset.json", "remove it")


@pytest.mark.parametrize("place", ["empty", "nowhere"])
def test_there_is_no_dataset(run: Run, tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    assert_refused(run("index", tmp_path / place), "there is no dataset at")
    assert not (tmp_path / "nowhere").exists()


BUILDS: dict[str, Callable[[Any], object]] = {
    "none": lambda builds: builds.append(3),
    "no list": lambda builds: builds[0].update(clips=3),
    "not listed": lambda builds: builds[0]["clips"][0]["shards"].append("train/z.000.h5"),
    "twice": lambda builds: builds[0]["clips"][0]["shards"].append("train/a.000.h5"),
    "of another clip": lambda builds: builds[0]["clips"][0]["shards"].append(builds[0]["clips"][1]["shards"].pop()),
    "a shard is a list": lambda builds: builds[0]["clips"][0]["shards"].append([]),
    "origin": lambda builds: builds[0]["clips"][0].update(origin=3),
    "recipe": lambda builds: builds[0].update(recipe=[]),
    "deep": lambda builds: builds[0]["clips"][0].update(origin=json.loads('{"a":' * 100 + "1" + "}" * 100)),
}


@pytest.mark.parametrize("kind", BUILDS)
def test_builds_that_contradict_the_rest_of_an_index(copy: Path, kind: str) -> None:
    record = record_of(copy)
    BUILDS[kind](record["builds"])
    (copy / INDEX).write_text(json.dumps(record))
    with pytest.raises(InputFileError, match=r"dataset\.json is no index of a dataset"):
        read_index(copy)


# Beside others


@pytest.fixture
def running(longer: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A build that has some shards of twenty."""
    process = subprocess.Popen(build_command(longer, tmp_path / "out"), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: shard_files(tmp_path / "out"))
    yield process
    process.kill()
    process.communicate()


def test_beside_a_build_by_the_same_recipe(running: "subprocess.Popen[str]", tmp_path: Path, longer: Path) -> None:
    """What is finished is listed, and the build lists the rest."""
    entries = rebuild_index(tmp_path / "out")
    assert entries
    assert read_index(tmp_path / "out") == entries
    assert running.wait(60) == 0
    assert len(read_index(tmp_path / "out") or []) == 20
    assert_whole(tmp_path / "out")


def test_not_beside_what_does_something_else(copy: Path) -> None:
    before = snapshot(copy)
    for work in (None, recipe(seed=1).choices()):
        with locked(copy, work), pytest.raises(OutputError, match="is being written by"):
            rebuild_index(copy)
    assert {name: state for name, state in snapshot(copy).items() if not name.startswith(".")} == before


def test_a_builder_does_not_list_the_old_checksum_of_a_shard_that_was_replaced(copy: Path, source: Path) -> None:
    """By one of the same size, while it was at work."""
    known = read_index(copy) or []
    path = copy / "train/a.000.h5"
    with h5py.File(path, "r+") as file:
        file.attrs["recipe"] = file.attrs["recipe"].replace("spikesim build source", "spikesim build SOURCE")
    (copy / INDEX).unlink()
    rebuild_index(copy)
    write_index(copy, {"choices": {}}, known)
    assert_whole(copy)


def test_the_command_ends_with_a_line_that_people_read(copy: Path) -> None:
    line = [sys.executable, "-c", "from spikesim_cli.main import main; main()", "index", str(copy)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"{copy}: 6 shards")


def test_an_index_prints_in_one_line(built: tuple[Path, BuildReport]) -> None:
    index = read_whole_index(built[0])
    assert isinstance(index, Index)
    assert "\n" not in repr(index)
    assert len(repr(index)) < 300
