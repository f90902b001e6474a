"""Every op, forward and gradients, by PyTorch: odd shapes and shapes of the five networks."""

import numpy as np
import torch
from torch.nn import functional as F

from cases import FLOOR, Case, in_both_precisions
from random_numbers import dropout_mask

PEER = f"PyTorch {torch.__version__.split('+')[0]}"


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


class OpCase:
    """Draws inputs as leaf tensors, runs `compute`, and expects y and the gradient of every leaf under a random dy."""

    def __init__(self, most, name, op, spec=None, floor=FLOOR):
        self.most, self.floor, self.leaves = most, floor, {}
        self.case = Case(f"{op}/{name}", "ops", "op", PEER, {"op": op, **(spec or {})})

    def leaf(self, name, shape, scale=1.0, shift=0.0):
        x = torch.tensor(self.case.draw(name, shape, scale, shift), requires_grad=True)
        self.leaves[name] = x
        return x

    def fixed(self, name, shape, scale=1.0, shift=0.0):
        return torch.tensor(self.case.draw(name, shape, scale, shift))

    def stored(self, name, values):
        return torch.tensor(self.case.store(name, values))

    def done(self, y, **others):
        self.case.expect("y", y.detach().numpy(), self.floor, self.most)
        for name, values in others.items():
            self.case.expect(name, values.detach().numpy(), self.floor, self.most)
        if y.requires_grad:
            dy = torch.tensor(self.case.draw("dy", tuple(y.shape)))
            y.backward(dy)
            for name, leaf in self.leaves.items():
                self.case.expect(f"d_{name}", leaf.grad.numpy(), self.floor, self.most)
        return self.case


def pad(x, padding):
    """x: NCHW; padding: top, bottom, left, right."""
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom))


def conv2d(most, name, x, w, padding=(0, 0, 0, 0), stride=(1, 1), bias=False):
    o = OpCase(most, name, "conv2d", {"padding": list(padding), "stride": list(stride)})
    xs, ws = o.leaf("x", x), o.leaf("w", w, scale=(3 / np.prod(w[1:])) ** 0.5)
    bs = o.leaf("bias", (w[0],)) if bias else None
    return o.done(nhwc(F.conv2d(pad(nchw(xs), padding), nchw(ws), bs, stride=stride)))


def depthwise(x, w, bias, padding):
    c = x.shape[-1]
    return nhwc(F.conv2d(pad(nchw(x), padding), w.permute(2, 0, 1).unsqueeze(1), bias, groups=c))


def depthwise_conv2d(most, name, x, extent, padding, bias=True):
    o = OpCase(most, name, "depthwise_conv2d", {"padding": list(padding)})
    xs, ws = o.leaf("x", x), o.leaf("w", (*extent, x[-1]))
    return o.done(depthwise(xs, ws, o.leaf("bias", (x[-1],)) if bias else None, padding))


def depthwise_layer_norm(most, name, x, extent, padding):
    o = OpCase(most, name, "depthwise_layer_norm", {"padding": list(padding), "epsilon": 1e-2})
    c = x[-1]
    xs, ws = o.leaf("x", x), o.leaf("w", (*extent, c), scale=0.1)
    y = depthwise(xs, ws, o.leaf("conv_bias", (c,)), padding)
    return o.done(F.layer_norm(y, (c,), o.leaf("gain", (c,), 0.5, 1), o.leaf("bias", (c,)), 1e-2))


