"""Loads an exported network in PyTorch and compares its logits with the program's.

    check_export.py MODEL.safetensors CASE.json

CASE.json holds `images` (standardised pixels, [batch][height * width]) and `logits`
([batch][classes]). Exits with 0 where they agree, 1 where they do not.
"""

import json
import sys

import torch
from safetensors import safe_open
from torch.nn import functional as F

ACTIVATIONS = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
}


def forward(weights, network, x):
    """The network in evaluation mode: x is [batch, 1, height, width], logits [batch, classes]."""

    def normalize(prefix, x):
        names = [f"{prefix}.{name}" for name in ("running_mean", "running_var", "weight", "bias")]
        mean, variance, scale, shift = (weights[name] for name in names)
        return F.batch_norm(x, mean, variance, scale, shift, eps=1e-5)

    def activate(prefix, x):
        if network["activation"] == "prelu":
            return F.prelu(x, weights[f"{prefix}.parameter"])
        return ACTIVATIONS[network["activation"]](x)

    for number, stage in enumerate(network["stages"]):
        for layer in range(stage["repeat"]):
            prefix = f"stages.{number}.layers.{layer}"
            last = layer + 1 == stage["repeat"]
            strided = last and stage["downsampling"] == "stride"
            same = strided or stage["padding"] == "same"
            x = F.conv2d(
                x,
                weights[f"{prefix}.convolution.weight"],
                stride=2 if strided else 1,
                padding=stage["kernel"] // 2 if same else 0,
            )
            x = activate(f"{prefix}.activation", normalize(f"{prefix}.normalization", x))
        if stage["downsampling"] == "pool":
            x = F.max_pool2d(x, 2)
    x = F.linear(x.flatten(1), weights["hidden.linear.weight"])
    x = activate("hidden.activation", normalize("hidden.normalization", x))
    return F.linear(x, weights["output.weight"], weights["output.bias"])


def main(model, case):
    with safe_open(model, framework="pt") as file:
        card = json.loads(file.metadata()["card"])
        weights = {name: file.get_tensor(name) for name in file.keys()}
    with open(case, encoding="utf-8") as file:
        case = json.load(file)
    task = card["task"]
    images = torch.tensor(case["images"]).view(-1, 1, task["height"], task["width"])
    found = forward(weights, card["network"], images)
    expected = torch.tensor(case["logits"])
    worst = (found - expected).abs().max().item()
    print(f"PyTorch {torch.__version__}: logits differ by at most {worst:.2e}")
    return 0 if worst < 1e-4 * expected.abs().max().item() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
