"""Writes blocks.json: blocks and optimizer steps by PyTorch, in double precision.

    python blocks.py > blocks.json

Made with PyTorch 2.15. Inputs come from a generator that the tests have too (`common::numbers`), so that the file
holds results alone, of each tensor at most 48 values, evenly spaced over its elements in the order of the kernels:
images as [height, width, channels], the weights of a dense layer as [inputs, outputs].
"""

import json

import torch
from torch.nn import functional as F

KEPT = 48
SLOPE = 0.3

FUNCTIONS = {
    "identity": lambda x, p: x,
    "relu": lambda x, p: F.relu(x),
    "leaky-relu": lambda x, p: F.leaky_relu(x, 0.01),
    "prelu": lambda x, p: F.prelu(x, p),
    "relu6": lambda x, p: F.relu6(x),
    "elu": lambda x, p: F.elu(x),
    "celu": lambda x, p: F.celu(x, 0.5),
    "selu": lambda x, p: F.selu(x),
    "gelu": lambda x, p: F.gelu(x),
    "gelu-tanh": lambda x, p: F.gelu(x, approximate="tanh"),
    "silu": lambda x, p: F.silu(x),
    "mish": lambda x, p: F.mish(x),
    "hard-swish": lambda x, p: F.hardswish(x),
    "hard-sigmoid": lambda x, p: F.hardsigmoid(x),
    "hard-tanh": lambda x, p: F.hardtanh(x),
    "sigmoid": lambda x, p: torch.sigmoid(x),
    "tanh": lambda x, p: torch.tanh(x),
    "softplus": lambda x, p: F.softplus(x),
    "softsign": lambda x, p: F.softsign(x),
    "log-sigmoid": lambda x, p: F.logsigmoid(x),
    "tanh-shrink": lambda x, p: F.tanhshrink(x),
    "sine": lambda x, p: torch.sin(x),
}


def convolution(images, size, channels, kernel, stride, padding, normalization, function, pool):
    return {
        "images": images,
        "convolution": {
            "size": size, "channels": channels, "kernel": kernel, "stride": stride, "padding": padding,
        },
        "normalization": normalization, "function": function, "pool": pool,
    }


def dense(images, pixels, channels, outputs, normalization, function):
    return {
        "images": images,
        "dense": {"pixels": pixels, "channels": channels, "outputs": outputs},
        "normalization": normalization, "function": function, "pool": False,
    }


BATCH, GROUPS = {"batch": 1e-5}, {"group": [3, 1e-5]}

# One channel and many, none a multiple of a vector's lanes; odd sizes; one image; kernels of 1 to 7, also such that are
# no square; strides; padding none, same and others. 3×3 kernels of stride 1 are Winograd's.
CASES = [
    convolution(1, [9, 7], [1, 5], [3, 3], 1, [0, 0], None, "relu", False),
    convolution(3, [12, 12], [1, 24], [5, 5], 1, [0, 0], BATCH, "relu", True),
    convolution(2, [11, 13], [17, 19], [3, 3], 1, [1, 1], BATCH, "gelu", True),
    convolution(2, [10, 9], [3, 33], [3, 3], 1, [1, 1], BATCH, "silu", True),
    convolution(2, [8, 8], [16, 16], [3, 3], 1, [0, 0], BATCH, "mish", True),
    convolution(3, [7, 5], [4, 6], [5, 5], 2, [2, 2], BATCH, "prelu", False),
    convolution(2, [9, 9], [2, 7], [7, 7], 1, [3, 3], None, "prelu", True),
    convolution(4, [6, 6], [5, 3], [1, 1], 1, [0, 0], BATCH, "tanh", False),
    convolution(2, [5, 8], [3, 18], [2, 2], 1, [0, 0], None, "sigmoid", True),
    convolution(1, [9, 10], [6, 9], [3, 3], 1, [1, 1], GROUPS, "elu", True),
    convolution(2, [8, 7], [2, 12], [3, 3], 2, [1, 1], GROUPS, "softplus", False),
    convolution(2, [7, 9], [3, 5], [1, 3], 1, [0, 1], BATCH, "leaky-relu", False),
    convolution(2, [9, 6], [3, 5], [5, 2], 1, [1, 0], BATCH, "hard-swish", True),
    convolution(2, [6, 7], [2, 5], [3, 3], 1, [1, 1], BATCH, "sine", True),
    dense(5, 1, 13, 10, None, "identity"),
    dense(6, 9, 5, 33, BATCH, "relu"),
    dense(4, 4, 3, 18, GROUPS, "gelu"),
    *[
        dense(7, 2, 5, 11, BATCH, function)
        for function in FUNCTIONS
        if function not in ("identity", "relu")
    ],
]


