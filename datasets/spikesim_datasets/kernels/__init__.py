"""Compiled inner loops of interpolation and optics, by the rules of `spikesim.kernels`."""
