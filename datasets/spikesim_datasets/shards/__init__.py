"""Shards: HDF5 files of samples, the index that lists them, and the dataset they make together."""

from spikesim_datasets.shards.dataset import Dataset, open_dataset
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.verification import ShardCheck, verify_dataset
from spikesim_datasets.shards.writer import ShardWriter

__all__ = ["Dataset", "Sample", "ShardCheck", "ShardReader", "ShardWriter", "open_dataset", "verify_dataset"]
