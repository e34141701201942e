"""Lays out a hub cache that hexgrad's kokoro loads offline; run by a Python that has kokoro installed.

python offline.py WEIGHTS.npz VOICES_FOLDER VOCABULARY.json HF_HOME
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kokoro import KModel

REPOSITORY = "hexgrad/Kokoro-82M"
REVISION = "local"  # the hub has a commit here; offline any name does that refs/main holds
STYLE_SIZE = 256  # floats; a voice file holds one style for each length of text
# What the released config.json says of the network; the sizes are visible in its weights.
NETWORK: dict[str, Any] = {
    "dim_in": 64,
    "dropout": 0.2,
    "hidden_dim": 512,
    "max_conv_dim": 512,
    "max_dur": 50,
    "multispeaker": True,
    "n_layer": 3,
    "n_mels": 80,
    "n_token": 178,
    "style_dim": 128,
    "text_encoder_kernel_size": 5,
    "istftnet": {
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": 20,
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "resblock_kernel_sizes": [3, 7, 11],
        "upsample_initial_channel": 512,
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
    },
    "plbert": {
        "dropout": 0.1,
        "hidden_size": 768,
        "intermediate_size": 2048,
        "max_position_embeddings": 512,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
    },
}
# Not in the graph: InstanceNorm's affine part was never trained (it is the identity), the pooler is not used.
AS_BORN = (".norm.weight", ".norm.bias", "bert.pooler.weight", "bert.pooler.bias")


def main() -> None:
    weights, voices, vocabulary, home = map(Path, sys.argv[1:])
    snapshot = make_snapshot(home)
    config = {**NETWORK, "vocab": json.loads(vocabulary.read_text("utf-8"))}
    (snapshot / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    torch.save(checkpoint(config, np.load(weights)), snapshot / "kokoro-v1_0.pth")
    save_voices(voices, snapshot / "voices")


def make_snapshot(home: Path) -> Path:
    """The folder of one revision in a hub cache, as huggingface_hub looks it up."""
    repository = home / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    snapshot = repository / "snapshots" / REVISION
    (snapshot / "voices").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    return snapshot


def checkpoint(config: dict[str, Any], weights: "np.lib.npyio.NpzFile") -> dict[str, dict[str, torch.Tensor]]:
    """The model's state, one dictionary a part as in the released file."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, born in born_state(config).items():
        part, rest = name.split(".", 1)
        parts.setdefault(part, {})[rest] = born if name.endswith(AS_BORN) else filled(name, born, weights)
    return parts


def born_state(config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The state of a model without weights: KModel only starts from a file, so it gets an empty one."""
    empty = Path(sys.argv[4]) / "empty.pth"
    torch.save({}, empty)
    try:
        state: dict[str, torch.Tensor] = KModel(REPOSITORY, config=config, model=str(empty)).state_dict()
        return state
    finally:
        empty.unlink()


def filled(name: str, born: torch.Tensor, weights: "np.lib.npyio.NpzFile") -> torch.Tensor:
    """The weight by its torch name; KeyError when the graph had none, ValueError when its size differs."""
    if name.endswith("_g"):
        return weight_norm(weights[name.removesuffix("_g")]).reshape(born.shape)
    if name.endswith("_v"):
        return direction(weights[name.removesuffix("_v")]).reshape(born.shape)
    return torch.from_numpy(weights[name]).reshape(born.shape)


def weight_norm(weight: "np.ndarray[Any, np.dtype[np.float32]]") -> torch.Tensor:
    """torch's weight_norm splits w into g · v/|v|, with one length g for each row."""
    return torch.from_numpy(np.linalg.norm(weight.reshape(len(weight), -1), axis=1))


def direction(weight: "np.ndarray[Any, np.dtype[np.float32]]") -> torch.Tensor:
    """v may be w itself, but a row of zeros has no direction: any will do there, its length is 0."""
    rows = weight.reshape(len(weight), -1).copy()
    rows[~rows.any(axis=1)] = 1.0
    return torch.from_numpy(rows)


def save_voices(source: Path, target: Path) -> None:
    """Raw float32 [510, 256] as tensors [510, 1, 256]."""
    for path in sorted(source.glob("*.bin")):
        styles = np.fromfile(path, dtype="<f4").reshape(-1, 1, STYLE_SIZE)
        torch.save(torch.from_numpy(styles), target / f"{path.stem}.pt")


if __name__ == "__main__":
    main()
