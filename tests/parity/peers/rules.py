"""Learning-rate schedules, averaged weights, mixup and one step of Adam, by PyTorch, timm, NumPy and Keras."""

import math

import numpy as np
import timm
import timm.scheduler
import timm.utils
import torch

from cases import FLOOR, Case, Precision, in_both_precisions
from random_numbers import Rng, mixup_plan
from training import KerasAdam, keras_version

PEER = f"PyTorch {torch.__version__.split('+')[0]}"
TIMM = f"timm {timm.__version__}"


def rates_of(scheduler, optimizer, steps):
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    return rates


def schedule_cases():
    def optimizer(rate=1.0):
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)

    for total, peak in ((101, 3e-4), (10, 1e-3)):
        spec = {"schedule": "one-cycle", "peak": peak, "total_steps": total, "steps": total}
        case = Case(f"schedule/one-cycle over {total}", "schedules", "schedule", PEER, spec)
        sgd = optimizer()
        one_cycle = torch.optim.lr_scheduler.OneCycleLR(sgd, peak, total_steps=total, cycle_momentum=False)
        rates = rates_of(one_cycle, sgd, total)
        case.expect("rate", rates, FLOOR)
        yield case
    for total, warm in ((200, 0.05), (37, 0.1), (30, 0.0)):
        spec = {"schedule": "cosine", "peak": 1e-3, "total_steps": total, "steps": total, "warm_fraction": warm}
        case = Case(f"schedule/cosine over {total}, warm-up {warm}", "schedules", "schedule", PEER, spec)
        first = math.floor(warm * total)
        sgd = optimizer(1e-3)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, total - first)
        rates = [1e-3 * (t + 1) / first for t in range(first)] + rates_of(cosine, sgd, total - first)
        case.expect("rate", rates, FLOOR)
        yield case
        case = Case(f"schedule/cosine over {total}, warm-up {warm}, timm", "schedules", "schedule", TIMM, spec)
        case.expect("rate", timm_rates(optimizer(1e-3), total, first), FLOOR)
        yield case


def timm_rates(sgd, total, first):
    """timm counts updates made, so that its warm-up begins at 0: here the first step already moves."""
    scheduler = timm.scheduler.CosineLRScheduler(
        sgd, t_initial=total - first, warmup_t=first, warmup_lr_init=0, warmup_prefix=True, t_in_epochs=False
    )
    rates = []
    for t in range(total):
        scheduler.step_update(t + 1 if t < first else t)
        rates.append(sgd.param_groups[0]["lr"])
    return rates


def torch_average(module):
    average = torch.optim.swa_utils.AveragedModel(module)
    average.update_parameters(module)  # the first call copies

    def update(decay):
        average.multi_avg_fn = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
        average.update_parameters(module)

    return average.module, update


def timm_average(module):
    average = timm.utils.ModelEmaV3(module)

    def update(decay):
        average.decay = decay
        average.update(module)

    return average.module, update


def average_cases():
    for steps, decay in ((12, 0.999), (60, 0.5)):
        for peer, start in ((PEER, torch_average), (TIMM, timm_average)):
            name = f"average/decay {decay}" + (", timm" if peer == TIMM else "")
            case = Case(name, "moving average", "average", peer, {"decay": decay})
            w = torch.tensor(case.draw("w", (1 + steps, 33)))
            module = torch.nn.Linear(33, 1, bias=False)
            with torch.no_grad():
                module.weight.copy_(w[:1])
            average, update = start(module)
            for t in range(1, steps + 1):
                with torch.no_grad():
                    module.weight.copy_(w[t : t + 1])
                update(min(decay, (1 + t) / (10 + t)))
            case.expect("average", average.weight.detach().numpy(), FLOOR)
            yield case


def mixup_cases():
    for scheme, n, step in (("author", 7, 0), ("author", 16, 5), ("beta", 9, 3)):
        spec = {"scheme": scheme, "alpha": 0.4, "seed": 17, "step": step}
        case = Case(f"mixup/{scheme} of {n}", "mixup", "mixup", f"NumPy {np.__version__}", spec)
        x = case.draw("x", (n, 4, 3))
        rows = mixup_plan(n, scheme, 0.4, Rng(17).fork("mixup", step))
        first, second, lam = (np.array(column) for column in zip(*rows))
        lam = lam.astype(Precision.real)
        case.expect("first", first, 0)
        case.expect("second", second, 0)
        case.expect("lambda", lam, FLOOR)
        wide = lam[:, None, None]
        case.expect("y", wide * x[first] + (1 - wide) * x[second], FLOOR)
        yield case


def adam_cases():
    for placement, t, l2 in (("corrected", 1, 0.0), ("corrected", 7, 0.03), ("hat", 1, 0.0), ("hat", 7, 0.03)):
        spec = {"placement": placement, "t": t, "epsilon": 1e-3, "l2": l2, "learning_rate": 0.01}
        peer = PEER if placement == "corrected" else keras_version()
        case = Case(f"adam/{placement}, step {t}", "Adam", "adam", peer, spec)
        draws = {"p": (1, 0), "g": (0.01, 0), "m": (0.01, 0), "v": (5e-5, 6e-5)}
        p, g, m, v = (torch.tensor(case.draw(name, (65,), *rule)) for name, rule in draws.items())
        if placement == "corrected":
            p.grad = g
            adam = torch.optim.Adam([p], lr=0.01, eps=1e-3, weight_decay=l2)
            adam.state[p] = {"step": torch.tensor(float(t - 1)), "exp_avg": m, "exp_avg_sq": v}
            adam.step()
        else:
            p.grad = g
            adam = KerasAdam({"w.weight": (p, None)}, 0.01, 1e-3, l2)
            optimizer = adam.optimizer
            optimizer._momentums[0].assign(m)
            optimizer._velocities[0].assign(v)
            optimizer.iterations.assign(t - 1)
            adam.step()
            m, v = optimizer._momentums[0].value.detach(), optimizer._velocities[0].value.detach()
        for name, values in (("p", p), ("m", m), ("v", v)):
            case.expect(name, values.detach().numpy(), FLOOR)
        yield case


def cases(_form, _folder):
    for group in (schedule_cases, average_cases, mixup_cases, adam_cases):
        yield from in_both_precisions(group)