def numbers(length, seed):
    mask = 2**64 - 1
    state = (seed * 0x9E3779B97F4A7C15) & mask | 1
    found = []
    for _ in range(length):
        state = (state * 6364136223846793005 + 1442695040888963407) & mask
        found.append((state >> 40) / 2**23 - 1.0)
    return torch.tensor(found, dtype=torch.float64)


def kept(tensor):
    values = tensor.reshape(-1).tolist()
    number = min(len(values), KEPT)
    return {
        "length": len(values),
        "values": [float(f"{values[i * len(values) // number]:.9g}") for i in range(number)],
    }


def pixels_last(tensor):
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def block(case, seed):
    images = case["images"]
    if "convolution" in case:
        c = case["convolution"]
        (height, width), (inputs, outputs) = c["size"], c["channels"]
        input_shape = [images, height, width, inputs]
        weight_shape = [outputs, inputs, *c["kernel"]]
    else:
        d = case["dense"]
        outputs = d["outputs"]
        input_shape = [images, d["pixels"], 1, d["channels"]]
        weight_shape = [d["channels"] * d["pixels"], outputs]

    def leaf(shape, index, change=lambda x: x):
        length = torch.Size(shape).numel()
        return change(numbers(length, 31 * seed + index)).reshape(shape).requires_grad_()

    leaves = {"input": leaf(input_shape, 1), "weight": leaf(weight_shape, 2)}
    if case["normalization"]:
        # A scale of about one.
        leaves["scale"] = leaf([outputs], 4, lambda x: 1.0 + 0.5 * x)
        leaves["shift"] = leaf([outputs], 5)
    else:
        leaves["bias"] = leaf([outputs], 3)
    parameter = torch.tensor([SLOPE], dtype=torch.float32).double().requires_grad_()
    x = leaves["input"].permute(0, 3, 1, 2)
    if "convolution" in case:
        x = F.conv2d(x, leaves["weight"], leaves.get("bias"), c["stride"], tuple(c["padding"]))
    else:
        x = x.flatten(1) @ leaves["weight"] + leaves.get("bias", 0.0)
    normalization = case["normalization"] or {}
    if "batch" in normalization:
        x = F.batch_norm(
            x, None, None, leaves["scale"], leaves["shift"], training=True, eps=normalization["batch"]
        )
    if "group" in normalization:
        groups, epsilon = normalization["group"]
        x = F.group_norm(x, groups, leaves["scale"], leaves["shift"], epsilon)
    x = FUNCTIONS[case["function"]](x, parameter)
    if case["pool"]:
        x = F.max_pool2d(x, 2)
    output = pixels_last(x).contiguous()
    loss = (output.reshape(-1) * numbers(output.numel(), 31 * seed + 6)).sum()
    loss.backward()
    gradients = {name: kept(leaf.grad) for name, leaf in leaves.items()}
    if case["function"] == "prelu":
        gradients["parameter"] = kept(parameter.grad)
    return {**case, "output": kept(output), "gradients": gradients}


def adamw():
    parameter = numbers(37, 1).requires_grad_()
    optimizer = torch.optim.AdamW([parameter], lr=0.01, betas=(0.9, 0.999), eps=1e-5, weight_decay=0.1)
    steps = []
    for time in range(1, 4):
        parameter.grad = numbers(37, 1 + time)
        optimizer.step()
        steps.append([float(f"{value:.9g}") for value in parameter.tolist()])
    return steps


blocks = [block(case, seed) for seed, case in enumerate(CASES)]
print(json.dumps({"torch": torch.__version__, "blocks": blocks, "adamw": adamw()}, separators=(",", ":")))
