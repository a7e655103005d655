"""What a build makes of real videos that are not plain: turned, with frames dropped, and in HLG.

Variants of three videos are made, without loss, of their first frames; each is built as it should be, and as it was
when nobody looked at what it says. The table shows how far the samples are from those of the plain video: PSNR in dB of
blurry images and middle sharp frames, means over the samples, turned back where they were turned.

    python benchmarks/sources.py cups.mp4 cockatoo.mp4 coffee.mp4 [FRAMES]

Turned is the first, every 17th frame is dropped of the second, HLG is the third.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.sources import Reading, open_clips
from ssdm_models.metrics import psnr

CLOCK = Fraction(1, 90_000)
STEP = 3000  # ticks: 30 frames a second


def write(
    path: Path, images: Iterable[av.VideoFrame], times: Iterable[int], pixels: str, tags: dict[str, int], turn: int = 0
) -> Path:
    """A lossless video of images at times."""
    with av.open(str(path), "w") as container:
        stream = None
        for image, time in zip(images, times, strict=True):
            if stream is None:
                stream = container.add_stream("ffv1", rate=30)
                stream.height, stream.width, stream.pix_fmt = image.height, image.width, pixels
                stream.codec_context.time_base = CLOCK
                for name, value in tags.items():
                    setattr(stream.codec_context, name, value)
                if turn:
                    stream.set_display_rotation(turn)
            image.pts, image.time_base = time, CLOCK
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return path


def decoded(path: str, frames: int) -> Iterator[av.VideoFrame]:
    with av.open(path) as container:
        for number, image in enumerate(container.decode(video=0)):
            if number == frames:
                return
            yield image


def hlg(image: av.VideoFrame) -> av.VideoFrame:
    """An image in HLG and BT.2020 of the same look: its light, in other primaries, by ITU-R BT.2100 and BT.2087.

    As phones write it: 10 bits, one chroma for four pixels.
    """
    light = (image.to_ndarray(format="rgb24", src_colorspace=1) / 255) ** 2.2
    wide = light @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T
    scene = np.clip(wide, 0, 1) * 0.26496  # diffuse white is 75 % of the signal
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    red, green, blue = np.moveaxis(signal, -1, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = (512 + 896 * part for part in ((blue - luma) / 1.8814, (red - luma) / 1.4746))
    planes = 64 + 876 * luma, *(cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for part in chroma)
    made = av.VideoFrame(image.width, image.height, "yuv420p10le")
    for plane, values in zip(made.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
        rows[:, : plane.width] = np.rint(values)
        plane.update(rows.tobytes())
    return made


def samples(path: Path | str, folder: Path, reading: Reading) -> list[Sample]:
    clips = open_clips([path], "test", reading=reading)
    build_clips(clips, folder, make_recipe((1.0,), sharp="middle"))
    return list(open_dataset(folder, "test"))


def show(name: str, made: list[Sample], plain: list[Sample], turn: int = 0) -> None:
    def alike(field: str) -> float:
        pairs = [
            (np.rot90(getattr(one, field), -turn, (-3, -2)), getattr(other, field))
            for one, other in zip(made, plain, strict=False)
        ]
        equal = all(np.array_equal(*pair) for pair in pairs)
        images = [[image.reshape(-1, *image.shape[-2:]) / 255 for image in pair] for pair in pairs]
        return np.inf if equal else float(np.mean([psnr(*pair) for pair in images]))

    print(f"{name:44}{len(made):8}" + "".join(f"{alike(field):9.2f}" for field in ("blur", "sharp")), flush=True)


def main(turned: str, dropped: str, bright: str, frames: int) -> None:
    print(f"{'':44}{'samples':>8}{'blur':>9}{'sharp':>9}")
    even = [STEP * number for number in range(frames)]
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch)

        def plain(source: str, tags: dict[str, int]) -> tuple[str, list[Sample]]:
            """A lossless copy of the first frames, which everything else is compared with."""
            images = list(decoded(source, frames))
            path = write(room / f"{Path(source).stem}.mkv", images, even, images[0].format.name, tags)
            return images[0].format.name, samples(path, room / f"plain-{path.stem}", Reading())

        pixels, true = plain(turned, {"colorspace": 1})
        for turn in (90, 180, 270):
            path = write(room / f"{turn}.mkv", decoded(turned, frames), even, pixels, {"colorspace": 1}, turn)
            show(
                f"{Path(turned).stem}, to be turned by {turn}°",
                samples(path, room / str(turn), Reading()),
                true,
                turn // 90,
            )
        pixels, true = plain(dropped, {"colorspace": 1})
        kept = [number for number in range(frames) if number % 17 != 16]
        images = (image for number, image in enumerate(decoded(dropped, frames)) if number % 17 != 16)
        path = write(room / "dropped.mkv", images, [STEP * number for number in kept], pixels, {"colorspace": 1})
        for timing in ("resample", "ignore"):
            made = samples(path, room / timing, Reading(timing=timing))  # type: ignore[arg-type]
            show(f"{Path(dropped).stem}, every 17th dropped, --timing {timing}", made, true)
        _, true = plain(bright, {"colorspace": 1})
        tags = {"colorspace": 9, "color_trc": 18, "color_primaries": 9}
        path = write(room / "hlg.mkv", map(hlg, decoded(bright, frames)), even, "yuv420p10le", tags)
        for transfer in ("auto", "sdr"):
            made = samples(path, room / transfer, Reading(transfer=transfer))  # type: ignore[arg-type]
            show(f"{Path(bright).stem} in HLG, --transfer {transfer}", made, true)


if __name__ == "__main__":
    if len(sys.argv) in (4, 5):
        main(*sys.argv[1:4], int(sys.argv[4]) if len(sys.argv) == 5 else 120)
