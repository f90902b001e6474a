"""Ours and the peers, alternating in one run on one machine: medians of several repeats, and the ratio.

  compare.py BUILD [--repeats 3] [--seconds 5] [--only steps|features|media] [--compile]

Ratios are theirs / ours: 2.0 means that we take half the time, or half the memory. Memory is the peak resident set of
the whole process, libraries included.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEPS = [("train", "vis-inc", 16), ("train", "vis-conv", 16), ("train", "aud-mel", 8),
         ("infer", "vis-inc", 16), ("infer", "vis-conv", 16), ("infer", "aud-mel", 8)]
FEATURES = ["mel/10s", "gam/10s", "cqt/10s", "delta/10s"]


def run(command, **environment):
    """Standard output and the peak resident set in bytes of one finished child."""
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, env={**os.environ, **environment})
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0 or not out:
        sys.exit(f"compare.py: no result from {' '.join(str(part) for part in command)} (exit {child.returncode})")
    return json.loads(out), usage.ru_maxrss * 1024


def ours(program, benchmark, seconds):
    """Real seconds per iteration of the named benchmark, and the process's peak memory."""
    report, memory = run([program, f"--benchmark_filter=^{benchmark}(/real_time)?$", f"--benchmark_min_time={seconds}",
                          "--benchmark_format=json"])
    scale = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    found = report["benchmarks"]
    if not found:
        sys.exit(f"compare.py: {program} has no benchmark {benchmark}")
    if found[0].get("error_occurred"):
        sys.exit(f"compare.py: {program}, {benchmark}: {found[0]['error_message']}")
    return found[0]["real_time"] * scale[found[0]["time_unit"]], memory


class Table:
    def __init__(self, peer):
        print(f"\n{'':22}{'ours':>12}{peer:>16}{'ratio':>8}")

    def row(self, name, mine, theirs, unit):
        """mine and theirs: one value per repeat."""
        a, b = statistics.median(mine), statistics.median(theirs)
        print(f"{name:22}{a:10.3f} {unit:<3}{b:12.3f} {unit:<3}{b / a:7.2f}x", flush=True)


def steps(build, options):
    table = Table("torch compile" if options.compile else "torch eager")
    peer = [sys.executable, HERE / "step_peer.py"]
    for mode, model, batch in STEPS:
        times, memories = ([], []), ([], [])
        for _ in range(options.repeats):
            seconds, memory = ours(build / "bin/step_bench", f"{mode}/{model}/{batch}", options.seconds)
            answer, peer_memory = run([*peer, mode, f"{model}:{batch}", "--seconds", options.seconds,
                                       "--how", "compile" if options.compile else "eager"])
            for values, pair in zip((times, memories), ((seconds, answer["seconds"]), (memory / 1e9, peer_memory / 1e9))):
                values[0].append(pair[0])
                values[1].append(pair[1])
        table.row(f"{mode}/{model}/{batch}", *times, "s")
        if mode == "train":
            table.row("  peak memory", *memories, "GB")


def features(build, options):
    table = Table("library")
    mine, theirs = {name: [] for name in FEATURES}, {}
    for _ in range(options.repeats):
        for name in FEATURES:
            mine[name].append(1e3 * ours(build / "bin/features_bench", name, 1)[0])
        for name, seconds in run([sys.executable, HERE / "features_peer.py"])[0].items():
            theirs.setdefault(name, []).append(1e3 * seconds)
    for name, values in theirs.items():
        table.row(name, mine[name.split()[0]], values, "ms")


def media(build, options):
    table = Table("ffmpeg program")
    for clip in ("360p", "720p"):
        values = [], []
        for _ in range(options.repeats):
            for column, title in zip(values, ("decode", "decode_ffmpeg")):
                column.append(1e3 * ours(build / "bin/loader_bench", f"{title}/{clip}", 1)[0])
        table.row(f"20 frames + sound {clip}", *values, "ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", choices=["steps", "features", "media"])
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    for name, work in (("features", features), ("media", media), ("steps", steps)):
        if options.only in (None, name):
            work(options.build, options)


if __name__ == "__main__":
    main()
