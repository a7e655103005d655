"""What is written down while a stage trains: `metrics.csv`, and TensorBoard's files."""

import csv
import warnings
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from spikesim.files import atomic_path

METRICS = "metrics.csv"

_MOST_IMAGES = 4  # samples side by side


class Log:
    """The log of one stage in its folder.

    Args:
        folder: The stage's.
        steps: Steps done before; what TensorBoard knows of later ones was lost with them.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of packages that TensorBoard imports
            from torch.utils.tensorboard import SummaryWriter

        self._path = folder / METRICS
        self._writer = SummaryWriter(str(folder), purge_step=steps)

    def epoch(self, history: list[dict[str, float]]) -> None:
        """Write the rows of all finished epochs to the table, and the last to TensorBoard."""
        row = history[-1]
        for name, value in row.items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(name, value, int(row["step"]))
        self._writer.flush()
        with atomic_path(self._path) as temporary, temporary.open("w", newline="") as file:
            table = csv.DictWriter(file, row)
            table.writeheader()
            table.writerows(history)

    def images(self, images: Mapping[str, Tensor], step: int) -> None:
        """Show images (N, C, H, W) in [0, 1] by what they show."""
        for name, stack in images.items():
            shown = stack[:_MOST_IMAGES].detach().float().clamp(0, 1).cpu()
            self._writer.add_images(name, shown.expand(-1, 3, -1, -1), step)

    def close(self) -> None:
        """Finish TensorBoard's file."""
        self._writer.close()
