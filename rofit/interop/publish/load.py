"""load() returns the network of this folder, or of another that rofit has exported."""

import json
import runpy
from pathlib import Path

from safetensors.torch import load_file
from torch import nn


def load(folder: str | Path = Path(__file__).parent) -> nn.Module:
    """Return the network in eval mode: images (B, C, H, W) in [0, 1] to logits."""
    config = json.loads(Path(f"{folder}/config.json").read_text())
    network = runpy.run_path(f"{folder}/network.py")["build"](**config["network"])
    network.load_state_dict(load_file(f"{folder}/model.safetensors"))
    return network.eval()
