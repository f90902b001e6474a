"""Phase II: f1..f6 trained to convergence by PyTorch from the same first weights; figures by scikit-learn."""

import warnings

import numpy as np
import sklearn
import torch
from sklearn import metrics

from cases import FLOOR, NETWORK_FLOOR, Case, Precision, in_both_precisions
from random_numbers import Rng, philox
from training import kl_loss

PEER = f"PyTorch {torch.__version__.split('+')[0]}"
SKLEARN = f"scikit-learn {sklearn.__version__}"
INPUTS = ("aud-mel", "aud-gam", "aud-cqt", "vis-inc", "vis-conv")


def expect_figures(case, probabilities, labels, classes):
    probabilities = probabilities.astype(np.float64)
    predicted = probabilities.argmax(axis=1)
    names = list(range(classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes without a prediction, rows of f32 that sum to 1 - 1e-7
        recalls = metrics.recall_score(labels, predicted, labels=names, average=None, zero_division=0)
        losses = [
            metrics.log_loss(labels[labels == k], probabilities[labels == k], labels=names)
            for k in names
            if (labels == k).any()
        ]
        case.expect("micro_accuracy", [metrics.accuracy_score(labels, predicted)], 0)
        case.expect("macro_accuracy", [metrics.balanced_accuracy_score(labels, predicted)], FLOOR)
        case.expect("class_accuracy", recalls, 0)
        case.expect("confusion", metrics.confusion_matrix(labels, predicted, labels=names), 0)
        case.expect("log_loss", [metrics.log_loss(labels, probabilities, labels=names)], FLOOR)
        case.expect("macro_log_loss", [np.mean(losses)], FLOOR)


def metrics_cases():
    for name, n, classes, scale in (
        ("ten classes", 365, 10, 2),
        ("two classes", 9, 2, 1),
        ("absent classes", 12, 10, 3),
    ):
        case = Case(f"metrics/{name}", "metrics", "metrics", SKLEARN, {})
        random = np.random.default_rng(n)
        logits = random.normal(size=(n, classes)) * scale
        labels = case.store("labels", random.integers(0, classes - (4 if name.startswith("absent") else 0), n))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        p = p.astype(np.float32)
        expect_figures(case, case.store("probabilities", p), labels, classes)
        yield case


def glorot_uniform(path, n_out, n_in, seed):
    """As layers/init.cpp draws it, in f32."""
    stream = Rng(seed).fork("initial weights").fork(path).stream
    words = philox(seed, stream, np.arange(n_out * n_in))[0]
    uniform = (words >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)
    limit = np.sqrt(np.float32(6) / np.float32(n_in + n_out))
    return (limit * (np.float32(2) * uniform - np.float32(1))).astype(Precision.real).reshape(n_out, n_in)


class Fusion:
    """docs/paper.md#fusions: sums weighted element by element, then one dense layer."""

    def __init__(self, method, d, classes, seed):
        self.form = (int(method[1]) - 1) % 3  # one sum; sums of sums; sums side by side
        self.parameters = {}
        sound, pictures = [n for n in INPUTS if n[0] == "a"], [n for n in INPUTS if n[0] == "v"]
        sums = [
            {"all": INPUTS},
            {"sound": sound, "pictures": pictures, "joint": ("sound", "pictures")},
            {"sound": sound, "pictures": pictures},
        ][self.form]
        for name, terms in sums.items():
            for term in terms:
                self.parameters[f"{name}.weight.{term}"] = torch.full(
                    (d,), float(np.float32(1 / np.float32(len(terms))))
                )
            self.parameters[f"{name}.bias"] = torch.zeros(d)
        width = 2 * d if self.form == 2 else d
        self.parameters["classifier.weight"] = torch.tensor(glorot_uniform("classifier.weight", classes, width, seed))
        self.parameters["classifier.bias"] = torch.zeros(classes)
        for tensor in self.parameters.values():
            tensor.requires_grad_()

    def sum(self, name, x):
        p = self.parameters
        return sum(p[f"{name}.weight.{term}"] * values for term, values in x.items()) + p[f"{name}.bias"]

    def __call__(self, x):
        if self.form == 0:
            e = self.sum("all", x)
        else:
            groups = {
                "sound": self.sum("sound", {n: v for n, v in x.items() if n[0] == "a"}),
                "pictures": self.sum("pictures", {n: v for n, v in x.items() if n[0] == "v"}),
            }
            e = self.sum("joint", groups) if self.form == 1 else torch.cat(list(groups.values()), dim=1)
        return e @ self.parameters["classifier.weight"].T + self.parameters["classifier.bias"]


def fusion_case(method, most, fc1024):
    d, classes, n = (fc1024, 10, 120) if method <= "f3" else (10, 10, 120)
    fusion = {
        "method": method,
        "inputs": list(INPUTS),
        "embedding_size": d,
        "classes": classes,
        "activation": "none",
        "seed": 4,
    }
    spec = {"fusion": fusion, "epochs": 250, "learning_rate": 0.02, "l2": 0.02}
    case = Case(f"fusion/{method}", "fusions", "fusion", f"{PEER}, {SKLEARN}", spec)
    labels = case.store("labels", np.random.default_rng(8).integers(0, classes, n))
    x = {name: torch.tensor(case.draw(name, (n, d), 1.5)) for name in INPUTS}
    targets = torch.eye(classes)[labels]
    net = Fusion(method, d, classes, fusion["seed"])
    decays = [p for name, p in net.parameters.items() if not name.endswith("bias")]
    others = [p for name, p in net.parameters.items() if name.endswith("bias")]
    adam = torch.optim.Adam(
        [{"params": decays, "weight_decay": spec["l2"]}, {"params": others}], lr=spec["learning_rate"], eps=1e-7
    )
    epochs, warm = spec["epochs"], int(0.05 * spec["epochs"])
    for t in range(epochs):
        share = (t + 1) / warm if t < warm else (1 + np.cos(np.pi * (t - warm) / (epochs - warm))) / 2
        for group in adam.param_groups:
            group["lr"] = spec["learning_rate"] * share
        adam.zero_grad()
        kl_loss(net(x), targets).backward()
        adam.step()
    with torch.no_grad():
        probabilities = torch.softmax(net(x), dim=1).numpy()
    expect_figures(case, probabilities, labels, classes)
    case.expect("probabilities", probabilities, NETWORK_FLOOR, most)
    for name, tensor in net.parameters.items():
        case.expect(f"param/{name}", tensor.detach().numpy(), NETWORK_FLOOR, most)
    return case


def cases(form, _folder):
    torch.set_num_threads(1)  # the steps are too small for more threads
    yield from metrics_cases()
    most, fc1024 = 96 if form == "golden" else None, 1024 if form == "full" else 48
    yield from in_both_precisions(lambda: (fusion_case(f"f{i}", most, fc1024) for i in range(1, 7)))
