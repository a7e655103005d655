"""Exposure windows: which frames of a clip make one blurry image, and which readouts the spike stream around it."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from spikesim.checks import require_choice, require_whole
from spikesim.errors import InvalidValueError

Sharp = Literal["middle", "sequence", "none"]


@dataclass(frozen=True)
class Window:
    """One exposure of a clip.

    Attributes:
        index: k, counted from the clip's start.
        first_frame: First raw frame of the exposure, 13·k in the GOPRO recipe.
        first_readout: First readout of the exposure, counted in the clip, 104·k; the stream begins `padding` earlier.
    """

    index: int
    first_frame: int
    first_readout: int


@dataclass(frozen=True)
class ExposurePlan:
    """How a clip is cut into exposures: the GOPRO recipe of the S-SDM release by default.

    Interpolation turns raw frame r into readout factor·r of the clip. An exposure covers `frames` raw frames, the next
    one begins `gap` readouts after its end, and a spike stream reaches `padding` readouts beyond it on either side.

    Args:
        frames: Raw frames an exposure covers, first and last included, ≥ 1.
        factor: Readouts from one raw frame to the next, ≥ 1.
        gap: Readouts between two exposures that belong to neither, ≥ 0.
        padding: Readouts of the stream before and after the exposure, ≥ 0.

    Raises:
        InvalidValueError: A value is out of range, or exposures would not begin on raw frames.

    Source:
        SpikeReveal (S-SDM), NeurIPS 2024, section 5.1 and its release: 97 frames averaged, 137 readouts.
    """

    frames: int = 13
    factor: int = 8
    gap: int = 7
    padding: int = 20

    def __post_init__(self) -> None:
        for name, least in (("frames", 1), ("factor", 1), ("gap", 0), ("padding", 0)):
            # Python's own type, whatever it was given as: it is written into files.
            object.__setattr__(self, name, require_whole(getattr(self, name), name, least))
        if self.period % self.factor:
            raise InvalidValueError(
                f"exposures of {self.readouts} readouts with a gap of {self.gap} repeat every {self.period} readouts, "
                f"which is no multiple of the interpolation factor {self.factor}; the gap must be "
                f"{self.factor - 1} more than a multiple of {self.factor}"
            )

    @staticmethod
    def preset(name: str = "ssdm", **changes: Any) -> "ExposurePlan":
        """A published plan, with arguments changed as wanted: `ExposurePlan.preset("gopro7", padding=8)`.

        The gap that is published is less than a raw frame. With another factor it is so too, where none is given.

        Args:
            name: A key of `EXPOSURES`.
            **changes: Arguments to replace.

        Raises:
            InvalidValueError: The name or an argument is unknown, or a value is out of range.
        """
        if not isinstance(name, str) or name not in EXPOSURES:
            raise InvalidValueError(f"no exposure is called {name!r}; there are {', '.join(EXPOSURES)}")
        plan = EXPOSURES[name]
        if unknown := changes.keys() - {field.name for field in fields(plan)}:
            raise InvalidValueError(
                f"an exposure has no {', '.join(sorted(unknown))}; it has {', '.join(f.name for f in fields(plan))}"
            )
        if "factor" in changes and "gap" not in changes:
            changes["gap"] = require_whole(changes["factor"], "factor", 1) - 1
        return replace(plan, **changes)

    @property
    def readouts(self) -> int:
        """Readouts of an exposure: the frames that are averaged."""
        return (self.frames - 1) * self.factor + 1

    @property
    def stream_length(self) -> int:
        """Readouts of a spike stream."""
        return self.readouts + 2 * self.padding

    @property
    def period(self) -> int:
        """Readouts from the start of one exposure to the start of the next."""
        return self.readouts + self.gap

    @property
    def exposure(self) -> tuple[int, int]:
        """(start, stop) of the exposure in the stream: `stream[start:stop]`."""
        return self.padding, self.padding + self.readouts

    @property
    def middle_frame(self) -> int:
        """The raw frame in the middle of an exposure, counted from its first; it names a released sample."""
        return (self.frames - 1) // 2

    def clip_readouts(self, n_frames: int) -> int:
        """Readouts of a clip of so many raw frames.

        Args:
            n_frames: Raw frames of the clip, ≥ 0.

        Raises:
            InvalidValueError: It is no whole number, or negative.
        """
        return max(0, self.factor * (require_whole(n_frames, "n_frames", 0) - 1) + 1)

    def windows(self, n_frames: int) -> list[Window]:
        """The exposures of a clip whose whole spike stream lies in it, in order.

        Args:
            n_frames: Raw frames of the clip.

        Raises:
            InvalidValueError: It is no whole number, or negative.
        """
        last = self.clip_readouts(n_frames) - self.padding - self.readouts
        first_index = -(-self.padding // self.period)
        return [
            Window(k, k * self.period // self.factor, k * self.period)
            for k in range(first_index, max(first_index, last // self.period + 1))
        ]

    @property
    def frames_for_one_window(self) -> int:
        """Raw frames the shortest clip with a window has."""
        first_index = -(-self.padding // self.period)
        return -(-(first_index * self.period + self.readouts + self.padding - 1) // self.factor) + 1

    def sharp_frames(self, sharp: Sharp) -> tuple[int, ...]:
        """Raw frames, counted from the exposure's first, that are kept as ground truth.

        Args:
            sharp: `middle` (readout 68 of a GOPRO stream), `sequence` (every second, readouts 20, 36, ..., 116) or
                `none`.

        Raises:
            InvalidValueError: It is none of the three.
        """
        match require_choice(sharp, "sharp", get_args(Sharp)):
            case "middle":
                return (self.middle_frame,)
            case "sequence":
                return tuple(range(0, self.frames, 2))
        return ()

    def sharp_readouts(self, sharp: Sharp) -> tuple[int, ...]:
        """The readouts of the stream at which `sharp_frames` lie.

        Args:
            sharp: Ground truth that is kept: `middle`, `sequence` or `none`.

        Raises:
            InvalidValueError: It is none of the three.
        """
        return tuple(self.padding + self.factor * frame for frame in self.sharp_frames(sharp))


EXPOSURES: dict[str, ExposurePlan] = {
    # The S-SDM release: 97 readouts of 104, in streams of 137.
    "ssdm": ExposurePlan(),
    # GOPRO_Large, whose blurry images are means of 7 to 13 raw frames, one after the other (Nah et al., CVPR 2017).
    "gopro7": ExposurePlan(frames=7),
    "gopro11": ExposurePlan(frames=11),
    "gopro13": ExposurePlan(frames=13),
    # SpkDeblurNet (Chen et al., NeurIPS 2023) reads 56 readouts around the middle of such a blur, 28 before it: the
    # first 56 of these 57.
    "spkdeblurnet": ExposurePlan(frames=7, padding=4),
}
"""Published exposures by name."""
