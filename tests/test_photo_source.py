"""Clips from photos and random variants of scenes: what is random, what is exact, and what is refused."""

import os
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from build_data import content, snapshot
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from photo_data import explained, noise_photo, write_photos
from PIL import Image

from spikesim import SpikeCamera, read_spikes, simulate
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_cli.main import cli
from spikesim_datasets.build import build_clips, build_dataset
from spikesim_datasets.clip_interpolation import interpolate_clip
from spikesim_datasets.clip_simulation import simulate_clip
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.image_files import read_image
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.optics import Optics
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.shards import ShardReader
from spikesim_datasets.sources import DemoClip, DemoVariant, ExactClip, PhotoClip, open_clips
from spikesim_datasets.synthesis import Stretch

GOPRO = ExposurePlan()
SHORT = ExposurePlan(frames=3, factor=4, gap=3, padding=5)  # 9 readouts of 19


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three smooth photos and a file that is none; not to be changed."""
    folder = write_photos(tmp_path_factory.mktemp("sources") / "photos")
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.png").write_bytes(b"left by a file manager")
    return folder


def small(clip, **changes):
    return replace(clip, **{"height": 68, "width": 96, **changes})


def exact_clips(photos: Path) -> list[PhotoClip | DemoVariant]:
    return [small(clip) for clip in open_clips([f"photo:{photos}#2", f"photo:{photos}", "demo:street#1"])]


def outcome(*arguments: object) -> tuple[int, str]:
    """Exit code of a command line, and what it says to stderr, in one line."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    return result.exit_code, " ".join(result.stderr.split())


# Which clips


def test_a_folder_gives_a_clip_for_each_photo_named_after_it(photos):
    clips = open_clips([f"photo:{photos}"], "test")
    assert [clip.key for clip in clips] == ["test/a", "test/b", "test/c"]
    assert all((clip.height, clip.width, clip.source) == (720, 1280, photos) for clip in clips)
    assert all(GOPRO.windows(clip.n_frames) and not GOPRO.windows(clip.n_frames - 1) for clip in clips)
    assert [clip.photo.name for clip in clips] == ["a.png", "b.jpg", "c.png"]
    assert all(clip.photo not in clip.others for clip in clips)


def test_a_photo_gives_one_clip_with_cutouts_of_itself(photos):
    (clip,) = open_clips([f"photo:{photos / 'b.jpg'}"])
    assert (clip.name, clip.photo) == ("b", photos / "b.jpg")
    assert set(clip.others) == {photos / "b.jpg"}


def test_random_clips_take_any_photos_and_are_numbered(photos, monkeypatch):
    clips = open_clips([f"photo:{photos}#40", f"photo:{photos / 'a.png'}#2", "demo:desk#2"])
    names = [clip.name for clip in clips]
    assert names[:2] + names[-4:] == ["photos_0000", "photos_0001", "a_0000", "a_0001", "desk_0000", "desk_0001"]
    assert len(set(names)) == 44
    assert {clip.photo.name for clip in clips[:40]} == {"a.png", "b.jpg", "c.png"}
    assert all(clip.photo not in clip.others for clip in clips[:40])
    monkeypatch.chdir(photos)
    assert open_clips(["photo:.#1"])[0].name == "photos_0000"


def test_a_file_whose_name_holds_the_mark_is_that_file(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "roll#2")
    assert [clip.name for clip in open_clips([f"photo:{tmp_path}/roll#2"])] == ["a", "b", "c"]
    assert [clip.name for clip in open_clips([f"photo:{tmp_path}/roll#2#1"])] == ["roll#2_0000"]


def test_clips_are_small_to_send(photos):
    write_photos(photos.parent / "many", [f"{i}.png" for i in range(30)])
    for clip in open_clips([f"photo:{photos.parent / 'many'}#3", "demo:street#1"]):
        assert len(pickle.dumps(clip)) < 1500
        assert pickle.loads(pickle.dumps(clip)) == clip


# What is random


