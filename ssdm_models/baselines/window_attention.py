"""Attention within windows: the blocks of the Swin transformer, of which SpkDeblurNet and BiT are made."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_APART = -100.0  # added to the product of two tokens that only the shift made neighbours

RELEASED_BLOCKS = {
    r"\.attention_norm\.": ".norm1.",
    r"\.attention\.position_bias$": ".attn.relative_position_bias_table",
    r"\.attention\.qkv\.": ".attn.qkv.",
    r"\.attention\.projection\.": ".attn.proj.",
    r"\.mlp_norm\.": ".norm2.",
    r"\.mlp\.0\.": ".mlp.fc1.",
    r"\.mlp\.2\.": ".mlp.fc2.",
}
"""Patterns of our names in a block, and what the authors of these networks have instead."""

DERIVED = (r"\.relative_position_index$", r"\.attn_mask$")
"""Patterns of tables in their files that follow from sizes; the mask is of the one size that was trained at."""


class SwinBlocks(nn.Sequential):
    """Swin transformer blocks one after another, (N, channels, H, W) in and out; H and W are multiples of `side`.

        x ← x + attention(LN x),   x ← x + MLP(LN x)

    Every second block shifts its windows by half their side: the map is rolled, and tokens of a window that do not lie
    together in the map do not attend to each other.

    Args:
        channels: C, a multiple of `heads`.
        heads: Parts of the channels that attend on their own.
        side: Of a window, tokens.
        blocks: How many.

    Source:
        Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021.
    """

    def __init__(self, channels: int, heads: int, side: int, blocks: int) -> None:
        super().__init__(*(_SwinBlock(channels, heads, side, shift=i % 2 * (side // 2)) for i in range(blocks)))

    def forward(self, input: Tensor) -> Tensor:
        tokens: Tensor = super().forward(input.permute(0, 2, 3, 1))
        return tokens.permute(0, 3, 1, 2)


def mlp(channels: int, hidden: int) -> nn.Sequential:
    """Two linear layers of every token (..., channels) with a GELU between them."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))


class _SwinBlock(nn.Module):
    def __init__(self, channels: int, heads: int, side: int, shift: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = _WindowAttention(channels, heads, side, shift)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = mlp(channels, 2 * channels)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.attention_norm(tokens))
        result: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return result


class _WindowAttention(nn.Module):
    """Attention of the tokens (N, H, W, C) of each window to each other, with a learnt bias for where they lie."""

    def __init__(self, channels: int, heads: int, side: int, shift: int) -> None:
        super().__init__()
        self.heads, self.side, self.shift = heads, side, shift
        self.position_bias = nn.Parameter(torch.empty((2 * side - 1) ** 2, heads))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.projection = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        images, height, width, _ = tokens.shape
        if self.shift:
            tokens = tokens.roll((-self.shift, -self.shift), (1, 2))
        parts = self.qkv(_windows(tokens, self.side)).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        bias = self._bias(height, width).repeat(images, 1, 1, 1) if self.shift else self._bias(height, width)
        attended = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        tokens = _from_windows(self.projection(attended.transpose(1, 2).flatten(2)), height, width, self.side)
        return tokens.roll((self.shift, self.shift), (1, 2)) if self.shift else tokens

    def _bias(self, height: int, width: int) -> Tensor:
        """What is added to the products of queries and keys, (windows of a map or 1, heads, side², side²)."""
        places = torch.arange(self.side, device=self.position_bias.device)
        offsets = places[:, None] - places + self.side - 1  # of a query from a key
        table = self.position_bias.unflatten(0, (2 * self.side - 1, -1))
        bias = table[offsets[:, None, :, None], offsets[None, :, None, :]].flatten(0, 1).flatten(1, 2).permute(2, 0, 1)
        return bias + _APART * self._apart(height, width)[:, None] if self.shift else bias[None]

    def _apart(self, height: int, width: int) -> Tensor:
        """Which tokens of a window lie in different parts of the map that was rolled, (windows, side², side²)."""
        rows, columns = (
            (places >= size - self.side).int() + (places >= size - self.shift)
            for size in (height, width)
            for places in [torch.arange(size, device=self.position_bias.device)]
        )
        parts = _windows((3 * rows[:, None] + columns)[None, ..., None], self.side)
        return parts != parts.transpose(1, 2)


def _windows(tokens: Tensor, side: int) -> Tensor:
    """Tokens (N, H, W, C) by the windows they lie in, (N·windows, side², C)."""
    cut = tokens.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    return cut.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def _from_windows(windows: Tensor, height: int, width: int, side: int) -> Tensor:
    """The tokens (N, H, W, C) of windows (N·windows, side², C)."""
    cut = windows.unflatten(1, (side, side)).unflatten(0, (-1, height // side, width // side))
    return cut.transpose(2, 3).flatten(3, 4).flatten(1, 2)
