"""Reference values of blocks and of Adam's steps, for tests/pytorch.rs.

    python pytorch.py > pytorch.json

Written by PyTorch 2.15.0, in float64; its automatic differentiation gives the gradients. What goes in
is computed by `numbers` here and there, so that the file holds results alone; of a long tensor it has
every `step`-th number. All tensors are channels-last, as the kernels have them.

Some blocks are given, so that every way to compute one is among them, and two are drawn for every function
but the randomised rectifier, whose draws are the kernels' own.

The loss is the sum of outputs times given coefficients. Kernels that compute in float32 may take the
other side of a kink, or another number of a pooling window, where two are all but equal: the numbers
of a case are those of the first seed that keeps clear of that.
"""

import json
import math
import platform
import random

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

# How far pre-activations stay off kinks, and the two largest numbers of a window off each other.
MARGIN = 1e-5

# The most numbers of a tensor that are written, of a case that is given and of one that is drawn.
LONGEST = 250
LONGEST_DRAWN = 40

# So many blocks are drawn for each function.
DRAWN = 2


def numbers(count, seed):
    """Numbers in −1..1 that look random. float32 holds them exactly, and 1 + half of them."""
    mask = 0xFFFFFFFF
    found = []
    for i in range(count):
        h = (i * 0x9E3779B1 + seed * 0x85EBCA77) & mask
        h = ((h ^ h >> 15) * 0x2C1B3C6D) & mask
        h = ((h ^ h >> 12) * 0x297A2D39) & mask
        h ^= h >> 15
        found.append((h >> 9) / 2**22 - 1)
    return torch.tensor(found)


def float32(number):
    return torch.tensor(number, dtype=torch.float32).item()


# The text of the configuration, and the function of x and of its parameter that it names; the kinks.
FUNCTIONS = {
    "identity": (lambda x, p: x, []),
    "relu": (lambda x, p: F.relu(x), [0]),
    "leaky-relu": (lambda x, p: F.leaky_relu(x), [0]),
    "prelu": (lambda x, p: F.prelu(x, p.reshape(1)), [0]),
    "swish-beta": (lambda x, p: x * torch.sigmoid(p * x), []),
    "sigmoid": (lambda x, p: torch.sigmoid(x), []),
    "tanh": (lambda x, p: torch.tanh(x), []),
    "elu": (lambda x, p: F.elu(x), []),
    "selu": (lambda x, p: F.selu(x), [0]),
    "gelu": (lambda x, p: F.gelu(x), []),
    "gelu-tanh": (lambda x, p: F.gelu(x, approximate="tanh"), []),
    "silu": (lambda x, p: F.silu(x), []),
    "mish": (lambda x, p: F.mish(x), []),
    "hard-swish": (lambda x, p: F.hardswish(x), [-3, 3]),
    "softplus": (lambda x, p: F.softplus(x), []),
    "sine": (lambda x, p: torch.sin(x), []),
    "relu6": (lambda x, p: F.relu6(x), [0, 6]),
    "celu": (lambda x, p: F.celu(x, 0.5), []),
    "quick-gelu": (lambda x, p: x * torch.sigmoid(float32(1.702) * x), []),
    "hard-mish": (lambda x, p: x / 2 * torch.clamp(x + 2, 0, 2), [-2, 0]),
    "hard-sigmoid": (lambda x, p: F.hardsigmoid(x), [-3, 3]),
    "hard-tanh": (lambda x, p: F.hardtanh(x), [-1, 1]),
    "softsign": (lambda x, p: F.softsign(x), []),
    "log-sigmoid": (lambda x, p: F.logsigmoid(x), []),
    "tanh-shrink": (lambda x, p: F.tanhshrink(x), []),
    "hard-shrink": (lambda x, p: F.hardshrink(x), [-0.5, 0.5]),
    "soft-shrink": (lambda x, p: F.softshrink(x), [-0.5, 0.5]),
    "threshold": (lambda x, p: F.threshold(x, 0.25, -0.5), [0.25]),
    "squareplus": (lambda x, p: (x + torch.sqrt(x * x + 4)) / 2, []),
    "penalized-tanh": (lambda x, p: torch.where(x > 0, 1, 0.25) * torch.tanh(x), [0]),
    "lisht": (lambda x, p: x * torch.tanh(x), []),
    "snake": (lambda x, p: x + torch.sin(x) ** 2, []),
}
LEARNABLE = {"prelu", "swish-beta"}


