"""The public callables of `spikesim_datasets`, each with arguments that it takes; see `public_callables`."""

import re
import warnings
from importlib.util import find_spec
from inspect import isclass
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, is_typeddict

import h5py
import numpy as np
import torch
from dataset_arguments import (
    CHOICES,
    CLIP,
    CUTS,
    DRIFT,
    FRAME,
    FRAMES,
    HEIGHT,
    LENGTHS,
    LINEAR,
    PLAN,
    SAMPLE,
    SHARD,
    STREAM,
    VIDEO,
    WIDTH,
    WINDOWS,
    Midway,
    declare,
    item,
    item_of_seed,
    reader,
    write,
    writer,
)
from dataset_arguments import (
    prepare as prepare,
)
from public_callables import Call, Fresh

from spikesim import SpikeCamera
from spikesim_datasets import (
    build,
    clip_interpolation,
    clip_simulation,
    comparison,
    continuity,
    exposure,
    image_files,
    indexing,
    layouts,
    misalignment,
    optics,
    progress,
    recipe,
    recognition,
    repair,
    response,
    rig,
    samples,
    scenes,
    shards,
    source_description,
    sources,
    synthesis,
    videos,
    visualisation,
)
from spikesim_datasets.alignment import Alignment
from spikesim_datasets.interpolation import InterpolatorSpec, make_interpolator, rife, xvfi
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.interpolation.networks.torchscript import ScriptedNetwork
from spikesim_datasets.rerun_file import write_rerun
from spikesim_datasets.shards import diagnostics, fields, index, sample_reader, verification
from spikesim_datasets.shards.field import Field, SpikeField

PAGE = Path(__file__).parents[1] / "docs" / "api" / "spikesim_datasets.md"
"""What is documented must be among the calls."""

_ENTRY = re.compile(r"^::: (?P<name>\S+)(?:\n    options:\n      members: \[(?P<members>[^]]+)\])?", re.MULTILINE)


def documented() -> list[Any]:
    """What the page documents."""
    found = []
    for entry in _ENTRY.finditer(PAGE.read_text("utf-8")):
        owner = resolve_name(entry["name"])
        found += [getattr(owner, name) for name in re.split(r",\s*", entry["members"])] if entry["members"] else [owner]
    return found


def _is_made(found: Any) -> bool:
    """Whether something is a class of which there are objects, and no description of what others write."""
    return isclass(found) and not getattr(found, "_is_protocol", False) and not is_typeddict(found)


RERUN = find_spec("rerun") is not None
MODULES: tuple[ModuleType, ...] = (image_files, layouts, recognition, shards, videos, visualisation)
DOCUMENTED: tuple[type, ...] = tuple(filter(_is_made, documented()))
CLASSES: tuple[type, ...] = (
    # The methods of networks take tensors that torch checks.
    *(kind for kind in DOCUMENTED if not issubclass(kind, torch.nn.Module)),
    *(sources.DemoClip, sources.FrameClip, sources.VideoClip, LinearInterpolator),
    *(sources.DemoVariant, sources.PhotoClip),
)


def calls() -> list[Call]:
    """One call of every public callable; some have several, for arguments that exclude each other."""
    return [
        *_building(),
        *_sources(),
        *_light(),
        *_interpolation(),
        *_shards(),
        *_fields(),
        *_images(),
    ]