def test_a_random_clip_does_not_depend_on_how_many_there_are(photos):
    for source in (f"photo:{photos}", "demo:garden"):
        few, many = (open_clips([f"{source}#{count}"], seed=5) for count in (3, 9))
        assert few == many[:3]
    for few_, many_ in zip(open_clips([f"photo:{photos}#2"]), open_clips([f"photo:{photos}#7"])[:2], strict=True):
        assert np.array_equal(small(few_).at(3.3), small(many_).at(3.3))
        assert few_.fingerprint() == many_.fingerprint()


@pytest.mark.parametrize("source", ["photo:{}#2", "photo:{}", "demo:street#2"])
def test_the_same_seed_gives_the_same_frames_and_another_seed_others(photos, source):
    first, again, other = (
        [small(clip) for clip in open_clips([source.format(photos)], seed=seed)][:2] for seed in (1, 1, 2)
    )
    frames = [[clip.at(time) for clip in clips for time in (0.0, 19.125)] for clips in (first, again, other)]
    assert np.array_equal(frames[0], frames[1])
    assert all(not np.array_equal(a, b) for a, b in zip(frames[0], frames[2], strict=True))
    assert not np.array_equal(frames[0][0], frames[0][2])  # nor are two clips alike
    prints = [[clip.fingerprint() for clip in clips] for clips in (first, again, other)]
    assert prints[0] == prints[1]
    assert prints[0] != prints[2]


def test_what_was_asked_before_does_not_matter(photos):
    clips = exact_clips(photos)
    expected = [clip.at(7.7) for clip in clips]
    for clip, frame in reversed(list(zip(clips, expected, strict=True))):
        clip.at(100.1)[:] = 0
        assert np.array_equal(clip.at(7.7), frame)


def test_a_longer_clip_shows_the_same(photos):
    for clip in exact_clips(photos):
        assert np.array_equal(replace(clip, n_frames=200).at(11.5), clip.at(11.5))


def test_the_seed_changes_no_other_source(photos, tmp_path):
    folder = write_photos(tmp_path / "frames", ["1.png", "2.png"])
    sources = ["demo:street", str(folder)]
    assert open_clips(sources, seed=1) == open_clips(sources, seed=2)


# Fingerprints


def test_fingerprints_depend_on_the_photos_and_not_on_where_they_lie(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "copy")
    here, there = (open_clips([f"photo:{folder}#3"]) for folder in (photos, tmp_path / "copy"))
    assert [clip.fingerprint() for clip in here] == [clip.fingerprint() for clip in there]
    for name in ("a.png", "b.jpg", "c.png"):
        Image.fromarray(noise_photo()).save(tmp_path / "copy" / name)
    changed = open_clips([f"photo:{tmp_path / 'copy'}#3"])
    assert all(a.fingerprint() != b.fingerprint() for a, b in zip(here, changed, strict=True))


def test_every_choice_is_in_the_fingerprint(photos):
    for clip in exact_clips(photos)[:1] + exact_clips(photos)[-1:]:
        changes = [{}, {"seed": 1}, {"number": 8}, {"n_frames": 9}, {"height": 72}, {"width": 100}]
        prints = [replace(clip, **change).fingerprint() for change in changes]
        assert all(prints.count(one) == 1 for one in prints)
    assert (
        DemoVariant("train", "a", "desk", seed=0, number=0).fingerprint()
        != DemoVariant("train", "a", "street", seed=0, number=0).fingerprint()
    )


def test_plain_scenes_and_recipes_are_recorded_as_ever():
    """Shards that were built before photos and flow are kept."""
    assert DemoClip("train", "a", "desk", 5, 64, 96).fingerprint() == {
        "scene": "desk", "version": 1, "opencv": cv2.__version__, "frames": 5, "size": [64, 96],
    }  # fmt: skip
    assert list(make_recipe().choices()) == [
        "plan", "cameras", "interpolation", "downscale", "linear_light", "cuts", "sharp", "seed", "shard_samples",
        "compression",
    ]  # fmt: skip
    assert make_recipe(flow=True).choices()["flow"] is True


# Exact at any time


