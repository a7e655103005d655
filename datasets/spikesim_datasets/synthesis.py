"""The one pass: interpolate, average, downscale and sense a clip, all thresholds at once, no frame on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from spikesim import SpikeCamera, simulate_cameras
from spikesim.checks import require_callable, require_instance, require_list, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.continuity import Continuity
from spikesim_datasets.exposure import ExposurePlan, Window
from spikesim_datasets.interpolation import Interpolator
from spikesim_datasets.interpolation.base import MotionInterpolator, require_interpolator
from spikesim_datasets.misalignment import Misalignment
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.recipe import Recipe
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.fields import ALIGNMENT, FLOW, FLOW_EXACT, LIGHT, MISALIGNMENT
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.sources import Clip, ExactClip
from spikesim_datasets.sources.clip import require_clip
from spikesim_datasets.sources.excerpt import frames_within


@dataclass(frozen=True)
class Stretch:
    """Which frames of a clip, and how many readouts from one to the next.

    Args:
        start: First frame, ≥ 0.
        frames: Number of frames, ≥ 1; None goes on to the end.
        factor: Readouts from one frame to the next, ≥ 1.

    Raises:
        InvalidValueError: A value is out of range.
    """

    start: int = 0
    frames: int | None = None
    factor: int = ExposurePlan.factor

    def __post_init__(self) -> None:
        self._set("start", require_whole(self.start, "start, the first frame,", 0))
        if self.frames is not None:
            self._set("frames", require_whole(self.frames, "frames", 1))
        self._set("factor", require_whole(self.factor, "factor", 1, unit="readouts from one frame to the next"))

    def _set(self, name: str, value: int) -> None:
        object.__setattr__(self, name, value)

    def readouts(self, clip: Clip) -> range:
        """The readouts from the first of the frames to the last.

        Args:
            clip: The clip that it is a stretch of.

        Raises:
            InvalidValueError: The frames are not in the clip.
        """
        part = frames_within(clip, self.start, self.frames)
        return range(part.start * self.factor, part[-1] * self.factor + 1)


def noise_key(clip_key: str, window: Window, camera: SpikeCamera) -> str:
    """The name of a stream's random numbers: CLIP KEY/window/v_th."""
    return f"{clip_key}/{window.index}/{threshold_name(camera.v_th)}"


def synthesise(
    clip: Clip,
    windows: Sequence[Window],
    recipe: Recipe,
    interpolator: Interpolator,
    diagnostics: Diagnostics | None = None,
    on_readout: Callable[[], None] | None = None,
) -> Iterator[Sample]:
    """The samples of consecutive windows of a clip, from one reading of its frames.

    A camera starts afresh for each window; its noise is keyed by clip, window and threshold, so that a sample is the
    same whichever windows are made together with it.

    Args:
        clip: The source.
        windows: Windows of `recipe.watched.windows(...)`, ascending.
        recipe: Exposure, optics, cameras, seed, ground truth, and what becomes of windows across a scene cut.
        interpolator: Makes the readouts between raw frames: what `recipe.interpolation.make()` gives.
        diagnostics: Where to note cuts, fast motion and the windows skipped.
        on_readout: Called after each readout of the clip, each of which is made once.

    Raises:
        InvalidValueError: The clip's size is no multiple of 4, or its flow is wanted but neither known nor estimated.
        InputFileError: A frame cannot be read, or a window reaches beyond the clip.
    """
    diagnostics = Diagnostics() if diagnostics is None else require_instance(diagnostics, "diagnostics", Diagnostics)
    require_clip(clip)
    require_interpolator(interpolator)
    require_instance(recipe, "recipe", Recipe, "make_recipe makes one")
    windows = [
        require_instance(window, "each of windows", Window, "ExposurePlan.windows gives them")
        for window in require_list(windows, "windows", "windows")
    ]
    if on_readout is not None:
        require_callable(on_readout, "on_readout")
    require_flow(clip, recipe, interpolator)
    plan, watched, optics = recipe.plan, recipe.watched, recipe.optics
    waiting = list(windows)
    active: list[_Collector] = []
    starts = [window.first_readout - watched.padding for window in windows]
    spans = [range(start, start + watched.stream_length) for start in starts]
    for readout, frame in interpolated(clip, interpolator, plan.factor, spans, Continuity(diagnostics)):
        if waiting and readout >= waiting[0].first_readout - watched.padding:
            active.append(_Collector(waiting.pop(0), recipe, clip))
        lights: dict[Misalignment | None, np.ndarray] = {}
        for collector in active:
            if (seen_by := collector.misalignment) not in lights:
                lights[seen_by] = optics.light(frame, seen_by)
            collector.add(readout, frame, lights[seen_by])
        if on_readout is not None:
            on_readout()
        if active and active[0].complete:
            done = active.pop(0)
            if recipe.cuts == "skip" and diagnostics.cut_within(*done.raw_span):
                diagnostics.left_out.append(done.window.index)
            else:
                sample = done.sample()
                if recipe.flow:
                    sample = replace(sample, extra={**sample.extra, **_flow(clip, done, interpolator)})
                yield sample