def _building() -> list[Call]:
    clip_recipe = recipe.make_recipe(interpolation="linear", plan=PLAN)
    thresholds = {"v_th": (1, 2.5), "interpolation": "linear"}
    return [
        Call(
            recipe.Recipe,
            cameras=(SpikeCamera(),),
            interpolation=InterpolatorSpec("linear"),
            plan=PLAN,
            optics=optics.Optics(),
            cuts="keep",
            sharp="middle",
            seed=3,
            shard_samples=2,
            compression="gzip",
            light=True,
            flow=False,
            misalign=rig.Rig(),
        ),
        Call(recipe.Recipe.resolve, self=clip_recipe),
        Call(recipe.Recipe.sharp_of, self=clip_recipe, split="test"),
        Call(recipe.Recipe.choices, self=clip_recipe),
        Call(recipe.Recipe.calibrations, self=clip_recipe),
        Call(recipe.Recipe.from_choices, choices=clip_recipe.choices(), calibrations={}),
        Call(recipe.make_recipe, preset="ssdm", camera=None, **thresholds, **CHOICES),
        Call(recipe.make_recipe, preset=None, camera=SpikeCamera(), **thresholds, **CHOICES),
        Call(
            build.build_dataset,
            source="frames",
            out="built",
            split="train",
            workers=1,
            overwrite=False,
            **thresholds,
            **CHOICES,
        ),
        Call(build.build_dataset, source=["frames"], out="built-of-several", **_given(build.build_dataset), **CHOICES),
        Call(
            build.build_clips,
            clips=[CLIP],
            out="built-of-clips",
            recipe=clip_recipe,
            workers=1,
            overwrite=False,
            part=(1, 1),
            on_progress=lambda progress: None,
            command="a",
        ),
        Call(
            build.BuildReport,
            out=Path("built"),
            built=1,
            kept=1,
            samples=1,
            skipped={},
            diagnostics={},
            bytes=1,
            readouts=1,
            seconds=1.0,
        ),
        Call(
            clip_simulation.simulate_clip,
            clip=CLIP,
            output="clip.dat",
            camera=SpikeCamera(),
            interpolation="linear",
            optics=optics.Optics(),
            stretch=synthesis.Stretch(1, 2, 3),
            on_progress=lambda progress: None,
            seed=3,
            device="cpu",
        ),
        Call(
            clip_interpolation.interpolate_clip,
            clip=CLIP,
            output="interpolated",
            interpolation=InterpolatorSpec("linear"),
            stretch=synthesis.Stretch(0, 2, 2),
            fps=30,
            overwrite=True,
            on_progress=lambda progress: None,
        ),
        Call(
            clip_interpolation.InterpolatedClip,
            output=Path("a"),
            frames=3,
            kept=0,
            diagnostics=diagnostics.Diagnostics(),
        ),
        Call(comparison.compare, clip=CLIP, interpolators=[LINEAR], every=9, on_progress=lambda progress: None),
        Call(comparison.Comparison, clip="train/a", name="a", triples=1, cuts=0, scores=()),
        Call(
            comparison.InterpolatorScore,
            interpolator="linear",
            psnr=30.0,
            least_psnr=20.0,
            ssim=0.9,
            least_ssim=0.8,
            seconds=0.1,
        ),
        Call(comparison.triples, clip=CLIP, every=3),
        Call(comparison.specs_to_compare, names=["flow", "rife"], device="cpu", tile=64),
        Call(continuity.unexplained, frame0=FRAME, frame1=VIDEO[1]),
    ]


def _given(function: Any) -> dict[str, Any]:
    return {"v_th": 1.0, "split": "test", "workers": 1, "overwrite": False, "interpolation": "linear"}


READING = sources.Reading(timing="ignore", numbering="ignore")


