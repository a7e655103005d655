"""Integrate and fire in torch, block of readouts by block.

Only charge passes from readout to readout. Drive, shot noise, jitter and the kick of a reset are made for a block of
readouts at once, the drive for pixels that have just fired and for those that have not, so that what is left to do one
readout after the other is to choose, add, compare and subtract. Operations are not fused, so each rounds as on the CPU;
float32 is divided by tensors, because CUDA would multiply by the reciprocal of a plain number.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikesim.gpu.events import Events, draw_from
from spikesim.gpu.random import lane_words, normals, random_words, unit_uniforms
from spikesim.noise import (
    ComparatorNoise,
    DeadTime,
    DiffusionNoise,
    FrameNoise,
    IntervalNoise,
    ResetNoise,
    ShotNoise,
)
from spikesim.noise.distributions import poisson_table
from spikesim.noise.term import acting_order
from spikesim.stream_setup import StreamSetup

(SHOT_NOISE,) = ShotNoise.purposes
(INTERVAL_NOISE,) = IntervalNoise.purposes
(DIFFUSION_NOISE,) = DiffusionNoise.purposes

# Pixel-readouts of a block; with sub-ticks each is cut into some 25 stretches of light.
_BLOCK, _BLOCK_IN_TICKS = 1 << 23, 1 << 19

_GATHER = 0x0102040810204080  # times eight bytes of 0/1: their bits, least significant first, in the top byte


class Sensor:
    """A camera on a device, and the state that passes between blocks of readouts.

    Args:
        setup: What the stream begins with.
        device: Where to compute.
    """

    def __init__(self, setup: StreamSetup, device: torch.device) -> None:
        camera, (height, width) = setup.camera, setup.shape
        self.camera = camera
        if camera.resets_in_ticks:
            self.block = max(1, _BLOCK_IN_TICKS // (height * width))
        else:
            self.block = max(4, _BLOCK // (height * width) // 4 * 4)  # four readouts share the words of a counter
        self._key = int(setup.key[0]), int(setup.key[1])
        self._v_th, self._per_tick = _single(camera.v_th), _single(camera.gain / camera.sub_ticks)
        self._charge = torch.from_numpy(setup.charge).to(device)
        self._fired = torch.zeros_like(self._charge, dtype=torch.bool)
        self._readout = 0
        first_pixels = torch.from_numpy(setup.crop.first_pixels(height)).to(device)
        self._pixels = first_pixels[:, None] + torch.arange(width, device=device)
        self._events = [
            Events(events, self._pixels, self._key)
            for term in acting_order(camera.noise)
            for events in term.bit_events()
        ]
        self._gain, self._dark, self._alive = (
            torch.from_numpy(np.array(part)).to(device) if part.size else None
            for part in (setup.pattern.gain, setup.pattern.dark, setup.pattern.alive)
        )

    @property
    def charge(self) -> np.ndarray:
        """Charge of every pixel, float32 (H, W); a copy."""
        return np.array(self._charge.cpu().numpy())

    def state(self) -> tuple[Any, ...]:
        """A copy of what `sense` changes, to come back to."""
        return self._charge, self._fired, self._readout, [events.state() for events in self._events]

    def restore(self, state: tuple[Any, ...]) -> None:
        """Come back to an earlier state."""
        self._charge, self._fired, self._readout, states = state
        for events, of_events in zip(self._events, states, strict=True):
            events.restore(of_events)

    def sense(self, light: Tensor) -> Tensor:
        """Packed bits, uint8 (T, H, ceil(W/8)), of further light (T, H, W), uint8 or float32; T is at most `block`."""
        if light.dtype == torch.uint8:
            light = light.float() / self._number(255)
        readouts, height, width = light.shape
        rows = torch.zeros((readouts, height, -(-width // 8) * 8), dtype=torch.bool, device=light.device)
        spikes = rows[..., :width]
        if self.camera.resets_in_ticks:
            self._fire_in_ticks(light, spikes)
        else:
            self._fire(light, spikes)
        for events in self._events:
            events.apply(self._readout, spikes)
        if self._alive is not None:
            spikes &= self._alive
        self._readout += readouts
        return ((rows.view(torch.int64) * _GATHER) >> 56).to(torch.uint8)

    def _fire(self, light: Tensor, spikes: Tensor) -> None:
        """Integrate and fire, one readout after the other."""
        camera, v_th, readouts = self.camera, self._v_th, len(light)
        # The least charge that fires; what a reset takes; what it adds at random.
        fires_at = v_th if camera.tie_fires else float(np.nextafter(np.float32(v_th), np.float32(np.inf)))
        comparator = camera.term(ComparatorNoise)
        in_reset = comparator is not None and comparator.in_reset
        jitters = self._scaled_normals(comparator, readouts)
        thresholds = [fires_at] * readouts if jitters is None else (fires_at - jitters).unbind()
        taken = [v_th] * readouts if jitters is None or not in_reset else (v_th - jitters).unbind()
        kick = self._scaled_normals(camera.term(ResetNoise), readouts)
        kicks = () if kick is None else kick.unbind()
        drives = [drive.unbind() for drive in self._drives(light)]
        nothing = torch.zeros_like(self._charge)
        for t, spike in enumerate(spikes.unbind()):
            rested, tired = drives[0][t], drives[-1][t]
            full = self._charge + (rested if tired is rested else torch.where(self._fired, tired, rested))
            self._fired = torch.ge(full, thresholds[t], out=spike)
            left = nothing if camera.reset == "zero" else full - taken[t]
            if camera.reset == "modulo":
                wrapped = torch.fmod(left, v_th)
                # A lowered threshold may leave less than nothing, from which no whole threshold is to be taken.
                left = wrapped if jitters is None else torch.where(left >= v_th, wrapped, left)
            if kicks:
                left = left + kicks[t]
            self._charge = torch.where(spike, left, full)
        self._fired = self._fired.clone()  # what happens to the bits from here on the pixel does not know

    def _drives(self, light: Tensor) -> list[Tensor]:
        """Charge that readouts add (T, H, W); with dead time a second such, for pixels that have just fired."""
        camera = self.camera
        shot, dead, interval = camera.term(ShotNoise), camera.term(DeadTime), camera.term(IntervalNoise)
        drive = light * self._per_tick * float(camera.sub_ticks)
        if self._gain is not None:
            drive = drive * self._gain
        if shot is not None:
            electrons = _single(shot.full_well_e / camera.v_th)
            deviates = normals(self._pixels, self._readout, len(light), SHOT_NOISE, self._key)
            if not shot.on_dark:
                drive = self._shoot(drive, electrons, deviates)
        if self._dark is not None:
            drive = drive + self._dark
        if interval is not None:
            drive = self._lengthen(drive, interval)
        drives = [drive]
        if dead is not None and dead.readouts > 0:
            drives.append(drive * float(np.float32(1) - np.float32(dead.readouts)))
        if shot is not None and shot.on_dark:
            drives = [self._shoot(drive, electrons, deviates) for drive in drives]
        frame = self._scaled_normals(camera.term(FrameNoise), len(light))
        if frame is not None:
            drives = [drive + frame for drive in drives]
        return drives

    def _scaled_normals(self, term: FrameNoise | ComparatorNoise | ResetNoise | None, readouts: int) -> Tensor | None:
        """Gaussian noise of the term's sigma in charge (readouts, H, W), None where there is none."""
        if term is None or term.sigma == 0:
            return None
        (purpose,) = term.purposes
        deviates = normals(self._pixels, self._readout, readouts, purpose, self._key)
        return deviates * _single(term.sigma * self.camera.v_th)

    def _shoot(self, drive: Tensor, electrons: float, deviates: Tensor) -> Tensor:
        """A Poisson number of electrons of this mean, as charge."""
        mean = drive * electrons
        # The normal expansion of a Poisson number, to second order.
        number = mean + mean.sqrt() * deviates + (deviates * deviates - 1) * _single(1 / 6) + 0.5
        number = number.floor().clamp(min=0) * (mean > 0)
        few = ((mean > 0) & (mean < 30)).nonzero(as_tuple=True)
        number[few] = self._poisson(mean[few].double(), *few)
        return number * float(np.float32(1) / np.float32(electrons))

    def _poisson(self, mean: Tensor, t: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Poisson numbers of means below 30, float32: the inverse of the distribution at a 53-bit uniform."""
        words = random_words(self._pixels[y, x], self._readout + t, SHOT_NOISE | 1 << 8, self._key)
        u = (words[0].double() + unit_uniforms(words[1])) * 2.0**-32
        probability = below = torch.exp(-mean)
        number = torch.zeros_like(mean)
        for k in range(1, 201):
            going = u >= below
            if k % 8 == 1 and not going.any():  # asking makes the device wait
                break
            number += going
            probability = probability * (mean / k)
            below = below + probability
        return number.float()

    def _lengthen(self, drive: Tensor, term: IntervalNoise) -> Tensor:
        """Lengthen the interval that the drive stands for by a dead time and U(0, 1)."""
        words = lane_words(self._pixels, self._readout, len(drive), INTERVAL_NOISE, self._key)
        u = (words >> 8).float() * 2.0**-24
        v_th = self._number(self._v_th)
        return v_th / (v_th / drive + _single(term.dead_time) + u)

    def _fire_in_ticks(self, light: Tensor, spikes: Tensor) -> None:
        """Integrate and fire with a comparator that looks at every sub-tick and a reset to zero."""
        v_th = self._number(self._v_th).double()
        stretches = self._stretches(light.double())
        for t in range(len(light)):
            charge = self._charge.double()
            for all_ticks, all_drives in stretches:
                ticks, drive = all_ticks[t], all_drives[t]
                needed, again = (v_th - charge) / drive, v_th / drive
                if self.camera.tie_fires:
                    needed, again = needed.ceil(), again.ceil()
                else:
                    needed, again = needed.trunc() + 1, again.trunc() + 1
                needed = needed.clamp(min=1)
                fires = needed <= ticks
                left = torch.fmod(ticks - needed, again.clamp(min=1)) * drive
                charge = torch.where(fires, left, charge + ticks * drive)
                spikes[t] |= fires
            self._charge = charge.float()

    def _stretches(self, light: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Ticks and charge a tick (T, H, W) of each stretch of constant light, float64; no ticks where it is dark."""
        noise = self.camera.term(DiffusionNoise)
        per_tick, last = self._per_tick, self.camera.sub_ticks
        if noise is None or noise.amplitude == 0:
            drive = light * per_tick
            return [(last * (drive > 0).double(), drive)]
        draw = draw_from(poisson_table(noise.interval), light.device)
        readouts = self._all_readouts(len(light))
        tick = torch.zeros_like(light, dtype=torch.int64)
        stretches: list[tuple[Tensor, Tensor]] = []
        while (tick < last).any():
            words = random_words(self._pixels, readouts, DIFFUSION_NOISE | len(stretches) << 8, self._key)
            until = (tick + draw(words[0])).clamp(max=last)
            drive = (light * per_tick).clamp(min=0)
            stretches.append(((until - tick).double() * (drive > 0), drive))
            light = light + (unit_uniforms(words[1]) - 0.5) * noise.amplitude
            tick = until
        return stretches

    def _all_readouts(self, readouts: int) -> Tensor:
        """Numbers of the next readouts (readouts, 1, 1)."""
        return torch.arange(self._readout, self._readout + readouts, device=self._pixels.device)[:, None, None]

    def _number(self, value: float) -> Tensor:
        """A float32 on the device, to divide or be divided by."""
        return torch.full((), value, dtype=torch.float32, device=self._pixels.device)


def _single(value: float) -> float:
    """The nearest float32."""
    return float(np.float32(value))
