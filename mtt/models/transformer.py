"""Music Tagging Transformer (Won, Choi, Serra: "Semi-supervised Music Tagging Transformer", ISMIR 2021).

For B clips of F frames: mel spectrogram (B, n_mels, F) -> three residual blocks -> T = F // 4 tokens (B, T, width) -> CLS token and learned
positions (B, 1 + T, width) -> pre-norm Transformer layers -> logits of the CLS token.

Computes what the authors' code computes (tests/data/golden), for input of any length: the front end runs over long input in overlapping
pieces whose joints cannot be seen in the tokens, and the Transformer over windows of tokens (``frontend``'s rule).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtt.config import ModelConfig
from mtt.models.frontend import MIN_FRAMES, MelTaggingModel, ResidualBlock, check_input, score_windows
from mtt.settings import SettingsError

CONTEXT_TOKENS = 4  # a token sees 14 frames before and after its own four


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and MLP with residual connections; (batch, n, width) in and out."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each (batch, heads, n, width / heads)."""
        qkv = self.to_qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1))
        return qkv.permute(2, 0, 3, 1, 4).unbind(0)

    def attention_weights(self, x: Tensor) -> Tensor:
        """(batch, heads, n, n), rows summing to one: what the fused attention of ``forward`` uses but never shows."""
        queries, keys, _ = self.queries_keys_values(x)
        return torch.softmax((queries @ keys.transpose(-2, -1)).float() * queries.shape[-1] ** -0.5, dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.queries_keys_values(x)
        if x.device.type == "cpu":  # whose bfloat16 attention takes three to four times as long as float32 backward
            with torch.autocast("cpu", enabled=False):
                attended = F.scaled_dot_product_attention(queries.float(), keys.float(), values.float())
        else:
            attended = F.scaled_dot_product_attention(queries, keys, values)
        x = x + self.dropout(self.to_out(attended.transpose(1, 2).flatten(2)))
        return x + self.mlp(self.mlp_norm(x))


class MusicTaggingTransformer(MelTaggingModel):
    """Residual front end, then a Transformer whose CLS token is classified.

    4 567 732 parameters with 50 tags at the published size (channels 128, width 256, heads 8, layers 4), 1 108 852 with width 64.
    """

    architecture = "transformer"
    label = "Music Tagging Transformer"
    about = "residual CNN and Transformer on the mel spectrogram (Won 2021)"
    colour = "#0072B2"
    native_seconds = 10.0

    @classmethod
    def check(cls, config: ModelConfig) -> None:
        if config.width % config.heads:
            raise SettingsError(f"heads: {config.heads} does not divide width {config.width}: choose a divisor")
        if config.n_mels < 8:
            raise SettingsError(f"n_mels: expected at least 8, which the pools reduce to one, got {config.n_mels}")

    def __init__(self, config: ModelConfig, n_tags: int) -> None:
        super().__init__(config, n_tags)
        channels, width = config.channels, config.width
        self.blocks = nn.Sequential(
            ResidualBlock(1, channels, pool=(2, 2)),
            ResidualBlock(channels, channels, pool=(2, 2)),
            ResidualBlock(channels, channels, pool=(2, 1)),
        )
        self.to_token = nn.Linear(channels * (config.n_mels // 8), width)
        self.cls_token = nn.Parameter(torch.empty(width))
        self.positions = nn.Parameter(torch.empty(1, 1 + config.max_positions, width))
        for drawn in (self.cls_token, self.positions):
            if not drawn.is_meta:  # or torch imports its compiler, half a second
                nn.init.normal_(drawn)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(TransformerLayer(width, config.heads, config.dropout) for _ in range(config.layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_tags))

    @property
    def seconds_per_token(self) -> float:
        """Token ``i`` starts at ``i * seconds_per_token`` seconds."""
        return MIN_FRAMES * self.config.hop / self.config.sample_rate

    def from_mel(self, mel: Tensor) -> Tensor:  # windows of tokens rather than of frames
        return score_windows(self.score_tokens, self.tokens(mel), self.config.max_positions, dim=1)

    def score_mel(self, mel: Tensor) -> Tensor:
        return self.score_tokens(self.tokens(mel))

    def score_tokens(self, tokens: Tensor) -> Tensor:
        """Logits (batch, tags) of at most ``max_positions`` tokens."""
        return self.head(self.encode(tokens)[:, 0])

    def tokens(self, x: Tensor) -> Tensor:
        """Front-end output (batch, frames // 4, width), before CLS and positions, for a recording of any length.

        ``x`` is a waveform (batch, samples) or a mel spectrogram (batch, n_mels, frames). Longer input than ``max_positions`` tokens is
        computed in overlapping pieces: in eval mode the same tokens as in one pass.
        """
        mel = self.check_mel(self.spectrogram(x) if x.ndim == 2 else x)
        total, piece = mel.shape[-1] // MIN_FRAMES, self.config.max_positions
        if total <= piece:
            return self._front_end(mel)
        parts = []
        for first in range(0, total, piece):
            before = min(CONTEXT_TOKENS, first)
            last = min(first + piece, total)
            # The last piece also takes the frames that do not fill a token: they are context of the last ones.
            stop = (last + CONTEXT_TOKENS) * MIN_FRAMES if last + CONTEXT_TOKENS < total else mel.shape[-1]
            part = self._front_end(mel[..., (first - before) * MIN_FRAMES : stop])
            parts.append(part[:, before : before + last - first])
        return torch.cat(parts, dim=1)

    def encode(self, tokens: Tensor) -> Tensor:
        """Output of the last layer, (batch, 1 + frames, width), CLS first, for 1 to ``max_positions`` tokens."""
        x = self._with_cls(tokens)
        for layer in self.layers:
            x = layer(x)
        return x

    def attention(self, tokens: Tensor) -> list[Tensor]:
        """Attention of each layer, (batch, heads, 1 + frames, 1 + frames): row = query, column = key, CLS first.

        Computed with an explicit softmax; in eval mode exactly the weights that ``encode`` applies.
        """
        return self.score_with_attention(tokens)[1]

    def score_with_attention(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``score_tokens`` and ``attention`` of one pass."""
        x, maps = self._with_cls(tokens), []
        for layer in self.layers:
            maps.append(layer.attention_weights(x))
            x = layer(x)
        return self.head(x[:, 0]), maps

    def _front_end(self, mel: Tensor) -> Tensor:
        features = self.blocks(self.as_image(mel))  # (batch, channels, n_mels // 8, frames // 4)
        return self.to_token(features.permute(0, 3, 1, 2).flatten(2))

    def _with_cls(self, tokens: Tensor) -> Tensor:
        check_input(tokens, ("batch", "frames", "width"), "tokens")
        batch, frames, width = tokens.shape
        if frames > self.config.max_positions or width != self.config.width:
            limits = f"at most {self.config.max_positions} of width {self.config.width}"
            raise ValueError(f"tokens: expected {limits}, got {frames} of width {width}: encode window by window")
        x = torch.cat((self.cls_token.expand(batch, 1, -1), tokens), dim=1) + self.positions[:, : 1 + frames]
        return self.dropout(x)
