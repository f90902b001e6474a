"""InceptionV3 and ConvNeXt-Tiny as keras.applications builds them, narrowed, in the type asked for (torch backend).

Layers are found by graph role: InceptionV3's convolutions in the order of their numbers, ConvNeXt's by their names.
"""

import re

import keras
import numpy as np
import torch
from keras.src.applications import convnext as keras_convnext
from keras.src.applications import inception_v3 as keras_inception
from torch.nn import functional as F

import networks
from cases import NETWORK_FLOOR, Case, Precision
from networks import scaled
from training import (
    Extent,
    are_well_posed,
    decays,
    draw_batches,
    draw_input,
    first_well_posed,
    keras_version,
    mixed_batch,
    options_of,
    rule_of,
    shaken,
    steps_spec,
    well_posed_steps,
)


def number_of(layer):
    found = re.search(r"_(\d+)$", layer.name)
    return int(found[1]) if found else 0


def of_kind(model, kind):
    return sorted((l for l in model.layers if isinstance(l, kind)), key=number_of)


def inception_names():
    """This engine's layers in the order of construction."""
    counts = {
        "35": {"branch1x1": 1, "branch5x5": 2, "branch3x3dbl": 3, "branch_pool": 1},
        "17": {"branch1x1": 1, "branch7x7": 3, "branch7x7dbl": 5, "branch_pool": 1},
    }
    blocks = [counts["35"]] * 3 + [{"branch3x3": 1, "branch3x3dbl": 3}] + [counts["17"]] * 4
    blocks += [{"branch3x3": 2, "branch7x7x3": 4}]
    names = [f"stem.{i}" for i in (0, 1, 2, 4, 5)]
    for index, block in enumerate(blocks):
        names += [f"mixed{index}.{branch}.{i}" for branch, count in block.items() for i in range(count)]
    for index in (9, 10):
        for branch, layers in (
            ("branch1x1", "0"),
            ("branch3x3", "0 1x3 3x1"),
            ("branch3x3dbl", "0 1 1x3 3x1"),
            ("branch_pool", "0"),
        ):
            names += [f"mixed{index}.{branch}.{layer}" for layer in layers.split()]
    return names


HWIO_TO_KRSC, HWIO_TO_RSC, IO_TO_OI = (3, 0, 1, 2), (0, 1, 3, 2), (1, 0)


def inception(options, size):
    plain = keras_inception.conv2d_bn
    keras_inception.conv2d_bn = lambda x, filters, *a, **k: plain(x, scaled(filters, options["width"], 8), *a, **k)
    try:
        model = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg", input_shape=(*size, 3))
    finally:
        keras_inception.conv2d_bn = plain
    parameters, buffers = {}, {}
    names = inception_names()
    convolutions, norms = of_kind(model, keras.layers.Conv2D), of_kind(model, keras.layers.BatchNormalization)
    assert len(names) == len(convolutions) == len(norms) == 94
    for name, convolution, norm in zip(names, convolutions, norms):
        parameters[f"{name}.conv.weight"] = (convolution.kernel, HWIO_TO_KRSC)
        parameters[f"{name}.bn.beta"] = (norm.beta, None)
        buffers[f"{name}.bn.running_mean"] = (norm.moving_mean, None)
        buffers[f"{name}.bn.running_variance"] = (norm.moving_variance, None)
    stages = {"stem": of_kind(model, keras.layers.MaxPooling2D)[1].output}
    stages |= {f"mixed{i}": model.get_layer(f"mixed{i}").output for i in range(11)}
    return keras.Model(model.inputs, stages | {"pool": model.output}), parameters, buffers, lambda x: x / 127.5 - 1


