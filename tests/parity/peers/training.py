"""Whole networks: stages, gradients, and ten training steps, by PyTorch (and Keras' own Adam) in double precision."""

import sys

import numpy as np
import torch

import networks
from cases import NETWORK_FLOOR, Case, Precision, in_both_precisions, rounded
from random_numbers import Rng, mixup_plan

PEER = f"PyTorch {torch.__version__.split('+')[0]}"
KL_CLIP = 1e-7
MODELS = ("aud-mel", "aud-gam", "aud-cqt", "vis-inc", "vis-conv")
SMALL = {"aud-mel": (48, 40), "aud-gam": (33, 65), "aud-cqt": (64, 44), "vis-inc": (107, 107), "vis-conv": (40, 48)}
WHOLE = {model: (128, 704) if model.startswith("aud") else (224, 224) for model in MODELS}


class Extent:
    """How large networks and batches are in a form of the cases, and how many values of an answer are kept."""

    def __init__(self, form):
        self.full = full = form == "full"
        self.most = {"golden": 48, "usual": None, "full": 20000}[form]
        self.width = {"golden": 0.125, "usual": 0.25, "full": 1.0}[form]
        self.sizes = WHOLE if full else SMALL
        self.pass_batch = 2 if full else 4
        # An odd batch leaves a row of the author's scheme unmixed. At full size a row of sound takes 1.4 GB.
        self.step_batch = {"author": 2 if full else 5, "beta": 2 if full else 8}
        # At full size one sound network represents the three, which differ only in their spectrograms.
        self.models = ("aud-mel", "vis-inc", "vis-conv") if full else MODELS


def options_of(model, width, **others):
    return {
        "model": model,
        "classes": 7,
        "width": width,
        "image_size": 107,
        "dropout": 0.2,
        "pool_padding": "ignored",
        "batch_norm_gamma": "one",
        "head": "hidden1024",
        "batch_norm_new_value_weight": 0.01,
        "seed": 1,
    } | others


def rule_of(name, shape):
    """scale and shift of what is drawn for a parameter or buffer: sizes that a network in training has."""
    if name.endswith(("gamma", "gain", "running_variance")):
        return 0.3, 1.0
    if name.endswith(".bn.beta") and name.startswith(("stem", "mixed")):
        # InceptionV3: most values pass the ReLU. With 94 BatchNorms and ReLUs in a row, values on both sides of the
        # kink amplify rounding so much that PyTorch's own single precision differs from its double precision by 10 %.
        # Before the stem's max pools most values must not pass, or the next BatchNorm cancels the effect of beta.
        return (0.3, -0.8) if name in ("stem.2.bn.beta", "stem.5.bn.beta") else (0.4, 1.5)
    if name.endswith("layer_scale"):
        return 0.2, 0.3
    if name.endswith(("bias", "beta", "running_mean")):
        return 0.2, 0.0
    fan_in = np.prod(shape[:2]) if len(shape) == 3 else np.prod(shape[1:])
    return (6 / fan_in) ** 0.5, 0.0  # the variance of He's rule, uniform


def draw_network(case, options):
    clock = {"seed": case.spec["seed"], "step": case.spec.get("step", 0)}
    net = networks.make(options, clock)
    parameters, buffers = net.names()
    for prefix, tensors in (("param/", parameters), ("buffer/", buffers)):
        for name, (tensor, axes) in tensors.items():
            shape = networks.our_shape(name, tensor, axes)
            networks.fill(tensor, axes, case.draw(prefix + name, shape, *rule_of(name, shape)))
    return net, clock, parameters, buffers


def draw_input(case, model, n, size):
    if model.startswith("vis"):
        return torch.tensor(case.draw("x", (n, *size, 3), 127.5, 127.5))
    return torch.tensor(case.draw("x", (n, *size, 6), 1.7))


SHAKE = 5e-7  # a few roundings of single precision


def shaken(t, amount, noise):
    return t * (1 + amount * (2 * torch.rand(t.shape, generator=noise) - 1))


def sensitivity(parameters, x, run_backward):
    """By how much a change of 5e-7 in everything that goes in, there and back, changes each gradient. Where a value lies
    within rounding of a ReLU's kink, or two in a max pool, that is much: no single precision can agree there."""
    before = [(tensor, tensor.detach().clone(), tensor.grad) for tensor in parameters]
    changes = [0.0] * len(before)
    for amount in (SHAKE, -SHAKE):
        noise = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for tensor, value, _ in before:
                tensor.grad = None
                tensor.copy_(shaken(value, amount, noise))
        run_backward(shaken(x, amount, noise))
        for i, (tensor, _, gradient) in enumerate(before):
            changes[i] = max(changes[i], float((tensor.grad - gradient).norm() / gradient.norm()))
    return changes


