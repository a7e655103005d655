"""A garden in the morning: foliage at every scale, fine branches in the wind, birds, a pinwheel and falling leaves."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from spikesim_datasets.scenes.materials import grain, ramp
from spikesim_datasets.scenes.paint import Array, Canvas, box, disc
from spikesim_datasets.scenes.plants import GREENS, branch, bush, grass, greens, leaves, tree
from spikesim_datasets.scenes.render import Layer, Matrix, place

WHITE, INK, GOLD = (252, 250, 244), (36, 32, 30), (250, 226, 130)


def paint(rng: np.random.Generator) -> list[Layer]:
    """Paints the layers of the scene."""
    land = Canvas.backdrop()
    _sky(land, rng)
    _hedge(land, rng)
    _lawn(land, rng)
    _fence(land, rng)
    _flowers(land, rng)
    _dappled_light(land, rng)
    layers = [Layer.of(land.soften(0.4), depth=0.9)]
    body, wing = _bird_body().soften(0.4), _bird_wing().soften(0.4)
    for start, height, speed, size in ((250, 118, 4.6, 0.8), (640, 196, 5.6, 1.0), (60, 220, 5.0, 0.62)):
        layers += [
            Layer.of(part, partial(_fly, start, height, speed, size, side))
            for part, side in ((wing, -1), (body, 0), (wing, 1))
        ]
    layers += [Layer.of(_stick()), Layer.of(_pinwheel().soften(0.4), _spin), Layer.of(tree(rng).soften(0.4))]
    kinds = [_leaf(colour).soften(0.4) for colour in ((226, 148, 40), (206, 84, 36), (178, 186, 60))]
    for i in range(7):
        motion = partial(_fall, rng.uniform(0, 1280), rng.uniform(0, 900), rng.uniform(0, 2 * np.pi))
        layers.append(Layer.of(kinds[i % 3], motion))
    for angle, x, y, phase in ((0.5, -50, -40, 0.0), (0.95, 110, -60, 1.7), (0.2, -60, 90, 3.1)):
        layers.append(Layer.of(branch(rng).soften(0.5), partial(_sway, x, y, angle, phase), depth=1.3))
    return layers


def _fly(start: float, height: float, speed: float, size: float, side: int, time: float) -> Matrix:
    x = (start + speed * time + 200) % 1700 - 200
    beat = np.sin(2 * np.pi * time / 26 + start)
    bird = place(x, height + 14 * np.sin(x / 130) - 7 * beat, 0.1 * np.cos(x / 130), size)
    return bird @ place(0, -4, -0.35 * side - 0.75 * beat) if side else bird


def _spin(time: float) -> Matrix:
    return place(560, 420, 0.085 * time)


def _fall(x: float, y: float, phase: float, time: float) -> Matrix:
    down = (y + 1.9 * time + 40) % 860 - 40
    across = (x + 0.8 * time + 100) % 1480 - 100
    return place(across + 46 * np.sin(down / 60 + phase), down, 1.4 * np.sin(down / 44 + phase) + phase)


def _sway(x: float, y: float, angle: float, phase: float, time: float) -> Matrix:
    breeze = 0.045 * np.sin(2 * np.pi * time / 67 + phase) + 0.02 * np.sin(2 * np.pi * time / 29 + 2 * phase)
    return place(x, y, angle + breeze)


def _sky(land: Canvas, rng: np.random.Generator) -> None:
    billow, blue = grain(rng, 420, 130, 7), ramp(-64, 330, (66, 136, 214), (206, 228, 240))

    def clouds(x: Array, y: Array) -> Array:
        cover = np.clip((billow(x, y) + 0.1) / 1.1, 0, 1)[..., None]
        shade = np.clip(1.05 - 0.09 * billow(x, y + 14), 0.8, 1)[..., None]
        return blue(x, y) * (1 - cover) + shade * np.array((255, 253, 248)) * cover

    land.fill(box(-64, -64, 1408, 480), clouds)
    x = np.linspace(-64, 1344, 200)
    for i, colour in enumerate([(150, 178, 190), (118, 152, 146)]):
        ridge = 290 + 26 * i - 26 * np.sin(x / 170 + 2 * i) - 12 * np.sin(x / 61 + i)
        land.fill([*np.stack([x, ridge], -1), (1344, 480), (-64, 480)], colour)


def _hedge(land: Canvas, rng: np.random.Generator) -> None:
    land.fill(box(-64, 360, 1408, 110), GREENS[0])
    for x in np.arange(-60, 1380, 92.0):
        bush(land, rng, x + rng.uniform(-20, 20), 342 + rng.uniform(-26, 16), rng.uniform(62, 98), 420, 12)
    for x in np.arange(-60, 1380, 70.0):
        bush(land, rng, x + rng.uniform(-20, 20), 410 + rng.uniform(-14, 14), rng.uniform(50, 66), 330, 11)


def _lawn(land: Canvas, rng: np.random.Generator) -> None:
    patches, base = grain(rng, 160, 30, 6), ramp(450, 784, (104, 150, 62), (50, 96, 36))
    land.fill(box(-64, 458, 1408, 330), lambda x, y: base(x, y) * (1 + 0.1 * patches(x, y))[..., None])
    land.fill(box(-64, 444, 1408, 14), GREENS[0], 0.8, soft=7)
    count = 7000
    near = np.sort(rng.uniform(0, 1, count) ** 0.8)
    x, lean = rng.uniform(-64, 1344, count), rng.normal(0, 0.3, count)
    blades = grass(x, 462 + 334 * near, 7 + 34 * near, 0.4 + 1.2 * near, lean)
    land.polygons(blades, greens(rng.uniform(0.05, 0.8, count)))


def _fence(land: Canvas, rng: np.random.Generator) -> None:
    fibres = grain(rng, 2.5, 120, 3)

    def painted(x: Array, y: Array) -> Array:
        return np.array((236, 234, 226)) + 7 * fibres(x, y)[..., None]

    land.fill(box(640, 516, 720, 18), (10, 30, 10), 0.5, soft=8)
    for y in (420, 476):
        land.shade(box(640, y + 9, 720, 6), 0.4, 3)
        land.fill(box(640, y, 720, 12), painted)
    for x in range(648, 1350, 31):
        top = 388 + 9 * np.sin(x / 40)
        land.shade(box(x + 5, top + 8, 20, 132), 0.35, 3)
        land.fill([(x, top + 12), (x + 10, top - 4), (x + 20, top + 12), (x + 20, 524), (x, 524)], painted)
        land.fill(box(x + 16, top + 14, 4, 506 - top), (70, 90, 110), 0.4, soft=1)
        for y in (426, 482):
            land.fill(disc(x + 10, y, 1.6), (90, 90, 92))
    land.shade(box(800, 410, 150, 62, 5), 0.5, 5)
    land.fill(box(796, 404, 150, 62, 5), (54, 96, 120))
    land.fill(box(801, 409, 140, 52, 4), (66, 116, 142))
    land.text("GARDEN", (871, 426), 19, WHITE)
    land.text("No 12", (871, 449), 11, GOLD)


def _flowers(land: Canvas, rng: np.random.Generator) -> None:
    kinds = [((250, 248, 240), (246, 196, 50), 12), ((222, 44, 50), INK, 6), ((246, 178, 214), GOLD, 7),
             ((112, 88, 196), GOLD, 5)]  # fmt: skip
    for near in np.sort(rng.uniform(0, 1, 150) ** 0.8):
        x, y, size = rng.uniform(-60, 1340), 500 + 270 * near, 3.5 + 13 * near
        petal, heart, count = kinds[rng.integers(4)]
        land.line([(x + rng.normal(0, 4), y + 4 * size), (x, y)], 0.14 * size, GREENS[2])
        turn = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2 * np.pi / count
        none = np.zeros(count)
        petals = leaves(none, none, none + size, none + size * 4.2 / count, turn) * (1, 0.7) + (x, y)
        land.polygons(petals, (0.86 + 0.14 * np.sin(3 * turn))[:, None] * petal)
        land.fill(disc(x, y, 0.27 * size, 0.2 * size), heart)


def _dappled_light(land: Canvas, rng: np.random.Generator) -> None:
    dapple = grain(rng, 110, 30, 5)

    def light(x: Array, y: Array) -> Array:
        shadow = np.clip(0.8 * dapple(x, y) + 0.3, 0, 1) * np.clip((y - 480) / 60, 0, 1)
        under_tree = np.clip(1.5 - np.hypot((x - 1130) / 330, (y - 610) / 75), 0.25, 1)
        return 1.08 - (shadow * under_tree)[..., None] * np.array((0.6, 0.52, 0.4))

    land.modulate(light)


def _leaf(colour: Sequence[float]) -> Canvas:
    leaf = Canvas(-28, -18, 24, 18)
    blade = leaves(*np.array([[-18], [0], [36], [26], [0]]))[0]
    leaf.fill(blade, colour)
    leaf.shade(blade * (1, 0.5) + (0, 5), 0.2, 2, atop=True)
    leaf.line([(-22, 0), (14, 0)], 1, [0.6 * c for c in colour])
    return leaf


def _bird_body() -> Canvas:
    bird = Canvas(-60, -30, 60, 30)
    bird.fill([(-54, -8), (-24, -8), (-24, 6), (-50, 10)], (42, 46, 62))
    bird.fill(disc(0, 0, 32, 12), ramp(-12, 12, (58, 66, 92), (226, 190, 150)))
    bird.fill(disc(28, -6, 11, 10), (46, 52, 74))
    bird.fill([(37, -8), (50, -3), (37, -1)], (240, 168, 40))
    bird.fill(disc(31, -8, 2.2), WHITE)
    return bird


def _bird_wing() -> Canvas:
    wing = Canvas(-50, -80, 40, 16)
    i = np.arange(7)
    feathers = leaves(10 - 4 * i, 0 * i, 68 - 5 * i, 0 * i + 20, -1.35 - 0.13 * i)
    wing.polygons(feathers, np.array((50, 58, 84)) + 8 * i[:, None])
    return wing


def _stick() -> Canvas:
    stick = Canvas(540, 400, 580, 700)
    stick.fill(box(557, 420, 6, 250), (196, 158, 108))
    stick.fill(box(560.5, 420, 2.5, 250), (110, 80, 50))
    return stick


def _pinwheel() -> Canvas:
    wheel = Canvas(-84, -84, 84, 84)
    palette = [(216, 40, 52), (250, 190, 44), (44, 128, 190), (240, 240, 234)] * 2
    for i, colour in enumerate(palette):
        turn = place(0, 0, i * np.pi / 4)[:2, :2]
        wheel.fill([(0, 0), (78, -6), (50, 30)] @ turn, colour)
        wheel.fill([(0, 0), (50, 30), (44, 8)] @ turn, [0.62 * part for part in colour])
    wheel.fill(disc(0, 0, 8), INK)
    wheel.fill(disc(-2, -2, 3), WHITE)
    return wheel