def convnext_name(path):
    """This engine's name of a Keras weight, and how its axes stand."""
    layer, leaf = path.split("/")[-2:]
    layer = layer.removeprefix("convnext_tiny_")
    norm_leaf = {"gamma": "gain", "beta": "bias"}
    kind = {"kernel": "weight", "bias": "bias"}
    if layer.startswith("layer_normalization"):
        return f"norm.{norm_leaf[leaf]}", None
    if layer == "stem_conv":
        return f"stem.conv.{kind[leaf]}", HWIO_TO_KRSC
    if layer == "stem_layernorm":
        return f"stem.norm.{norm_leaf[leaf]}", None
    if found := re.fullmatch(r"downsampling_(layernorm|conv)_(\d)", layer):
        down = f"down{int(found[2]) + 1}"
        return (
            (f"{down}.norm.{norm_leaf[leaf]}", None)
            if found[1] == "layernorm"
            else (f"{down}.conv.{kind[leaf]}", HWIO_TO_KRSC)
        )
    stage, block, role = re.fullmatch(r"stage_(\d)_block_(\d)_(.*)", layer).groups()
    ours = f"stage{stage}.{block}"
    if role == "layer_scale":
        return f"{ours}.layer_scale", None
    if role == "layernorm":
        return f"{ours}.norm.{norm_leaf[leaf]}", None
    if role == "depthwise_conv":
        return f"{ours}.depthwise.{kind[leaf]}", HWIO_TO_RSC
    return f"{ours}.{'expand' if role == 'pointwise_conv_1' else 'project'}.{kind[leaf]}", IO_TO_OI


def convnext(options, size):
    widths = [scaled(c, options["width"], 8) for c in (96, 192, 384, 768)]
    model = keras_convnext.ConvNeXt(
        depths=[3, 3, 9, 3],
        projection_dims=widths,
        name="convnext_tiny",
        weights=None,
        include_top=False,
        pooling="avg",
        input_shape=(*size, 3),
    )
    parameters = {}
    for weight in model.trainable_weights:
        name, axes = convnext_name(weight.path)
        parameters[name] = (weight, axes if len(weight.shape) > 1 else None)
    assert len(parameters) == 180
    after = [model.get_layer(f"convnext_tiny_downsampling_block_{s}") for s in range(3)]
    after += of_kind(model, keras.layers.GlobalAveragePooling2D)
    stages = {"stem": model.get_layer("convnext_tiny_stem").output}
    stages |= {f"stage{s}": layer.input for s, layer in enumerate(after)}
    return keras.Model(model.inputs, stages | {"pool": model.output}), parameters, {}, lambda x: x


def to_ours(values, axes):
    array = np.asarray(values)
    if axes is not None:
        array = array.transpose(axes)
    return array.reshape(array.shape[:3]) if axes == HWIO_TO_RSC else array


def assign(weight, axes, values):
    """Writes values, in our order of axes, into a Keras weight."""
    if axes is not None:
        wide = tuple(weight.shape[a] for a in axes)
        values = values.reshape(wide).transpose(np.argsort(axes))
    weight.assign(np.ascontiguousarray(values))


def draw_weights(case, parameters, buffers):
    for prefix, weights in (("param/", parameters), ("buffer/", buffers)):
        for name, (weight, axes) in weights.items():
            shape = to_ours(np.zeros(weight.shape), axes).shape
            assign(weight, axes, case.draw(prefix + name, shape, *rule_of(name, shape)))


def draw_head(case, features, classes):
    head = {}
    for name, shape in (
        ("fc1024.weight", (1024, features)),
        ("fc1024.bias", (1024,)),
        ("classes.weight", (classes, 1024)),
        ("classes.bias", (classes,)),
    ):
        values = case.draw(f"param/head.{name}", shape, *rule_of(name, shape))
        head[f"head.{name}"] = (keras.Variable(values, dtype=values.dtype.name), None)
    return head


def run(net, head, x, training, dropout=lambda hidden: hidden):
    stages = net(x, training=training)
    value = lambda name: head[f"head.{name}"][0].value
    hidden = F.relu(F.linear(stages["pool"], value("fc1024.weight"), value("fc1024.bias")))
    logits = F.linear(dropout(hidden), value("classes.weight"), value("classes.bias"))
    return stages | {"fc1024": hidden, "logits": logits}


def build(options, size):
    """The network, its parameters and statistics by this engine's names, and what stands before it."""
    keras.config.set_floatx(np.dtype(Precision.real).name)
    keras.utils.clear_session()
    return (inception if options["model"] == "vis-inc" else convnext)(options, size)


