"""The order of samples: shared by devices, and the same from any step on."""

from hypothesis import given
from hypothesis import strategies as st

from spikesim_datasets.samples import SeededIndex
from ssdm_models.training.sampler import SeededBatches

SPLITS = st.tuples(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))


@given(SPLITS, st.integers(1, 3))
def test_devices_share_the_batches_of_one(split, accumulate):
    samples, size, devices, epochs, seed = split
    parts = devices * accumulate
    whole = list(SeededBatches(samples, size * parts, epochs, seed))
    shares = [
        iter(
            SeededBatches(
                samples, size * parts, epochs, seed, parts=parts, own=range(d * accumulate, (d + 1) * accumulate)
            )
        )
        for d in range(devices)
    ]
    for batch in whole:
        together = [draw for share in shares for _ in range(accumulate) for draw in next(share)]
        assert together == batch
    assert all(next(share, None) is None for share in shares)


@given(SPLITS, st.data())
def test_what_was_drawn_before_does_not_matter(split, data):
    samples, batch, _, epochs, seed = split
    whole = list(SeededBatches(samples, batch, epochs, seed))
    start = data.draw(st.integers(0, len(whole)))
    rest = SeededBatches(samples, batch, epochs, seed, start=start)
    assert list(rest) == whole[start:]
    assert len(rest) == len(whole) - start


@given(SPLITS)
def test_every_epoch_sees_every_sample_in_an_order_of_its_own(split):
    samples, batch, _, epochs, seed = split
    batches = SeededBatches(samples, batch, epochs, seed)
    drawn = list(batches)
    for epoch in range(epochs):
        seen = [draw.sample for step in drawn[epoch * batches.steps : (epoch + 1) * batches.steps] for draw in step]
        assert sorted(seen[:samples]) == list(range(samples))
        assert len(seen) < samples + batch
    assert len({draw.seed for step in drawn for draw in step}) == len(drawn) * batch


def test_orders_differ_by_epoch_and_seed():
    orders = [
        [draw.sample for step in list(SeededBatches(50, 50, 2, seed))[epoch : epoch + 1] for draw in step]
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert all(first != second for i, first in enumerate(orders) for second in orders[:i])
    assert isinstance(next(iter(SeededBatches(3, 2, 1, 0)))[0], SeededIndex)
