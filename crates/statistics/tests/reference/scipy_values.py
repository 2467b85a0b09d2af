"""Reference values for tests/reference.rs, src/bootstrap.rs and src/power.rs, from SciPy and statsmodels.

    pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    python scipy_values.py > scipy_values.json
"""

import itertools
import json
import math

import numpy as np
import scipy
import statsmodels
from scipy import stats
from scipy.stats import nct, studentized_range
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

random = np.random.default_rng(2024)


def normal(n, mean=0.0, sd=1.0):
    return random.normal(mean, sd, n).tolist()


def eighths(n, mean=0.0):
    """Numbers with ties, and zeros among them, whose sums are exact."""
    return (np.round(random.normal(mean, 0.4, n) * 8) / 8).tolist()


def summaries():
    for values in [[0.25], [1.0, 4.0], [0.1] * 7, eighths(9), normal(10, 0.9964, 0.0005), normal(31)]:
        values = np.array(values)
        yield {
            "values": values.tolist(),
            "mean": values.mean(),
            "standard_deviation": values.std(ddof=1) if len(values) > 1 else None,
            "median": np.median(values),
            "interquartile_mean": stats.trim_mean(values, 0.25),
            "quantiles": [[p, np.quantile(values, p)] for p in (0.0, 0.025, 0.25, 0.6, 0.975, 1.0)],
        }


def trimmed(values, axis=-1):
    return stats.trim_mean(values, 0.25, axis=axis)


STATISTICS = {"mean": np.mean, "interquartile_mean": trimmed}


def bootstrap_with(replicates, values, name, confidence):
    """SciPy's BCa interval from the bootstrap distribution that is given."""

    class Given:
        bootstrap_distribution = replicates

    interval = stats.bootstrap(
        (values,),
        STATISTICS[name],
        n_resamples=0,
        bootstrap_result=Given,
        confidence_level=confidence,
        method="BCa",
    ).confidence_interval
    return [interval.low, interval.high]


def bca_ends():
    """From a bootstrap distribution without ties, so that the ends depend on every digit."""
    for sample in (normal(8), random.lognormal(0, 1, 8).tolist()):
        values = np.array(sample)
        replicates = np.mean(random.choice(values, (60, 8)), axis=-1) + normal(60, 0.05, 0.01)
        for confidence in (0.8, 0.9):
            yield {
                "values": sample,
                "replicates": np.sort(replicates).tolist(),
                "confidence": confidence,
                "interval": bootstrap_with(replicates, values, "mean", confidence),
            }


def bootstraps():
    """With all n^n resamples of a small sample, and with many resamples of a larger one."""
    samples = [[0.5, 1.0, 0.125, 2.0], [-0.25, 0.0, 0.375, 0.5, 1.25], [0.25, 0.5, 0.625, 1.5, 5.0]]
    samples += [normal(12, 0.3), random.lognormal(0, 1, 20).tolist()]
    for values, name, confidence in itertools.product(samples, STATISTICS, (0.9, 0.95)):
        values = np.array(values)
        n = len(values)
        if n <= 5:
            resamples = np.array(list(itertools.product(values, repeat=n)))
        else:
            resamples = random.choice(values, (1_000_000, n))
        replicates = STATISTICS[name](resamples, axis=-1)
        yield {
            "values": values.tolist(),
            "statistic": name,
            "confidence": confidence,
            "interval": bootstrap_with(replicates, values, name, confidence),
        }


def sign_flips():
    samples = [[0.1, -0.2], normal(5, 0.7), eighths(8, 0.2), normal(12, 0.5), normal(16, -0.4)]
    for differences in samples + [[0.125] * 6, [0.25, -0.25, 0.0, 0.0]]:
        test = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
        yield {"differences": differences, "p_value": test.pvalue}


def holms():
    for p_values in [[0.04], [0.01, 0.04, 0.03, 0.005], [0.5, 0.6, 0.02, 0.02, 1.0], random.uniform(0, 0.1, 20).tolist()]:
        yield {"p_values": p_values, "adjusted": multipletests(p_values, method="holm")[1].tolist()}


def equivalences():
    for differences, margin in [
        (normal(2, 0, 0.01), 0.1),
        (normal(5, 0.02, 0.1), 0.1),
        (normal(10, 0.02, 0.05), 0.1),
        (normal(10, 0.2, 0.05), 0.1),
        (normal(20, 0, 0.01), 0.1),
        (eighths(30), 0.25),
    ]:
        p_value = DescrStatsW(differences).ttost_mean(-margin, margin)[0]
        yield {"differences": differences, "margin": margin, "p_value": p_value}


