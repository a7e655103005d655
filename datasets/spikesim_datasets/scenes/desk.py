"""A desk at night under a lamp: lettering on books, test charts, a fan, a pendulum and a rolling ball."""

import numpy as np

from spikesim_datasets.scenes.gadgets import FAN, ball, fan, pendulum
from spikesim_datasets.scenes.materials import grain, ramp, wood
from spikesim_datasets.scenes.paint import Array, Canvas, box, disc, polar
from spikesim_datasets.scenes.render import Layer

INK, CREAM, BRASS = (30, 27, 30), (250, 240, 216), (222, 172, 84)
LAMP = (322.0, 196.0)
COVERS = [(152, 40, 44), (28, 78, 104), (216, 168, 72), (44, 92, 66), (92, 56, 96), (222, 214, 196), (196, 92, 44),
          (36, 44, 70), (120, 150, 158), (112, 70, 44)]  # fmt: skip
TITLES = ["LIGHT", "MOTION", "OPTICS", "TIME", "NOISE", "SPIKES", "EDGES", "WAVES", "COLOUR", "SHADE", "FIELDS", "BLUR",
          "PIXELS", "RATES", "MEMORY", "LENSES"]  # fmt: skip


def paint(rng: np.random.Generator) -> list[Layer]:
    """Paints the layers of the scene."""
    room = Canvas.backdrop()
    _wall(room, rng)
    _books_on_shelf(room, rng)
    _pin_board(room, rng)
    _clock(room)
    _desk(room, rng)
    _stack(room)
    _mug(room)
    _lamp(room)
    _fan_stand(room)
    room.modulate(_lamp_light)
    _lamp_shade(room)
    return [
        Layer.of(room.soften(0.4)),
        *fan(),
        pendulum(),
        *ball(),
        Layer.of(_pencils().soften(1.3), depth=1.4),
    ]


def _lamp_light(x: Array, y: Array) -> Array:
    distance = np.hypot(x - LAMP[0], 1.1 * (y - LAMP[1] - 150))
    cone = 1 / (1 + np.exp(-(y - LAMP[1] - 0.75 * np.abs(x - LAMP[0]) + 40) / 16))
    light = 0.42 * np.exp(-((distance / 520) ** 2)) + 0.62 * cone * np.exp(-((distance / 760) ** 2))
    return np.array((0.344, 0.38, 0.46)) + light[..., None] * np.array((1.2, 1.0, 0.74))


def _wall(room: Canvas, rng: np.random.Generator) -> None:
    rough = grain(rng, 60, 60, 6)

    def plaster(x: Array, y: Array) -> Array:
        stripe = 6 * (np.floor(x / 34) % 2) + 4 * (x % 34 < 1.5)
        return np.array((96, 134, 134)) + (3.5 * rough(x, y) + stripe)[..., None]

    room.fill(box(-64, -64, 1408, 600), plaster)


def _books_on_shelf(room: Canvas, rng: np.random.Generator) -> None:
    room.shade(box(540, 60, 700, 176), 0.35, 18)
    x = 548.0
    for i in range(24):
        width, height = rng.uniform(21, 38), rng.uniform(118, 172)
        if x + width > 1232:
            break
        cover = np.array(COVERS[i * 7 % 10]) * rng.uniform(0.9, 1.1)
        letters = INK if cover.sum() > 420 else [(250, 222, 150), CREAM][i % 2]
        top = 230 - height
        room.fill(box(x, top, width, height, 2.5), cover)
        room.shade(box(x + width * 0.68, top, width * 0.32, height), 0.4, 3)
        room.fill(box(x + 2, top, width * 0.2, height), (255, 255, 255), 0.22, soft=2)
        for band in (10, 15, height - 20):
            room.fill(box(x, top + band, width, 2), letters, 0.85)
        room.text(TITLES[i % 16], (x + width / 2, top + height * 0.5), min(width * 0.5, 14), letters, turns=3)
        room.fill(box(x - 0.6, top, 1.6, height), (0, 0, 0), 0.6)
        x += width + 0.7
    room.fill(box(520, 230, 740, 17), wood(rng, (186, 128, 78), (116, 70, 40)))
    room.fill(box(520, 230, 740, 2.5), (255, 230, 190), 0.45)
    room.shade(box(520, 248, 740, 26), 0.5, 9)