def _sources() -> list[Call]:
    place = {"split": "train", "name": "a", "source": "frames"}
    video = sources.VideoClip
    size = {"seed": 3, "number": 1, "n_frames": 2, "height": 64, "width": 96}
    photo = sources.PhotoClip("train", "a", Path("photo.png"), (Path("photo.png"),), Path("photo.png"), **size)
    opened = {
        sources.FrameClip: Fresh(lambda: sources.FrameClip.open("frames", **place)),
        video: Fresh(lambda: video.open("video.mp4", **place)),
        sources.DemoClip: sources.DemoClip("train", "desk", "desk", 2, 64, 96),
        sources.DemoVariant: sources.DemoVariant("train", "desk", "desk", **size),
        sources.PhotoClip: photo,
    }
    return [
        Call(
            sources.open_clips,
            sources=["frames", "video.mp4", "demo:desk"],
            split="test",
            seed=3,
            side=None,
            reading=READING,
            pattern=None,
        ),
        Call(sources.open_clips, sources=["."], split="test", seed=3, side=None, reading=READING, pattern="fr*"),
        Call(
            sources.open_clips,
            sources=["photo:photo.png#2"],
            split="test",
            seed=3,
            side=64,
            reading=READING,
            pattern=None,
        ),
        Call(sources.open_photos, path="photo.png", split="train", count=2, seed=3, side=64),
        Call(sources.clip_places, path="frames"),
        Call(sources.excerpt, clip=CLIP, start=0, frames=1),
        Call(sources.ExcerptClip, split="train", name="a", whole=CLIP, start=0, n_frames=1),
        Call(sources.holds_clips, path="frames"),
        Call(sources.open_place, place="frames", split="test", source="frames", reading=READING, name="a"),
        Call(sources.open_gopro, root="gopro", reading=READING),
        Call(sources.FrameClip.open, folder="frames", reading=READING, **place),
        Call(
            sources.Reading,
            timing="resample",
            numbering="ignore",
            interlacing="ignore",
            pixels="ignore",
            matrix="auto",
            transfer="hlg",
        ),
        Call(video.open, path="video.mp4", reading=READING, **place),
        Call(sources.DemoClip, split="train", name="desk", scene="desk", n_frames=3, height=64, width=96),
        Call(sources.DemoVariant, split="train", name="desk", scene="desk", **size),
        Call(
            sources.PhotoClip, split="train", name="a", photo="a.png", others=["a.png"], source="a", whole=720, **size
        ),
        *(Call(kind.at, self=opened[kind], time=0.5) for kind in (sources.DemoVariant, sources.PhotoClip)),
        *(Call(kind.flow, self=opened[kind], start=0.5, stop=1) for kind in (sources.DemoVariant, sources.PhotoClip)),
        *(Call(kind.frames, self=clip, start=0, stop=2) for kind, clip in opened.items()),
        *(Call(kind.fingerprint, self=clip) for kind, clip in opened.items()),
        *(Call(kind.origin, self=clip) for kind, clip in opened.items()),
        Call(sources.origin_of, clip=CLIP),
        Call(sources.reopen, origin=sources.DemoClip("train", "desk", "desk", 2, 64, 96).origin()),
        Call(scenes.Scene, name="a", seed=1, paint=lambda rng: []),
        Call(scenes.Scene.flow, self=scenes.SCENES["desk"], start=0.5, stop=1, height=64, width=96),
        Call(scenes.Scene.frame, self=scenes.SCENES["desk"], time=0.5, height=64, width=96),
    ]


