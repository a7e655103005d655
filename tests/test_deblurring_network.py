"""Networks that deblur, whatever they look at: what they are shown of a stream, and when they are computed."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from deblurring_data import EXPOSURE, scene, tensors
from torch import Tensor, nn
from torch.nn import functional

from spikesim import SpikeStream
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE
from ssdm_models import stream_view
from ssdm_models.cost import deblurring_macs, macs
from ssdm_models.deblur import deblur_frames, deblur_sequence
from ssdm_models.deblurring_network import DeblurringNetwork, Renderer
from ssdm_models.ldn import LDN
from ssdm_models.stream_view import PackedView, StreamView, TensorView


class Seen(NamedTuple):
    """Spikes per readout of an exposure of any length, in parts, and where in it the time is."""

    parts: Tensor
    place: float


class Parts(DeblurringNetwork):
    """A network that looks at the whole exposure, however long, in several windows, and at no window around a time."""

    title = "Parts"

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 1)
        self.encoded = 0

    def prepare(self, spikes: StreamView, time: int) -> Seen:
        start, stop = spikes.exposure
        edges = np.linspace(start, stop, 5).astype(int)
        parts = [spikes.take(slice(*pair)).mean(0) for pair in pairwise(edges)]
        return Seen(torch.stack(parts)[None] * spikes.scale, (time - start) / (stop - start))

    def forward(self, blur: Tensor, seen: Seen) -> Tensor:
        return self.renderer(blur)(seen)

    def renderer(self, blur: Tensor) -> Renderer:
        self.encoded += 1

        def render(seen: Seen) -> Tensor:
            image: Tensor = blur + seen.place * functional.interpolate(self.layer(seen.parts), scale_factor=SCALE)
            return image

        return render


def parts() -> Parts:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Parts()


def test_a_network_takes_of_a_stream_what_it_wants() -> None:
    network, recording = parts(), scene()
    blur, spikes = tensors(recording)
    for exposure in (EXPOSURE, (0, 30), (7, 11)):
        sharp = deblur_sequence(network, blur, spikes, [0, 9, 29], exposure)  # it looks at no window: any time will do
        scale = stream_view.intensity_scale(blur[None], spikes[slice(*exposure)].mean(0)[None, None])
        edges = np.linspace(*exposure, 5).astype(int)
        rates = torch.stack([spikes[a:b].mean(0) for a, b in pairwise(edges)])
        with torch.inference_mode():
            change = functional.interpolate(network.layer(rates[None] * scale), scale_factor=SCALE)[0]
        for time, image in zip((0, 9, 29), sharp, strict=True):
            expected = blur + (time - exposure[0]) / (exposure[1] - exposure[0]) * change
            torch.testing.assert_close(image, expected, rtol=0, atol=1e-6)


def test_packed_streams_give_what_tensors_give() -> None:
    network, recording = parts(), scene()
    images = deblur_sequence(network, *tensors(recording), [3, 20], EXPOSURE)
    frames = list(deblur_frames(network, *recording, [3, 20], EXPOSURE))
    for frame, image in zip(frames, images, strict=True):
        assert np.abs(frame - 255 * image.permute(1, 2, 0).clamp(0, 1).numpy()).max() < 0.501


@pytest.mark.parametrize("make", [TensorView, PackedView])
def test_views_show_the_same_stream(make: Callable[..., StreamView]) -> None:
    recording = scene()
    blur, spikes = tensors(recording)
    view = make(blur, spikes if make is TensorView else recording.spikes, EXPOSURE)
    assert (view.shape, view.exposure, view.scale.shape) == ((30, 9, 13), EXPOSURE, (1, 1, 1))
    assert torch.equal(view.take(slice(3, 8)), spikes[3:8])
    torch.testing.assert_close(view.normalised_window(9, 5), spikes[7:12] * view.scale)
    for time in (1, 28):
        with pytest.raises(InvalidValueError, match=f"a window of 5 readouts around {time} is"):
            view.normalised_window(time, 5)
    with pytest.raises(InvalidValueError, match="is empty or not in the stream"):
        make(blur, spikes if make is TensorView else recording.spikes, (5, 31))


def test_only_what_is_asked_for_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []
    whole = stream_view.to_torch

    def noted(part: SpikeStream, device: torch.device) -> Tensor:
        unpacked.append(len(part))
        return whole(part, device)

    monkeypatch.setattr(stream_view, "to_torch", noted)
    frames = deblur_frames(parts(), *scene(readouts=300), [250], (40, 80))
    assert unpacked == []
    next(frames)
    assert unpacked == [10] * 4


def test_what_depends_on_the_image_alone_is_computed_once() -> None:
    network = parts()
    deblur_sequence(network, *tensors(scene()), [3, 9, 20, 4], EXPOSURE)
    assert network.encoded == 1


def test_a_stream_is_one_stream() -> None:
    blur, spikes = tensors(scene())
    for wrong in (spikes[None], spikes[0]):
        with pytest.raises(InvalidValueError, match=r"spikes must be \(T, h, w\), got"):
            deblur_sequence(parts(), blur, wrong, [9], EXPOSURE)
    with pytest.raises(InvalidValueError, match="a quarter of the blurry image, 48×36"):
        deblur_sequence(parts(), blur[..., :48], spikes, [9], EXPOSURE)


def test_exhausted_memory_is_explained_where_there_are_no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Seen:
        raise RuntimeError("can't allocate memory: you tried")

    monkeypatch.setattr(Parts, "prepare", fail)
    with pytest.raises(InvalidValueError, match="memory ran out on an image of 52×36; take a smaller image"):
        deblur_sequence(parts(), *tensors(scene()), [9], EXPOSURE)


def test_the_cost_of_an_image_is_that_of_all_its_parts() -> None:
    assert deblurring_macs(parts(), 9, 13) == 4 * 3 * 9 * 13
    for length in (5, 21, 201):
        ldn = LDN(length)
        assert deblurring_macs(ldn, 11, 15) == macs(ldn, (1, 3, 44, 60), (1, length, 11, 15))
