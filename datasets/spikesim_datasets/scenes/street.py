"""A shopping street in the afternoon sun: brick, shop signs, and traffic passing both ways."""

import numpy as np

from spikesim_datasets.scenes.materials import bricks, grain, ramp
from spikesim_datasets.scenes.paint import Array, Canvas, Fill, box, disc
from spikesim_datasets.scenes.render import Layer
from spikesim_datasets.scenes.traffic import traffic

INK, CREAM = (28, 26, 30), (250, 240, 214)


def paint(rng: np.random.Generator) -> list[Layer]:
    """Paints the layers of the scene."""
    town = Canvas.backdrop()
    town.fill(box(-64, -64, 1408, 400), ramp(-64, 220, (92, 150, 215), (236, 240, 240)))
    _brick_house(town, rng)
    _plaster_house(town, rng)
    _cinema(town, rng)
    _ground(town, rng)
    town.modulate(_sunlight)
    return [Layer.of(town.soften(0.4)), *traffic(), Layer.of(_lamp().soften(0.5), depth=1.35)]


def _window(wall: Canvas, x: float, y: float, width: float, height: float, frame: Fill, sky: float) -> None:
    wall.shade(box(x - 7, y - 5, width + 18, height + 14), 0.35, 4)
    wall.fill(box(x - 6, y - 6, width + 12, height + 12), frame)
    wall.fill(box(x, y, width, height), ramp(y, y + height, (150 * sky, 185 * sky, 215 * sky), (34, 44, 58)))
    wall.fill([(x, y + height * 0.8), (x + width, y + height * 0.3), (x + width, y), (x, y + height * 0.35)],
        (235, 244, 250), 0.22 * sky,
    )  # fmt: skip
    curtain = ramp(y, y + height, (226, 216, 200), (150, 138, 122))
    wall.fill(box(x, y, width * 0.2, height), curtain, 0.8)
    wall.fill(box(x + width * 0.84, y, width * 0.16, height), curtain, 0.8)
    wall.fill(box(x + width / 2 - 2, y, 4, height), frame)
    wall.fill(box(x, y + height * 0.38, width, 4), frame)
    wall.shade(box(x, y, width, 5), 0.5, 2)
    wall.fill(box(x - 11, y + height + 5, width + 22, 8), (205, 196, 180))
    wall.shade(box(x - 11, y + height + 13, width + 22, 7), 0.4, 2)


