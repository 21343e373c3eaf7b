"""Every salience metric in plain PyTorch: what speft-cl's masks are compared with.

One function a metric, of (model, weights, rows, batch, options); each gives {name: flat scores}, of
which the largest are kept. Rows are the scoring rows in order, then, for grasp, those that follow.
"""

import contextlib
import copy
import unittest.mock

import torch

import sparse_torch as st

TEMPERATURE = 200


def flat(scores):
    return {name: score.detach().flatten() for name, score in scores.items()}


def combined(function, *parts):
    return flat({name: function(*(part[name] for part in parts)) for name in parts[0]})


def plain(weights):
    return {name: w.detach() for name, w in weights.items()}


def mean_gradients(model, weights, rows, batch):
    return st.mean_gradients(model, weights, st.batches(rows, batch))


def magnitude(_model, weights, *_):
    return combined(torch.abs, plain(weights))


def magnitude_bottom(_model, weights, *_):
    return combined(lambda w: -w.abs(), plain(weights))


def lift(_model, weights, _rows, _batch, options):
    def approximation(w):
        u, s, v = torch.linalg.svd(w.double(), full_matrices=False)
        r = options["lift_rank"]
        return ((u[:, :r] * s[:r]) @ v[:r]).abs().to(w.dtype)
    return combined(approximation, plain(weights))


def gradient(model, weights, rows, batch, _options):
    return combined(torch.abs, mean_gradients(model, weights, rows, batch))


def snip(model, weights, rows, batch, _options):
    return combined(lambda w, g: (w * g).abs(), plain(weights),
                    mean_gradients(model, weights, rows, batch))


def force(model, weights, rows, batch, _options):
    return combined(lambda w, g: -w * g, plain(weights),
                    mean_gradients(model, weights, rows, batch))


def taylor_fo(model, weights, rows, batch, _options):
    return combined(lambda w, g: (w * g) ** 2, plain(weights),
                    mean_gradients(model, weights, rows, batch))


def grad_weight_ratio(model, weights, rows, batch, _options):
    return combined(lambda w, g: torch.where(g == 0, 0, (g / w).abs()), plain(weights),
                    mean_gradients(model, weights, rows, batch))


def fisher(model, weights, rows, _batch, _options):
    total = None
    for row in rows:
        squares = combined(torch.square, mean_gradients(model, weights, [row], 1))
        total = squares if total is None else combined(torch.add, total, squares)
    return combined(lambda t: t / len(rows), total)


@torch.no_grad()
def wanda(model, weights, rows, batch, _options):
    sums, present = {}, []

    def hook(name):
        def add(_module, inputs):
            tokens = inputs[0].reshape(*present[-1].shape, -1)[present[-1]]
            sums[name] = sums.get(name, 0) + (tokens ** 2).sum(0)
        return add

    with contextlib.ExitStack() as stack:
        for name in weights:
            module = model.get_submodule(name.removesuffix(".weight"))
            handle = module.register_forward_pre_hook(hook(name))
            stack.callback(handle.remove)
        for inputs in st.batches(rows, batch):
            present.append(inputs["attention_mask"].bool())  # padding is no token
            model(**inputs)
    return combined(lambda w, s: w.abs() * s.sqrt(), plain(weights), sums)


def linearise(model):
    """No activation but a gate's product, no soft-cap; of the modules that the families have."""
    for module in model.modules():
        for name in ("intermediate_act_fn", "act_fn", "activation_fn", "activation"):
            if callable(getattr(module, name, None)):
                setattr(module, name, torch.nn.Identity())
        if getattr(module, "attn_logit_softcapping", None):
            module.attn_logit_softcapping = None
    if getattr(model.config, "final_logit_softcapping", None):
        model.config.final_logit_softcapping = None


def synflow(model, weights, *_):
    """One token whose embedding is all ones, through the linearised model with absolute weights."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            tensor.copy_(tensor.abs())
    linearise(model)
    ones = torch.ones(1, 1, model.get_input_embeddings().embedding_dim)
    with unittest.mock.patch("torch.nn.functional.softmax", lambda x, *_, **__: x):
        flow = model(inputs_embeds=ones).logits.sum()
    absolute = {name: model.get_parameter(name) for name in weights}
    grads = torch.autograd.grad(flow, list(absolute.values()))
    return combined(lambda w, g: (w * g).abs(), plain(absolute), dict(zip(absolute, grads)))


def grasp(model, weights, rows, batch, options):
    """The exact Hessian-vector product, by differentiating twice; `rows` are both sets."""
    first, second = rows[:len(rows) // 2], rows[len(rows) // 2:]
    parameters = list(weights.values())

    def mean(part, of):
        parts = [torch.autograd.grad(of(st.loss_of(model, b, TEMPERATURE) * share), parameters)
                 for b, share in st.shares(st.batches(part, batch))]
        return [sum(p) for p in zip(*parts)]

    model.eval()
    vector = mean(first, lambda loss: loss)

    def along(loss):
        grads = torch.autograd.grad(loss, parameters, create_graph=True)
        return sum((g * v).sum() for g, v in zip(grads, vector))

    product = mean(second, along)
    sign = 1 if options["sign"] == "code" else -1
    return combined(lambda w, h: sign * w * h, plain(weights), dict(zip(weights, product)))


METRICS = {f.__name__: f for f in (
    magnitude, magnitude_bottom, lift, synflow, gradient, snip, force, taylor_fo,
    grad_weight_ratio, wanda, fisher, grasp)}


def score(model, weights, sparse, train, batch):
    """Scores by a `sparse` block of a configuration, rows in the order of `train`."""
    count = min(sparse["scoring_examples"], len(train))
    rows = [train[i % len(train)] for i in range(2 * count)]
    if sparse["metric"] != "grasp":
        rows = rows[:count]
    return METRICS[sparse["metric"]](model, weights, rows, batch, sparse)


def select(scores, count, scope):
    """{name: sorted positions}; uniform_count gives the same count in each tensor."""
    if scope == "uniform_count":
        return {n: st.top_positions(s, count // len(scores)) for n, s in scores.items()}
    return st.select_positions(scores, count, scope)
