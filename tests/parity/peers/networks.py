"""The five networks in PyTorch, in the default type, with parameters that the cases draw under this engine's names.

InceptionV3 and ConvNeXt-Tiny are torchvision's own modules, narrowed; the sound network is written down from its
definition (models/residual_inception.h). Every network is a Peer: forward() returns the stages by name, and `names`
maps this engine's parameter and buffer names to torch tensors and the order of their axes.
"""

import re

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import convnext, inception

from random_numbers import dropout_mask

KCRS_TO_KRSC, C1RS_TO_RSC = (0, 2, 3, 1), (2, 3, 0, 1)


def scaled(channels, width, multiple):
    return max(1, int(channels * width / multiple + 0.5)) * multiple


class Dropout(nn.Module):
    """Masks of (seed, step, stream), as the engine draws them; x is NCHW or [n, c]."""

    def __init__(self, rate, stream, clock):
        super().__init__()
        self.rate, self.stream, self.clock = rate, stream, clock

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        last = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
        mask = torch.tensor(
            dropout_mask(tuple(last.shape), self.rate, self.clock["seed"], self.clock["step"], self.stream),
            dtype=x.dtype,
        )
        return x * (mask.permute(0, 3, 1, 2) if x.dim() == 4 else mask)


class Peer(nn.Module):
    def __init__(self, options, features, stream, clock):
        super().__init__()
        self.options = options
        self.fc1024 = nn.Linear(features, 1024)
        self.classes = nn.Linear(1024, options["classes"])
        self.dropout = Dropout(options["dropout"], stream, clock)

    def head(self, pool):
        hidden = F.relu(self.fc1024(pool))
        return {"pool": pool, "fc1024": hidden, "logits": self.classes(self.dropout(hidden))}

    def forward(self, x):
        """x: NHWC. Stages are NHWC."""
        stages = self.body(x.permute(0, 3, 1, 2))
        pool = stages.pop("pool")
        return {name: y.permute(0, 2, 3, 1) for name, y in stages.items()} | self.head(pool)

    def names(self):
        """{our name: (tensor, axes)} of parameters and of running statistics."""
        parameters, buffers = {}, {}
        for name, tensor in list(self.named_parameters()) + list(self.named_buffers()):
            if name.endswith("num_batches_tracked"):
                continue
            ours = self.our_name(name)
            if ours is None:
                continue
            axes = tuple(range(tensor.dim()))
            if tensor.dim() == 4:
                axes = C1RS_TO_RSC if ours.endswith("depthwise.weight") else KCRS_TO_KRSC
            (buffers if "running" in name else parameters)[ours] = (tensor, axes)
        return parameters, buffers

    def our_name(self, name):
        return "head." + name if name.startswith(("fc1024.", "classes.")) else self.body_name(name)


def norm(c, options):
    return nn.BatchNorm2d(c, eps=1e-3, momentum=options["batch_norm_new_value_weight"])


OUR_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_variance"}


# ---- sound ----


class InceptionBn(nn.Module):
    def __init__(self, c_in, c_out, options):
        super().__init__()
        for name, kernel in (
            ("branch1x1", (1, 1)),
            ("branch3x3", (3, 3)),
            ("branch1x4", (1, 4)),
            ("branch4x1", (4, 1)),
        ):
            setattr(self, name, nn.Conv2d(c_in, c_out // 4, kernel, padding="same", bias=False))
        self.bn = norm(c_out, options)

    def forward(self, x):
        return self.bn(torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch1x4(x), self.branch4x1(x)], dim=1))


class Stage(nn.Module):
    def __init__(self, c_in, c_out, dropout, options):
        super().__init__()
        self.inception1, self.inception2 = InceptionBn(c_in, c_out, options), InceptionBn(c_out, c_out, options)
        self.shortcut = nn.ModuleDict({"conv": nn.Conv2d(c_in, c_out, 1, bias=False), "bn": norm(c_out, options)})
        self.dropout = dropout

    def forward(self, x):
        y = self.inception2(F.relu(self.inception1(x))) + self.shortcut["bn"](self.shortcut["conv"](x))
        return self.dropout(F.avg_pool2d(F.relu(y), 2))


class Sound(Peer):
    def __init__(self, options, clock):
        widths = [6] + [scaled(c, options["width"], 4) for c in (64, 128, 256, 512, 1024)]
        super().__init__(options, widths[-1], 5, clock)
        self.input_bn = norm(6, options)
        for i in range(5):
            rate = float(np.float32(0.1) + (np.float32(0.2) - np.float32(0.1)) * np.float32(i) / np.float32(4))
            setattr(self, f"stage{i + 1}", Stage(widths[i], widths[i + 1], Dropout(rate, i, clock), options))

    def body(self, x):
        stages, y = {}, self.input_bn(x)
        for i in range(1, 6):
            y = getattr(self, f"stage{i}")(y)
            stages[f"stage{i}"] = y
        return stages | {"pool": y.mean(dim=(2, 3))}

    def body_name(self, name):
        stem, last = name.rsplit(".", 1)
        return f"{stem}.{OUR_NORM[last]}" if stem.split(".")[-1].endswith("bn") else name


# ---- InceptionV3 ----

TV_STEM = {
    "Conv2d_1a_3x3": "stem.0",
    "Conv2d_2a_3x3": "stem.1",
    "Conv2d_2b_3x3": "stem.2",
    "Conv2d_3b_1x1": "stem.4",
    "Conv2d_4a_3x3": "stem.5",
}
TV_MIXED = dict(zip(("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"), range(11)))