def _light() -> list[Call]:
    plan_recipe = recipe.make_recipe(interpolation="linear", plan=PLAN)
    collected = optics.Optics().exposure()
    collected.add(FRAME)
    return [
        Call(exposure.ExposurePlan, frames=3, factor=4, gap=3, padding=2),
        Call(exposure.ExposurePlan.preset, name="gopro7", padding=4),
        Call(exposure.ExposurePlan.clip_readouts, self=PLAN, n_frames=8),
        Call(exposure.ExposurePlan.windows, self=PLAN, n_frames=8),
        Call(exposure.ExposurePlan.sharp_frames, self=PLAN, sharp="middle"),
        Call(exposure.ExposurePlan.sharp_readouts, self=PLAN, sharp="middle"),
        Call(exposure.Window, index=1, first_frame=3, first_readout=12),
        Call(optics.Optics, downscale="area", response="srgb", ratio=2),
        Call(optics.Optics.choices, self=optics.Optics()),
        Call(optics.Optics.of_choices, choices={"downscale": "area", "linear_light": True}),
        Call(response.Sigmoid, slope=6.0, midpoint=0.5),
        Call(response.Response, name="sigmoid", sigmoid=response.Sigmoid(6.0, 0.5)),
        Call(response.Response.of, described="srgb"),
        Call(response.Response.record, self=response.GAMMA),
        Call(response.Response.codes, self=response.GAMMA, light=np.zeros(3)),
        Call(optics.require_ratio, ratio=2),
        Call(optics.ratio_of, image=36, spikes=9, what="the blur"),
        Call(optics.check_ratio, height=36, width=52, ratio=4, what="the blur"),
        Call(optics.Optics.light, self=optics.Optics(), frame=FRAME, misalignment=misalignment.Misalignment(gain=0.5)),
        Call(optics.Optics.exposure, self=optics.Optics(response="gamma2.2")),
        Call(optics.Exposure, response=response.GAMMA),
        Call(optics.Exposure.add, self=Fresh(optics.Optics().exposure), frame=FRAME),
        Call(optics.Exposure.blur, self=collected),
        Call(
            synthesis.synthesise,
            clip=CLIP,
            windows=WINDOWS,
            recipe=plan_recipe,
            interpolator=LINEAR,
            diagnostics=Fresh(diagnostics.Diagnostics),
            on_readout=lambda: None,
        ),
        Call(progress.Progress, done=1, total=3, at="train/a", state=progress.BuildState(1, 2, 3, 4)),
        Call(progress.teller, on_progress=lambda progress: None),
        Call(synthesis.Stretch, start=1, frames=2, factor=3),
        Call(synthesis.Stretch.readouts, self=synthesis.Stretch(), clip=CLIP),
    ]


def _interpolation() -> list[Call]:
    spec, flow = InterpolatorSpec("linear"), FlowInterpolator()
    options = {"weights": "none.pkl", "device": "cpu", "tile": 64, "precision": "float32"}
    return [
        Call(InterpolatorSpec, name="rife", **options, description='{"name": "rife"}'),
        Call(InterpolatorSpec.of, interpolation="linear"),
        Call(InterpolatorSpec.from_description, description={"name": "linear", "version": 1}),
        Call(InterpolatorSpec.resolve, self=spec),
        Call(InterpolatorSpec.pin, self=spec, description={"name": "linear", "version": 1}),
        Call(InterpolatorSpec.describe, self=spec),
        Call(InterpolatorSpec.make, self=spec),
        Call(make_interpolator, name="linear", device="cpu", weights=None, tile=None, precision="float32"),
        *(
            call
            for kind in (flow, LINEAR)
            for call in (
                Call(type(kind).between, self=kind, frame0=FRAME, frame1=VIDEO[1], times=[0.5]),
                Call(type(kind).describe, self=kind),
            )
        ),
        Call(FlowInterpolator),
        Call(FlowInterpolator.flow, self=flow, frames=VIDEO),
        Call(ScriptedNetwork, module=_script(), title="a"),
        Call(rife.load_released, path_or_state_dict=_rife(), version="4.6"),
        Call(xvfi.load_released, path_or_state_dict=_xvfi(), scales=1),
    ]


def _script() -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(Midway())


def _rife() -> dict[str, torch.Tensor]:
    from random_networks import rife_weights

    return rife_weights("4.6")


def _xvfi() -> dict[str, torch.Tensor]:
    from random_networks import xvfi_weights

    return xvfi_weights(8)


