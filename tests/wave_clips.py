"""What tests of interpolated frames share: clips of waves and of two scenes, and what is written of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spikesim_datasets.clip_interpolation import interpolate_clip
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.keys import Keyed
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.sources import Clip
from spikesim_datasets.sources.clip import Split
from spikesim_datasets.synthesis import Stretch

HEIGHT, WIDTH = 27, 41


def scene(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A frame of coloured waves that move."""
    y, x, colour = np.ogrid[:height, :width, :3]
    wave = np.sin((x + 2 * number + 40 * colour) / 9) * np.cos((y - number) / 7)
    return (127 + 120 * wave).astype(np.uint8)


@dataclass(frozen=True)
class WaveClip:
    """Waves, or other frames; Ctrl-C is hit before a frame is read."""

    split: Split = "train"
    name: str = "wave"
    n_frames: int = 7
    height: int = HEIGHT
    width: int = WIDTH
    source: Path | None = None
    interrupted_at: int | None = None
    images: Callable[..., np.ndarray] = scene
    read: list[int] = field(default_factory=list)

    key = Keyed.key

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for number in range(start, stop):
            if number == self.interrupted_at:
                raise KeyboardInterrupt
            self.read.append(number)
            yield self.images(number, self.height, self.width)

    def fingerprint(self) -> dict[str, object]:
        return {"frames": self.n_frames, "size": [self.height, self.width]}


def two_scenes(number: int, height: int, width: int) -> np.ndarray:
    """Blocks of random colours, of which frame 4 is the first of others."""
    rng = np.random.default_rng(number >= 4)
    blocks = np.kron(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    return blocks[:height, :width]


def write_frames(folder: Path, frames: int, height: int = HEIGHT, width: int = WIDTH) -> Path:
    folder.mkdir(parents=True)
    for number in range(frames):
        Image.fromarray(scene(number, height, width)).save(folder / f"{number:06d}.png", compress_level=1)
    return folder


def write(clip: Clip, output: Path, **choices: Any) -> Any:
    """`interpolate_clip`, by cross-fades and with a factor of 3 unless choices say another."""
    wanted = {name: choices.pop(name) for name in {"start", "frames", "factor"} & choices.keys()}
    return interpolate_clip(
        clip, output, choices.pop("interpolation", "linear"), Stretch(**{"factor": 3, **wanted}), **choices
    )


def expected(clip: Clip, factor: int = 3, name: str = "linear") -> list[np.ndarray]:
    span = range((clip.n_frames - 1) * factor + 1)
    return [frame for _, frame in interpolated(clip, make_interpolator(name), factor, [span])]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