class InceptionV3(Peer):
    """torchvision's Inception3. Keras' form: no gamma, and average pools that leave padding out."""

    def __init__(self, options, clock):
        net = inception.Inception3(num_classes=2, aux_logits=False, transform_input=False, init_weights=False)
        net.avgpool = net.dropout = net.fc = nn.Identity()
        for module in net.modules():
            if isinstance(module, inception.BasicConv2d):
                conv = module.conv
                c = scaled(conv.out_channels, options["width"], 8)
                module.conv = nn.LazyConv2d(c, conv.kernel_size, conv.stride, conv.padding, bias=False)
                module.bn = norm(c, options)
        net.eval()
        with torch.no_grad():
            features = net(torch.zeros(1, 3, 107, 107)).reshape(1, -1).shape[1] // 4
        super().__init__(options, features, 0, clock)
        self.net = net
        if options["batch_norm_gamma"] == "one":
            for module in net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.weight = None
        self.stages = {}
        net.maxpool2.register_forward_hook(lambda m, i, y: self.stages.update(stem=y))
        for name, index in TV_MIXED.items():
            getattr(net, f"Mixed_{name}").register_forward_hook(
                lambda m, i, y, index=index: self.stages.update({f"mixed{index}": y})
            )

    def body(self, x):
        self.stages.clear()
        pool = inception.F.avg_pool2d
        counted = self.options["pool_padding"] == "counted"
        inception.F.avg_pool2d = lambda *a, **k: pool(*a, **k, count_include_pad=counted)
        try:
            self.net(x / 127.5 - 1)
        finally:
            inception.F.avg_pool2d = pool
        return self.stages | {"pool": self.stages["mixed10"].mean(dim=(2, 3))}

    def body_name(self, name):
        parts = name.split(".")[1:]  # without "net."
        kind, last = parts[-2:]
        layer = parts[:-2]
        if layer[0] in TV_STEM:
            stem = TV_STEM[layer[0]]
        else:
            index = TV_MIXED[layer[0].removeprefix("Mixed_")]
            stem = f"mixed{index}.{self.branch(index, layer[1])}"
        return f"{stem}.conv.weight" if kind == "conv" else f"{stem}.bn.{OUR_NORM[last]}"

    @staticmethod
    def branch(index, name):
        if index >= 9 and (found := re.fullmatch(r"branch3x3(dbl)?_([23])([ab])", name)):
            return f"branch3x3{found[1] or ''}.{'1x3' if found[3] == 'a' else '3x1'}"
        stem, _, number = name.partition("_")
        if name.startswith("branch_pool"):
            return "branch_pool.0"
        return f"{stem}.{int(number) - 1}" if number else f"{stem}.0"


# ---- ConvNeXt-Tiny ----


class ConvNextTiny(Peer):
    BLOCK = {"0": "depthwise", "2": "norm", "3": "expand", "5": "project"}

    def __init__(self, options, clock):
        widths = [scaled(c, options["width"], 8) for c in (96, 192, 384, 768)]
        config = [
            convnext.CNBlockConfig(c, after, depth)
            for c, after, depth in zip(widths, widths[1:] + [None], (3, 3, 9, 3))
        ]
        super().__init__(options, widths[-1], 0, clock)
        self.features = convnext.ConvNeXt(config, num_classes=2).features
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)

    def body(self, x):
        mean = torch.tensor([123.675, 116.28, 103.53], dtype=x.dtype).reshape(1, 3, 1, 1)
        deviation = torch.tensor([58.395, 57.12, 57.375], dtype=x.dtype).reshape(1, 3, 1, 1)
        y = self.features[0]((x - mean) / deviation)
        stages = {"stem": y}
        for i in range(1, 8):
            y = self.features[i](y)
            if i % 2 == 1:
                stages[f"stage{i // 2}"] = y
        return stages | {"pool": self.norm(y.mean(dim=(2, 3)))}

    def body_name(self, name):
        parts = name.split(".")
        leaf = lambda: {"weight": "gain", "bias": "bias"}[parts[-1]]
        if parts[0] == "norm":
            return f"norm.{leaf()}"
        index = int(parts[1])
        if index == 0:
            return f"stem.conv.{parts[-1]}" if parts[2] == "0" else f"stem.norm.{leaf()}"
        if index % 2 == 0:
            return f"down{index // 2}.norm.{leaf()}" if parts[2] == "0" else f"down{index // 2}.conv.{parts[-1]}"
        block = f"stage{index // 2}.{parts[2]}"
        if parts[3] == "layer_scale":
            return f"{block}.layer_scale"
        layer = self.BLOCK[parts[4]]
        return f"{block}.{layer}.{leaf() if layer == 'norm' else parts[-1]}"


def make(options, clock):
    kinds = {"vis-inc": InceptionV3, "vis-conv": ConvNextTiny}
    return kinds.get(options["model"], Sound)(options, clock).to(torch.get_default_dtype())


def to_ours(tensor, axes):
    """A torch tensor in our order of axes; depthwise filters lose their axis of one."""
    array = tensor.detach().numpy().transpose(axes)
    return array.reshape(array.shape[:3]) if axes == C1RS_TO_RSC else array


def our_shape(name, tensor, axes):
    shape = tuple(tensor.shape[a] for a in axes)
    if axes == C1RS_TO_RSC:
        shape = shape[:3]
    return shape[:1] if name.endswith("layer_scale") else shape


def fill(tensor, axes, values):
    """Writes values, in our order of axes, into a torch tensor."""
    back = values.reshape(tuple(tensor.shape[a] for a in axes)).transpose(np.argsort(axes))
    with torch.no_grad():
        tensor.copy_(torch.tensor(np.ascontiguousarray(back)).reshape(tensor.shape))