def convolution(size, channels, kernel, images, **rest):
    """`rest` may name what differs from the defaults below."""
    shape = {"size": size, "channels": channels, "kernel": kernel, "stride": 1, "padding": [0, 0]}
    return block(shape, images, rest)


def dense(pixels, channels, images, **rest):
    return block({"pixels": pixels, "channels": channels}, images, rest)


def block(shape, images, rest):
    common = {"images": images, "normalization": "none", "function": "identity", "pool": False}
    case = shape | common | {"parameter": 0.25, "epsilon": 2**-7} | rest
    assert case.keys() == shape.keys() | common.keys() | {"parameter", "epsilon"}, rest
    return case


# Odd sizes, channels that fill no vector, and every way in which a convolution is computed: directly,
# by tiles of rows (one channel, kernel 5), by tiles in both directions (12 channels or more, of stride 2
# too), and that with a weight gradient that is computed directly (many channels).
CASES = [
    convolution([11, 9], [1, 16], [5, 5], 3, padding=[2, 2], normalization="batch", function="relu",
                pool=True),
    convolution([7, 10], [1, 13], [5, 5], 1, function="gelu"),
    convolution([9, 7], [12, 17], [3, 3], 2, padding=[1, 1], normalization="batch", function="mish",
                pool=True),
    convolution([13, 11], [3, 20], [5, 5], 3, stride=2, padding=[2, 2], normalization="batch",
                function="silu"),
    convolution([7, 6], [16, 16], [3, 3], 1, function="relu", pool=True),
    convolution([4, 5], [86, 88], [3, 3], 2, padding=[1, 1]),
    convolution([5, 3], [5, 19], [1, 1], 2, normalization="group:1", function="sigmoid"),
    convolution([9, 8], [4, 6], [2, 2], 3, stride=2, function="elu"),
    convolution([8, 5], [2, 9], [7, 7], 2, padding=[3, 3], normalization="batch", function="prelu",
                pool=True),
    convolution([4, 3], [1, 1], [3, 3], 1, function="prelu"),
    convolution([1, 1], [1, 1], [1, 1], 2, function="softplus"),
    convolution([7, 6], [3, 33], [2, 3], 2, padding=[1, 0], normalization="group:3", function="gelu",
                pool=True),
    convolution([10, 11], [2, 18], [3, 3], 2, stride=3, padding=[1, 1], normalization="group:1",
                function="silu"),
    convolution([9, 9], [12, 24], [5, 5], 2, padding=[2, 2], normalization="batch", function="tanh",
                pool=True, epsilon=2**-17),
    convolution([5, 5], [1, 15], [2, 2], 1, normalization="batch", function="sigmoid", pool=True),
    convolution([6, 5], [3, 31], [3, 3], 2, padding=[1, 1], normalization="group:31",
                function="hard-swish", pool=True),
    convolution([5, 7], [2, 10], [3, 3], 19, stride=2, padding=[1, 1], normalization="batch",
                function="sine", pool=True),
    convolution([5, 4], [3, 17], [1, 1], 2, function="swish-beta", pool=True, parameter=1.5),
    # A negative slope, with which the smallest number of a window may have the largest value.
    convolution([6, 7], [2, 5], [3, 3], 2, padding=[1, 1], function="prelu", pool=True,
                parameter=-0.5),
    convolution([8, 8], [13, 12], [6, 6], 2, stride=2, padding=[2, 2], normalization="group:4",
                function="gelu-tanh", pool=True),
    dense(1, [7, 5], 1, function="relu"),
    dense(6, [5, 33], 4, normalization="batch", function="gelu"),
    dense(9, [16, 10], 19, normalization="group:1", function="silu"),
    dense(35, [16, 20], 17, function="mish"),
    dense(4, [3, 24], 5, normalization="group:4", function="prelu"),
    dense(1, [1, 1], 3, normalization="batch", function="elu"),
    dense(2, [30, 1], 2, function="leaky-relu"),
    dense(3, [11, 18], 33, normalization="batch", function="selu"),
]