def _pin_board(room: Canvas, rng: np.random.Generator) -> None:
    cork = grain(rng, 7, 7, 3)
    room.shade(box(556, 282, 296, 196), 0.45, 9)
    room.fill(box(552, 276, 296, 196), wood(rng, (170, 112, 66), (110, 66, 36)))
    room.fill(box(562, 286, 276, 176), lambda x, y: np.array((190, 146, 96)) + 15 * cork(x, y)[..., None])
    for x, y, width, height in ((572, 296, 118, 118), (702, 298, 124, 62), (704, 372, 58, 82), (772, 370, 56, 74)):
        room.shade(box(x + 3, y + 4, width, height), 0.5, 3)
        room.fill(box(x, y, width, height), CREAM)
        room.fill(disc(x + width / 2, y + 5, 4), (206, 40, 44))
        room.fill(disc(x + width / 2 - 1, y + 4, 1.5), (255, 220, 220))
    for turn in np.arange(24) * np.pi / 12:  # a Siemens star
        room.fill([(631, 357), *polar(50, turn + np.array((0, np.pi / 48, np.pi / 24)), 631, 357)], INK)
    room.text("SPIKE 40", (764, 318), 15, (170, 30, 36))
    room.text("20000 readouts", (764, 334), 8, INK)
    room.text("per second", (764, 349), 8, INK)
    for i in range(7):  # bars that get finer
        for bar in range(5):
            room.fill(box(710 + bar * (8.4 - i), 386 + i * 9.4, (8.4 - i) / 2, 7), INK)
    for i in range(9):  # a letter
        stroke = np.arange(26 - 5 * (i % 2))
        script = np.stack([777 + 1.7 * stroke, 384 + 6.4 * i + 1.4 * np.sin(stroke * (1 + i % 3) + i)], -1)
        room.line(script, 0.7, (40, 60, 120))
    room.text("TO DO: LOOK CLOSER", (631, 425), 7, (90, 54, 28))


def _clock(room: Canvas) -> None:
    x, y = 420, 60
    room.shade(disc(x + 8, y + 10, 66), 0.4, 8)
    room.fill(disc(x, y, 64), (70, 62, 58))
    room.fill(disc(x, y, 57), CREAM)
    for minute in range(60):
        start, width = (46, 3) if minute % 5 == 0 else (50, 1)
        room.line(polar(np.array((start, 53)), minute * np.pi / 30, x, y), width, INK)
    for text, dx, dy in (("12", 0, -36), ("3", 37, 0), ("6", 0, 37), ("9", -37, 0)):
        room.text(text, (x + dx, y + dy), 10, INK)
    room.line([(x, y), (x - 21, y + 20)], 4, INK)
    room.line([(x, y), (x + 36, y - 18)], 3, INK)
    room.line([(x + 6, y + 10), (x - 25, y - 40)], 1, (190, 30, 30))
    room.fill(disc(x, y, 4), INK)


def _desk(room: Canvas, rng: np.random.Generator) -> None:
    room.fill(box(-64, 500, 1408, 290), wood(rng, (206, 142, 86), (124, 74, 42)))
    for y in (574, 668):
        room.fill(box(-64, y, 1408, 1.6), (40, 20, 10), 0.8)
        room.fill(box(-64, y + 1.6, 1408, 1.2), (255, 230, 190), 0.3)
    room.shade(box(-64, 486, 1408, 20), 0.5, 9)
    room.fill(box(-64, 500, 1408, 2), (255, 226, 180), 0.5)
    # a note pad on the desk
    pad = np.array([(820, 622), (1130, 610), (1180, 720), (836, 738)])
    room.shade(pad, 0.6, 8)
    room.fill(pad, (244, 240, 228))
    along, down = pad[1] - pad[0], pad[3] - pad[0]
    for i in range(1, 10):
        start = pad[0] + down * i / 10 + 0.04 * along
        room.line([start, start + along * 0.93], 0.8, (150, 176, 206))
        steps = np.linspace(0, 0.5 + 0.4 * (i * 37 % 11) / 11, 150)[:, None]
        wave = 3.2 * np.sin(steps * 230 + i) * (np.sin(steps * 61 + 2 * i) > -0.75)
        room.line(start + steps * along + np.concatenate([0.25 * wave, wave - 3], 1), 1, (34, 48, 110))