def _brick_house(town: Canvas, rng: np.random.Generator) -> None:
    town.fill(box(-64, -64, 494, 592), bricks(rng, 26, 11, (158, 76, 58), (196, 182, 166)))
    for x in (-30, 110, 250, 366):
        for y in (-50, 108):
            _window(town, x, y, 62, 104, (238, 234, 226), 1.0)
    town.fill(box(-64, 232, 494, 12), (206, 196, 178))
    town.shade(box(-64, 244, 494, 8), 0.5, 3)
    # the shop: sign, window with a warm room behind it, striped awning
    town.fill(box(-64, 256, 474, 50), (26, 48, 44))
    town.fill(box(-58, 261, 462, 40), (36, 66, 60))
    town.text("CAFE", (175, 281), 27, (255, 226, 150))
    town.fill(box(-64, 306, 474, 220), (40, 30, 26))
    town.fill(box(-40, 330, 316, 140), ramp(330, 470, (255, 206, 120), (120, 62, 30)))
    for x in (10, 85, 160, 235):
        town.line([(x, 330), (x, 372)], 1.5, INK)
        town.fill(disc(x, 376, 9, 7), (255, 250, 220))
        town.fill(disc(x, 376, 26), (255, 220, 140), 0.8, soft=12, glow=True)
    for x in (0, 70, 140, 210):
        town.fill(box(x, 424, 46, 5), (52, 28, 18))
        town.fill(box(x + 21, 424, 5, 46), (52, 28, 18))
        town.fill(disc(x + 12 + 8 * (x % 3), 404, 8), (64, 38, 30))
        town.fill(box(x + 2 + 8 * (x % 3), 410, 20, 26, 7), (90 + x // 3, 60, 66))
    for x in (-42, 64, 168, 274):
        town.fill(box(x, 326, 5, 146), (60, 40, 32))
    town.text("COFFEE & CAKE", (118, 455), 12, (255, 244, 220), 0.9)
    town.fill(box(300, 330, 92, 196), (66, 34, 28))
    town.fill(box(312, 344, 68, 110), ramp(344, 454, (210, 160, 92), (70, 44, 34)))
    town.fill(box(330, 380, 34, 20, 3), CREAM)
    town.text("OPEN", (347, 390), 8, (150, 30, 30))
    town.fill(disc(386, 440, 4), (240, 210, 120))
    for i in range(19):
        x, colour = -60 + i * 25, (196, 44, 40) if i % 2 else (244, 238, 226)
        town.fill([(x + 4, 304), (x + 27, 304), (x + 25, 344), (x, 344)], colour)
        town.fill(disc(x + 12.5, 344, 12.5, 9), colour)
    town.fill(box(-64, 300, 480, 22), (255, 255, 255), 0.18, soft=6)
    town.shade(box(-64, 352, 474, 16), 0.4, 6)


def _plaster_house(town: Canvas, rng: np.random.Generator) -> None:
    speckle = grain(rng, 20, 60, 6)

    def plaster(x: Array, y: Array) -> Array:
        return np.array((232, 206, 158)) + 7 * speckle(x, y)[..., None]

    town.fill(box(430, 74, 400, 450), plaster)
    tiles = bricks(rng, 13, 9, (150, 70, 48), (74, 34, 28))
    town.fill([(416, 76), (446, 12), (814, 12), (844, 76)], tiles)
    town.fill(box(660, -30, 34, 52), bricks(rng, 13, 6, (140, 78, 64), (190, 180, 168)))
    town.fill(box(416, 72, 428, 9), (236, 228, 212))
    town.shade(box(430, 81, 400, 16), 0.45, 5)
    for x in (478, 600, 722):
        _window(town, x, 118, 58, 100, (250, 246, 238), 1.1)
        for side in (x - 36, x + 64):
            town.fill(box(side, 112, 30, 112), (52, 102, 88))
            for slat in range(12):
                town.fill(box(side + 4, 118 + slat * 8.6, 22, 3), (30, 66, 58))
                town.fill(box(side + 4, 121 + slat * 8.6, 22, 2), (104, 150, 132))
        town.fill(box(x - 8, 224, 74, 15), (128, 62, 40))
        flowers = rng.uniform((x - 8, 206), (x + 66, 228), (90, 1, 2))
        palette = np.array([(214, 40, 60), (250, 120, 140), (66, 112, 44), (48, 90, 40), (255, 214, 90)], float)
        town.polygons(disc(0, 0, 3.2)[::9] + flowers, palette[rng.integers(0, 5, 90)])
    town.fill(box(430, 252, 400, 46), (112, 26, 34))
    town.fill(box(434, 256, 392, 38), (136, 34, 42))
    town.text("BOOKS", (540, 275), 25, CREAM)
    town.text("new & old", (715, 276), 14, (244, 206, 140))
    town.fill(box(430, 298, 400, 230), (58, 20, 26))
    town.fill(box(452, 318, 250, 160), ramp(318, 478, (66, 50, 44), (34, 26, 26)))
    covers = np.array(
        [(168, 44, 44), (34, 84, 112), (222, 178, 84), (58, 104, 74), (226, 216, 196), (206, 104, 52), (44, 50, 76)]
    )
    for shelf in range(4):
        left, y = 456.0, 322 + shelf * 39
        while left < 690:
            width, height = rng.uniform(4, 11), rng.uniform(22, 33)
            cover = covers[rng.integers(0, len(covers))] * rng.uniform(0.75, 1.15)
            town.fill(box(left, y + 36 - height, width, height), cover)
            town.fill(box(left + 1, y + 40 - height, width - 2, 3), CREAM, 0.7)
            left += width + 0.8
        town.fill(box(452, y + 36, 250, 4), (120, 82, 52))
    town.fill([(452, 478), (560, 318), (640, 318), (532, 478)], (220, 236, 246), 0.16)
    town.fill(box(724, 318, 84, 210), (92, 28, 34))
    town.fill(box(736, 330, 60, 120), ramp(330, 450, (150, 176, 190), (52, 58, 66)))
    town.text("27", (766, 345), 15, CREAM)


def _cinema(town: Canvas, rng: np.random.Generator) -> None:
    town.fill(box(830, -64, 514, 600), bricks(rng, 58, 30, (126, 130, 138), (92, 94, 100)))
    for x in (952, 1052, 1152, 1252):
        for y in (-44, 76):
            _window(town, x, y, 72, 84, (58, 60, 66), 1.25)
    # vertical sign
    town.shade(box(858, -40, 58, 292), 0.5, 8)
    town.fill(box(854, -50, 58, 292, 8), (150, 24, 44))
    town.fill(box(860, -44, 46, 280, 5), (186, 36, 52))
    for i, letter in enumerate("LIGHT"):
        town.text(letter, (883, -8 + i * 50), 34, (255, 236, 190))
        town.text(letter, (883, -8 + i * 50), 34, (255, 190, 120), 0.5, soft=6, glow=True)
    # marquee with letters to change, and bulbs
    town.shade(box(920, 300, 424, 22), 0.6, 8)
    town.fill(box(900, 196, 444, 104), (52, 20, 28))
    town.fill(box(914, 210, 430, 76), ramp(210, 286, (255, 250, 232), (240, 226, 190)))
    town.text("TONIGHT  SPIKE", (1050, 230), 21, INK)
    town.text("20000 FRAMES A SECOND", (1050, 266), 16, (170, 24, 36))
    for x in range(908, 1344, 17):
        for y in (203, 293):
            town.fill(disc(x, y, 4), (255, 246, 200))
            town.fill(disc(x, y, 6), (255, 190, 90), 0.9, soft=4, glow=True)
    # entrance
    town.fill(box(850, 322, 494, 210), ramp(322, 520, (88, 44, 38), (48, 28, 30)))
    for x in (960, 1050, 1140, 1230):
        town.fill(box(x, 346, 76, 180), (150, 112, 60))
        town.fill(box(x + 6, 352, 64, 168), ramp(352, 520, (250, 206, 130), (96, 50, 34)))
        town.fill(box(x + 60, 430, 4, 34), (255, 240, 190))
    town.fill(box(862, 350, 74, 104), (230, 214, 170))
    town.fill(box(868, 356, 62, 92), ramp(356, 448, (24, 40, 84), (210, 92, 60)))
    town.fill(disc(899, 404, 19), (255, 230, 160))
    town.text("DUSK", (899, 436), 10, CREAM)


def _ground(town: Canvas, rng: np.random.Generator) -> None:
    rough, fine = grain(rng, 120, 40, 6), grain(rng, 2, 2, 1)

    def asphalt(x: Array, y: Array) -> Array:
        value = 84 + 7 * rough(x, y) + 6 * fine(x, y) + 14 * (y - 560) / 200
        return value[..., None] * (1.0, 0.99, 1.02)

    town.fill(box(-64, 524, 1408, 34), bricks(rng, 44, 17, (176, 168, 156), (120, 112, 104)))
    town.shade(box(-64, 516, 1408, 16), 0.45, 5)
    town.fill(box(-64, 556, 1408, 5), (214, 208, 198))
    town.fill(box(-64, 561, 1408, 10), (120, 116, 112))
    town.fill(box(-64, 571, 1408, 214), asphalt)
    town.shade(box(-64, 568, 1408, 12), 0.4, 4)
    for x in range(-60, 1344, 150):
        town.fill([(x + 8, 634), (x + 84, 634), (x + 78, 643), (x, 643)], (232, 226, 206), 0.9)


def _sunlight(x: Array, y: Array) -> Array:
    # the shadow of a house across the street falls over the lower left corner
    sunny = 1 / (1 + np.exp(-(0.62 * x - y + 440) / 5))
    sunny = np.where(y > 571, np.minimum(sunny + 0.25, 1), sunny)
    return np.array((0.6, 0.66, 0.8)) + sunny[..., None] * np.array((0.52, 0.42, 0.22))


def _lamp() -> Canvas:
    lamp = Canvas(1130, -120, 1330, 900)
    lamp.fill(box(1213, 20, 14, 900), (36, 40, 42))
    lamp.fill(box(1215, 20, 4, 900), (130, 138, 140), soft=1)
    lamp.fill(box(1207, 560, 26, 400, 4), (30, 34, 36))
    lamp.fill(disc(1220, 60, 10, 5), (30, 34, 36))
    lamp.fill([(1196, 20), (1244, 20), (1256, -60), (1184, -60)], (250, 238, 200))
    lamp.fill(disc(1220, 190, 46), (250, 250, 248))
    lamp.fill(disc(1220, 190, 42), (200, 30, 36))
    lamp.fill(disc(1220, 190, 31), (250, 250, 248))
    lamp.text("40", (1220, 190), 26, INK)
    return lamp
