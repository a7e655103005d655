"""Means over samples, with intervals that say how much the choice of samples matters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from spikesim.checks import require_array, require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.evaluation.evaluation_set import Domain, Frames, Times
from ssdm_models.evaluation.rows import Row
from ssdm_models.evaluation.scores import METRICS

SampleName = tuple[str, int]
"""Clip and window."""

_RESAMPLES = 4000
_COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over samples and its 95 % bootstrap interval.

    Attributes:
        mean: Over samples; of a sequence, first over its frames.
        low, high: Ends of the interval; the mean itself where there is one sample.
        samples: Number of samples.
    """

    mean: float
    low: float
    high: float
    samples: int


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean of samples and its percentile interval: where 95 % of the means of samples drawn again lie.

    Args:
        values: One for each sample, at least one; may be infinite.
        seed: Of the draws.

    Raises:
        InvalidValueError: There are no values, or they are no list of numbers.

    Source:
        Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 1979.
    """
    given, seed = require_array(values, "values"), require_whole(seed, "seed", 0)
    if given.ndim != 1 or not given.size or given.dtype.kind == "c":
        raise InvalidValueError(f"values must be a list of at least one real number, got {given.dtype} {given.shape}")
    samples = given.astype(np.float64)
    drawn = np.random.default_rng(seed).integers(len(samples), size=(_RESAMPLES, len(samples)))
    tail = (1 - _COVERAGE) / 2
    with np.errstate(invalid="ignore"):  # differences may be infinite both ways, and then have no mean
        mean, means = samples.mean(), samples[drawn].mean(1)
        # The ends are means that were drawn: between infinite ones there is nothing to interpolate.
        low, high = np.quantile(means, tail, method="lower"), np.quantile(means, 1 - tail, method="higher")
    return Interval(float(mean), float(low), float(high), len(samples))


@dataclass(frozen=True)
class Figures:
    """What is said of a method: a row of a table.

    Attributes:
        domain: What its images were compared with.
        frames: `single` the middle frame, `sequence` all frames with ground truth, `exposure` the whole exposure.
        v_th: Threshold; None where no spikes were looked at.
        method: Its label.
        metrics: Mean and interval of each metric that is available.
    """

    domain: Domain
    frames: Frames
    v_th: float | None
    method: str
    metrics: Mapping[str, Interval]


class Grouped:
    """Rows by what they are of.

    Args:
        rows: Of any number of samples.
        times: The readouts of single frames, sequences and exposures.
    """

    def __init__(self, rows: Sequence[Row], times: Times) -> None:
        self._times = times
        self._rows: dict[tuple[Domain, str, float | None], dict[int | None, list[Row]]] = {}
        for row in rows:
            of_method = self._rows.setdefault((row.domain, row.method, row.v_th), {})
            of_method.setdefault(row.readout, []).append(row)

    def values(
        self, domain: Domain, method: str, v_th: float | None, frames: Frames
    ) -> dict[str, dict[SampleName, float]]:
        """A method's metrics by sample, means over frames; only those that is available."""
        by_sample = self._samples(domain, method, v_th, frames)
        found = {}
        for metric in METRICS:
            values = {name: [getattr(row.score, metric) for row in rows] for name, rows in by_sample.items()}
            if values and not any(None in own for own in values.values()):
                found[metric] = {name: fmean(own) for name, own in values.items()}
        return found

    def figures(self) -> list[Figures]:
        """The summary: by kind of frames, then in the order of the rows."""
        found = []
        for frames in self._times:
            for domain, method, v_th in self._rows:
                values = self.values(domain, method, v_th, frames)
                if values:
                    metrics = {metric: bootstrap(list(own.values())) for metric, own in values.items()}
                    found.append(Figures(domain, frames, v_th, method, metrics))
        return found

    def _samples(self, domain: Domain, method: str, v_th: float | None, frames: Frames) -> dict[SampleName, list[Row]]:
        by_sample: dict[SampleName, list[Row]] = {}
        of_method = self._rows.get((domain, method, v_th), {})
        for time in self._times.get(frames, ()):
            for row in of_method.get(time, ()):
                by_sample.setdefault((row.key, row.window), []).append(row)
        return by_sample