def test_frames_are_those_at_whole_times(photos):
    for clip in exact_clips(photos):
        assert isinstance(clip, ExactClip)
        frames = list(clip.frames(3, 6))
        assert np.array_equal(frames, [clip.at(time) for time in (3, 4, 5.0)])
        assert (frames[0].shape, frames[0].dtype) == ((68, 96, 3), np.uint8)
        assert len(list(clip.frames(27, 40))) == 2
        assert list(clip.frames(4, 4)) == []


def test_a_plain_scene_is_interpolated_as_ever():
    clip = DemoClip("train", "desk", "desk", 6, 64, 96)
    assert not isinstance(clip, ExactClip)
    linear = make_interpolator("linear")
    readouts = dict(interpolated(clip, linear, 4, [range(9)]))
    (expected,) = linear.between(SCENES["desk"].frame(0, 64, 96), SCENES["desk"].frame(1, 64, 96), [0.25])
    assert np.array_equal(readouts[1], expected)


def test_readouts_are_those_of_their_own_times_and_no_others(photos):
    for clip in exact_clips(photos)[1:]:
        spans = [range(3, 6), range(5, 7), range(20, 21)]
        readouts = list(interpolated(clip, make_interpolator("linear"), 5, spans))
        assert [number for number, _ in readouts] == [3, 4, 5, 6, 20]
        assert np.array_equal([frame for _, frame in readouts], [clip.at(number / 5) for number, _ in readouts])


def test_with_the_interpolator_none_frames_are_readouts(photos):
    clip = exact_clips(photos)[0]
    readouts = dict(interpolated(clip, make_interpolator("none"), 4, [range(2, 4)]))
    assert np.array_equal(readouts[3], clip.at(3))


def test_readouts_beyond_the_clip_are_refused(photos):
    clip = small(exact_clips(photos)[0], n_frames=4)
    readouts = interpolated(clip, make_interpolator("linear"), 4, [range(12, 18)])
    assert next(readouts)[0] == 12
    with pytest.raises(InputFileError, match="ends before frame 4, but frames up to 5 are needed"):
        next(readouts)


@given(seed=st.integers(0, 1000), number=st.integers(0, 50), time=st.floats(-1e4, 1e4))
def test_a_white_photo_is_never_black_at_any_time(tmp_path_factory, seed, number, time):
    path = tmp_path_factory.getbasetemp() / "white.png"
    if not path.exists():
        Image.fromarray(np.full((80, 100, 3), 255, np.uint8)).save(path)
    clip = PhotoClip("train", "white", path, (), path, seed=seed, number=number, height=64, width=96)
    assert clip.at(time).min() > 90  # gain from 0.5 less 15 %, contrast from 0.8


@pytest.mark.parametrize("number", range(6))
def test_flow_leads_from_one_frame_of_a_clip_to_the_next(photos, number):
    clip = small(open_clips([f"photo:{photos}#6"], seed=1)[number], height=180, width=240)
    before, after = (clip.at(time).astype(float) for time in (19, 21))
    error = explained(before, after, clip.flow(19, 21))
    seen = np.isfinite(error) & (before.max(-1) < 250) & (before.min(-1) > 5)
    # The gain is that of the composition; here it is what makes the frames alike.
    gain = np.median(after[seen].mean(-1)) / np.median(before[seen].mean(-1))
    assert seen.mean() > 0.2
    assert np.median(explained(before * gain, after, clip.flow(19, 21))[seen]) < 1.5
    assert np.abs(clip.flow(19, 19)).max() < 1e-6


@pytest.mark.parametrize("scene", SCENES)
def test_flow_of_a_variant_leads_from_one_frame_to_the_next(scene):
    clip = DemoVariant("train", "a", scene, seed=2, number=3, height=180, width=320)
    before, after = (cv2.GaussianBlur(clip.at(time), (0, 0), 2).astype(float) for time in (4, 10))
    flow = clip.flow(4, 10)
    assert np.abs(flow).max() > 1
    here, still = np.nanmedian(explained(before, after, flow)), np.nanmedian(explained(before, after, 0 * flow))
    assert here < min(1, 0.4 * still)