def powers():
    for pairs, effect, level in itertools.product((2, 3, 5, 10, 30, 400, 10_000), (0.0, 0.02, 0.1, 0.5, 1.0, 3.0), (0.05, 0.0025)):
        df, ncp = pairs - 1, effect * math.sqrt(pairs)
        critical = stats.t.isf(level / 2, df)
        value = nct.sf(critical, df, ncp) + nct.cdf(-critical, df, ncp)
        by_statsmodels = TTestPower().power(effect, pairs, level)
        # Where the power is next to 1, SciPy cannot tell the tail from 0 and says NaN.
        if not math.isnan(value) and not math.isnan(by_statsmodels):
            assert abs(value - by_statsmodels) < 1e-9
            yield {"pairs": pairs, "effect": effect, "level": level, "power": value}


def detectable():
    for pairs, level in itertools.product((3, 5, 10, 20, 100), (0.05, 0.0025)):
        df = pairs - 1
        critical = stats.t.isf(level / 2, df)

        def excess(effect):
            ncp = effect * math.sqrt(pairs)
            # The chance of the wrong sign is NaN where it is next to nothing.
            return nct.sf(critical, df, ncp) + np.nan_to_num(nct.cdf(-critical, df, ncp)) - 0.8

        high = 0.1
        while excess(high) < 0:
            high *= 1.5
        effect = scipy.optimize.brentq(excess, 0, high, xtol=1e-14, rtol=1e-14)
        yield {"pairs": pairs, "level": level, "power": 0.8, "effect": effect}


def pairs_needed():
    for effect, level, power in itertools.product((0.2, 0.5, 0.75, 1.0, 2.0), (0.05, 0.01), (0.8, 0.95)):
        exact = TTestPower().solve_power(effect_size=effect, alpha=level, power=power)
        yield {"effect": effect, "level": level, "power": power, "pairs": math.ceil(exact)}


def equivalence_powers():
    """The power of the two one-sided t tests, by simulation-free integration over the chi
    distribution of the standard deviation (Owen's Q)."""
    for pairs, effect, margin, level in itertools.product((4, 10, 40), (0.0, 0.2), (0.5, 1.0), (0.05, 0.01)):
        df, root = pairs - 1, math.sqrt(pairs)
        critical = stats.t.isf(level, df)

        def density(s):
            half = critical * s / root
            inside = stats.norm.cdf((margin - half - effect) * root) - stats.norm.cdf((half - margin - effect) * root)
            return max(inside, 0) * stats.chi.pdf(s, df, scale=1 / math.sqrt(df))

        widest = margin * root / critical
        value = scipy.integrate.quad(density, 0, widest, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
        yield {"pairs": pairs, "effect": effect, "margin": margin, "level": level, "power": value}


def studentized_ranges():
    for contenders, level in itertools.product((2, 3, 5, 10, 20, 40), (0.1, 0.05, 0.01)):
        yield {
            "contenders": contenders,
            "level": level,
            "quantile": studentized_range.isf(level, contenders, np.inf),
        }


def rankings():
    tables = [
        [[0.9, 0.8, 0.7], [0.5, 0.6, 0.4], [0.3, 0.3, 0.1], [0.9, 0.7, 0.7], [0.6, 0.2, 0.1]],
        [eighths(4) for _ in range(12)],
        [normal(8) for _ in range(20)],
        [[row + 0.1 * column + random.normal(0, 0.1) for column in range(6)] for row in range(10)],
    ]
    for table in tables:
        scores = np.array(table)
        n, k = scores.shape
        ranks = stats.rankdata(-scores, axis=1)
        chi_squared, p_value = stats.friedmanchisquare(*scores.T)
        f = (n - 1) * chi_squared / (n * (k - 1) - chi_squared)
        yield {
            "scores": table,
            "ranks": ranks.tolist(),
            "average_ranks": ranks.mean(axis=0).tolist(),
            "chi_squared": chi_squared,
            "chi_squared_p_value": p_value,
            "f": f,
            "f_p_value": stats.f.sf(f, k - 1, (k - 1) * (n - 1)),
            "critical_difference": studentized_range.isf(0.05, k, np.inf) * math.sqrt(k * (k + 1) / (12 * n)),
        }


def mcnemars():
    for only_first, only_second in [(0, 0), (0, 1), (3, 3), (1, 9), (12, 5), (30, 31), (60, 25), (0, 40), (1000, 1100), (30_000, 30_700)]:
        images = only_first + only_second
        p_value = stats.binomtest(only_first, images).pvalue if images else 1.0
        yield {"only_first": only_first, "only_second": only_second, "p_value": p_value}


VERSIONS = {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
SECTIONS = {
    "summaries": summaries,
    "bca_ends": bca_ends,
    "bootstraps": bootstraps,
    "sign_flips": sign_flips,
    "holms": holms,
    "equivalences": equivalences,
    "powers": powers,
    "detectable": detectable,
    "pairs_needed": pairs_needed,
    "equivalence_powers": equivalence_powers,
    "studentized_ranges": studentized_ranges,
    "rankings": rankings,
    "mcnemars": mcnemars,
}

# One case a line.
print('{\n"versions":', json.dumps(VERSIONS), end="")
for name, cases in SECTIONS.items():
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases())
    print(f',\n"{name}": [\n{lines}\n]', end="")
print("\n}")
