"""Exposures of many lengths around a time: what the multi-exposure network sees of a stream."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spike_strategies import dense_spikes

import spikesim
from spikesim import SpikeCamera, SpikeStream, simulate
from spikesim.errors import InvalidValueError
from ssdm_models.exposure_spans import PLANES
from ssdm_models.exposures import exposure_planes, fractional_counts, robust_scale
from ssdm_models.intensity import intensity_scale

ONE = torch.ones(1, 1, 1, 1)
CENTRED, BEFORE, AFTER = slice(0, 9), slice(9, 15), slice(15, 21)
LENGTHS = (1, 3, 7, 13, 21, 33, 49, 73, 97, *2 * (4, 8, 14, 23, 35, 51), 97, 49, 49)
WHOLE, UNTIL, SINCE, RATE, SCALE_PLANE = 21, 22, 23, 24, 25


def counts_of(dense: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(spikesim.fractional_counts(SpikeStream.from_dense(dense)))[None]


@given(dense=dense_spikes())
def test_tensors_are_counted_as_streams_are(dense: np.ndarray) -> None:
    counts = fractional_counts(torch.from_numpy(dense.astype(np.float32)))
    torch.testing.assert_close(counts[None], counts_of(dense), rtol=0, atol=4e-6)
    several = torch.from_numpy(np.stack([dense, dense[:, ::-1].copy()]).astype(np.float32))
    torch.testing.assert_close(fractional_counts(several)[1], counts.flip(1), rtol=0, atol=0)


def test_steady_light_is_the_same_in_every_exposure(rng: np.random.Generator) -> None:
    light = rng.uniform(0.2, 0.9, (5, 7)).astype(np.float32)
    for v_th, gain in ((1.0, 1.0), (2.0, 1.0), (1.0, 0.5), (4.0, 2.0)):
        camera = SpikeCamera.preset("ideal", v_th=v_th, gain=gain)
        counts = counts_of(simulate(np.broadcast_to(light, (137, 5, 7)), camera, seed=3).dense())
        planes = exposure_planes(counts, 68, (20, 117), v_th / gain * ONE)[0]
        assert planes.shape == (PLANES, 5, 7)
        for number, length in enumerate(LENGTHS):
            error = np.abs(planes[number].numpy() - light).max()
            assert error < 1.001 * v_th / gain / length, (number, v_th)
        assert np.allclose(planes[RATE], light * gain / v_th, atol=0.01)
        assert np.allclose(planes[SCALE_PLANE], np.log2(v_th / gain) / 4)


@given(dense=dense_spikes(), data=st.data())
def test_backwards_what_was_before_is_after(dense: np.ndarray, data: st.DataObject) -> None:
    readouts = len(dense)
    start = data.draw(st.integers(0, readouts - 1))
    stop, time = data.draw(st.integers(start + 1, readouts)), data.draw(st.integers(0, readouts - 1))
    counts = counts_of(dense)
    backwards = counts[:, -1:] - counts.flip(1)
    planes = exposure_planes(counts, time, (start, stop), ONE)
    other = exposure_planes(backwards, readouts - 1 - time, (readouts - stop, readouts - start), ONE)
    for here, there in ((CENTRED, CENTRED), (BEFORE, AFTER), (AFTER, BEFORE)):
        torch.testing.assert_close(planes[:, here], other[:, there], rtol=0, atol=1e-5)
    order = [WHOLE, SINCE, UNTIL, RATE, SCALE_PLANE]
    torch.testing.assert_close(planes[:, WHOLE:], other[:, order], rtol=0, atol=1e-5)


@given(dense=dense_spikes(), data=st.data())
def test_exposures_are_means_of_the_readouts_they_name(dense: np.ndarray, data: st.DataObject) -> None:
    readouts, time = len(dense), data.draw(st.integers(0, len(dense) - 1))
    counts = counts_of(dense)
    steps = counts.diff(dim=1)[0]
    planes = exposure_planes(counts, time, (0, readouts), 2 * ONE)[0]
    spans = [(time - reach, time + reach + 1) for reach in (0, 1, 3, 6, 10, 16, 24, 36, 48)]
    spans += [(time - reach, time + 1) for reach in (3, 7, 13, 22, 34, 50)]
    spans += [(time, time + reach + 1) for reach in (3, 7, 13, 22, 34, 50)]
    for plane, (first, end) in zip(planes, spans, strict=False):
        torch.testing.assert_close(plane, 2 * steps[max(first, 0) : end].mean(0), rtol=0, atol=1e-5)


def test_the_scale_is_that_of_all_pixels_where_none_is_saturated(rng: np.random.Generator) -> None:
    blur = torch.from_numpy(rng.uniform(0, 0.9, (2, 3, 12, 20)).astype(np.float32))
    rates = torch.from_numpy(rng.uniform(0, 0.8, (2, 1, 3, 5)).astype(np.float32))
    torch.testing.assert_close(robust_scale(blur, rates), intensity_scale(blur, rates))


def test_saturated_pixels_do_not_count() -> None:
    light = torch.full((1, 1, 4, 8), 0.3)
    light[..., 4:] = 0.8
    blur = light.repeat_interleave(4, 2).repeat_interleave(4, 3).expand(1, 3, 16, 32)
    rates = (light / 0.5).clamp(max=1)  # V_th 0.5: the bright half fires at every readout
    torch.testing.assert_close(robust_scale(blur, rates), torch.full((1, 1, 1, 1), 0.5))
    assert intensity_scale(blur, rates) > 0.65
    white = torch.ones(1, 3, 16, 32)
    torch.testing.assert_close(robust_scale(white, torch.ones(1, 1, 4, 8)), ONE)


def test_without_spikes_there_is_a_scale() -> None:
    assert robust_scale(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 2, 2)) == 1
    assert robust_scale(torch.full((1, 3, 8, 8), 0.5), torch.full((1, 1, 2, 2), 1e-9)) == 1e3


@pytest.mark.parametrize(
    ("time", "exposure", "problem"),
    [
        (10, (2, 8), r"time must be a readout of the stream, 0\.\.9, got 10"),
        (-1, (2, 8), r"0\.\.9, got -1"),
        (5, (2, 11), "exposure from 2 to before 11 is empty or not in the stream"),
        (5, (4, 4), "exposure from 4 to before 4 is empty"),
    ],
)
def test_times_and_exposures_are_in_the_stream(time: int, exposure: tuple[int, int], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        exposure_planes(torch.zeros(1, 11, 2, 3), time, exposure, ONE)


def test_the_scale_needs_spikes_of_the_image() -> None:
    with pytest.raises(InvalidValueError, match=r"a quarter of the blurry image, \(1, 1, 2, 3\), got \(1, 1, 3, 2\)"):
        robust_scale(torch.zeros(1, 3, 8, 12), torch.zeros(1, 1, 3, 2))