def are_well_posed(extent, tensors, x, run_backward):
    """Small networks are drawn again until no gradient is sensitive. Large ones have so many values that some always lie
    at a kink, which rounding crosses, in the peer's single precision too."""
    return extent.full or max(sensitivity(list(tensors.values()), x, run_backward)) <= 5e-4


def first_well_posed(make):
    """make(attempt) returns a case and how to find out whether it is well posed."""
    for attempt in range(50):
        case, is_well_posed = make(attempt)
        if is_well_posed():
            return in_both_precisions(lambda: [make(attempt)[0]], [case])[0]
        print(f"{case.name}: draw {attempt} is not well posed", file=sys.stderr)
    raise RuntimeError(f"{case.name}: 50 draws, and none is well posed")


STEADY = 2e-5  # tolerance of the losses under SHAKE


def well_posed_steps(extent, make):
    """make(attempt, shake) trains from a draw, its parameters and inputs shaken so much, and returns a case and the losses.
    Steps go on from where rounding has led them: draws are taken whose losses shakes hardly move; at full size, where none
    may be found soon, what they move counts as the peer's own error."""

    def once(attempt):
        case, losses = make(attempt, 0.0)

        def is_well_posed():
            change = 0.0
            for shake in (SHAKE, -SHAKE):
                moved = np.subtract(make(attempt, shake)[1], losses)
                change = max(change, float(np.linalg.norm(moved) / np.linalg.norm(losses)))
                if not extent.full and change > STEADY:
                    return False
            if extent.full:
                case.expected["loss"]["single"] = rounded(change)
            return True

        return case, is_well_posed

    return first_well_posed(once)


def network_case(name, options, extent, attempt):
    n, size, most = extent.pass_batch, extent.sizes[options["model"]], extent.most
    spec = {"backbone": options, "seed": 11, "step": 2}
    case = Case(f"network/{name}", "networks", "network", PEER, spec, attempt)
    net, _, parameters, buffers = draw_network(case, options)
    x = draw_input(case, options["model"], n, size)
    net.eval()
    with torch.no_grad():
        for stage, y in net(x).items():
            case.expect(f"infer/{stage}", y.numpy(), NETWORK_FLOOR, most)
    net.train()
    stages = net(x)
    for stage, y in stages.items():
        case.expect(f"train/{stage}", y.detach().numpy(), NETWORK_FLOOR, most)
    dlogits = torch.tensor(case.draw("dlogits", (n, options["classes"])))
    stages["logits"].backward(dlogits)
    for ours, (tensor, axes) in parameters.items():
        case.expect(f"grad/{ours}", networks.to_ours(tensor.grad, axes), NETWORK_FLOOR, most)
    for ours, (tensor, axes) in buffers.items():
        case.expect(f"stat/{ours}", networks.to_ours(tensor, axes), NETWORK_FLOOR, most)
    tensors = {name: tensor for name, (tensor, _) in parameters.items()}
    run_backward = lambda x: net(x)["logits"].backward(dlogits)
    return case, lambda: are_well_posed(extent, tensors, x, run_backward)


def decays(name):
    """L2 applies to weights, not to biases and norms."""
    return name.endswith(".weight")


class KerasAdam:
    """Keras' Adam (epsilon added to the uncorrected root) over torch tensors, by Keras itself."""

    def __init__(self, parameters, rate, epsilon, l2):
        import keras

        dtype = np.dtype(Precision.real).name
        keras.config.set_floatx(dtype)
        self.parameters, self.l2 = parameters, l2
        self.variables = [keras.Variable(tensor.detach().clone(), dtype=dtype) for tensor, _ in parameters.values()]
        self.optimizer = keras.optimizers.Adam(learning_rate=rate, epsilon=epsilon)
        self.optimizer.build(self.variables)

    def step(self):
        gradients = [
            tensor.grad + (self.l2 * tensor.detach() if decays(name) else 0)
            for name, (tensor, _) in self.parameters.items()
        ]
        with torch.no_grad():
            self.optimizer.apply(gradients, self.variables)
            for (tensor, _), variable in zip(self.parameters.values(), self.variables):
                tensor.copy_(variable.value)
                tensor.grad = None


