"""Tests of what needs neither PyTorch nor Keras: `python3 -m unittest discover benches/peers`."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

import report  # noqa: E402
import trainings  # noqa: E402
from contest import Contender, Contest, Run, Workload  # noqa: E402
from processes import RunError  # noqa: E402
from recipes import Case  # noqa: E402

# Prints what a contender prints whose steps take so many seconds, times two with GELU.
CONTENDER = """
import argparse, json, sys
parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float)
parser.add_argument("--activation", action="append")
parser.add_argument("--preset")
parser.add_argument("--mode")
parser.add_argument("--variant")
for name in ("batch", "warmup", "steps", "threads"):
    parser.add_argument(f"--{name}", type=int, default=1)
options = parser.parse_args()
if options.seconds < 0:
    sys.exit("cannot")
for activation in options.activation:
    seconds = options.seconds * (2 if activation == "gelu" else 1)
    print(json.dumps({
        "preset": options.preset,
        "activation": activation,
        "mode": options.mode,
        "batch": options.batch,
        "threads": options.threads,
        "seconds": [seconds] * options.steps,
        "peak_rss_kib": 1024,
    }))
"""


def contender(side: str, variant: str, seconds: float) -> Contender:
    command = (sys.executable, "-c", CONTENDER, "--seconds", str(seconds))
    return Contender(side, variant, command)


def compare(rounds: int, contenders: Sequence[Contender]) -> list[Run]:
    workloads = [Workload("small", name, "train", 100) for name in ("relu", "gelu")]
    contest = Contest(rounds, 1, 3, None, Path(tempfile.gettempdir()))
    with contextlib.redirect_stderr(io.StringIO()):
        return list(contest.compare(workloads, [1], contenders))


class ContestTest(unittest.TestCase):
    def test_rounds_are_of_all_contenders_and_functions(self) -> None:
        runs = compare(2, [contender("ours", "flex", 0.5), contender("torch", "eager", 2.0)])
        found = [(run.round, run.side, run.workload.activation) for run in runs]
        expected = [
            (number, side, activation)
            for number in (1, 2)
            for side in ("ours", "torch")
            for activation in ("relu", "gelu")
        ]
        self.assertEqual(found, expected)
        self.assertEqual([run.images_per_second for run in runs[:4]], [200, 100, 50, 25])

    def test_slow_variants_are_left_out_after_two_rounds(self) -> None:
        both = [contender("torch", "eager", 1.0), contender("torch", "compiled", 1.2)]
        runs = compare(3, [contender("ours", "flex", 9.0), *both])
        rounds = [run.round for run in runs if run.variant == "compiled"]
        self.assertEqual(rounds, [1, 1, 2, 2])
        self.assertEqual(sum(run.side == "ours" for run in runs), 6)

    def test_a_variant_that_fails_is_left_out_unless_it_is_the_last(self) -> None:
        broken = contender("torch", "compiled", -1.0)
        runs = compare(2, [contender("torch", "eager", 1.0), broken])
        self.assertEqual({run.variant for run in runs}, {"eager"})
        with self.assertRaisesRegex(RunError, "torch compiled failed with status 1: cannot"):
            compare(1, [broken])

    def test_fewer_results_than_asked_for_are_refused(self) -> None:
        silent = Contender("ours", "flex", (sys.executable, "-c", "print('{}')"))
        with self.assertRaisesRegex(RunError, "1 results instead of 2"):
            compare(1, [silent])

    def test_the_fastest_variant_for_a_whole_training_is_found(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "python"
            seconds = "2.0 if options.variant == 'eager' else 1.0"
            program = CONTENDER.replace("if options.seconds < 0", f"options.seconds = {seconds}\nif 0")
            script.write_text(f"#!{sys.executable}\nimport sys\ndel sys.argv[1]\n{program}")
            script.chmod(0o755)

            class Asked:
                case = Case(preset="tiny", activation="relu", epochs=1)
                batch_size = 100

            game = Contest(2, 1, 3, None, Path(folder))
            with contextlib.redirect_stderr(io.StringIO()):
                variants, tried = trainings.fastest_variants(
                    [Asked()], 1, game, script, ("eager", "compiled")
                )
        self.assertEqual(variants, {("tiny", "relu"): "compiled"})
        self.assertEqual(len(tried), 4)


class ReportTest(unittest.TestCase):
    def test_prices_are_those_of_the_same_rounds(self) -> None:
        runs = compare(2, [contender("ours", "flex", 0.5), contender("torch", "eager", 2.0)])
        tables = report.compare(runs)
        self.assertEqual([row.ratio.median for row in tables.against_peers], [4, 4])
        [price] = tables.prices
        self.assertEqual((price.ours.median, price.peers.median, price.lead.median), (2, 2, 1))
        self.assertIn("2.000 (2.000 to 2.000)", report.to_text(tables))

    def test_intervals_are_by_order_statistics(self) -> None:
        # Of nine values the second and the eighth hold the median with 96 %; of five the ends.
        self.assertEqual(report.Middle.of(list(range(9))), report.Middle(4, 1, 7))
        self.assertEqual(report.Middle.of([3.0, 1.0, 2.0]), report.Middle(2.0, 1.0, 3.0))

    def test_results_are_whole_or_as_before(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "new" / "results.json"
            report.save(path, report.Spread(1.0, 0.0, 2.0))
            self.assertEqual(json.loads(path.read_text()), {"median": 1.0, "min": 0.0, "max": 2.0})
            self.assertEqual(list(path.parent.iterdir()), [path])


if __name__ == "__main__":
    unittest.main()
