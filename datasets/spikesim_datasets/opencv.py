"""OpenCV so that its results do not depend on the processor."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def without_ipp() -> Iterator[None]:
    """Keep Intel IPP out of OpenCV: it picks its code, and with it the last bits, by processor.

    The switch is OpenCV's own for each thread, so that nothing else in the process is affected.
    """
    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(before)