@dataclass
class _Collector:
    """What one window has seen so far."""

    window: Window
    recipe: Recipe
    clip: Clip
    light: list[np.ndarray] = field(default_factory=list)
    kept: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plan, self.watched = self.recipe.plan, self.recipe.watched
        self.sharp = self.recipe.sharp_of(self.clip.split)
        self._exposure = self.recipe.optics.exposure()
        self._sharp_readouts = self.plan.sharp_readouts(self.sharp)
        self.misalignment: Misalignment | None = None
        if (rig := self.recipe.misalign) is not None:
            of_clip = self.recipe.seed, self.clip.height, self.clip.width
            self.misalignment = rig.draw(self.clip.key, self.window.index, *of_clip)

    @property
    def complete(self) -> bool:
        return len(self.light) == self.watched.stream_length

    @property
    def raw_span(self) -> tuple[float, float]:
        """The first and last readout that the spike cameras saw, counted in raw frames of the clip."""
        start = self.window.first_readout - self.watched.padding
        return start / self.plan.factor, (start + self.watched.stream_length - 1) / self.plan.factor

    def add(self, readout: int, frame: np.ndarray, light: np.ndarray) -> None:
        """Take a readout of the clip, if it is the next of this window's stream."""
        position = readout - self.window.first_readout + self.plan.padding
        start, stop = self.plan.exposure
        if start <= position < stop:
            self._exposure.add(frame)
        if position in self._sharp_readouts:
            self.kept.append(frame)
        self.light.append(light)

    def sample(self) -> Sample:
        """The sample, once complete."""
        clip, recipe = self.clip, self.recipe
        cameras = sorted(recipe.cameras, key=lambda camera: camera.v_th)
        keys = [noise_key(clip.key, self.window, camera) for camera in cameras]
        light = np.stack(self.light)
        streams = simulate_cameras(light, cameras, seed=recipe.seed, keys=keys)
        start = self.watched.padding - self.plan.padding + (self.misalignment.offset if self.misalignment else 0)
        part = slice(start, start + self.plan.stream_length)
        blur = self._exposure.blur()
        return Sample(
            clip.split,
            clip.name,
            self.window.index,
            self.window.first_frame,
            self.plan.exposure,
            blur,
            np.stack(self.kept) if self.kept else np.empty((0, *blur.shape), np.uint8),
            self._sharp_readouts,
            {camera.v_th: stream[part] for camera, stream in zip(cameras, streams, strict=True)},
            self._extra(light[part]),
        )

    def _extra(self, light: np.ndarray) -> dict[str, np.ndarray]:
        """The optional fields that what was seen makes."""
        extra: dict[str, np.ndarray] = {}
        if self.recipe.light:
            extra[LIGHT.name] = np.rint(light * np.iinfo(LIGHT.dtype).max).astype(LIGHT.dtype)
        if (found := self.misalignment) is not None:
            extra[ALIGNMENT.name] = found.alignment(self.clip.height, self.clip.width, self.recipe.optics.ratio)
            extra[MISALIGNMENT.name] = found.values
        return extra


def require_flow(clip: Clip, recipe: Recipe, interpolator: Interpolator) -> None:
    """Check that the flow of a clip is known or can be estimated, where a recipe wants it.

    Raises:
        InvalidValueError: It is not, or fewer than two sharp frames are kept.
    """
    if not recipe.flow:
        return
    if not isinstance(clip, ExactClip) and not isinstance(interpolator, MotionInterpolator):
        raise InvalidValueError(
            f"the motion of {clip.key} is not known, and the interpolator {interpolator.name!r} estimates none, so "
            "there is no flow; take one that follows motion (--interp flow), or leave flow out"
        )
    sharp = recipe.sharp_of(clip.split)
    if (kept := len(recipe.plan.sharp_frames(sharp))) < 2:
        raise InvalidValueError(
            f"flow goes from one sharp frame to the next, but {kept} of {clip.key} would be kept; take the sharp "
            "sequence (--sharp sequence)"
        )


def _flow(clip: Clip, done: _Collector, interpolator: Interpolator) -> dict[str, np.ndarray]:
    """The fields about the flow from each sharp frame of a window to the next: exact where the clip knows it."""
    if isinstance(clip, ExactClip):
        frames_apart = 1 if interpolator.dense else done.plan.factor
        times = [
            (done.window.first_readout + done.plan.factor * frame) / frames_apart
            for frame in done.plan.sharp_frames(done.sharp)
        ]
        flow = np.stack([clip.flow(start, stop).astype(np.float16) for start, stop in pairwise(times)])
    else:
        assert isinstance(interpolator, MotionInterpolator)
        flow = interpolator.flow(done.kept)
    return {FLOW.name: flow, FLOW_EXACT.name: np.array([isinstance(clip, ExactClip)], np.uint8)}
