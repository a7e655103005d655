"""S-SDM: the networks, self-supervised training and evaluation that consume spikesim's shards."""
