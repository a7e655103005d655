"""Compiled loops of the optics: arrays in, arrays out, no checks."""

import math

from spikesim.kernels.compile import kernel

LUMA = (0.30, 0.59, 0.11)
"""Grey of the field: weights of red, green and blue, ITU-R BT.601 rounded to two digits."""


@kernel
def look_up(images, values, planes):
    """Fill planes (N,3,H,W) with the value of each code of images (N,H,W,3)."""
    for n in range(images.shape[0]):
        for y in range(images.shape[1]):
            for channel in range(3):
                for x in range(images.shape[2]):
                    planes[n, channel, y, x] = values[images[n, y, x, channel]]


@kernel
def mean_luma(frame, linear, block, border, light):
    """Fill light (h,w) from the blocks of frame (h·block, w·block, 3), less the `border` pixels at each one's rim."""
    side = block - 2 * border
    scale = 1.0 / (255.0 * side * side)
    for y in range(light.shape[0]):
        for x in range(light.shape[1]):
            total = 0.0
            for i in range(block * y + border, block * y + border + side):
                for j in range(block * x + border, block * x + border + side):
                    total += (
                        LUMA[0] * linear[frame[i, j, 0]]
                        + LUMA[1] * linear[frame[i, j, 1]]
                        + LUMA[2] * linear[frame[i, j, 2]]
                    )
            light[y, x] = min(1.0, total * scale)


@kernel
def mean_luma_elsewhere(frame, linear, block, side, gaze, gain, light):
    """As `mean_luma`, times a gain, of squares of `side` pixels that lie in the middle of blocks but for gaze (h,w,2),
    pixels to the right and down.

    Between pixels it is linear, so that a side of 1 samples at one place; pixels past the frame are those at its rim.
    """
    rim = 0.5 * (block - side)
    scale = gain / (255.0 * side * side)
    bottom, right = frame.shape[0] - 1, frame.shape[1] - 1
    for y in range(light.shape[0]):
        for x in range(light.shape[1]):
            left, top = block * x + rim + gaze[y, x, 0], block * y + rim + gaze[y, x, 1]
            column, row = math.floor(left), math.floor(top)
            across, down = left - column, top - row
            total = 0.0
            for i in range(side + 1):
                height = 1.0 - down if i == 0 else down if i == side else 1.0
                r = min(max(row + i, 0), bottom)
                part = 0.0
                for j in range(side + 1):
                    width = 1.0 - across if j == 0 else across if j == side else 1.0
                    c = min(max(column + j, 0), right)
                    part += width * (
                        LUMA[0] * linear[frame[r, c, 0]]
                        + LUMA[1] * linear[frame[r, c, 1]]
                        + LUMA[2] * linear[frame[r, c, 2]]
                    )
                total += height * part
            light[y, x] = min(1.0, total * scale)


@kernel
def add_codes(frame, total):
    """Add a frame to a total of frames, uint8 and uint32 of one shape; both lie in one piece."""
    codes, sums = frame.reshape(-1), total.reshape(-1)
    for i in range(sums.size):
        sums[i] += codes[i]