def drawn(function, random):
    """A block with this function: a convolution in three of four cases, odd sizes and kernels of 1 to 7
    among them."""
    channels = [random.randint(1, 20), random.randint(1, 24)]
    groups = [n for n in range(1, channels[1] + 1) if channels[1] % n == 0 and channels[1] // n >= 4]
    rest = {
        "normalization": random.choice(["none", "batch", *(f"group:{n}" for n in groups)]),
        "function": function,
        "parameter": random.choice([0.25, 1.5]),
    }
    images = random.randint(1, 5)
    if random.random() < 0.25:
        return dense(random.randint(1, 12), channels, images, **rest)
    kernel = [random.randint(1, 7), random.randint(1, 7)]
    padding = [random.choice([0, (k - 1) // 2]) for k in kernel]
    size = [random.randint(k, 11) for k in kernel]
    stride = random.choice([1, 1, 2, 3])
    output = [(s + 2 * p - k) // stride + 1 for s, p, k in zip(size, padding, kernel)]
    rest["pool"] = random.random() < 0.5 and min(output) >= 2
    return convolution(size, channels, kernel, images, stride=stride, padding=padding, **rest)


def drawn_results():
    """Blocks that keep clear of kinks, for every function, the same ones each time."""
    found = []
    for function in FUNCTIONS:
        draws = random.Random(function)
        of_function = []
        while len(of_function) < DRAWN:
            case = drawn(function, draws)
            # Of one number or a few, a deviation may be nearly zero, and what is divided by it has few
            # digits; several numbers on a flat part are equal, of which any may be a window's largest.
            try:
                of_function.append(results(case, seeds=20, longest=LONGEST_DRAWN))
            except ValueError:
                continue
        found += of_function
    return found


def learned(case, seed):
    """Input and everything learned, as the kernels take them, by name."""
    inputs, outputs = case["channels"]
    if "pixels" in case:
        shape, weights = [case["pixels"], 1], [inputs * case["pixels"], outputs]
    else:
        shape, weights = case["size"], [outputs, inputs, *case["kernel"]]
    shape = [case["images"], *shape, inputs]
    seed *= 8
    found = {
        "input": numbers(math.prod(shape), seed).reshape(shape),
        "weight": numbers(math.prod(weights), seed + 1).reshape(weights),
    }
    if case["normalization"] == "none":
        found["bias"] = numbers(outputs, seed + 2)
    else:
        found["scale"] = 1 + numbers(outputs, seed + 3) / 2
        found["shift"] = numbers(outputs, seed + 4)
    if case["function"] in LEARNABLE:
        found["parameter"] = torch.tensor(case["parameter"])
    return {name: tensor.requires_grad_() for name, tensor in found.items()}


def linear(case, given):
    """`[images, channels, height, width]`."""
    image = given["input"].permute(0, 3, 1, 2)
    if "pixels" in case:
        return F.linear(image.flatten(1), given["weight"].T, given.get("bias"))[:, :, None, None]
    return F.conv2d(image, given["weight"], given.get("bias"), case["stride"], case["padding"])


def normalize(case, given, y, running=None):
    kind, _, groups = case["normalization"].partition(":")
    scale, shift, epsilon = given.get("scale"), given.get("shift"), case["epsilon"]
    if kind == "none":
        return y
    if kind == "batch":
        mean, variance = running or (None, None)
        return F.batch_norm(y, mean, variance, scale, shift, running is None, eps=epsilon)
    if groups == "1":
        # All of an image, as layer normalisation does; the scale is that of channels.
        x = F.layer_norm(y, y.shape[1:], eps=epsilon)
        return x * scale[:, None, None] + shift[:, None, None]
    return F.group_norm(y, int(groups), scale, shift, epsilon)


def activate(case, given, x):
    y = FUNCTIONS[case["function"]][0](x, given.get("parameter"))
    return F.max_pool2d(y, 2) if case["pool"] else y


def has_digits(case, y):
    """Whether batch normalisation divides by nothing that is nearly zero by chance."""
    if case["normalization"] != "batch":
        return True
    return y.var((0, 2, 3), unbiased=False).min() > 1e-3 * y.var()


def is_clear(case, given, x):
    """Whether numbers that are off by a few roundings have the same derivatives."""
    function, kinks = FUNCTIONS[case["function"]]
    if any((x - kink).abs().min() < MARGIN for kink in kinks):
        return False
    if not case["pool"]:
        return True
    values = function(x, given.get("parameter")).detach()
    images, channels, height, width = values.shape
    values = values[:, :, : height // 2 * 2, : width // 2 * 2]
    windows = F.unfold(values.flatten(0, 1)[:, None], 2, stride=2)
    largest = windows.topk(2, dim=1).values
    # Zeros of a rectifier are equal, and have no gradient.
    gaps = (largest[:, 0] - largest[:, 1])[largest[:, 0] != 0]
    return gaps.min() > MARGIN


def channels_last(tensor):
    return tensor.permute(0, 2, 3, 1)


def results(case, seeds=1000, longest=LONGEST):
    for seed in range(1, seeds):
        given = learned(case, seed)
        y = linear(case, given)
        x = normalize(case, given, y)
        if has_digits(case, y.detach()) and is_clear(case, given, x.detach()):
            break
    else:
        raise ValueError(f"no seed keeps clear of kinks: {case}")
    output = channels_last(activate(case, given, x))
    coefficients = numbers(output.numel(), seed * 8 + 5).reshape(output.shape)
    (output * coefficients).sum().backward()
    found = {"output": output}
    if case["normalization"] == "batch":
        found["mean"] = y.mean((0, 2, 3))
        found["variance"] = y.var((0, 2, 3), unbiased=False)
        running = (numbers(y.shape[1], seed * 8 + 6), 1 + numbers(y.shape[1], seed * 8 + 7) / 2)
        found["inference"] = channels_last(activate(case, given, normalize(case, given, y, running)))
    gradients = {name: tensor.grad for name, tensor in given.items()}
    return case | {
        "seed": seed,
        "results": {name: sample(tensor, longest) for name, tensor in found.items()},
        "gradients": {name: sample(gradient, longest) for name, gradient in gradients.items()},
    }


def sample(tensor, longest=LONGEST):
    values = tensor.detach().flatten().tolist()
    step = -(-len(values) // longest)
    # So that all rows, columns and channels are seen.
    while math.gcd(step, len(values)) > 1:
        step += 1
    return {"length": len(values), "step": step, "numbers": values[::step]}


def adam(rate, betas, epsilon, decay, steps=6, length=21):
    """Parameters and moments after some steps. The gradients have sizes from one down to that of
    epsilon, and some are zero."""
    # The kernels have them in float32, in which 1 − β is another number.
    betas = [float32(beta) for beta in betas]
    parameter = numbers(length, 1).requires_grad_()
    arguments = {"lr": rate, "betas": betas, "eps": epsilon}
    if decay:
        optimizer = torch.optim.AdamW([parameter], weight_decay=decay, **arguments)
    else:
        optimizer = torch.optim.Adam([parameter], **arguments)
    for time in range(1, steps + 1):
        sizes = torch.tensor([2.0 ** (-8 * (i % 5)) if i % 6 else 0.0 for i in range(length)])
        parameter.grad = numbers(length, 1 + time) * sizes
        optimizer.step()
    state = optimizer.state[parameter]
    return {
        "rate": rate,
        "betas": betas,
        "epsilon": epsilon,
        "decay": decay,
        "steps": steps,
        "results": {
            "parameter": sample(parameter),
            "first": sample(state["exp_avg"]),
            "second": sample(state["exp_avg_sq"]),
        },
    }


def dump(value):
    """JSON with one field to a line, numbers to eight digits."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(k)}:{dump(v)}" for k, v in value.items())
        return "{" + ",\n".join(fields) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(dump(v) for v in value) + "]"
    return f"{value:.8g}" if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    print(
        dump(
            {
                "command": "python pytorch.py > pytorch.json",
                "versions": f"Python {platform.python_version()}, PyTorch {torch.__version__.split('+')[0]}",
                "blocks": [results(case) for case in CASES] + drawn_results(),
                "adam": [
                    adam(0.01, (0.9, 0.999), 1e-8, 0.0),
                    adam(0.02, (0.8, 0.95), 1e-3, 0.1),
                ],
            }
        )
    )
