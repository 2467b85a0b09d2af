#!/usr/bin/env python3
"""Times this project's CSV reader against pandas, alternately, on one core.

    cargo build -p data --example read_table
    python crates/data/benches/compare_with_pandas.py [--file train.csv]

pandas reads with `pandas.read_csv(file).to_numpy()`. Each contender reads the file in a new process;
only the reading is timed, not the start of the process. Peak memory is what the reading adds to
the largest size that the process has had before. Without --file, the built-in digits are written to
a temporary file of as many rows and columns as Kaggle's train.csv.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PANDAS = """
import json, resource, sys, time
import pandas
peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
start = time.perf_counter()
array = pandas.read_csv(sys.argv[1]).to_numpy()
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "images": len(array), "peak_bytes_above_start": peak() - before}))
"""


def main() -> None:
    root = Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="a CSV file of labelled images")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--reader", type=Path, default=root / "target/debug/examples/read_table", help="the built example"
    )
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    with tempfile.TemporaryDirectory() as folder:
        file = arguments.file
        if file is None:
            file = Path(folder) / "train.csv"
            subprocess.run([arguments.reader, "--write", file], check=True)
        contenders = {
            "this": [arguments.reader, file],
            "pandas": [sys.executable, "-c", PANDAS, file],
        }
        results = {name: [] for name in contenders}
        for round in range(arguments.rounds + 1):
            for name, command in contenders.items():
                result = json.loads(subprocess.check_output(command))
                # The first round fills the cache of the file system.
                if round > 0:
                    results[name].append(result)

    print(f"{file}: {results['this'][0]['images']} rows; {arguments.rounds} rounds, one core")
    for name, rows in results.items():
        seconds = sorted(row["seconds"] for row in rows)
        peak = max(row["peak_bytes_above_start"] for row in rows)
        print(
            f"{name:>7}: median {statistics.median(seconds):.3f} s, "
            f"{seconds[0]:.3f} to {seconds[-1]:.3f} s, peak {peak / 1e6:.1f} MB above the start"
        )
    ratios = sorted(b["seconds"] / a["seconds"] for a, b in zip(results["this"], results["pandas"]))
    pixels = results["this"][0]["pixel_bytes"]
    peak = max(row["peak_bytes_above_start"] for row in results["this"])
    print(f"  ratio: median {statistics.median(ratios):.1f}, {ratios[0]:.1f} to {ratios[-1]:.1f} (pandas / this)")
    print(f" memory: {peak / pixels:.2f} times the {pixels / 1e6:.1f} MB of pixels")


if __name__ == "__main__":
    main()
