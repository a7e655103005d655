"""What drives along the street: a bus and a car on turning wheels."""

from functools import partial

import numpy as np

from spikesim_datasets.scenes.materials import ramp
from spikesim_datasets.scenes.paint import Canvas, box, disc, polar, rounded
from spikesim_datasets.scenes.render import Layer, Matrix, place

GLASS = (58, 78, 98)
BUS_AXLES, CAR_AXLES = (-150, 120), (-108, 112)


def traffic() -> list[Layer]:
    """Paints a bus to the left and, nearer, a car to the right; each drives by again and again."""
    bus, car = partial(_drive, 800, 596, -4.2), partial(_drive, 390, 668, 5.4)
    layers = [Layer.of(_bus().soften(0.4), partial(bus, 0, 0))]
    layers += [Layer.of(_wheel(26), partial(bus, x, 26)) for x in BUS_AXLES]
    layers += [Layer.of(_car().soften(0.4), partial(car, 0, 0))]
    return layers + [Layer.of(_wheel(33), partial(car, x, 33)) for x in CAR_AXLES]


def _drive(start: float, y: float, speed: float, axle: float, wheel_radius: float, time: float) -> Matrix:
    # the lap is longer than the image and a vehicle: the jump to its start is never seen
    x = (start + speed * time + 600) % 2500 - 600
    return place(x + axle, y, speed * time / wheel_radius if wheel_radius else 0.0)


def _bus() -> Canvas:
    bus = Canvas(-250, -190, 250, 60)
    bus.shade(disc(0, 22, 225, 12), 0.7, 6)
    bus.fill(box(-215, -165, 430, 170, 16), ramp(-165, 5, (250, 214, 84), (214, 132, 30)))
    bus.fill(box(-215, -34, 430, 6), (250, 246, 236), atop=True)
    bus.fill(box(-215, -14, 430, 20), (64, 58, 56), atop=True)
    bus.fill(box(-205, -146, 410, 76, 8), (30, 36, 44))
    for x in (-200, -130, -60, 10, 80, 150):
        bus.fill(box(x, -142, 56, 68, 5), ramp(-142, -74, (176, 204, 224), (66, 84, 102)))
        bus.fill([(x + 8, -74), (x + 30, -142), (x + 44, -142), (x + 22, -74)], (255, 255, 255), 0.3)
        bus.fill(disc(x + 34, -92, 9, 11), (40, 36, 40), 0.8)
        bus.fill(box(x + 22, -84, 24, 10, 4), (90, 50, 56), 0.8)
    bus.text("SPIKE  LINE  97", (-10, -52), 20, (120, 22, 30))
    bus.fill(box(-214, -24, 10, 14, 3), (255, 252, 230))
    bus.fill(box(204, -30, 9, 18, 3), (210, 30, 30))
    bus.fill(box(-215, -165, 430, 10), (255, 255, 255), 0.45, soft=3, atop=True)
    for x in BUS_AXLES:
        bus.fill(disc(x, 0, 32), (26, 24, 26), atop=True)
    return bus


def _car() -> Canvas:
    car = Canvas(-250, -170, 250, 70)
    car.shade(disc(0, 30, 215, 13), 0.75, 6)
    outline = [(-200, 8), (-206, -36), (-190, -58), (-120, -66), (-78, -112), (-52, -120), (52, -120), (80, -110),
               (124, -62), (178, -50), (204, -30), (208, 8)]  # fmt: skip
    car.fill(rounded(outline), ramp(-120, 8, (222, 66, 58), (120, 16, 24)))
    glass = ramp(-112, -64, (200, 222, 234), GLASS)
    car.fill(rounded([(-104, -66), (-70, -106), (-50, -112), (-6, -112), (-6, -64)]), glass)
    car.fill(rounded([(4, -64), (4, -112), (48, -112), (72, -104), (104, -62)]), glass)
    car.fill([(-60, -64), (-30, -112), (-18, -112), (-48, -64)], (255, 255, 255), 0.45)
    car.fill(box(-208, -54, 412, 7), (255, 220, 210), 0.55, soft=2.5, atop=True)
    car.fill(box(-210, -8, 420, 20), (34, 28, 32), 0.85, atop=True)
    for x in (-2, -110, 112):
        car.fill(box(x, -62, 1.6, 56), (70, 8, 14))
    car.fill(box(-34, -44, 20, 4, 2), (240, 226, 220))
    car.fill(box(192, -40, 15, 15, 5), (255, 252, 232))
    car.fill(disc(200, -32, 22), (255, 246, 210), 0.9, soft=9, glow=True)
    car.fill(box(-206, -40, 11, 16, 3), (190, 16, 22))
    car.text("240", (52, -28), 24, (252, 246, 236))
    for x in CAR_AXLES:
        car.fill(disc(x, 0, 39), (20, 16, 18), atop=True)
    return car


def _wheel(radius: float) -> Canvas:
    wheel = Canvas(-radius - 3, -radius - 3, radius + 3, radius + 3)
    wheel.fill(disc(0, 0, radius), (24, 24, 26))
    wheel.fill(disc(0, 0, radius * 0.66), (196, 200, 206))
    wheel.fill(disc(0, 0, radius * 0.58), (96, 100, 108))
    for turn in np.arange(5) * 2 * np.pi / 5:
        reach = np.array((4, 0.6 * radius, 0.6 * radius, 4))
        wheel.fill(polar(reach, turn + np.array((-0.5, -0.16, 0.16, 0.5))), (214, 218, 224))
    wheel.fill(disc(0, 0, radius * 0.16), (40, 42, 48))
    return wheel.soften(0.4)
