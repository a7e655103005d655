"""What a network made of samples while it was trained, from the files of TensorBoard."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from spikesim.errors import InputFileError


def shown_images(folder: Path) -> Mapping[int, Mapping[str, np.ndarray]]:
    """The images of a stage's folder, RGB uint8 (H, W, 3), by step, and by what they show.

    A training that was stopped goes on in another file: what it shows of a step last counts.

    Raises:
        InputFileError: What there is is damaged; a last record that is being written is none yet.
    """
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found: dict[int, dict[str, np.ndarray]] = defaultdict(dict)
    for path in sorted(folder.glob("events.out.tfevents.*")):
        try:
            for event in EventFileLoader(str(path)).Load():
                for value in event.summary.value:
                    if value.metadata.plugin_data.plugin_name == "images":
                        *_, png = value.tensor.string_val  # after width and height
                        found[event.step][value.tag] = _decoded(png)
        except (OSError, ValueError, cv2.error) as error:
            raise InputFileError(f"{path} holds no images of a training ({error!r:.200})") from error
    return {step: found[step] for step in sorted(found)}


def _decoded(png: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("an image cannot be decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
