"""What moves on the desk: a fan, a pendulum and a rolling ball."""

import numpy as np

from spikesim_datasets.scenes.materials import ramp
from spikesim_datasets.scenes.paint import Canvas, disc, polar
from spikesim_datasets.scenes.render import Layer, Matrix, place

FAN = (1092, 402)
"""Where the hub of the fan is; its stand is part of the room."""

INK, BALL_RADIUS = (30, 27, 30), 56


def fan() -> list[Layer]:
    """Paints the blades, turning, and the grille before them."""
    return [Layer.of(_blades().soften(0.4), _spin), Layer.of(_grille().soften(0.3), _at_fan)]


def pendulum() -> Layer:
    """Paints a weight that swings under the shelf."""
    return Layer.of(_pendulum().soften(0.4), _swing)


def ball() -> list[Layer]:
    """Paints a ball that rolls to and fro; its shadow and its light do not turn with it."""
    return [Layer.of(_ball_shadow(), _slide), Layer.of(_ball().soften(0.4), _roll), Layer.of(_ball_light(), _slide)]


def _spin(time: float) -> Matrix:
    return place(*FAN, 0.075 * time)


def _at_fan(time: float) -> Matrix:
    return place(*FAN)


def _swing(time: float) -> Matrix:
    return place(914, 246, 0.55 * np.sin(2 * np.pi * (time - 2) / 104))


def _slide(time: float) -> Matrix:
    return place(610 + 350 * np.sin(2 * np.pi * (time - 14) / 400), 572)


def _roll(time: float) -> Matrix:
    x, y = _slide(time)[:2, 2]
    return place(x, y, x / BALL_RADIUS)


def _blades() -> Canvas:
    blades = Canvas(-124, -124, 124, 124)
    rise = np.linspace(0, 1, 20)
    for i, colour in enumerate([(240, 120, 52), (238, 234, 222), (46, 136, 160)]):
        start = i * 2 * np.pi / 3
        lead = polar(18 + 100 * np.sin(np.pi / 2 * rise), start + 0.9 * rise)
        trail = polar(18 + 100 * rise**2, start + 0.5 + 0.75 * rise)
        blades.fill(np.concatenate([lead, trail[::-1]]), colour)
        blades.fill(np.concatenate([lead, lead[::-1] * 0.86]), (255, 255, 255), 0.3, soft=3, atop=True)
        blades.shade(np.concatenate([trail, trail[::-1] * 0.8]), 0.35, 4, atop=True)
    return blades


def _grille() -> Canvas:
    grille = Canvas(-140, -140, 140, 140)
    for radius in range(34, 128, 13):
        grille.line(disc(0, 0, radius), 1, (206, 210, 212), closed=True)
    for turn in np.arange(28) * np.pi / 14:
        grille.line(polar(np.array((20, 130)), turn), 1, (186, 190, 194))
    grille.line(disc(0, 0, 130), 6, (224, 228, 230), closed=True)
    grille.fill(disc(0, 0, 24), ramp(-24, 24, (240, 242, 242), (120, 126, 132)))
    grille.text("97", (0, 0), 15, (170, 30, 36))
    return grille


def _pendulum() -> Canvas:
    weight = Canvas(-34, -4, 34, 236)
    weight.line([(0, 0), (0, 190)], 2, (214, 200, 170))
    weight.fill(disc(0, 200, 28), (120, 80, 34))
    weight.fill(disc(0, 199, 26), ramp(172, 228, (255, 226, 150), (170, 112, 44)))
    weight.fill(disc(-8, 190, 7, 5), (255, 255, 240), 0.9, soft=2)
    weight.text("T", (0, 200), 22, (96, 56, 22))
    return weight


def _ball() -> Canvas:
    ball = Canvas(-60, -60, 60, 60)
    ball.fill(disc(0, 0, BALL_RADIUS), (244, 240, 230))
    for sector, colour in ((0, (204, 38, 44)), (2, (34, 104, 164)), (4, (240, 176, 40))):
        rim = polar(BALL_RADIUS, np.linspace(sector, sector + 1, 16) * np.pi / 3)
        ball.fill([(0, 0), *rim], colour, atop=True)
    ball.fill(disc(0, 0, 11), (250, 248, 240))
    ball.text("7", (0, 0), 12, INK)
    return ball


def _ball_light() -> Canvas:
    light = Canvas(-60, -60, 60, 60)
    light.fill(disc(0, 0, BALL_RADIUS), (16, 8, 4))
    light.fade(lambda x, y: 0.85 * np.clip(np.hypot(x + 22, y + 26) / 86, 0, 1) ** 2)
    light.fill(disc(-22, -26, 9, 7), (255, 252, 240), 0.9, soft=3.5)
    return light


def _ball_shadow() -> Canvas:
    shadow = Canvas(-120, 10, 140, 100)
    shadow.shade(disc(14, 54, 62, 12), 0.8, 7)
    return shadow
