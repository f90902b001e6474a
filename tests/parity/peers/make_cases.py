"""Makes files of cases with the peers' answers, for parity_check and parity_tests.

  make_cases.py FOLDER [--golden | --full] [--only ops,training,keras_networks,rules,fusion,media]

--golden: the small form that is checked in (reduced networks; of large answers every so many values only).
--full: networks at full width on inputs of full size.
"""

import argparse
import importlib
import importlib.metadata
import os
import pathlib
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "torch")
GROUPS = ("ops", "training", "keras_networks", "rules", "fusion", "media")
PACKAGES = ("torch", "torchvision", "timm", "keras", "scikit-learn", "librosa", "Gammatone", "soxr", "av", "numpy")


def main():
    import cases as case_files

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    forms = parser.add_mutually_exclusive_group()
    for form in ("golden", "full"):
        forms.add_argument(f"--{form}", action="store_const", const=form, dest="form", default="usual")
    parser.add_argument("--only", default=",".join(GROUPS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    versions = {p: importlib.metadata.version(p) for p in PACKAGES}
    for group in options.only.split(","):
        began = time.perf_counter()
        made = list(importlib.import_module(group).cases(options.form, options.folder))
        path = options.folder / f"{group}.safetensors"
        case_files.save(path, made, versions, narrow=True)
        print(
            f"{path}: {len(made)} cases, {path.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - began:.0f} s",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
