"""musicnn as its published code has it, layer by layer, on TensorFlow's tensors: what ours must equal, and be faster than."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CONVOLUTIONS = [(7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51)]  # time, frequency, in, out
CONVOLUTIONS += [(7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]
NORMS = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
DENSE = [(1506, 200), (200, 50)]


def numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def random_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """Tensors with the names and shapes of the published ones; about half of the normalisations fall."""
    random, tensors = np.random.default_rng(seed), {}
    for kind, shapes in (("conv2d", CONVOLUTIONS), ("dense", DENSE)):
        for i, shape in enumerate(shapes):
            tensors[f"{numbered(kind, i)}/kernel"] = random.standard_normal(shape) * np.prod(shape[:-1]) ** -0.5
            tensors[f"{numbered(kind, i)}/bias"] = 0.1 * random.standard_normal(shape[-1])
    for i, size in enumerate(NORMS):
        about = {"gamma": random.standard_normal(size), "beta": 0.1 * random.standard_normal(size)}
        about |= {"moving_mean": random.random(size), "moving_variance": 0.5 + random.random(size)}
        tensors |= {f"{numbered('batch_normalization', i)}/{part}": value for part, value in about.items()}
    return {name: np.asarray(value, dtype="<f4") for name, value in tensors.items()}


def plain(tensors: dict[str, np.ndarray], patches: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (n, 50) and penultimate features (n, 200) of patches (n, 187, 96)."""
    weights = {name: torch.tensor(value) for name, value in tensors.items()}

    def norm(x: Tensor, i: int) -> Tensor:
        mean, variance, gamma, beta = (
            weights[f"{numbered('batch_normalization', i)}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)

    def convolved(x: Tensor, i: int, before: int, after: int) -> Tensor:
        name = numbered("conv2d", i)
        kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        return norm(F.relu(F.conv2d(F.pad(x, (0, 0, before, after)), kernel, weights[f"{name}/bias"])), i + 1)

    def dense(x: Tensor, i: int) -> Tensor:
        return x @ weights[f"{numbered('dense', i)}/kernel"] + weights[f"{numbered('dense', i)}/bias"]

    image = norm(patches[:, None], 0)
    pads = [(3, 3), (3, 3), (63, 64), (31, 32), (15, 16)]
    front = torch.cat([convolved(image, i, *pad).amax(dim=3) for i, pad in enumerate(pads)], dim=1)  # (n, 561, 187)
    layers, x = [front], front.transpose(1, 2)[:, None]
    for i in (5, 6, 7):
        made = convolved(x, i, 3, 3).permute(0, 3, 2, 1)  # (n, 1, 187, 64)
        x = made if i == 5 else made + x
        layers.append(x[:, 0].transpose(1, 2))
    found = torch.cat(layers, dim=1)
    summary = torch.stack((found.amax(dim=2), found.mean(dim=2)), dim=2).flatten(1)
    penultimate = norm(F.relu(dense(norm(summary, 9), 0)), 10)
    return torch.sigmoid(dense(penultimate, 1)), penultimate