def _stack(room: Canvas) -> None:
    room.shade(disc(400, 548, 190, 14), 0.7, 8)
    y = 546.0
    stack = [("PHOTONS", 236, 300, 34, 1), ("ON LIGHT AND TIME", 250, 262, 28, 2), ("HIGH SPEED", 226, 286, 38, 0),
             ("NIGHT", 262, 220, 26, 3)]  # fmt: skip
    for title, x, width, height, cover in stack:
        y -= height
        room.fill(box(x, y, width, height, 5), COVERS[cover])
        room.shade(box(x, y + height * 0.62, width, height * 0.4), 0.35, 4)
        room.fill(box(x + 4, y + 2, width - 8, 3), (255, 255, 255), 0.35, soft=1.5)
        for end in (x + 16, x + 22, x + width - 24, x + width - 18):
            room.fill(box(end, y, 2.5, height), (250, 222, 150), 0.9)
        room.text(title, (x + width / 2, y + height * 0.5), height * 0.42, CREAM if cover != 2 else INK)
        room.fill(box(x, y + height - 1, width, 2), (0, 0, 0), 0.6)


def _mug(room: Canvas) -> None:
    room.shade(disc(690, 546, 58, 10), 0.7, 6)
    room.fill(disc(742, 492, 27, 29), (206, 204, 196))
    room.fill(disc(742, 492, 15, 18), (74, 84, 82))
    room.fill(box(646, 448, 88, 98, 12), (226, 224, 214))
    for band in range(4):
        room.fill(box(646, 468 + 16 * band, 88, 8), (28, 78, 104))
    room.shade(box(706, 448, 30, 98), 0.5, 9)
    room.fill(box(656, 452, 10, 88), (255, 255, 255), 0.7, soft=4)
    room.fill(disc(690, 450, 44, 9), (240, 236, 226))
    room.fill(disc(690, 451, 38, 6.5), (52, 28, 16))


def _lamp(room: Canvas) -> None:
    room.shade(disc(120, 560, 86, 14), 0.7, 7)
    room.fill(disc(116, 546, 74, 17), (46, 50, 56))
    room.fill(disc(116, 541, 70, 13), ramp(528, 554, (130, 136, 142), (56, 60, 66)))
    for width, colour in ((9, (40, 42, 48)), (3, (176, 180, 184))):
        room.line([(112, 540), (62, 316), (276, 120)], width, colour)
    room.fill(disc(62, 316, 11), BRASS)


def _lamp_shade(room: Canvas) -> None:
    x, y = LAMP
    room.fill(disc(x, y + 8, 120, 90), (255, 216, 140), 0.75, soft=46, glow=True)
    room.fill(disc(x, y, 62, 14), (255, 250, 226))
    room.fill(disc(x, y + 4, 26, 22), (255, 255, 246))
    room.fill(disc(x, y + 8, 60, 40), (255, 240, 190), 0.8, soft=14, glow=True)
    shade = np.array(
        [(x - 72, y + 4), (x - 40, y - 74), (x - 22, y - 92), (x + 6, y - 92), (x + 30, y - 74), (x + 72, y + 4)]
    )
    room.fill(shade, ramp(y - 92, y, (30, 62, 52), (58, 132, 106)))
    room.fill([(x - 52, y), (x - 30, y - 74), (x - 20, y - 74), (x - 34, y)], (255, 255, 255), 0.4, soft=4)
    room.fill(box(x - 72, y - 1, 144, 5, 2), BRASS)


def _fan_stand(room: Canvas) -> None:
    x, y = FAN
    room.shade(disc(x, y + 154, 110, 13), 0.7, 7)
    room.fill(box(x - 12, y + 68, 24, 80), ramp(y + 68, y + 148, (120, 124, 130), (190, 194, 198)))
    room.fill(disc(x, y + 146, 82, 14), (150, 156, 162))
    room.fill(disc(x, y + 141, 76, 11), (216, 220, 222))
    room.shade(disc(x + 8, y + 12, 132), 0.45, 10)
    room.fill(disc(x, y, 128), (38, 48, 54))


def _pencils() -> Canvas:
    cup = Canvas(-120, 380, 160, 900)
    pencils = [(-20, -26, (226, 170, 40)), (14, -4, (40, 110, 160)), (46, 14, (190, 44, 44)), (74, 40, (60, 130, 80))]
    for x, lean, colour in pencils:
        cup.fill([(x - 7, 640), (x + 7, 640), (x + 7 + lean, 470), (x - 7 + lean, 470)], colour)
        cup.fill([(x - 7 + lean, 470), (x + 7 + lean, 470), (x + lean * 1.15, 440)], (232, 196, 150))
    cup.fill(box(-50, 600, 150, 300, 8), ramp(600, 760, (70, 76, 84), (30, 32, 38)))
    return cup
