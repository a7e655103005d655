"""TFSTP: the published states, the rates they tell, and what they tell of steady light."""

from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from spike_strategies import dense_spikes

from spikesim import (
    Plasticity,
    SpikeCamera,
    SpikeStream,
    read_spikes,
    reference,
    simulate,
    tfi_video,
    tfp,
    tfstp,
    tfstp_video,
    thread_limit,
)
from spikesim.errors import InvalidValueError

PUBLISHED = (0.15, 0.15, 1.0, 10.0)
"""u0, f, D and F of the authors' code."""

SYNAPSES = st.tuples(st.floats(0.02, 0.9), st.floats(0.02, 1), st.floats(1, 50), st.floats(1, 50))


def regular(intervals: list[int], readouts: int) -> np.ndarray:
    """Dense spikes (readouts, 3, len(intervals)) of pixels that fire evenly, the first after a whole interval."""
    dense = np.zeros((readouts, 3, len(intervals)), np.uint8)
    for x, interval in enumerate(intervals):
        dense[interval - 1 :: interval, :, x] = 1
    return dense


@given(dense=dense_spikes(), synapse=SYNAPSES)
def test_every_image_is_that_of_the_published_states(dense: np.ndarray, synapse: tuple[float, ...]) -> None:
    stream = SpikeStream.from_dense(dense)
    for given_, constants in ((None, PUBLISHED), (Plasticity(*synapse), synapse)):
        video = tfstp_video(stream, plasticity=given_)
        assert (video.dtype, video.shape) == (np.float32, dense.shape)
        for centre in range(len(dense)):
            expected = reference.tfstp(dense, centre, *constants)
            assert np.allclose(video[centre], expected, rtol=2e-6, atol=1e-7)
            assert np.array_equal(tfstp(stream, centre, given_), video[centre])


def test_the_defaults_are_the_published_values() -> None:
    synapse = Plasticity()
    assert (synapse.u0, synapse.increment, synapse.depression, synapse.facilitation) == PUBLISHED


# Steady light


@pytest.mark.parametrize("synapse", [PUBLISHED, (0.1, 0.11, 40.0, 3.0), (0.5, 1.0, 5.0, 300.0)])
def test_even_spikes_bring_the_states_to_their_fixed_point_and_the_rate_to_the_true_one(
    synapse: tuple[float, float, float, float],
) -> None:
    u0, increment, depression, facilitation = synapse
    intervals = [1, 2, 3, 7, 12, 19]
    dense = regular(intervals, 2001)
    resources, use = (states[-1] for states in reference.plasticity_states(dense[:, :1], *synapse))
    image = tfstp(SpikeStream.from_dense(dense), 2000, Plasticity(*synapse))
    for x, interval in enumerate(intervals):
        recovered, rested = 1 - exp(-interval / depression), 1 - exp(-interval / facilitation)
        raised = increment * (1 - u0) * (1 - rested) / (1 - (1 - increment) * (1 - rested))
        fixed_use = u0 + raised
        assert use[0, x] == pytest.approx(fixed_use)
        assert resources[0, x] == pytest.approx(recovered / (1 - (1 - fixed_use) * (1 - recovered)))
        assert image[:, x] == pytest.approx(1 / interval, rel=1e-6)


def test_long_intervals_are_told_where_the_published_formula_has_no_digits_left() -> None:
    intervals = [40, 100, 600, 3000]
    image = tfstp(SpikeStream.from_dense(regular(intervals, 12_000)), 11_999)
    for x, interval in enumerate(intervals):
        assert image[:, x] == pytest.approx(1 / interval, rel=1e-6)
    rounded = reference.tfstp(regular([100], 2000), 1999, *PUBLISHED)
    assert rounded[0] == pytest.approx(1 / 200)  # R is 1, which tells no light


def test_brighter_steady_light_is_brighter() -> None:
    intervals = list(range(1, 60))
    image = tfstp(SpikeStream.from_dense(regular(intervals, 900)), 899)
    assert (np.diff(image, axis=1) < 0).all()
    light = np.linspace(0.03, 0.97, 48, dtype=np.float32)
    stream = simulate(np.broadcast_to(light, (1500, 5, 48)), SpikeCamera.preset("ideal"))
    assert (np.diff(tfstp_video(stream, 500).mean(axis=(0, 1))) > 0).all()


def test_intervals_that_jitter_are_averaged(rng: np.random.Generator) -> None:
    light = rng.uniform(0.3, 0.95, (13, 21)).astype(np.float32)
    stream = simulate(np.broadcast_to(light, (300, 13, 21)), SpikeCamera.preset("ideal"))
    plastic, intervals = (np.sqrt(np.mean((video - light) ** 2)) for video in (
        tfstp_video(stream, 100, 200), tfi_video(stream, 100, 200)
    ))  # fmt: skip
    assert plastic < 0.8 * intervals