def _shards() -> list[Call]:
    part = {"rows": slice(0, 4), "columns": slice(0, 8)}
    opened, reads = Fresh(lambda: shards.open_dataset("dataset", "train")), sample_reader.SampleReader
    return [
        Call(shards.open_dataset, path="dataset", split="train"),
        Call(
            shards.Dataset,
            root=Path("dataset"),
            split="train",
            entries=[index.ShardEntry("train/a.000.h5", "train", "a", 2, 1, "")],
            open_shard=lambda path: shards.ShardReader(path),
        ),
        Call(shards.Dataset.locate, self=opened, index=1),
        Call(shards.Dataset.__getitem__, self=opened, index=1),
        Call(
            shards.Sample,
            **{name: getattr(SAMPLE, name) for name in ("split", "name", "window", "first_frame", "exposure", "blur")},
            **{name: getattr(SAMPLE, name) for name in ("sharp", "sharp_readouts", "spikes", "extra")},
        ),
        Call(shards.Sample.sharp_near, self=SAMPLE, readout=68),
        Call(diagnostics.Diagnostics, cuts=[], fast=[], left_out=[]),
        Call(diagnostics.Diagnostics.merge, self=diagnostics.Diagnostics(), other=diagnostics.Diagnostics([1])),
        Call(diagnostics.Diagnostics.cut_within, self=diagnostics.Diagnostics([1]), first=0, last=1.5),
        Call(shards.ShardReader, path=SHARD),
        Call(shards.ShardReader.close, self=Fresh(reader)),
        Call(reads.close, self=Fresh(reader)),
        Call(reads.sample, self=Fresh(reader), number=1),
        Call(reads.blur, self=Fresh(reader), sample=1, **part),
        Call(reads.sharp, self=Fresh(reader), sample=1, frames=slice(0, 1), **part),
        Call(reads.spikes, self=Fresh(reader), sample=1, v_th=1, **part),
        Call(reads.array, self=Fresh(reader), name="blur", sample=1, cuts=CUTS),
        Call(reads.misalignment, self=Fresh(reader), sample=1),
        Call(reads.threshold, self=Fresh(reader), v_th=1),
        Call(write, path="out.h5", recipe={}, compression="gzip", replace=True, before=lambda: None),
        Call(shards.ShardWriter.append, self=Fresh(writer), sample=SAMPLE),
        Call(shards.ShardWriter.note, self=Fresh(writer), diagnostics=diagnostics.Diagnostics()),
        Call(shards.verify_dataset, path="dataset", on_progress=lambda progress: None, workers=1),
        Call(indexing.rebuild_index, path="dataset", on_progress=lambda progress: None),
        Call(
            repair.repair_dataset,
            path="dataset",
            checks=[verification.ShardCheck("train/z.000.h5", 1, 1, "missing")],
            workers=1,
            on_progress=lambda progress: None,
        ),
        Call(repair.RepairReport, repaired=(), changed=(), left={}, indexed=False),
        Call(verification.ShardCheck, path="a", samples=1, bytes=1, problem=""),
        Call(index.read_index, root="dataset"),
        Call(index.write_index, root="dataset", recipe={"choices": {}}, known=[]),
        Call(recognition.recognise, path="dataset"),
        Call(source_description.describe_sources, path="frames"),
        Call(layouts.is_layout, root="layout"),
        Call(layouts.recorded_pairs, root="recordings", images=None),
        Call(layouts.recorded_pairs, root="recordings/a", images="recordings/a"),
        Call(layouts.RecordedPair, image=Path("a.png"), spikes=Path("a.dat")),
        Call(layouts.open_layout, path="layout", split="train", v_th=1),
        Call(
            layouts.shards_to_tool,
            dataset="other",
            out=Fresh(lambda: _new_folder("tool")),
            tool="spikezoo",
            v_th=1,
            on_progress=lambda progress: None,
        ),
        Call(
            layouts.shards_to_layout,
            dataset="other",
            out=Fresh(lambda: _new_folder("layout")),
            v_th=1,
            on_progress=lambda progress: None,
        ),
        Call(layouts.loader_notes, layout="layout"),
        Call(layouts.verify_layout, path="layout", on_progress=lambda progress: None),
        Call(
            layouts.layout_to_shards,
            layout="layout",
            out=Fresh(lambda: _new_folder("shards")),
            v_th=1,
            preset=None,
            camera=None,
            on_progress=lambda progress: None,
        ),
        Call(
            samples.SpikeBlurDataset,
            path="dataset",
            split="train",
            v_th=(1, 2.5),
            crop=32,
            sharp="none",
            flip=True,
            extra=[],
            neighbours=True,
        ),
        Call(samples.SeededIndex, sample=1, seed=2),
        Call(item, index=1),
        Call(item_of_seed, sample=1, seed=2),
    ]


