"""The published methods that S-SDM is compared with, a module each: networks in pure torch, for CPU and CUDA alike."""
