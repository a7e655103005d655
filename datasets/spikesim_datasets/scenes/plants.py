"""What grows in the garden: leaves, bushes, a tree and branches that sway."""

import numpy as np

from spikesim_datasets.scenes.materials import grain
from spikesim_datasets.scenes.paint import Array, Canvas, disc

GREENS = [(30, 62, 30), (44, 88, 38), (66, 116, 44), (98, 148, 56), (146, 184, 76), (196, 214, 112)]
"""Leaves from the shade to the sun."""


def greens(light: Array) -> Array:
    """Colours `(N, 3)` of leaves from how sunny they are, `(N,)`, 0..1."""
    return np.stack([np.interp(light, np.linspace(0, 1, len(GREENS)), channel) for channel in np.transpose(GREENS)], -1)


def leaves(x: Array, y: Array, length: Array, width: Array, angle: Array) -> Array:
    """Corners `(N, 6, 2)` of pointed leaves with their stalks at x, y; all parameters are `(N,)`."""
    outline = np.array([(0, 0), (0.25, 0.42), (0.55, 0.38), (1, 0), (0.55, -0.38), (0.25, -0.42)])
    along, across = outline[:, 0] * length[:, None], outline[:, 1] * width[:, None]
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([x[:, None] + c * along - s * across, y[:, None] + s * along + c * across], -1)


def grass(x: Array, y: Array, height: Array, half_width: Array, lean: Array) -> Array:
    """Corners `(N, 3, 2)` of blades of grass with their roots at x, y; all parameters are `(N,)`."""
    xs = np.stack([x - half_width, x + lean * height, x + half_width], -1)
    return np.stack([xs, np.stack([y, y - height, y], -1)], -1)


def bush(canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float, count: int, size: float) -> None:
    """Paints a round clump of `count` leaves of about `size`, dark below, sunny at the upper right."""
    canvas.fill(disc(x, y, radius * 0.84, radius * 0.7), GREENS[0], soft=1)
    turn, away = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    dx, dy = np.cos(turn) * away, 0.85 * np.sin(turn) * away
    light = 0.42 + 0.17 * dx - 0.34 * dy
    order = np.argsort(light + rng.normal(0, 0.2, count))
    length = size * rng.uniform(0.7, 1.3, count)
    shapes = leaves(dx[order] * radius + x, dy[order] * radius + y, length, 0.62 * length, rng.uniform(0, 6.3, count))
    canvas.polygons(shapes, greens(light[order] + rng.normal(0, 0.12, count)))


def tree(rng: np.random.Generator) -> Canvas:
    """Paints a tree at the right of the image."""
    canvas = Canvas(880, -100, 1500, 660)
    bark = grain(rng, 9, 46, 5)

    def trunk(x: Array, y: Array) -> Array:
        side = np.clip((x - 1110) / 120, 0, 1)
        return np.array((98, 78, 60)) * (0.45 + 0.75 * side)[..., None] + 17 * bark(x, y)[..., None]

    outline = [(1078, 604), (1108, 570), (1122, 500), (1128, 240), (1050, 60), (1090, 50), (1160, 170), (1240, 30),
               (1290, 50), (1212, 240), (1206, 500), (1216, 566), (1252, 606), (1170, 616)]  # fmt: skip
    canvas.fill(outline, trunk)
    count = 260
    x, y, height = rng.uniform(1050, 1280, count), rng.uniform(612, 622, count), rng.uniform(14, 36, count)
    canvas.polygons(
        grass(x, y, height, np.full(count, 1.5), rng.normal(0, 0.3, count)), greens(rng.uniform(0.1, 0.7, count))
    )
    crown = [(1040, 20, 80), (1330, 60, 100), (1120, -30, 100), (1250, -20, 110), (1000, 70, 44), (1180, 66, 62)]
    for left, top, radius in crown:
        bush(canvas, rng, left, top, radius, 5 * radius, 17)
    return canvas


def branch(rng: np.random.Generator) -> Canvas:
    """Paints a branch that grows from 0, 0 to the right, with twigs of twigs and leaves."""
    canvas = Canvas(-20, -230, 460, 230)
    nodes: list[tuple[float, float, float]] = []

    def grow(x: float, y: float, angle: float, length: float, width: float) -> None:
        steps = [(x, y)]
        for _ in range(8):
            angle += rng.normal(0, 0.07)
            x, y = x + length / 8 * np.cos(angle), y + length / 8 * np.sin(angle)
            steps.append((x, y))
        canvas.line(steps, width, (62, 46, 36))
        nodes.extend((*step, angle) for step in steps[4:])
        if width > 1.4:
            for i in (2, 4, 5, 7):
                grow(*steps[i], angle + rng.choice((-1, 1)) * rng.uniform(0.4, 0.8), length * 0.42, width * 0.5)

    grow(0, 0, 0, 300, 7)
    x, y, angle = rng.permutation(np.array(nodes * 2)).T
    turn = angle + rng.choice((-1, 1), len(x)) * rng.uniform(0.4, 1.2, len(x))
    length = rng.uniform(15, 25, len(x))
    canvas.polygons(leaves(x, y, length, 0.6 * length, turn), greens(rng.uniform(0.2, 0.95, len(x))))
    return canvas
