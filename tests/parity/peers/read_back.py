"""The other direction: checkpoints that this engine wrote, read by the safetensors library into torchvision's and
Keras' own networks (the sound network: into the one of networks.py), which must answer as the engine did.

  read_back.py FOLDER     network-*.safetensors and answers-*.safetensors, as `parity_check --write FOLDER` leaves them

Prints a line of docs/parity.md's tables for each library, and the mistakes planted while reading; exit 1 when an answer
is over its tolerance or a mistake goes unnoticed.
"""

import json
import os
import pathlib
import sys

import numpy as np
import torch
from safetensors import safe_open

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras_networks  # noqa: E402 (the backend is chosen before)
import networks  # noqa: E402
from cases import NETWORK_FLOOR  # noqa: E402

TOLERANCE = NETWORK_FLOOR


def load(path):
    with safe_open(str(path), "np") as file:
        return {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}, file.metadata()


def expect_names(tensors, wanted, path):
    if set(tensors) != set(wanted):
        raise SystemExit(f"{path}: names differ: {sorted(set(tensors) ^ set(wanted))[:6]}")


def by_torch(options, tensors, x, path):
    net = networks.make(options, {"seed": 1, "step": 0})
    parameters, buffers = net.names()
    expect_names(tensors, parameters | buffers, path)
    for name, (tensor, axes) in (parameters | buffers).items():
        networks.fill(tensor, axes, tensors[name])
    net.eval()
    with torch.no_grad():
        return {name: y.numpy() for name, y in net(torch.tensor(x)).items()}


def by_keras(options, tensors, x, path):
    net, parameters, buffers, preprocess = keras_networks.build(options, x.shape[1:3])
    heads = {name: values for name, values in tensors.items() if name.startswith("head.")}
    expect_names(tensors, parameters | buffers | heads, path)
    for name, (weight, axes) in (parameters | buffers).items():
        keras_networks.assign(weight, axes, tensors[name])
    head = {name: (keras_networks.keras.Variable(values, dtype="float64"), None) for name, values in heads.items()}
    with torch.no_grad():
        stages = keras_networks.run(net, head, preprocess(torch.tensor(x)), False)
        return {name: y.numpy() for name, y in stages.items()}


def statistics_exchanged(tensors):
    changed = dict(tensors)
    for name in tensors:
        if name.endswith("running_mean"):
            other = name.replace("running_mean", "running_variance")
            changed[name], changed[other] = tensors[other], tensors[name]
    return changed


def filters_unturned(tensors):
    """Rows and columns exchanged in every square filter: a transpose that was missed."""
    square = lambda v, a: v.ndim >= 3 and v.shape[a] == v.shape[a + 1] > 1
    turned = lambda v: np.swapaxes(v, 0, 1) if v.ndim == 3 else np.swapaxes(v, 1, 2)
    return {name: turned(v) if square(v, 0 if v.ndim == 3 else 1) else v for name, v in tensors.items()}


MISTAKES = {"mean and variance exchanged": statistics_exchanged, "a missed transpose": filters_unturned}


def error_of(got, wanted):
    """The worst relative norm error, and where; NaN, or an answer of another shape, is infinitely far."""
    errors = {}
    for name, theirs in wanted.items():
        ours = got[name]
        same = ours.shape == theirs.shape
        error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) if same else np.inf
        errors[name] = np.inf if np.isnan(error) else error
    worst = max(errors, key=errors.get)
    return errors[worst], worst


def main():
    folder = pathlib.Path(sys.argv[1])
    rows, caught = {}, {}
    for file in sorted(folder.glob("network-*.safetensors")):
        tensors, metadata = load(file)
        answers, about = load(folder / file.name.replace("network-", "answers-"))
        options, x = json.loads(metadata["backbone"]), answers.pop("x")
        is_keras = about["peer"].startswith("Keras")
        read = by_keras if is_keras else by_torch
        error, where = error_of(read(options, tensors, x, file), answers)
        row = rows.setdefault(about["peer"], [0, 0, -1.0, ""])
        row[0], row[1] = row[0] + 1, row[1] + len(answers)
        if error > row[2]:
            row[2:] = [error, f"{about['case']}: {where}"]
        for mistake, plant in MISTAKES.items():
            spoilt = plant(tensors)
            if all(spoilt[name] is tensors[name] for name in tensors):
                continue
            error, where = error_of(read(options, spoilt, x, file), answers)
            count = caught.setdefault(mistake, [0, 0, -1.0, ""])
            count[0] += not error <= TOLERANCE
            count[1] += 1
            if error > count[2]:
                count[2:] = [error, f"{about['case']}: {where}"]
    good = True
    for peer, (cases, answers, error, where) in rows.items():
        over = not error <= TOLERANCE
        good = good and not over
        print(
            f"| checkpoints read back | {peer} | {cases} | {answers} | {error:.1e}{' **over**' if over else ''} "
            f"| `{where}` | {TOLERANCE:.0e} |"
        )
    for mistake, (number, cases, error, where) in caught.items():
        good = good and number > 0
        print(
            f"| checkpoints read back | {mistake}, while reading | {number} of {cases} | `{where}` | {error:.1e} "
            f"| {TOLERANCE:.0e} |"
        )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
