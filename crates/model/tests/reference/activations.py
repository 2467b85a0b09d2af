"""Reference values and derivatives of the activation functions, for tests/activations.rs.

    python activations.py > activations.json

Everything is evaluated in float64 on inputs that float32 holds exactly. Derivatives come from
PyTorch's automatic differentiation, so that they carry PyTorch's conventions at the kinks.
A function that PyTorch lacks is written out here by hand, with the source of its formula.
"""

import json
import math
import platform

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def float32(number):
    return torch.tensor(number, dtype=torch.float32)


def grid():
    """Inputs for the element-wise functions, ascending: zeros, subnormal numbers, kinks with both
    neighbours, where the exponential overflows and underflows, where squares and cubes do, and
    the largest float32 numbers; with an even grid between."""
    magnitudes = [1e-45, 1e-40, 1.17549435e-38, 1e-30, 1e-20, 1e-15, 1e-10, 1e-8, 1e-6, 1e-5]
    magnitudes += [1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3]
    for kink in [0.5, 1.0, 2.0, 3.0, 6.0]:
        kink = float32(kink)
        below, above = (torch.nextafter(kink, float32(end)) for end in (-math.inf, math.inf))
        magnitudes += [below.item(), kink.item(), above.item()]
    magnitudes += [i / 4 for i in range(1, 49)]
    magnitudes += [14, 16, 17, 18, 20, 21, 30, 44, 50, 80, 87, 88, 89, 100, 103, 104, 110, 200]
    magnitudes += [1e3, 1e4, 1e5, 1e7, 1e10, 1e13, 1.8e19, 1.9e19, 1e20, 1e30, 1.6e38, 1.8e38]
    magnitudes += [torch.finfo(torch.float32).max]
    # Round to float32 first, so that no two inputs are equal.
    magnitudes = sorted({float32(magnitude).item() for magnitude in magnitudes})
    return [-m for m in reversed(magnitudes)] + [-0.0, 0.0] + magnitudes


def swish(x, beta):
    """Ramachandran et al. 2017, arXiv:1710.05941."""
    return x * torch.sigmoid(beta * x)


def hard_mish(x):
    """timm.layers.activations.hard_mish."""
    return 0.5 * x * (x + 2).clamp(min=0, max=2)


def squareplus(x, b=4.0):
    """keras.activations.squareplus, (x + sqrt(x² + b)) / 2, without its cancellation at x < 0."""
    root = torch.sqrt(x * x + b)
    return torch.where(x < 0, b / 2 / (root + x.abs()), (x + root) / 2)


def penalized_tanh(x):
    """Xu, Huang and Li 2016, arXiv:1602.05980."""
    return torch.where(x > 0, torch.tanh(x), 0.25 * torch.tanh(x))


def lisht(x):
    """Roy et al. 2019, arXiv:1901.05894."""
    return x * torch.tanh(x)


def snake(x, alpha=1.0):
    """Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195."""
    return x + torch.sin(alpha * x) ** 2 / alpha



# The text of the configuration, and the function that it names.
ELEMENTWISE = {
    "identity": lambda x: x * 1.0,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky-relu": F.leaky_relu,
    "leaky-relu:0.25": lambda x: F.leaky_relu(x, 0.25),
    "rrelu": lambda x: F.rrelu(x, training=False),
    "rrelu:0.25,0.5": lambda x: F.rrelu(x, 0.25, 0.5, training=False),
    "relu6": F.relu6,
    "elu": F.elu,
    "elu:0.5": lambda x: F.elu(x, 0.5),
    "celu": F.celu,
    "celu:0.5": lambda x: F.celu(x, 0.5),
    "celu:2": lambda x: F.celu(x, 2.0),
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick-gelu": lambda x: swish(x, 1.702),
    "silu": F.silu,
    "mish": F.mish,
    "hard-mish": hard_mish,
    "hard-sigmoid": F.hardsigmoid,
    "hard-swish": F.hardswish,
    "hard-tanh": F.hardtanh,
    "softplus": F.softplus,
    "softplus:2": lambda x: F.softplus(x, 2.0),
    "softsign": F.softsign,
    "log-sigmoid": F.logsigmoid,
    "tanh-shrink": F.tanhshrink,
    "hard-shrink": F.hardshrink,
    "hard-shrink:1": lambda x: F.hardshrink(x, 1.0),
    "soft-shrink": F.softshrink,
    "soft-shrink:1": lambda x: F.softshrink(x, 1.0),
    # PyTorch has no default here; 1 and 0 are those of Keras's ThresholdedReLU.
    "threshold": lambda x: F.threshold(x, 1.0, 0.0),
    "threshold:0.5,-1": lambda x: F.threshold(x, 0.5, -1.0),
    "squareplus": squareplus,
    "squareplus:1": lambda x: squareplus(x, 1.0),
    "penalized-tanh": penalized_tanh,
    "lisht": lisht,
    "snake": snake,
    "snake:0.5": lambda x: snake(x, 0.5),
    "sine": torch.sin,
}

# Functions with a learnable parameter: the parameter is given once per input, so that its
# derivative is known at every input.
LEARNABLE = {
    "prelu": (0.25, lambda x, p: F.prelu(x[None], p)[0]),
    "prelu:0.5": (0.5, lambda x, p: F.prelu(x[None], p)[0]),
    "swish-beta": (1.0, swish),
    "swish-beta:1.5": (1.5, swish),
}


def elementwise(inputs):
    for text, function in ELEMENTWISE.items():
        x = torch.tensor(inputs, requires_grad=True)
        y = function(x)
        y.sum().backward()
        yield {"activation": text, "values": y.tolist(), "derivatives": x.grad.tolist()}
    for text, (parameter, function) in LEARNABLE.items():
        x = torch.tensor(inputs, requires_grad=True)
        p = torch.full_like(x, parameter, requires_grad=True)
        y = function(x, p)
        y.sum().backward()
        yield {
            "activation": text,
            "values": y.tolist(),
            "derivatives": x.grad.tolist(),
            "parameter_derivatives": p.grad.tolist(),
        }


def softmax():
    """Vector-Jacobian products of the softmax over dimension 1."""
    for shape, scale in [((4, 5), 1.0), ((4, 5), 1e4), ((2, 3, 2, 2), 3.0)]:
        count = math.prod(shape)
        # Any spread numbers will do; these need no generator of random numbers.
        inputs = [float32(scale * math.sin(7.0 * i + 1.0)).item() for i in range(count)]
        cotangent = [float32(math.cos(3.0 * i)).item() for i in range(count)]
        x = torch.tensor(inputs).reshape(shape).requires_grad_()
        y = F.softmax(x, dim=1)
        y.backward(torch.tensor(cotangent).reshape(shape))
        yield {
            "shape": shape,
            "inputs": inputs,
            "cotangent": cotangent,
            "values": y.flatten().tolist(),
            "gradient": x.grad.flatten().tolist(),
        }


def dump(value):
    """JSON with one list of numbers to a line, each to eleven digits."""
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{json.dumps(k)}: {dump(v)}" for k, v in value.items()) + "\n}"
    if isinstance(value, (list, tuple)):
        separator = ",\n" if value and isinstance(value[0], dict) else ","
        return "[" + separator.join(dump(v) for v in value) + "]"
    return f"{value:.11g}" if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    inputs = grid()
    print(
        dump(
            {
                "command": "python activations.py > activations.json",
                "versions": f"Python {platform.python_version()}, PyTorch {torch.__version__.split('+')[0]}",
                "inputs": inputs,
                "elementwise": list(elementwise(inputs)),
                "softmax": list(softmax()),
            }
        )
    )