class TorchAdam:
    def __init__(self, parameters, rate, epsilon, l2):
        groups = [
            {"params": [t for name, (t, _) in parameters.items() if decays(name) == wanted], "weight_decay": decay}
            for wanted, decay in ((True, l2), (False, 0))
        ]
        self.optimizer = torch.optim.Adam(groups, lr=rate, eps=epsilon)

    def step(self):
        self.optimizer.step()
        self.optimizer.zero_grad()


def kl_loss(logits, targets):
    p, t = torch.softmax(logits, dim=-1).clip(KL_CLIP, 1), targets.clip(KL_CLIP, 1)
    return (t * torch.log(t / p)).sum(-1).mean()


def keras_version():
    import keras

    return f"Keras {keras.__version__}"


def steps_spec(options, placement, scheme):
    # The paper's learning rate: at ten times that, ten steps of InceptionV3 over few values amplify rounding to 0.3 %
    # of the loss. Epsilon and L2 are large, so that their placement matters.
    return {
        "backbone": options,
        "steps": 10,
        "seed": 21,
        "learning_rate": 1e-4,
        "mixup": scheme,
        "mixup_alpha": 0.4,
        "adam": {"epsilon": 1e-3, "placement": placement, "l2": 0.05},
    }


def draw_batches(case, extent):
    """All steps' pictures or spectrograms, and their targets."""
    model, classes = case.spec["backbone"]["model"], case.spec["backbone"]["classes"]
    rows = extent.step_batch[case.spec["mixup"]] * case.spec["steps"]
    x = draw_input(case, model, rows, extent.sizes[model])
    labels = np.random.default_rng(3).integers(0, classes, rows)
    return x, torch.tensor(case.store("targets", np.eye(classes)[labels]))


def mixed_batch(spec, step, x, targets):
    n = len(x) // spec["steps"]
    rows = mixup_plan(n, spec["mixup"], spec["mixup_alpha"], Rng(spec["seed"]).fork("mixup", step))
    first, second = [r[0] for r in rows], [r[1] for r in rows]
    lam = torch.tensor([float(r[2]) for r in rows])
    mix = lambda t, lam: lam * t[first] + (1 - lam) * t[second]
    batch = slice(step * n, (step + 1) * n)
    return mix(x[batch], lam[:, None, None, None]), mix(targets[batch], lam[:, None])


def steps_case(options, placement, scheme, extent, attempt, shake):
    spec, most = steps_spec(options, placement, scheme), extent.most
    peer = PEER if placement == "corrected" else f"{PEER}, Adam of {keras_version()}"
    case = Case(f"ten steps/{options['model']}, {placement}", "ten steps", "steps", peer, spec, attempt)
    net, clock, parameters, buffers = draw_network(case, options)
    x, targets = draw_batches(case, extent)
    noise = torch.Generator().manual_seed(1)
    x = shaken(x, shake, noise)
    with torch.no_grad():
        for tensor, _ in parameters.values():
            tensor.copy_(shaken(tensor, shake, noise))
    kind = TorchAdam if placement == "corrected" else KerasAdam
    adam = kind(parameters, spec["learning_rate"], spec["adam"]["epsilon"], spec["adam"]["l2"])
    net.train()
    losses = []
    for step in range(spec["steps"]):
        clock["step"] = step
        inputs, wanted = mixed_batch(spec, step, x, targets)
        loss = kl_loss(net(inputs)["logits"], wanted)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    case.expect("loss", losses, NETWORK_FLOOR)
    for ours, (tensor, axes) in parameters.items():
        case.expect(f"param/{ours}", networks.to_ours(tensor, axes), NETWORK_FLOOR, most)
    for ours, (tensor, axes) in buffers.items():
        case.expect(f"stat/{ours}", networks.to_ours(tensor, axes), NETWORK_FLOOR, most)
    return case, losses


def cases(form, _folder):
    extent = Extent(form)
    for model in extent.models:
        yield first_well_posed(lambda a: network_case(model, options_of(model, extent.width), extent, a))
    torchvision_form = options_of("vis-inc", extent.width, pool_padding="counted", batch_norm_gamma="learned")
    yield first_well_posed(lambda a: network_case("vis-inc, torchvision's form", torchvision_form, extent, a))
    for i, model in enumerate(extent.models):
        # The two schemes and the two forms of epsilon alternate.
        both = form == "usual" or (form == "golden" and model == "vis-conv")
        for placement in ("hat", "corrected") if both else (("hat", "corrected")[i % 2],):
            scheme = "author" if placement == "hat" else "beta"
            options = options_of(model, extent.width)
            yield well_posed_steps(extent, lambda *draw: steps_case(options, placement, scheme, extent, *draw))
