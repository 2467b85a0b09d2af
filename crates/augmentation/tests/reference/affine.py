"""Reference values for src/augmenter/tests.rs, from SciPy.

    pip install numpy==2.4.6 scipy==1.17.1
    python affine.py > affine.json

Everything is in 64-bit floating point. Matrices are made forwards, as the documentation describes the
changes, and inverted by NumPy.
"""

import json

import numpy as np
import scipy
from scipy import interpolate, ndimage

SIDE = 13


def image():
    """Noise, up to the border: wrong in no pixel unnoticed."""
    row, column = np.mgrid[:SIDE, :SIDE]
    return (row * 37 + column * 91 + row * column * 53) % 256


def inverse(case):
    """Matrix and offset, for (x, y), from a place in the result to one in the image."""
    rotation, shear = np.radians([case["rotation"], case["shear"]])
    root = np.sqrt(case["stretch"])
    zoom = np.diag([case["zoom"] * root, case["zoom"] / root])
    # y points downwards: what is above the centre moves to the right, and turns to the left.
    slant = np.array([[1, -np.tan(shear)], [0, 1]])
    turn = np.array([[np.cos(rotation), np.sin(rotation)], [-np.sin(rotation), np.cos(rotation)]])
    matrix = np.linalg.inv(turn @ slant @ zoom)
    centre = np.full(2, (SIDE - 1) / 2)
    return matrix, centre - matrix @ (centre + case["shift"])


def thicken(pixels, distance):
    cross = ndimage.generate_binary_structure(2, 1)
    change = ndimage.grey_dilation if distance > 0 else ndimage.grey_erosion
    moved = change(pixels, footprint=cross, mode="constant", cval=0)
    return pixels + abs(distance) * (moved - pixels)


def blur(pixels, axis, variance):
    """Repeated [v/2, 1-v, v/2]; what leaves the image is lost."""
    while variance > 0:
        v = min(variance, 0.5)
        pixels = ndimage.correlate1d(pixels, [v / 2, 1 - v, v / 2], axis=axis, mode="constant", cval=0)
        variance -= 0.5
    return pixels


def field(case):
    """Displacements [x or y, row, column]: a tensor product of cubic B-splines."""
    elastic = case["elastic"]
    spacing = np.sqrt(3) * elastic["smoothness"]
    noise = np.array(elastic["noise"]).reshape(2, elastic["nodes"], elastic["nodes"])
    knots = np.arange(-3, elastic["nodes"] + 1)
    bells = [interpolate.BSpline.basis_element(knots[i : i + 5], extrapolate=False) for i in range(elastic["nodes"])]

    def weights(place):
        position = np.arange(SIDE) / spacing + place
        return np.nan_to_num(np.array([bell(position) for bell in bells]))

    across, down = (weights(place) for place in elastic["place"])
    return np.einsum("anm,nr,mc->arc", noise, down, across)


def result(case):
    pixels = image().astype(float)
    if case["thickness"]:
        pixels = thicken(pixels, case["thickness"])
    matrix, offset = inverse(case)
    across, down = np.maximum((matrix**2).sum(axis=1) - 1, 0) / 6
    pixels = blur(blur(pixels, 1, across), 0, down)
    swap = slice(None, None, -1)  # SciPy counts rows before columns.
    if not case["elastic"]:
        return ndimage.affine_transform(
            pixels, matrix[swap, swap], offset[swap], order=1, mode="grid-constant", cval=0, prefilter=False
        )
    row, column = np.mgrid[:SIDE, :SIDE]
    places = np.stack([column, row]) + field(case)
    places = np.einsum("ab,brc->arc", matrix, places) + offset[:, None, None]
    return ndimage.map_coordinates(pixels, places[swap], order=1, mode="grid-constant", cval=0, prefilter=False)


def case(**changes):
    still = {"rotation": 0, "shift": [0, 0], "zoom": 1, "stretch": 1, "shear": 0, "thickness": 0, "elastic": None}
    return still | changes


def elastic(nodes, smoothness, place, size):
    noise = size * np.round(np.random.default_rng(1).uniform(-1, 1, 2 * nodes * nodes), 3)
    return {"nodes": nodes, "smoothness": smoothness, "place": place, "noise": noise.round(4).tolist()}


cases = [
    case(),
    case(rotation=17.5),
    case(rotation=-140),
    case(shift=[1.25, -2.6]),
    case(zoom=1.3),
    case(zoom=0.8),
    case(zoom=0.5, stretch=0.7),
    case(stretch=1.25),
    case(shear=20),
    case(shear=-45),
    case(thickness=0.4),
    case(thickness=-0.7),
    case(rotation=-8, shift=[-0.5, 1.5], zoom=0.9, stretch=1.1, shear=12, thickness=0.2),
    # Twelve pixels are 1.7 cells of the grid for a smoothness of 4, and 4.6 for one of 1.5.
    case(elastic=elastic(6, 4, [0.25, 0.625], 3)),
    case(rotation=11, shift=[0.75, 0.25], zoom=0.85, stretch=0.9, shear=-7, elastic=elastic(9, 1.5, [0.9375, 0.0], 2)),
]
for one in cases:
    one["expected"] = result(one).ravel().round(4).tolist()
versions = {"numpy": np.__version__, "scipy": scipy.__version__}
print(json.dumps({"versions": versions, "side": SIDE, "image": image().ravel().tolist(), "cases": cases}))
