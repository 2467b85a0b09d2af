"""Reference values for src/power.rs: how often the two-sided sign-flip test is significant, by trying all
signs of many simulated samples of normal differences with standard deviation 1.

    pip install numpy==2.4.6
    python sign_flip_powers.py > sign_flip_powers.json
"""

import itertools
import json

import numpy as np

SIMULATIONS = 100_000
CASES = [(6, 1), (7, 1), (7, 2), (8, 1), (8, 2), (9, 6), (10, 1), (10, 3), (10, 9), (10, 22), (11, 1), (12, 9)]

random = np.random.default_rng(2025)


def power(pairs, level, effect):
    # The last sign stays, as changing all signs changes no absolute sum.
    signs = np.array([(*rest, 1) for rest in itertools.product((1, -1), repeat=pairs - 1)], float)
    significant = 0
    for _ in range(SIMULATIONS // 2000):
        differences = random.normal(effect, 1, (2000, pairs))
        found = np.abs(differences.sum(axis=1, keepdims=True))
        rounding = 1e-9 * np.abs(differences).sum(axis=1, keepdims=True)
        p_values = (np.abs(differences @ signs.T) >= found - rounding).mean(axis=1)
        significant += (p_values <= level).sum()
    return significant / SIMULATIONS


cases = [
    {"pairs": pairs, "level": 0.05 / comparisons, "effect": effect, "power": power(pairs, 0.05 / comparisons, effect)}
    for pairs, comparisons in CASES
    for effect in (0.5, 1.0, 1.5, 2.0)
]
lines = ",\n".join(json.dumps(case) for case in cases)
print(f'{{\n"numpy": "{np.__version__}",\n"simulations": {SIMULATIONS},\n"cases": [\n{lines}\n]\n}}')
