"""From sharp video to blurry images, spike streams and ground truth in HDF5 shards."""
