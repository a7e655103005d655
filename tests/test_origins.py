"""Clips opened again from where they came from, and recipes from their choices: the same, or refused in our words."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_arguments import NoiseClip
from photo_data import write_photos
from PIL import Image
from source_data import everything, noise, write_frames, write_video
from test_hostile_records import STRANGE, altered
from test_timing import RESAMPLE, dropped, write_brightening

from spikesim.errors import InputFileError, InvalidValueError, SpikesimError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.sources import (
    Clip,
    DemoClip,
    DemoVariant,
    PhotoClip,
    Reading,
    excerpt,
    open_clips,
    open_gopro,
    origin_of,
    reopen,
)

SMALL = {"seed": 3, "number": 1, "n_frames": 6, "height": 64, "width": 96}


def write_stack(path: Path) -> Path:
    Image.fromarray(noise(0)).save(path, save_all=True, append_images=[Image.fromarray(noise(i)) for i in (1, 2, 3)])
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    """A clip of every kind; their files are not to be changed."""
    folder = tmp_path_factory.mktemp("sources")
    tree = folder / "GOPRO"
    write_frames(tree / "train" / "scene", 4)
    gaps = write_frames(folder / "gaps", 4)
    (gaps / "000001.png").unlink()
    photos = write_photos(folder / "photos")
    (resampled,) = open_clips([write_brightening(folder / "b.mkv", dropped(40, 17))], reading=RESAMPLE)
    found: dict[str, Clip] = {
        "frames": open_clips([write_frames(folder / "frames", 5)])[0],
        "frames with gaps": open_clips([gaps], "test", reading=Reading(numbering="ignore"))[0],
        "gopro": open_gopro(tree)[0],
        "video": open_clips([write_video(folder / "a.mp4")])[0],
        "video read otherwise": open_clips([folder / "a.mp4"], reading=Reading(matrix="bt709"))[0],
        "stack": open_clips([write_stack(folder / "s.tif")])[0],
        "scene": DemoClip("test", "here", "desk", 6, 64, 96),
        "variant": DemoVariant("train", "desk_0001", "desk", **SMALL),
        "photo": PhotoClip("train", "p", photos / "a.png", (photos / "b.jpg",), photos, **SMALL, whole=180),
        "resampled": resampled,
    }
    parts = {f"part of {name}": excerpt(clip, 1, 2) for name, clip in found.items()}
    return {**found, **parts, "part of a part": excerpt(excerpt(found["video"], 5, 20), 3, 9)}


KINDS = [
    *(kinds := ("frames", "frames with gaps", "gopro", "video", "video read otherwise", "stack", "scene", "variant")),
    *("photo", "resampled"),
    *(f"part of {name}" for name in (*kinds, "photo", "resampled")),
    "part of a part",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_opened_again(clips: dict[str, Clip], kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips[kind]
    origin = origin_of(clip)
    assert origin is not None
    monkeypatch.chdir("/")  # whence it is asked makes no difference
    again = reopen(json.loads(json.dumps(origin)))
    assert again == clip
    assert type(again) is type(clip)
    assert (again.key, again.source, again.fingerprint()) == (clip.key, clip.source, clip.fingerprint())
    assert origin_of(again) == origin
    if "resampled" not in kind:
        np.testing.assert_array_equal(everything(again), everything(clip))


def test_an_origin_is_no_part_of_a_fingerprint(tmp_path: Path) -> None:
    """Datasets do not depend on where things lie."""
    first, second = (open_clips([write_frames(tmp_path / place / "a", 4)])[0] for place in ("here", "there"))
    assert first.fingerprint() == second.fingerprint()
    assert origin_of(first) != origin_of(second)


def test_paths_are_absolute_and_follow_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_frames(tmp_path / "frames", 3)
    (tmp_path / "link").symlink_to("frames")
    monkeypatch.chdir(tmp_path)
    (clip,) = open_clips(["link"])
    origin = origin_of(clip)
    assert origin is not None
    assert origin["folder"] == origin["source"] == str(tmp_path / "link")
    assert reopen(origin).name == "link"


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    clip = open_clips([write_frames(folder / "a", 3)])[0]
    assert reopen(json.loads(json.dumps(origin_of(clip)))).fingerprint() == clip.fingerprint()


def test_clips_of_others_have_none() -> None:
    assert origin_of(NoiseClip()) is None
    assert origin_of(excerpt(NoiseClip(), 1, 3)) is None


def test_a_source_that_has_changed_has_another_fingerprint(tmp_path: Path) -> None:
    clip = open_clips([write_frames(tmp_path / "a", 4)])[0]
    origin, before = origin_of(clip), clip.fingerprint()
    assert origin is not None
    write_frames(tmp_path / "b", 1, first=9)
    (tmp_path / "b" / "000000.png").rename(tmp_path / "a" / "000002.png")
    assert reopen(origin).fingerprint() != before
    (tmp_path / "a").rename(tmp_path / "c")
    with pytest.raises(InputFileError, match="is no folder of frames"):
        reopen(origin)


def strange(record: Any) -> Iterator[Any]:
    """A record with each of its values exchanged for each strange one, taken out, or joined by another."""
    yield from altered(record, (*STRANGE, float("nan"), "/dev/zero", 1 << 40))
    yield {**record, "colour": "red"}


@pytest.mark.parametrize("kind", ["frames", "video read otherwise", "stack", "scene", "variant", "photo", "resampled",
                                  "part of video", "part of resampled", "part of a part"])  # fmt: skip
def test_strange_origins_are_refused_or_give_a_clip_of_sane_size(clips: dict[str, Clip], kind: str) -> None:
    ends = set()
    for origin in strange(origin_of(clips[kind])):
        try:
            clip = reopen(origin)
            assert clip.n_frames <= 1 << 24
            ends.add("opened")
        except SpikesimError as error:
            ends.add(type(error).__name__)
    assert ends <= {"opened", "InputFileError", "InvalidValueError"}
    assert "InvalidValueError" in ends


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "pipe"}, "the kind of an origin is one of frames, video, .*got 'pipe'"),
        ({"folder": "frames"}, "the paths of an origin are absolute, got 'frames'"),
        ({"source": "~/frames"}, "the paths of an origin are absolute"),
        ({"colour": "red"}, "this is no origin of a clip: .*colour"),
        ({"reading": {"numbering": "guess"}}, "numbering must be one of 'refuse', 'ignore'"),
        ({"reading": {"colour": "red"}}, "this is no origin"),
    ],
)
def test_what_is_wrong_with_an_origin(clips: dict[str, Clip], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        reopen({**(origin_of(clips["frames"]) or {}), **changes})


@pytest.mark.parametrize("kind", ["frames", "video", "stack", "photo"])
@pytest.mark.parametrize("place", ["pipe", "folder"])
def test_what_is_no_file_is_not_opened(clips: dict[str, Clip], tmp_path: Path, kind: str, place: str) -> None:
    """Whoever opens a pipe waits for its writer."""
    path = tmp_path / "frames" / "a.png"
    path.parent.mkdir()
    if place == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    origin = dict(origin_of(clips[kind]) or {})
    given = {"frames": "folder", "photo": "photo"}.get(kind, "path")
    with pytest.raises(SpikesimError, match=r"a\.png"):
        reopen({**origin, given: str(path.parent if kind == "frames" else path)})


def test_origins_are_not_nested_without_end(clips: dict[str, Clip]) -> None:
    origin = origin_of(clips["scene"])
    for _ in range(500):
        origin = {"kind": "excerpt", "split": "test", "name": "here", "whole": origin, "start": 0, "frames": 3}
    with pytest.raises(InvalidValueError, match="the kind of an origin"):
        reopen(origin)


# Recipes

RECIPES = {
    "by default": make_recipe(),
    "several thresholds": make_recipe((1, 2.5), preset="spikecv", interpolation="linear", seed=2**64 - 1),
    "realistic": make_recipe(preset="realistic", sharp="none", cuts="skip", light=True),
    "of many choices": make_recipe(
        downscale="area", linear_light=True, plan=ExposurePlan(3, 4, 3, 2), sharp="sequence", flow=True,
        shard_samples=3, compression="gzip",
    ),
    "without interpolation": make_recipe(interpolation="none"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_follows_from_its_choices(name: str) -> None:
    recipe = RECIPES[name].resolve()
    again = Recipe.from_choices(json.loads(json.dumps(recipe.choices())))
    assert again.resolve() == recipe
    assert again.choices() == recipe.choices()


def test_an_interpolator_of_another_version_gives_other_choices() -> None:
    choices = make_recipe().choices()
    choices["interpolation"]["opencv"] = "3.0"
    assert Recipe.from_choices(choices).choices() != choices


def test_options_of_networks_stand_in_their_description() -> None:
    described = {
        "name": "rife",
        "version": 1,
        "weights": "0" * 64,
        "tile": 128,
        "precision": "bfloat16",
        "device": "cpu",
    }
    spec = InterpolatorSpec.from_description(described)
    assert spec == InterpolatorSpec("rife", None, "cpu", 128, "bfloat16")


@pytest.mark.parametrize("name", ["torchscript", "torchscript:/tmp/a.pt", "nothing", None, 3])
def test_an_exported_network_is_not_looked_for(name: Any) -> None:
    """A dataset from elsewhere could name any file."""
    with pytest.raises(InvalidValueError):
        InterpolatorSpec.from_description({"name": name})


def test_strange_choices_are_refused() -> None:
    ends = set()
    for choices in strange(RECIPES["of many choices"].choices()):
        try:
            Recipe.from_choices(choices).choices()
            ends.add("made")
        except SpikesimError as error:
            ends.add(type(error).__name__)
    assert ends == {"made", "InvalidValueError"}
