"""What a student trained at one threshold makes of spikes of others: given as they are, and given as light.

PSNR of the middle frames of the split `test`, means over samples. Spikes are light when they are multiplied with
`light.brightness`, as `eval-ssdm` and `deblur` do.

    python benchmarks/thresholds.py DATASET DeblurNet_100.pth
"""

import sys

import torch

from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import open_dataset
from ssdm_models.light import brightness
from ssdm_models.metrics import psnr
from ssdm_models.students import load_student
from ssdm_models.windows import long_exposure, window


@torch.inference_mode()
def main(data: str, checkpoint: str) -> None:
    network = load_student(checkpoint).network
    first = open_dataset(data, "test")[0]
    middle = sum(first.exposure) // 2
    print(f"{'V_th':6}{'blur':>8}{'spikes':>8}{'light':>8}")
    for v_th in first.spikes:
        samples, rows = SpikeBlurDataset(data, "test", v_th, sharp="middle"), []
        for sample in map(samples.__getitem__, range(len(samples))):
            blur, spikes = sample["blur"][None], sample["spikes"][None]
            around = window(spikes, middle, network.readouts)
            gain = brightness(blur, long_exposure(spikes, first.exposure))
            images = blur, network(blur, around), network(blur, gain * around)
            rows.append([psnr(image[0].clamp(0, 1).numpy(), sample["sharp"][0].numpy()) for image in images])
        means = torch.tensor(rows).mean(0).tolist()
        print(f"{v_th:<6g}" + "".join(f"{mean:8.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        print("nothing to measure without DATASET CHECKPOINT")