def _new_folder(name: str) -> str:
    """A name that no folder has yet."""
    return next(f"{name}-{i}" for i in range(1000) if not Path(f"{name}-{i}").exists())


def _fields() -> list[Call]:
    found: list[Call] = [
        Call(declare, field=DRIFT),
        Call(fields.optional_fields),
        Call(fields.sample_bytes, lengths=LENGTHS, thresholds=[1, 2.5], extra=[]),
        *(
            Call(
                kind,
                name="depth",
                axes=("H", "W", 2),
                dtype="float32",
                optional=True,
                filtered=False,
                file="npy",
                mirror_signs={"W": (-1, 1)},
            )
            for kind in (Field, SpikeField)
        ),
    ]
    memory = h5py.File("memory.h5", "w", driver="core", backing_store=False)
    for field in (fields.BLUR, fields.SPIKES):
        kind = type(field)
        (path, *_) = field.paths(SAMPLE.spikes)
        array = memory.create_dataset(path, (1, *field.shape(LENGTHS)), field.dtype)
        array.attrs["width"] = WIDTH // 4
        value = SAMPLE.blur if field is fields.BLUR else STREAM
        found += [
            Call(Field.nbytes, self=field, lengths=LENGTHS),
            Call(Field.shape, self=field, lengths=LENGTHS),
            Call(Field.chunk, self=field, lengths=LENGTHS),
            Call(kind.paths, self=field, thresholds=[1, 2.5]),
            Call(kind.stored, self=field, sample=SAMPLE),
            Call(kind.attributes, self=field, sample=SAMPLE),
            Call(kind.check, self=field, sample=SAMPLE, lengths=LENGTHS),
            Call(kind.check_stored, self=field, path=path, array=array, samples=1, lengths=LENGTHS),
            Call(Field.cut, self=field, cuts=CUTS),
            Call(kind.mirrored, self=field, value=value, down=True, across=True),
            Call(kind.turned, self=field, value=value),
        ]
    return found


def _misaligned() -> list[Call]:
    near = misalignment.Misalignment(parallax=1.0, edge_width=8.0)
    size, found = {"height": HEIGHT, "width": WIDTH}, near.alignment(HEIGHT, WIDTH, 4)
    drawn: dict[str, Any] = {name: getattr(near, name) for name in ("homography", *misalignment.VALUES[9:])}
    mine = rig.Rig(0.01, 0.002, 0.003, 2, 1.1, near.homography, "sample")
    return [
        Call(misalignment.Misalignment, **drawn),
        Call(misalignment.Misalignment.of_values, values=near.values),
        Call(misalignment.Misalignment.alignment, self=near, ratio=4, **size),
        Call(misalignment.Misalignment.gaze, self=near, ratio=4, **size),
        Call(misalignment.undo, image=np.zeros(found.shape[:2], np.float32), alignment=found, ratio=4),
        Call(misalignment.seen, alignment=found, ratio=4),
        Call(rig.Rig, **{name: getattr(mine, name) for name in mine.record()}),
        Call(rig.Rig.of, described="binocular"),
        Call(rig.Rig.load, path="homography.txt"),
        Call(rig.Rig.record, self=mine),
        Call(rig.Rig.check, self=mine, clip="train/a", **size),
        Call(rig.Rig.draw, self=mine, clip="train/a", window=1, seed=3, **size),
    ]