def convolutions(most):
    same = lambda r, s: ((r - 1) // 2, r // 2, (s - 1) // 2, s // 2)
    yield conv2d(most, "odd", (2, 7, 9, 5), (6, 3, 3, 5), same(3, 3), bias=True)
    yield conv2d(most, "even filters", (2, 6, 11, 3), (5, 4, 2, 3), same(4, 2))
    yield conv2d(most, "strided", (3, 11, 8, 4), (7, 3, 3, 4), (0, 0, 0, 0), (2, 2))
    yield conv2d(most, "uneven strides", (1, 13, 9, 3), (4, 2, 3, 3), (1, 0, 2, 1), (3, 2), bias=True)
    yield conv2d(most, "one pixel", (1, 1, 1, 3), (2, 1, 1, 3))
    yield conv2d(most, "sound 1x4", (1, 16, 44, 64), (32, 1, 4, 64), same(1, 4))
    yield conv2d(most, "sound 4x1", (1, 16, 44, 64), (32, 4, 1, 64), same(4, 1))
    yield conv2d(most, "sound 3x3", (1, 32, 44, 6), (16, 3, 3, 6), same(3, 3))
    yield conv2d(most, "inception 1x7", (1, 12, 12, 96), (64, 1, 7, 96), same(1, 7))
    yield conv2d(most, "inception 5x5", (1, 17, 17, 48), (64, 5, 5, 48), same(5, 5))
    yield conv2d(most, "inception stem", (1, 75, 75, 3), (32, 3, 3, 3), (0, 0, 0, 0), (2, 2))
    yield conv2d(most, "convnext stem", (1, 64, 64, 3), (96, 4, 4, 3), (0, 0, 0, 0), (4, 4), bias=True)
    yield conv2d(most, "convnext down", (1, 14, 14, 96), (192, 2, 2, 96), (0, 0, 0, 0), (2, 2), bias=True)
    yield depthwise_conv2d(most, "odd", (2, 5, 7, 3), (3, 3), same(3, 3))
    yield depthwise_conv2d(most, "even filter", (1, 6, 5, 9), (2, 4), same(2, 4), bias=False)
    yield depthwise_conv2d(most, "convnext", (1, 14, 14, 96), (7, 7), same(7, 7))
    yield depthwise_layer_norm(most, "odd", (2, 5, 4, 7), (3, 3), same(3, 3))
    yield depthwise_layer_norm(most, "convnext", (1, 14, 14, 96), (7, 7), same(7, 7))


def products(most):
    for name, rows, n_in, n_out in (
        ("odd", (3,), 5, 7),
        ("square", (4,), 6, 6),
        ("pixels", (2, 3, 5), 9, 4),
        ("FC 1024", (8,), 768, 1024),
        ("classes", (8,), 1024, 10),
    ):
        o = OpCase(most, name, "linear")
        x, w = o.leaf("x", (*rows, n_in)), o.leaf("w", (n_out, n_in), (3 / n_in) ** 0.5)
        yield o.done(F.linear(x, w, o.leaf("bias", (n_out,)) if name != "square" else None))
    for name, rows, n_in, n_out in (("odd", (3,), 5, 7), ("square", (4,), 6, 6), ("convnext", (1, 7, 7), 96, 384)):
        o = OpCase(most, name, "linear_gelu")
        x, w = o.leaf("x", (*rows, n_in)), o.leaf("w", (n_out, n_in), 1.5 * (3 / n_in) ** 0.5)
        yield o.done(F.gelu(F.linear(x, w, o.leaf("bias", (n_out,)))))
    for name, rows, n_in, hidden, n_out in (("odd", (3,), 5, 7, 4), ("convnext", (1, 7, 7), 96, 384, 96)):
        o = OpCase(most, name, "mlp")
        x, w1 = o.leaf("x", (*rows, n_in)), o.leaf("w1", (hidden, n_in), 1.5 * (3 / n_in) ** 0.5)
        h = F.gelu(F.linear(x, w1, o.leaf("bias1", (hidden,))))
        yield o.done(F.linear(h, o.leaf("w2", (n_out, hidden), (3 / hidden) ** 0.5), o.leaf("bias2", (n_out,))))


def batch_norm(most, name, shape, gamma, residual, activation, training):
    op = "batch_norm" if training else "batch_norm_inference"
    spec = {"epsilon": 1e-2, "activation": activation}
    if training:
        spec |= {"new_value_weight": 0.01, "running_variance": "unbiased"}
    o = OpCase(most, name, op, spec)
    c = shape[-1]
    x = o.leaf("x", shape, 0.5, 0.3)
    g = o.leaf("gamma", (c,), 0.5, 1) if gamma else None
    b = o.leaf("beta", (c,))
    mean, variance = o.fixed("mean", (c,)), o.fixed("variance", (c,), 0.4, 0.5)
    y = nhwc(F.batch_norm(nchw(x), mean, variance, g, b, training, 0.01, 1e-2))
    if residual:
        y = y + o.leaf("residual", shape)
    y = F.relu(y) if activation == "relu" else y
    return o.done(y, **({"mean": mean, "variance": variance} if training else {}))


def norms_side_by_side(most, name, shape, channels):
    """A BatchNorm with gamma of the batch, a tensor as it is, and one without gamma of running moments."""
    o = OpCase(most, name, "concat_batch_norms", {"epsilon": 1e-2, "activation": "relu"})
    x = [o.leaf(f"x{i}", (*shape, c), 0.5, 0.3) for i, c in enumerate(channels)]
    gamma0, beta0 = o.leaf("gamma0", channels[:1], 0.5, 1), o.leaf("beta0", channels[:1])
    beta2 = o.leaf("beta2", channels[2:])
    mean, variance = o.fixed("mean2", channels[2:]), o.fixed("variance2", channels[2:], 0.4, 0.5)
    first = F.relu(nhwc(F.batch_norm(nchw(x[0]), None, None, gamma0, beta0, True, 0.01, 1e-2)))
    last = F.relu(nhwc(F.batch_norm(nchw(x[2]), mean, variance, None, beta2, False, 0.01, 1e-2)))
    return o.done(torch.cat((first, x[1], last), dim=-1))


def norms(most):
    yield norms_side_by_side(most, "odd", (2, 3, 4), (5, 2, 3))
    yield norms_side_by_side(most, "inception", (2, 5, 5), (32, 16, 64))
    for training in (True, False):
        yield batch_norm(most, "odd", (2, 3, 4, 5), True, False, "none", training)
        yield batch_norm(most, "few values", (3, 1, 1, 7), True, False, "none", training)
        yield batch_norm(most, "no gamma, relu", (2, 8, 8, 32), False, False, "relu", training)
        yield batch_norm(most, "residual, relu", (2, 8, 11, 64), True, True, "relu", training)
    for name, shape, epsilon in (
        ("odd", (3, 5), 1e-2),
        ("pixels", (2, 3, 3, 8), 1e-3),
        ("convnext", (1, 7, 7, 96), 1e-2),
    ):
        o = OpCase(most, name, "layer_norm", {"epsilon": epsilon})
        c = shape[-1]
        x = o.leaf("x", shape, 0.5, 0.2)
        yield o.done(F.layer_norm(x, (c,), o.leaf("gain", (c,), 0.5, 1), o.leaf("bias", (c,)), epsilon))


def element_wise(most):
    for shape in ((31,), (2, 7, 7, 96)):
        name = "odd" if len(shape) == 1 else "pixels"
        o = OpCase(most, name, "relu")
        yield o.done(F.relu(o.leaf("x", shape)))
        o = OpCase(most, name, "gelu")
        yield o.done(F.gelu(o.leaf("x", shape, 4)))
        o = OpCase(most, name, "add")
        yield o.done(o.leaf("a", shape) + o.leaf("b", shape))
        o = OpCase(most, name, "scale_channels")
        yield o.done(o.leaf("x", shape) * o.leaf("gain", shape[-1:]))
        o = OpCase(most, name, "scale_residual")
        yield o.done(o.leaf("x", shape) * o.leaf("gain", shape[-1:]) + o.leaf("residual", shape))
    for name, rate, seed, step, stream in (
        ("odd", 0.2, 5, 3, 0),
        ("a large seed and step", 0.125, 2**33 + 7, 2**20 + 1, 4),
    ):
        o = OpCase(most, name, "dropout", {"rate": rate, "stream": stream})
        x = o.leaf("x", (3, 5, 7))
        low = lambda word: np.array([word & 0xFFFFFFFF, word >> 32], dtype=np.uint32).view(np.int32)
        o.stored("state", np.concatenate([low(seed), low(step)]))
        yield o.done(x * torch.tensor(dropout_mask((3, 5, 7), rate, seed, step, stream), dtype=x.dtype))


def pools_and_shapes(most):
    pools = (
        ("odd", (2, 7, 5, 3), (3, 3), (2, 2), (0, 0, 0, 0)),
        ("2x2", (2, 8, 11, 16), (2, 2), (2, 2), (0, 0, 0, 0)),
        ("same", (2, 6, 7, 5), (3, 3), (1, 1), (1, 1, 1, 1)),
        ("uneven", (1, 9, 8, 4), (2, 3), (1, 2), (1, 0, 1, 1)),
    )
    for name, shape, window, stride, padding in pools:
        spec = {"window": list(window), "stride": list(stride), "padding": list(padding)}
        o = OpCase(most, name, "max_pool2d", spec)
        x = nchw(o.leaf("x", shape))
        padded = F.pad(x, (padding[2], padding[3], padding[0], padding[1]), value=-float("inf"))
        yield o.done(nhwc(F.max_pool2d(padded, window, stride)))
        for counting in ("counted", "ignored"):
            o = OpCase(most, f"{name}, {counting}", "avg_pool2d", {**spec, "counting": counting})
            x = nchw(o.leaf("x", shape))
            area = window[0] * window[1]
            sums = area * F.avg_pool2d(pad(x, padding), window, stride)
            inside = area * F.avg_pool2d(pad(torch.ones_like(x), padding), window, stride)
            yield o.done(nhwc(sums / (area if counting == "counted" else inside)))
    o = OpCase(most, "odd", "global_avg_pool")
    yield o.done(o.leaf("x", (3, 5, 7, 6)).mean(dim=(1, 2)))
    o = OpCase(most, "odd", "concat")
    yield o.done(torch.cat([o.leaf(f"x{i}", (2, 3, 4, c)) for i, c in enumerate((1, 5, 2, 8))], dim=-1))
    for name, d, activation in (("f4", 10, "none"), ("f1", 1024, "none"), ("relu", 10, "relu")):
        o = OpCase(most, name, "weighted_sum", {"activation": activation})
        y = sum(o.leaf(f"x{i}", (6, d)) * o.leaf(f"w{i}", (d,)) for i in range(5)) + o.leaf("bias", (d,))
        yield o.done(F.relu(y) if activation == "relu" else y)


def losses_and_sums(most):
    o = OpCase(most, "odd", "softmax")
    yield o.done(torch.softmax(o.fixed("x", (4, 7), 8), dim=-1))
    for name, scale, clip in (("mixed labels", 2, 1e-7), ("clipped", 30, 1e-3)):
        o = OpCase(most, name, "softmax_kl", {"clip": clip})
        o.case.row = "KL with clipping"
        targets = o.stored("targets", np.eye(10)[[3, 1, 9, 0, 3, 5]] * 0.7 + np.eye(10)[[0, 1, 2, 8, 4, 5]] * 0.3)
        p = torch.softmax(o.leaf("x", (6, 10), scale), dim=-1).clip(clip, 1)
        t = targets.clip(clip, 1)
        yield o.done((t * torch.log(t / p)).sum(-1).mean().reshape(1))
    o = OpCase(most, "odd", "mixup")
    x, lam = o.fixed("x", (5, 3, 4)), o.stored("lambda", [1, 0.25, 0.5, 0, 0.8125])
    first, second = o.stored("first", np.array([0, 4, 2, 1, 3])), o.stored("second", np.array([0, 1, 3, 4, 2]))
    yield o.done(lam[:, None, None] * x[first] + (1 - lam[:, None, None]) * x[second])
    o = OpCase(most, "pixels", "sum_rows")
    yield o.done(o.fixed("x", (2, 9, 9, 13), 1, 0.5).sum(dim=(0, 1, 2)))
    o = OpCase(most, "odd", "sum_squares")
    yield o.done((o.fixed("x", (1001,)) ** 2).sum().reshape(1))
    for to, kind in (("f16", torch.float16), ("bf16", torch.bfloat16)):
        o = OpCase(most, to, "cast", {"to": to}, floor=0)
        yield o.done(o.leaf("x", (1001,), 300).float().to(kind).double())


def models_own_shapes(most):
    """The extents that the networks have at full width: layers that are met first, that are largest, that are last."""
    same = lambda r, s: ((r - 1) // 2, r // 2, (s - 1) // 2, s // 2)
    yield conv2d(most, "sound, first, whole", (1, 128, 704, 6), (16, 3, 3, 6), same(3, 3))
    yield conv2d(most, "sound, stage 2, whole", (1, 64, 352, 64), (32, 1, 4, 64), same(1, 4))
    yield conv2d(most, "sound, last, whole", (2, 8, 44, 1024), (256, 4, 1, 1024), same(4, 1))
    yield conv2d(most, "inception, first, whole", (2, 224, 224, 3), (32, 3, 3, 3), (0, 0, 0, 0), (2, 2))
    yield conv2d(most, "inception, stem, whole", (1, 109, 109, 32), (64, 3, 3, 32), same(3, 3))
    yield conv2d(most, "inception 7x1, whole", (2, 12, 12, 192), (192, 7, 1, 192), same(7, 1))
    yield conv2d(most, "inception, last, whole", (2, 5, 5, 2048), (448, 1, 1, 2048))
    yield conv2d(most, "convnext, first, whole", (2, 224, 224, 3), (96, 4, 4, 3), (0, 0, 0, 0), (4, 4), bias=True)
    yield conv2d(most, "convnext, down, whole", (2, 14, 14, 384), (768, 2, 2, 384), (0, 0, 0, 0), (2, 2), bias=True)
    for name, shape in (("first", (2, 56, 56, 96)), ("last", (2, 7, 7, 768))):
        yield depthwise_conv2d(most, f"convnext, {name}, whole", shape, (7, 7), same(7, 7))
        yield depthwise_layer_norm(most, f"convnext, {name}, whole", shape, (7, 7), same(7, 7))
        o = OpCase(most, f"convnext, {name}, whole", "layer_norm", {"epsilon": 1e-6})
        c = shape[-1]
        x = o.leaf("x", shape, 0.5, 0.2)
        yield o.done(F.layer_norm(x, (c,), o.leaf("gain", (c,), 0.5, 1), o.leaf("bias", (c,)), 1e-6))
        o = OpCase(most, f"convnext, {name}, whole", "linear_gelu")
        x, w = o.leaf("x", shape), o.leaf("w", (4 * c, c), 1.5 * (3 / c) ** 0.5)
        yield o.done(F.gelu(F.linear(x, w, o.leaf("bias", (4 * c,)))))
        o = OpCase(most, f"convnext, {name}, whole", "scale_residual")
        yield o.done(o.leaf("x", shape) * o.leaf("gain", (c,)) + o.leaf("residual", shape))
    o = OpCase(most, "inception's head, whole", "linear")
    x, w = o.leaf("x", (16, 2048)), o.leaf("w", (1024, 2048), (3 / 2048) ** 0.5)
    yield o.done(F.linear(x, w, o.leaf("bias", (1024,))))
    for training in (True, False):
        # Without ReLU: of six million values some are within rounding of its kink.
        yield batch_norm(most, "sound, stage 1, whole", (1, 128, 704, 64), True, True, "none", training)
        yield batch_norm(most, "inception, last, whole", (2, 5, 5, 320), False, False, "relu", training)
    o = OpCase(most, "inception's stem, whole", "max_pool2d", {"window": [3, 3], "stride": [2, 2], "padding": [0] * 4})
    yield o.done(nhwc(F.max_pool2d(nchw(o.leaf("x", (2, 109, 109, 64))), 3, 2)))
    o = OpCase(
        most, "sound, whole", "avg_pool2d", {"window": [2, 2], "stride": [2, 2], "padding": [0] * 4, "counting": "counted"}
    )
    yield o.done(nhwc(F.avg_pool2d(nchw(o.leaf("x", (1, 128, 704, 64))), 2)))
    o = OpCase(most, "sound, whole", "global_avg_pool")
    yield o.done(o.leaf("x", (2, 4, 22, 1024)).mean(dim=(1, 2)))
    o = OpCase(most, "inception, whole", "concat")
    yield o.done(torch.cat([o.leaf(f"x{i}", (2, 25, 25, c)) for i, c in enumerate((64, 64, 96, 32))], dim=-1))


def cases(form, _folder):
    most = {"golden": 192, "usual": None, "full": 100_000}[form]
    groups = [convolutions, products, norms, element_wise, pools_and_shapes, losses_and_sums]
    for group in groups + ([models_own_shapes] if form == "full" else []):
        yield from in_both_precisions(lambda: group(most))
