"""Coefficients of the minimax polynomials in src/math.rs and src/function/max_pooling.rs.

    python polynomials.py

Needs mpmath. A Remez exchange on a fine grid finds the polynomial whose relative error is smallest.
The lowest coefficient is then rounded to float32 and the others fitted anew, and so on upwards, so
that rounding costs little. Prints the relative error that is left. The coefficients of a quotient
are all rounded at once.
"""

import struct

from mpmath import (
    cos,
    diff,
    erfc,
    exp,
    expm1,
    findroot,
    log,
    log1p,
    lu_solve,
    matrix,
    mp,
    mpf,
    pi,
    sin,
    sqrt,
    tanh,
)

mp.dps = 50
GRID = 400


def float32(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def shortest(c):
    """The shortest decimal that reads as the float32 `c`."""
    texts = (f"{float(c):.{digits}g}" for digits in range(1, 10))
    return next(text for text in texts if float32(text) == c)


def polynomial(coefficients, x):
    return sum(c * x**power for power, c in enumerate(coefficients))


def extremes(errors, count):
    """Places of `count` extremes of alternating sign, the largest ones."""
    places = []
    for place, error in enumerate(errors):
        if error == 0:
            continue
        if places and (error > 0) == (errors[places[-1]] > 0):
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = place
        else:
            places.append(place)
    while len(places) > count:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def remez(basis, target, scale):
    """Coefficients c with the least maximum of |Σ c · basis − target| · scale over the grid, on which
    all are given."""
    count = len(basis) + 1
    places = [round(GRID * (1 - cos(pi * (i + 0.5) / count)) / 2) for i in range(count)]
    for _ in range(50):
        rows, right = matrix(count, count), matrix(count, 1)
        for i, place in enumerate(places):
            for j, values in enumerate(basis):
                rows[i, j] = values[place] * scale[place]
            rows[i, count - 1] = (-1) ** i
            right[i] = target[place] * scale[place]
        coefficients = list(lu_solve(rows, right))[:-1]
        sums = [sum(c * x for c, x in zip(coefficients, xs)) for xs in zip(*basis)]
        errors = [(sum - t) * s for sum, t, s in zip(sums, target, scale)]
        previous, places = places, extremes(errors, count)
        if len(places) < count or places == previous:
            break
    return coefficients


def fit(name, low, high, degree, target, scale, given=()):
    """Fits `target` on low..high, with the lowest coefficients `given`. The error is multiplied by
    `scale`, which makes it a relative one."""
    low, high = mpf(low), mpf(high)
    xs = [(low + high) / 2 - (high - low) / 2 * cos(pi * i / GRID) for i in range(GRID + 1)]
    targets, scales = [target(x) for x in xs], [scale(x) for x in xs]
    found = [float32(c) for c in given]
    while len(found) <= degree:
        powers = [[x**power for x in xs] for power in range(len(found), degree + 1)]
        rest = [t - polynomial(found, x) for x, t in zip(xs, targets)]
        found.append(float32(remez(powers, rest, scales)[0]))
    errors = (abs(polynomial(found, x) - t) * s for x, t, s in zip(xs, targets, scales))
    print(f"{name}: {float(max(errors)):.2g}")
    show(found)


def fit_quotient(name, high, degrees, target):
    """Fits `target` on 0..high by a quotient of polynomials, by Loeb's iteration: the denominator
    found before makes the error of target · denominator a relative one of the quotient."""
    # More points near 0, where the target bends most.
    xs = [mpf(high) * ((1 - cos(pi * i / GRID)) / 2) ** 2 for i in range(GRID + 1)]
    targets = [target(x) for x in xs]
    upper, lower = degrees
    basis = [[x**power for x in xs] for power in range(upper + 1)]
    basis += [[-t * x**power for x, t in zip(xs, targets)] for power in range(1, lower + 1)]
    denominators = [(1 + x / 2) ** lower for x in xs]
    for _ in range(10):
        scales = [1 / (t * d) for t, d in zip(targets, denominators)]
        found = remez(basis, targets, scales)
        denominators = [polynomial([mpf(1)] + found[upper + 1 :], x) for x in xs]
    found = [float32(c) for c in found]
    numerator, denominator = found[: upper + 1], [mpf(1)] + found[upper + 1 :]
    quotients = [polynomial(numerator, x) / polynomial(denominator, x) for x in xs]
    error = max(abs(q / t - 1) for q, t in zip(quotients, targets))
    print(f"{name}: {float(error):.2g}")
    show(numerator)
    print("  by")
    show(denominator)


def show(coefficients):
    for c in coefficients:
        print(f"    {shortest(c)},")


def normal_tail(a):
    """Φ(−a) e^(a²/2)."""
    return erfc(a / sqrt(2)) / 2 * exp(a * a / 2)


def sine(square):
    """(sin r − r) / r³ by r²."""
    r = sqrt(square)
    return (sin(r) - r) / r**3 if square > 1e-15 else -mpf(1) / 6


def tanh_shrink(square):
    """(x − tanh x) / x³ by x²."""
    x = sqrt(square)
    return (x - tanh(x)) / x**3 if square > 1e-15 else mpf(1) / 3


def ln_1p_ratio(x):
    return log1p(x) / x if x else mpf(1)


def silu(x):
    return x / (1 + exp(-x))


def gelu(x):
    return x * erfc(-x / sqrt(2)) / 2


def gelu_tanh(x):
    return x / (1 + exp(-2 * sqrt(2 / pi) * (x + mpf("0.044715") * x**3)))


def quick_gelu(x):
    return silu(mpf("1.702") * x) / mpf("1.702")


def mish(x):
    return x * tanh(log1p(exp(x)))


def fit_balance(name, f, longest):
    """Fits the sum of the two places with a given distance at which `f` has one value, by the
    square of the distance. The error is an absolute one."""
    lowest = findroot(lambda x: diff(f, x), (mpf("-2"), mpf("-0.5")), solver="anderson")

    def balance(square):
        distance = sqrt(square)
        if distance < 1e-6:
            return 2 * lowest
        right = findroot(
            lambda x: f(x) - f(x - distance),
            (lowest, min(lowest + distance, mpf("-1e-15"))),
            solver="anderson",
        )
        return 2 * right - distance

    fit(name, 0, mpf(longest) ** 2, 4, balance, lambda _: mpf(1))


def parts(name, number, bits):
    """`number` as a sum of numbers of so many bits."""
    print(name)
    for count in bits:
        unit = mpf(2) ** (int(mp.floor(log(abs(number), 2))) + 1 - count)
        part = mp.nint(number / unit) * unit
        print(f"    {shortest(part)},")
        number -= part


if __name__ == "__main__":
    # A little beyond the half-interval, because the quotient is rounded.
    half = log(2) / 2 * mpf("1.001")
    fit("EXP: (e^r − 1 − r) / r²; error relative to e^r", -half, half, 4,
        lambda r: (expm1(r) - r) / r**2 if r else mpf(1) / 2, lambda r: r**2 / exp(r))
    fit("LN_1P: ln(1 + x) / x", 0, 1, 8, ln_1p_ratio, lambda x: 1 / ln_1p_ratio(x), (1,))
    fit("SIN: (sin r − r) / r³ by r²; error relative to sin r", 0, (pi / 2) ** 2 * mpf("1.001"), 3,
        sine, lambda square: square**1.5 / sin(sqrt(square)) if square else mpf(0))
    fit("TANH_SHRINK: (x − tanh x) / x³ by x²", 0, 1, 6, tanh_shrink, lambda y: 1 / tanh_shrink(y))
    fit_quotient("NORMAL_TAIL: Φ(−a) e^(a²/2), a ≤ 14.5", 14.5, (4, 5), normal_tail)
    parts("LN_2", log(2), [9, 24])
    parts("PI", pi, [12, 12, 12, 24])
    fit_balance("GELU", gelu, 4)
    fit_balance("GELU_TANH", gelu_tanh, 4)
    fit_balance("QUICK_GELU", quick_gelu, 4)
    fit_balance("SILU", silu, 4)
    fit_balance("MISH", mish, 4)