def network_case(model, extent, attempt):
    options = options_of(model, extent.width, dropout=0.0)
    spec = {"backbone": options, "seed": 11, "step": 0}
    case = Case(f"network/{model}, Keras", "networks", "network", keras_version(), spec, attempt)
    net, parameters, buffers, preprocess = build(options, extent.sizes[model])
    draw_weights(case, parameters, buffers)
    x = draw_input(case, model, extent.pass_batch, extent.sizes[model])
    head = draw_head(case, net.output["pool"].shape[-1], options["classes"])
    with torch.no_grad():
        for stage, y in run(net, head, preprocess(x), False).items():
            case.expect(f"infer/{stage}", y.numpy(), NETWORK_FLOOR, extent.most)
    stages = run(net, head, preprocess(x), True)
    for stage, y in stages.items():
        case.expect(f"train/{stage}", y.detach().numpy(), NETWORK_FLOOR, extent.most)
    dlogits = torch.tensor(case.draw("dlogits", (extent.pass_batch, options["classes"])))
    stages["logits"].backward(dlogits)
    parameters |= head
    for name, (weight, axes) in parameters.items():
        case.expect(f"grad/{name}", to_ours(weight.value.grad.numpy(), axes), NETWORK_FLOOR, extent.most)
    tensors = {name: weight.value for name, (weight, _) in parameters.items()}
    run_backward = lambda x: run(net, head, preprocess(x), True)["logits"].backward(dlogits)
    return case, lambda: are_well_posed(extent, tensors, x, run_backward)


def expect_statistics(case, net, buffers, start, rows, momentum, most):
    """Keras keeps the biased variance; this engine, like TensorFlow and PyTorch, the unbiased one: n / (n - 1) times
    what the steps put in, beside what is left of the start."""
    pixels = {}
    for layer in of_kind(net, keras.layers.BatchNormalization):
        pixels[layer.moving_variance.path] = rows * layer.output.shape[1] * layer.output.shape[2]
    kept = momentum ** case.spec["steps"]
    for name, (weight, _) in buffers.items():
        values = np.asarray(weight.value.detach())
        if name.endswith("running_variance"):
            n = pixels[weight.path]
            values = kept * start[name] + (values - kept * start[name]) * n / (n - 1)
        case.expect(f"stat/{name}", values, NETWORK_FLOOR, most)


def steps_case(model, extent, attempt, shake):
    """Ten steps by Keras throughout: its network, loss, L2 and Adam. Dropout's masks are drawn as everywhere."""
    options = options_of(model, extent.width)
    spec = steps_spec(options, "hat", "author")
    case = Case(f"ten steps/{model}, Keras", "ten steps", "steps", keras_version(), spec, attempt)
    net, parameters, buffers, preprocess = build(options, extent.sizes[model])
    draw_weights(case, parameters, buffers)
    start = {name: np.array(weight.value) for name, (weight, _) in buffers.items()}
    head = draw_head(case, net.output["pool"].shape[-1], options["classes"])
    parameters |= head
    x, targets = draw_batches(case, extent)
    noise = torch.Generator().manual_seed(1)
    x = shaken(x, shake, noise)
    for weight, _ in parameters.values():
        weight.assign(shaken(weight.value.detach(), shake, noise))
    clock = {"seed": spec["seed"]}
    dropout = networks.Dropout(options["dropout"], 0, clock)
    l2 = keras.regularizers.L2(spec["adam"]["l2"] / 2)
    adam = keras.optimizers.Adam(learning_rate=spec["learning_rate"], epsilon=spec["adam"]["epsilon"])
    variables = [weight for weight, _ in parameters.values()]
    adam.build(variables)
    losses = []
    for step in range(spec["steps"]):
        clock["step"] = step
        inputs, wanted = mixed_batch(spec, step, x, targets)
        logits = run(net, head, preprocess(inputs), True, dropout)["logits"]
        loss = keras.losses.kl_divergence(wanted, torch.softmax(logits, dim=-1)).mean()
        (loss + sum(l2(weight.value) for name, (weight, _) in parameters.items() if decays(name))).backward()
        with torch.no_grad():
            adam.apply([weight.value.grad for weight in variables], variables)
        for weight in variables:
            weight.value.grad = None
        losses.append(loss.item())
    case.expect("loss", losses, NETWORK_FLOOR)
    for name, (weight, axes) in parameters.items():
        case.expect(f"param/{name}", to_ours(weight.value.detach(), axes), NETWORK_FLOOR, extent.most)
    expect_statistics(case, net, buffers, start, len(inputs), 1 - options["batch_norm_new_value_weight"], extent.most)
    return case, losses


def cases(form, _folder):
    extent = Extent(form)
    for model in ("vis-inc", "vis-conv"):
        yield first_well_posed(lambda attempt: network_case(model, extent, attempt))
        yield well_posed_steps(extent, lambda *draw: steps_case(model, extent, *draw))
