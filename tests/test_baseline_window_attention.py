"""Attention within windows: which tokens see each other, and what is learnt of where they lie."""

import pytest
import torch
from torch import Tensor, nn

from ssdm_models.baselines.window_attention import SwinBlocks

SIDE, HEIGHT, WIDTH, CHANNELS = 4, 12, 20, 6


@pytest.fixture(scope="module")
def blocks() -> SwinBlocks:
    """A block of windows as they are, and a shifted one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        blocks = SwinBlocks(CHANNELS, heads=3, side=SIDE, blocks=2)
        for parameter in blocks.parameters():
            nn.init.normal_(parameter)
        return blocks


def reached(block: nn.Module, row: int, column: int) -> Tensor:
    """Which tokens (H, W) change with one."""
    tokens = torch.rand(1, HEIGHT, WIDTH, CHANNELS, generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[0, row, column] += torch.linspace(1, 2, CHANNELS)
    return (block(changed) - block(tokens)).abs().amax((0, 3)) > 1e-6


@torch.inference_mode()
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (3, 2), (5, 19), (6, 7), (11, 0), (9, 18), (10, 10)])
def test_tokens_see_those_of_their_window(blocks, place):
    """Shifted ones begin half a side later, and what is left of the map at its edges are windows as well."""
    for block, shift in zip(blocks, (0, SIDE // 2), strict=True):
        row, column = ((place[i] + shift) // SIDE for i in range(2))
        expected = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
        for y in range(HEIGHT):
            for x in range(WIDTH):
                expected[y, x] = (y + shift) // SIDE == row and (x + shift) // SIDE == column
        assert torch.equal(reached(block, *place), expected)


@torch.inference_mode()
def test_images_of_a_batch_are_alone(blocks):
    features = torch.rand(3, CHANNELS, HEIGHT, WIDTH)
    together = blocks(features)
    assert together.shape == features.shape
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], blocks(features[i : i + 1]), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_bias_is_of_where_a_key_lies_from_a_query(blocks):
    """With no other weights, a token is given the values of those that the bias points to."""
    attention = SwinBlocks(1, heads=1, side=SIDE, blocks=1)[0].attention
    for parameter in attention.parameters():
        nn.init.zeros_(parameter)
    attention.qkv.weight[2] = attention.projection.weight[0] = 1
    attention.position_bias.view(2 * SIDE - 1, 2 * SIDE - 1)[SIDE - 1 + 1, SIDE - 1 - 2] = (
        50  # one up, two to the right
    )
    tokens = torch.arange(float(HEIGHT * WIDTH)).view(1, HEIGHT, WIDTH, 1)
    found = attention(tokens)[0, ..., 0]
    for y, x in ((1, 0), (2, 1), (7, 9), (11, 17)):
        assert found[y, x] == pytest.approx(float(tokens[0, y - 1, x + 2, 0]))