def test_the_image_of_the_authors_code_has_the_same_order() -> None:
    """There F is in place of f in one rate, and the sum is stretched and equalised: its order is what is left."""
    intervals = list(range(1, 30))
    dense = regular(intervals, 600)
    u0, increment, depression, facilitation = PUBLISHED
    resources, use = (states[-1, 0] for states in reference.plasticity_states(dense[:, :1], *PUBLISHED))
    theirs = -1 / (facilitation * np.log((use - u0) / (facilitation - u0 + use * (1 - increment))))
    theirs -= 1 / (depression * np.log((1 - resources) / (1 - resources * (1 - use))))
    assert (np.diff(theirs) < 0).all()
    assert not np.allclose(theirs / 2, 1 / np.array(intervals), rtol=0.1)


# Parts of streams


@given(dense=dense_spikes(), data=st.data())
def test_pieces_are_the_whole_video(dense: np.ndarray, data: st.DataObject) -> None:
    stream = SpikeStream.from_dense(dense)
    start = data.draw(st.integers(0, len(dense) - 1))
    stop = data.draw(st.integers(start + 1, len(dense)))
    out = np.full((stop - start, *dense.shape[1:]), np.nan, np.float32)
    assert tfstp_video(stream, start, stop, out=out) is out
    assert np.array_equal(out, tfstp_video(stream)[start:stop])
    assert np.array_equal(out, tfstp_video(stream[:stop], start))  # what comes later does not count


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_it(threads: int) -> None:
    stream = SpikeStream.from_dense((np.random.default_rng(4).random((120, 61, 173)) < 0.2).astype(np.uint8))
    with thread_limit(1):
        expected = tfstp_video(stream)
    with thread_limit(threads):
        assert np.array_equal(tfstp_video(stream), expected)


def test_before_the_first_spike_there_is_no_rate_and_then_that_since_the_beginning() -> None:
    dense = np.zeros((30, 1, 11), np.uint8)
    dense[6, 0, 9] = 1
    video = tfstp_video(SpikeStream.from_dense(dense))
    assert not video[:, 0, :9].any()
    assert not video[:6].any()
    assert not video[:, 0, 10].any()
    use = 0.15 + 0.15 * 0.85 * exp(-0.7)
    missing = 0.15 * exp(-7)
    of_depression = -log(missing / (missing + (1 - missing) * use))
    of_facilitation = -10 * log((use - 0.15) / (use * 0.85))
    assert video[6:, 0, 9] == pytest.approx((1 / of_depression + 1 / of_facilitation) / 2)


@given(
    synapse=st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 1), st.floats(0.001, 1e6), st.floats(0.001, 1e6)),
    seed=st.integers(0, 99),
)
def test_no_synapse_tells_more_than_a_spike_a_readout(synapse: tuple[float, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    light = np.repeat(rng.choice([0, 0.01, 0.5, 1], (20, 3, 9)), 100, axis=0)  # which changes at once
    dense = (rng.random(light.shape) < light).astype(np.uint8)
    video = tfstp_video(SpikeStream.from_dense(dense), plasticity=Plasticity(*synapse))
    assert (video >= 0).all()
    assert (video <= 1).all()
    assert (video[-1][dense.any(axis=0)] > 0).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"u0": 0}, "u0 of plasticity must be a finite number from 0.001 to 0.999, got 0"),
        ({"u0": 1}, "u0 of plasticity .* got 1"),
        ({"increment": 1.5}, "increment of plasticity must be a finite number from 0.001 to 1, got 1.5"),
        ({"depression": 0}, "depression of plasticity must be a finite number from 0.001 to 1e\\+06 readouts, got 0"),
        (
            {"facilitation": float("inf")},
            "facilitation .* from 0.001 to 1e\\+06 readouts, got inf",
        ),
    ],
)
def test_a_synapse_has_constants_that_tell_a_rate(change: dict[str, float], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        Plasticity(**change)


def test_what_is_no_part_of_the_stream_is_refused() -> None:
    stream = SpikeStream.from_dense(np.ones((9, 5, 11), np.uint8))
    for centre in (-1, 9):
        with pytest.raises(InvalidValueError, match=rf"centre must be a readout of the stream, 0\.\.8, got {centre}"):
            tfstp(stream, centre)
    for start, stop in ((-1, 4), (0, 10), (4, 4)):
        with pytest.raises(InvalidValueError, match=rf"stream's 0\.\.8 .* got {start} and {stop}"):
            tfstp_video(stream, start, stop)
    with pytest.raises(InvalidValueError, match=r"out must be .* got float64"):
        tfstp_video(stream, out=np.empty((9, 5, 11)))
    with pytest.raises(InvalidValueError, match="plasticity must be a Plasticity, got float"):
        tfstp_video(stream, plasticity=0.15)  # type: ignore[arg-type]


@pytest.mark.recordings
def test_one_image_of_a_published_stream_is_nearer_to_the_scene_than_its_intervals(shared: Path) -> None:
    stream = read_spikes(shared / "data" / "reds_250x400.dat", 250, 400)
    with Image.open(shared / "data" / "reds_250x400.png") as file:
        scene = np.asarray(file.convert("L"), float)
    middle = len(stream) // 2
    images = tfstp(stream, middle), tfi_video(stream, middle, middle + 1)[0], tfp(stream, middle, 41)
    plastic, intervals, mean = (np.corrcoef(image.ravel(), scene.ravel())[0, 1] for image in images)
    assert intervals + 0.04 < plastic < mean
    assert plastic > 0.95
