"""A photo and what passes before it, as a camera sees them at any real-valued time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikesim_datasets.kernels.texels import flow_of_sheets, render_sheets
from spikesim_datasets.photos.trajectories import Bend
from spikesim_datasets.scenes.paint import Array
from spikesim_datasets.scenes.render import Matrix


@dataclass(frozen=True, eq=False)
class Sheet:
    """A flat image that moves.

    Args:
        texels: Premultiplied, uint16 `(h, w, 4)`, see `kernels.texels`.
        to_frame: Takes coordinates among its texels (its corner is 0, 0; centres at halves) to the frame's pixels, as a
            function of the time in raw frames.
        bend: Moves its texels before they are taken to the frame; None if it is rigid.
    """

    texels: Array
    to_frame: Callable[[float], Matrix]
    bend: Bend | None = None


@dataclass(frozen=True)
class Tone:
    """What a sensor makes of colours: contrast about a middle grey, and a gain that changes slowly.

        value = gain(t)·(MIDDLE_GREY + contrast·(colour − MIDDLE_GREY)),  clipped to 0..255

    Args:
        gain: Its mean.
        contrast: Factor.
        ripple: How much the gain changes, as a part of its mean.
        period: Of the change, raw frames.
        phase: Of the change, radians.
    """

    gain: float = 1.0
    contrast: float = 1.0
    ripple: float = 0.0
    period: float = 100.0
    phase: float = 0.0

    def at(self, time: float) -> float:
        """The gain at a time in raw frames."""
        return self.gain * (1 + self.ripple * float(np.sin(2 * np.pi * time / self.period + self.phase)))


MIDDLE_GREY = 112.0


@dataclass(frozen=True, eq=False)
class Composition:
    """A background and cut-outs before it, seen by a camera.

    Args:
        background: Opaque and rigid, mirrored at its borders without end.
        cutouts: What covers it, the rearmost first; their outermost texels are transparent.
        tone: Of the camera.
        height: Of the frames, pixels.
        width: Of the frames, pixels.
    """

    background: Sheet
    cutouts: Sequence[Sheet]
    tone: Tone
    height: int
    width: int

    def frame(self, time: float) -> Array:
        """The frame at a time in raw frames, RGB uint8 `(height, width, 3)`."""
        matrices, waves, boxes = self._places(time)
        gain, contrast = self.tone.at(time), self.tone.contrast
        offset = np.float32(gain * MIDDLE_GREY * (1 - contrast))
        out = np.empty((self.height, self.width, 3), np.uint8)
        texels, shapes = self._packed
        places = np.linalg.inv(matrices), waves, boxes
        render_sheets(self.background.texels, texels, shapes, *places, gain * contrast, offset, out)
        return out

    def flow(self, start: float, stop: float) -> Array:
        """Where each pixel of the frame at `start` is at `stop`, float32 `(height, width, 2)`, right and down.

        A pixel goes with the topmost cut-out that covers half of it or more, else with the background.
        """
        matrices, waves, boxes = self._places(start)
        later, later_waves, _ = self._places(stop)
        flow = np.empty((self.height, self.width, 2), np.float32)
        flow_of_sheets(*self._packed, np.linalg.inv(matrices), waves, boxes, later, later_waves, flow)
        return flow

    @cached_property
    def _packed(self) -> tuple[Array, Array]:
        """The texels of all cut-outs in one row, and where each begins with its height and width."""
        sizes = [sheet.texels.size for sheet in self.cutouts]
        firsts = np.cumsum([0, *sizes])[:-1]
        shapes = [(first, *sheet.texels.shape[:2]) for first, sheet in zip(firsts, self.cutouts, strict=True)]
        texels = np.concatenate([np.empty(0, np.uint16), *(sheet.texels.ravel() for sheet in self.cutouts)])
        return texels, np.array(shapes, np.int64).reshape(-1, 3)

    def _places(self, time: float) -> tuple[Array, Array, Array]:
        """Where all sheets are: matrices (1+L,3,3) to the frame, waves (1+L,3), boxes (L,4) that cut-outs do not leave.

        Waves are those of `Bend.at`, 0 of what is rigid.
        """
        sheets = self.background, *self.cutouts
        matrices = np.stack([sheet.to_frame(time) for sheet in sheets])
        waves = np.array([sheet.bend.at(time) if sheet.bend else (0.0, 0.0, 0.0) for sheet in sheets])
        boxes = np.zeros((len(self.cutouts), 4), np.int64)
        for box, sheet, matrix, (sine, cosine, _) in zip(boxes, self.cutouts, matrices[1:], waves[1:], strict=True):
            height, width = sheet.texels.shape[:2]
            left, right = -np.hypot(sine, cosine), width + np.hypot(sine, cosine)
            x, y, depth = matrix @ np.array([[left, right, right, left], [0, 0, height, height], [1, 1, 1, 1]])
            limits = np.array([self.width, self.height] * 2)
            if (depth > 0).all():
                x, y = x / depth, y / depth
                limits = np.clip([x.min() - 1, y.min() - 1, x.max() + 2, y.max() + 2], 0, limits)
                box[:] = limits
            else:  # part of it lies behind the camera
                box[2:] = limits[:2]
        return matrices, waves, boxes
