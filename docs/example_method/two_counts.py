"""The blurry image, brighter where a pixel fired more often around the time than in the whole exposure."""

from pathlib import Path

import numpy as np


def make(path):
    """Called once, with the FILE of `--method two-counts=FILE`, which holds how many readouts to count, or None."""
    length = 21 if path is None else int(Path(path).read_text())

    def show(blur, spikes, exposure, times):
        """Blur is RGB uint8 (H, W, 3), spikes a SpikeStream (T, h, w); gives float RGB in [0, 1], (S, H, W, 3)."""
        whole = rate(spikes, *exposure)
        side = blur.shape[0] // len(whole)  # pixels of the image along one of the spike camera
        images = []
        for time in times:
            change = rate(spikes, time - length // 2, time + length // 2 + 1) / whole
            images.append(blur / 255 * np.kron(change, np.ones((side, side)))[..., None])
        return np.clip(images, 0, 1)

    return show


def rate(spikes, start, stop):
    """Spikes a readout (h, w), never 0."""
    start, stop = max(start, 0), min(stop, len(spikes))
    return (spikes.counts(start, stop) + 0.5) / (stop - start)