def test_flow_of_a_scene_is_the_difference_of_places_of_its_camera():
    from spikesim_datasets.scenes.render import Shake

    scene = SCENES["garden"]
    flow = scene.flow(3.0, 8.5, 180, 320)
    shake = Shake(scene.seed)
    # The lawn, at its own depth: scaled to a quarter, from pixel centres.
    at = 4 * np.array([60.5, 150.5])
    world = np.linalg.solve(shake.view(3.0, 0.9), (*at, 1))
    moved = (shake.view(8.5, 0.9) @ world)[:2]
    assert np.abs(flow[150, 60] - (moved - at) / 4).max() < 1e-3


# Datasets


@pytest.fixture(scope="module")
def built(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random clips and variants with their flow, by the default plan; not to be changed."""
    out = tmp_path_factory.mktemp("built")
    recipe = make_recipe((1.0, 2.0), sharp="sequence", flow=True, preset="ideal")
    build_clips(exact_clips(photos), out, recipe, workers=1)
    return out


def samples(out: Path) -> Iterator[tuple[str, object]]:
    for file in sorted(out.rglob("*.h5")):
        with ShardReader(file) as shard:
            yield from ((shard.name, shard.sample(number)) for number in range(len(shard)))


def test_samples_are_made_of_the_exact_readouts(photos, built):
    clips = {clip.name: clip for clip in exact_clips(photos)}
    found = dict(samples(built))
    assert found.keys() == clips.keys()
    for name, sample in found.items():
        readouts = np.stack([clips[name].at(readout / 8) for readout in range(84, 221)])
        assert np.array_equal(sample.blur, np.floor(readouts[20:117].astype(int).mean(0) + 0.5))
        assert np.array_equal(sample.sharp, readouts[20:117:16])
        light = np.stack([Optics().light(frame) for frame in readouts])
        for v_th, stream in sample.spikes.items():
            expected = simulate(light, SpikeCamera.preset("ideal", v_th=v_th), key=f"train/{name}/1/{v_th:g}")
            assert np.array_equal(stream.packed, expected.packed)
        flow = sample.extra["flow"]
        assert (flow.shape, flow.dtype) == ((6, 68, 96, 2), np.float16)
        steps = [clips[name].flow(start, start + 2) for start in range(13, 25, 2)]
        assert np.array_equal(flow, np.float16(steps))
        np.testing.assert_array_equal(sample.extra["flow_exact"], np.ones(1, np.uint8), strict=True)


def test_workers_build_what_one_process_builds(photos, built, tmp_path):
    recipe = make_recipe((1.0, 2.0), sharp="sequence", flow=True, preset="ideal")
    build_clips(exact_clips(photos), tmp_path, recipe, workers=2)
    assert content(tmp_path) == content(built)


def test_a_second_run_keeps_everything_and_a_larger_one_adds(photos, tmp_path):
    def run(count: int, seed: int = 4) -> tuple[int, int]:
        clips = [small(clip) for clip in open_clips([f"photo:{photos}#{count}"], seed=seed)]
        report = build_clips(clips, tmp_path, make_recipe(plan=SHORT, interpolation="linear"), workers=1)
        return report.built, report.kept

    assert run(2) == (2, 0)
    before = snapshot(tmp_path / "train")
    assert run(2) == (0, 2)
    assert run(3) == (1, 2)
    assert {name: state for name, state in snapshot(tmp_path / "train").items() if name in before} == before
    changed = r"another clip of this name: its files are others; seed: 4 there, 5 now\)"
    with pytest.raises(Exception, match=rf"was built with another recipe .*{changed}"):
        run(3, seed=5)


def test_the_seed_of_a_build_is_that_of_its_clips(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "photos")
    for seed in (3, 4):
        build_dataset("photo:photos#1", f"d{seed}", seed=seed, workers=1, interpolation="linear", sharp="none")
        (clip,) = open_clips(["photo:photos#1"], seed=seed)
        with ShardReader(f"d{seed}/train/photos_0000.000.h5") as shard:
            assert shard.recipe["clip"] == {"key": clip.key, **clip.fingerprint()}


def test_old_samples_without_flow_and_a_change_of_flow_is_named(photos, tmp_path):
    clips = exact_clips(photos)[:1]
    plain = make_recipe(plan=SHORT, interpolation="linear", sharp="sequence")
    build_clips(clips, tmp_path, plain, workers=1)
    with ShardReader(next(tmp_path.rglob("*.h5"))) as shard:
        assert "flow" not in shard.extra
    with pytest.raises(Exception, match=r"another recipe \(flow: None there, True now\)"):
        build_clips(clips, tmp_path, replace(plain, flow=True), workers=1)
    build_clips(clips, tmp_path, replace(plain, flow=True), workers=1, overwrite=True)
    with pytest.raises(Exception, match=r"another recipe \(flow: True there, None now\)"):
        build_clips(clips, tmp_path, plain, workers=1)


def test_items_hold_the_flow_cropped_and_mirrored_with_the_images(built):
    from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset

    dataset = SpikeBlurDataset(built, "train", 1.0, crop=32, flip=True)
    flips = set()
    for seed in range(30):
        item = dataset[SeededIndex(seed % len(dataset), seed)]
        assert item["flow"].shape == (6, 2, 32, 32)
        flow = item["flow"][2].numpy().transpose(1, 2, 0)
        before, after = (255 * item["sharp"][i].numpy().transpose(1, 2, 0) for i in (2, 3))
        error = np.nanmean(explained(before, after, flow))
        flips.add(error < np.nanmean(explained(before, after, -flow)) + 0.5)
    assert flips == {True}


def test_simulate_and_interpolate_use_exact_readouts(photos, tmp_path):
    clip = exact_clips(photos)[0]
    camera = SpikeCamera.preset("ideal")
    stretch = Stretch(2, 3, 4)
    simulate_clip(clip, tmp_path / "a.npz", camera, "linear", stretch=stretch)
    light = np.stack([Optics().light(clip.at(readout / 4)) for readout in range(8, 17)])
    expected = simulate(light, camera, key=clip.key)
    assert np.array_equal(read_spikes(tmp_path / "a.npz").packed, expected.packed)
    for _ in range(2):
        made = interpolate_clip(clip, tmp_path / "frames", "linear", stretch)
    assert (made.frames, made.kept) == (9, 9)
    assert np.array_equal(read_image(tmp_path / "frames" / "000003_001.png"), clip.at(3.5))
    assert '"interpolation": "exact"' in (tmp_path / "frames.json").read_text()


# Files


def test_clips_show_photos_upright(tmp_path):
    """Stored on its side with its left light, it is light at its top."""
    photo = np.full((80, 120, 3), 30, np.uint8)
    photo[:, :60] = 220
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(np.rot90(photo, -1)).save(tmp_path / "b.png")
    turned, upright = (
        PhotoClip("train", "a", path, (), path, seed=0, number=0, height=120, width=80)
        for path in (tmp_path / "a.png", tmp_path / "b.png")
    )
    frame = turned.at(19)
    assert np.array_equal(frame, upright.at(19))
    assert frame[:20].mean() > 2 * frame[-20:].mean()


def test_a_photo_that_changes_is_read_again_and_a_lost_one_is_named(tmp_path):
    folder = write_photos(tmp_path / "photos", ["a.png"])
    (clip,) = (small(clip) for clip in open_clips([f"photo:{folder}"]))
    before = clip.at(1.0)
    Image.fromarray(noise_photo()).save(folder / "a.png")
    os.utime(folder / "a.png", (0, 0))
    assert not np.array_equal(clip.at(1.0), before)
    (folder / "a.png").unlink()
    for use in (lambda: clip.at(1.0), lambda: clip.flow(0, 1), clip.fingerprint):
        with pytest.raises(InputFileError, match=r"a\.png cannot be read \(No such file or directory\)"):
            use()


def damaged(folder: Path) -> str:
    content_ = (write_photos(folder, ["a.png"]) / "a.png").read_bytes()
    (folder / "a.png").write_bytes(content_[: len(content_) // 2])
    return f"photo:{folder}"


def tiny(folder: Path) -> str:
    Image.fromarray(noise_photo(0, 40, 90)).save(write_photos(folder) / "d.png")
    return f"photo:{folder}"


def no_image(folder: Path) -> str:
    (write_photos(folder) / "d.png").write_text("no image")
    return f"photo:{folder}#3"


def empty(folder: Path) -> str:
    folder.mkdir()
    return f"photo:{folder}"


def twice(folder: Path) -> str:
    return f"photo:{write_photos(folder, ['a.png', 'a.jpg'])}"


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda folder: f"photo:{folder}", r"photos does not exist; photos are an image file or a folder of them"),
        (lambda folder: "photo:", "the path after photo: must be a path"),
        (empty, r"photos holds no photos \(\.png, "),
        (damaged, r"a\.png cannot be decoded .*; replace it"),
        (tiny, r"d\.png is 90×40; photos have at least 64 pixels a side, .* Remove it"),
        (no_image, r"d\.png is no readable image"),
        (twice, r"2 sources would be called 'train/a'.*; rename all but one"),
        (lambda folder: f"photo:{write_photos(folder)}#0", r"whole number from 1 to 1000000, got '0'"),
        (lambda folder: f"photo:{write_photos(folder)}#-1", r"whole number from 1 to 1000000, got '-1'"),
        (lambda folder: f"photo:{write_photos(folder)}#2.5", r"whole number from 1 to 1000000, got '2\.5'"),
        (lambda folder: f"photo:{write_photos(folder)}#", r"whole number from 1 to 1000000, got ''"),
        (lambda folder: f"photo:{write_photos(folder)}#many", r"whole number from 1 to 1000000, got 'many'"),
        (lambda folder: f"photo:{write_photos(folder)}#9999999999", r"whole number from 1 to 1000000"),
        (lambda folder: "demo:street#0", r"demo:street#0: after # stands the number of random clips"),
        (lambda folder: "demo:moon#3", r"no demo scene is called 'moon'; there are street"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, make, what):
    source = make(tmp_path / "photos")
    code, said = outcome("build", source, "--out", tmp_path / "out", "--workers", 1, "--interp", "linear")
    assert code == 2
    assert "Traceback" not in said
    with pytest.raises((InputFileError, InvalidValueError), match=what) as caught:
        build_dataset(source, tmp_path / "out", workers=1, interpolation="linear")
    assert "\n" not in str(caught.value)
    assert " ".join(str(caught.value).split()[-4:]) in said


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"height": 70}, "height must be a multiple of 4, got 70"),
        ({"width": 60}, "width must be a whole number of at least 64, got 60"),
        ({"n_frames": 0}, "n_frames must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_sizes_that_are_none_are_refused(photos, changes, what):
    for clip in open_clips([f"photo:{photos}#1", "demo:desk#1"]):
        with pytest.raises(InvalidValueError, match=what):
            replace(clip, **changes)


def test_parts_are_square_frames_of_a_720p_one(photos, tmp_path):
    (clip,) = open_clips([f"photo:{photos}#1"], side=64)
    assert (clip.height, clip.width, clip.whole) == (64, 64, 720)
    (whole,) = open_clips([f"photo:{photos}#1"])
    assert clip.fingerprint() != whole.fingerprint() != replace(clip, whole=None).fingerprint()
    code, _ = outcome("build", f"photo:{photos}#1", "--side", 64, "--out", tmp_path, "--workers", 1)
    assert code == 0
    ((_, sample),) = samples(tmp_path)
    assert sample.blur.shape == (64, 64, 3)
    assert sample.spikes[1.0].dense().shape == (137, 16, 16)


@pytest.mark.parametrize(
    ("source", "side", "what"),
    [
        ("photo:{}", 60, "side must be a whole number of at least 64, got 60"),
        ("photo:{}", 66, "side must be a multiple of 4, got 66"),
        ("photo:{}", 724, "side must be a whole number of at most 720, got 724"),
        ("demo:desk#1", 64, "demo:desk#1 cannot be shown in part, only photo:PATH can; build it without side"),
    ],
)
def test_sides_that_are_none_are_refused(photos, tmp_path, source, side, what):
    with pytest.raises(InvalidValueError, match=what):
        open_clips([source.format(photos)], side=side)
    code, said = outcome("build", source.format(photos), "--side", side, "--out", tmp_path / "out")
    assert code == 2
    assert what.split(",")[0] in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("time", [float("nan"), float("inf"), "8", None])
def test_times_that_are_none_are_refused(photos, time):
    for clip in exact_clips(photos)[1:]:
        for use in (lambda clip=clip: clip.at(time), lambda clip=clip: clip.flow(0, time)):
            with pytest.raises(InvalidValueError, match="must be a finite number of raw frames"):
                use()


def test_the_output_may_not_lie_among_the_photos(photos):
    with pytest.raises(InvalidValueError, match="lies in the source"):
        build_dataset(f"photo:{photos}#1", photos / "out", workers=1)


# Flow of too few frames


@pytest.mark.parametrize(("sharp", "kept"), [("middle", 1), ("none", 0), (None, 1)])
def test_flow_without_two_sharp_frames_is_refused(photos, tmp_path, sharp, kept):
    with pytest.raises(InvalidValueError, match=rf"but {kept} of train/a would be kept; .*\(--sharp sequence\)"):
        build_dataset(f"photo:{photos}", tmp_path, sharp=sharp, flow=True, workers=1)


def test_test_clips_keep_their_sequence_and_flow(photos, tmp_path):
    clips = [small(clip) for clip in open_clips([f"photo:{photos}#1"], "test")]
    build_clips(clips, tmp_path, make_recipe(plan=SHORT, interpolation="linear", flow=True), workers=1)
    with ShardReader(next(tmp_path.rglob("*.h5"))) as shard:
        assert shard.extra == ("flow", "flow_exact")


# The command line


def test_the_commands_take_a_dataset_with_flow_from_end_to_end(photos, built, tmp_path):
    assert outcome("verify", built)[0] == 0
    result = CliRunner().invoke(cli, ["info", str(built), "--json"])
    assert result.exit_code == 0
    assert '"flow": true' in result.stdout
    for step in (("convert", built, tmp_path / "layout"), ("convert", tmp_path / "layout", tmp_path / "again")):
        assert outcome(*step)[0] == 0
    before, after = dict(samples(built)), dict(samples(tmp_path / "again"))
    assert before.keys() == after.keys()
    for name, sample in before.items():
        assert np.array_equal(sample.extra["flow"], after[name].extra["flow"])


def test_a_dry_run_counts_the_flow(photos, tmp_path):
    sizes = []
    for options in ([], ["--flow"]):
        arguments = ["build", f"photo:{photos}#2", "--out", str(tmp_path / "out"), "--sharp", "sequence", "--dry-run"]
        result = CliRunner().invoke(cli, [*arguments, "--json", *options])
        assert result.exit_code == 0, result.output
        sizes.append(int(result.stdout.split('"bytes_at_most":')[1].split(",")[0]))
    assert sizes[1] - sizes[0] == 2 * (6 * 720 * 1280 * 2 * 2 + 1)  # one byte says that it is exact
    assert not (tmp_path / "out").exists()


def test_one_photo_is_an_input_of_simulate(photos, tmp_path):
    arguments = ["simulate", f"photo:{photos / 'a.png'}", tmp_path / "a.dat", "--frames", 2, "--factor", 2]
    assert outcome(*arguments)[0] == 0
    first = (tmp_path / "a.dat").read_bytes()
    assert outcome(*arguments, "--seed", 9, "--overwrite")[0] == 0
    assert (tmp_path / "a.dat").read_bytes() != first
    code, said = outcome("simulate", f"photo:{photos}", tmp_path / "b.dat")
    assert (code, "holds 3 clips; give one of them" in said) == (2, True)