def _images() -> list[Call]:
    look, frames = visualisation, Fresh(lambda: iter(VIDEO[:2]))
    seen = {"look": "tfp", "window": 3}
    aligned = Alignment([[1, 0, 0], [0, 1, 0], [0, 0, 1]], (0, 0, WIDTH, HEIGHT))
    return [
        Call(Alignment, homography=aligned.homography, crop=aligned.crop),
        Call(Alignment.load, path="homography.txt", crop=aligned.crop),
        Call(Alignment.warp, self=aligned, image=FRAME, height=HEIGHT, width=WIDTH),
        Call(Alignment.warp, self=Alignment(crop=(1, 2, 3, 4)), image=FRAME, height=4, width=3),
        Call(Alignment.record, self=aligned),
        *_misaligned(),
        Call(look.spike_image, stream=STREAM, centre=5, **seen),
        Call(look.streams_sheet, streams={"a": STREAM}, moments=2, first=3, labels=True, **seen),
        Call(look.stream_images, stream=STREAM, **seen),
        Call(look.require_streams, streams={"a": STREAM}),
        # Of a large extra, which may be missing.
        *(
            [
                Call(
                    write_rerun,
                    path="a.rrd",
                    streams={"a": STREAM},
                    sample=SAMPLE,
                    first=3,
                    on_progress=lambda progress: None,
                    **seen,
                )
            ]
            * RERUN
        ),
        Call(look.sample_sheet, sample=SAMPLE, window=3, labels=True),
        Call(look.streams_video, streams={"a": STREAM[:2]}, look="tfi", window=3, first=3, labels=True),
        Call(look.streams_video, streams={"a": STREAM[:2]}, look="tfstp", window=3, first=3, labels=True),
        Call(look.sample_video, sample=SAMPLE, labels=True, **seen),
        Call(look.sheet, rows=[[("a", FRAME), ("b", FRAME[..., 0])]], width=64, labels=True),
        Call(look.is_still, path="a.png"),
        Call(look.clip_sheet, clip=CLIP, moments=2, labels=True),
        Call(look.clip_video, clip=CLIP, labels=True),
        Call(look.write_image, path="out.png", image=FRAME),
        Call(look.write_animation, path="out.gif", frames=frames),
        Call(look.write_animation, path="out.mp4", frames=frames),
        Call(image_files.image_header, path="frames/000000.png"),
        Call(image_files.read_pages, path="frames/000000.png", start=0, stop=1),
        Call(image_files.page_times, path="frames/000000.png"),
        Call(sources.StackClip.open, path="frames/000000.png", split="train", name="a", source="a", reading=READING),
        Call(image_files.read_image, path="frames/000000.png"),
        Call(image_files.through_jpeg, image=FRAME, quality=80),
        Call(image_files.as_jpeg, image=FRAME, quality=80),
        Call(image_files.write_png, path="out.png", image=FRAME, before=lambda: None),
        Call(image_files.write_gif, path="out.gif", frames=frames, fps=20),
        Call(videos.index_video, path="video.mp4", matrix="auto", transfer="sdr"),
        Call(videos.is_video, path="video.mp4"),
        Call(
            videos.VideoIndex,
            height=4,
            width=4,
            n_frames=2,
            timestamps=(0, 1),
            key_frames=(0,),
            orientation=1,
            time_base=1,
            colours=videos.Colours(),
            interlaced=False,
            pixel_shape=1,
            may_be_interlaced=False,
            lost_times="",
            steps=(),
            rate=30,
            tags=None,
            stream=0,
            other_streams=0,
            stated_step=None,
            bare=False,
        ),
        Call(
            videos.read_frames,
            path="video.mp4",
            index=videos.VideoIndex(HEIGHT, WIDTH, FRAMES, (), ()),
            start=0,
            stop=2,
        ),
        Call(videos.to_rgb, image=_decoded(), colours=videos.Colours()),
        Call(
            videos.Colours,
            matrix="bt601",
            transfer="sdr",
            wide=False,
            scaled=False,
            limited=False,
            p3=False,
            shared=False,
        ),
        Call(videos.Colours.record, self=videos.Colours()),
        Call(videos.write_video, path="out.mp4", frames=frames, fps=30, crf=23),
        Call(videos.find_encoder),
    ]


def _decoded() -> Any:
    import av

    return av.VideoFrame.from_ndarray(FRAME, format="rgb24")
