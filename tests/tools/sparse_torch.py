"""Sparse fine-tuning in plain PyTorch: what speft-cl's numbers are compared with.

The dense gradient is formed, the entries at the mask's positions are read from it, AdamW works on
the deltas, and W[position] = w0 + delta after every step. Nothing here is meant to be fast.
"""

import math

import torch


def collate(rows):
    """Pad rows of {"input_ids", "token_type_ids" (optional), "label"} to the longest of them; of a
    causal model {"input_ids", "labels"}, a label for each token, -100 for none."""
    width = max(len(row["input_ids"]) for row in rows)

    def padded(values, filler=0):
        return list(values) + [filler] * (width - len(values))

    ids = [row["input_ids"] for row in rows]
    batch = {"input_ids": torch.tensor([padded(i) for i in ids]),
             "attention_mask": torch.tensor([padded([1] * len(i)) for i in ids])}
    if any("token_type_ids" in row for row in rows):
        types = [row.get("token_type_ids") or [0] * len(row["input_ids"]) for row in rows]
        batch["token_type_ids"] = torch.tensor([padded(t) for t in types])
    if "labels" in rows[0]:
        batch["labels"] = torch.tensor([padded(row["labels"], -100) for row in rows])
        return batch
    labels = [row["label"] for row in rows]
    batch["labels"] = torch.tensor(labels, dtype=torch.get_default_dtype()
                                   if isinstance(labels[0], float) else torch.long)
    return batch


def batches(rows, size):
    """Consecutive batches in the given order; the last one may be smaller."""
    return [collate(rows[i:i + size]) for i in range(0, len(rows), size)]


def terms(batch):
    """How many terms the batch's loss is the mean of: rows, or supervised tokens but the first."""
    labels = batch["labels"]
    return len(labels) if labels.ndim == 1 else (labels[:, 1:] != -100).sum().item()


def shares(group):
    """(batch, its share of the group's terms): what its mean loss weighs in that of the group."""
    total = sum(terms(batch) for batch in group)
    return [(batch, terms(batch) / total) for batch in group]


def logits_of(model, batch):
    return model(**{k: v for k, v in batch.items() if k != "labels"}).logits


def loss_of(model, batch, temperature=1):
    """The mean over the batch's terms; a causal model's row t predicts token t + 1."""
    logits, labels = logits_of(model, batch) / temperature, batch["labels"]
    if labels.ndim == 2:
        return torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
    if logits.shape[1] == 1:
        return torch.nn.functional.mse_loss(logits[:, 0], labels)
    return torch.nn.functional.cross_entropy(logits, labels)


def head_parameters(model):
    """The task's head, which every method trains; a causal model has none of its own."""
    for name in ("classifier", "score"):
        if hasattr(model, name):
            return dict(getattr(model, name).named_parameters(prefix=name))
    return {}


def target_weights(model, target_modules):
    """{name: weight} of the linear layers whose name ends in a target, in model order."""
    return {f"{name}.weight": module.weight for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
            and any(f".{name}".endswith(f".{target}") for target in target_modules)}


def entry_count(weights, sparse):
    """K, the number of trained entries, from `count`, `density` or `rank_equivalent`."""
    if "count" in sparse:
        return sparse["count"]
    if "density" in sparse:
        return math.floor(sparse["density"] * sum(w.numel() for w in weights.values()))
    return sparse["rank_equivalent"] * sum(sum(w.shape) for w in weights.values())


def mean_gradients(model, weights, scoring_batches):
    """The gradient of the mean loss over all rows of the batches; dropout off."""
    model.eval()
    grads = None
    for batch, share in shares(scoring_batches):
        new = torch.autograd.grad(loss_of(model, batch) * share, list(weights.values()))
        grads = new if grads is None else [a + b for a, b in zip(grads, new)]
    return dict(zip(weights, grads))


def score_weights(model, weights, metric, scoring_batches, generator=None):
    """{name: flat scores}; the largest are kept."""
    if metric == "gradient":
        grads = mean_gradients(model, weights, scoring_batches)
        return {name: g.abs().flatten() for name, g in grads.items()}
    if metric == "magnitude":
        return {name: w.detach().abs().flatten() for name, w in weights.items()}
    return {name: torch.rand(w.numel(), generator=generator) for name, w in weights.items()}


def top_positions(scores, count):
    """Sorted positions of the `count` largest scores; of equal scores the lower position wins."""
    order = torch.sort(scores, descending=True, stable=True).indices
    return torch.sort(order[:count]).values


def select_positions(scores, count, scope):
    """{name: sorted flat positions}; scope "tensor" gives each floor(K n_tensor / N) entries."""
    total = sum(s.numel() for s in scores.values())
    if scope == "tensor":
        return {name: top_positions(s, count * s.numel() // total) for name, s in scores.items()}
    chosen = torch.zeros(total, dtype=torch.bool)
    chosen[top_positions(torch.cat(list(scores.values())), count)] = True
    parts = torch.split(chosen, [s.numel() for s in scores.values()])
    return {name: part.nonzero().flatten() for name, part in zip(scores, parts)}


def linear_schedule(step, total, warmup):
    """The factor on the learning rate of the `step`-th of `total` steps, counted from 0."""
    if step < warmup:
        return step / warmup
    return (total - step) / (total - warmup)


class Trainer:
    """AdamW on what `method` trains: "sparse" (deltas and the head), "head" or "full"."""

    def __init__(self, model, method, run, positions=None):
        self.model, self.run = model, run
        self.deltas = []  # (weight, positions, original entries, delta)
        head = head_parameters(model)
        dense = dict(model.named_parameters()) if method == "full" else head
        for name, param in model.named_parameters():
            param.requires_grad_(name in dense)
        for name, where in (positions or {}).items():
            weight = model.get_parameter(name).requires_grad_()
            start = weight.detach().flatten()[where]
            delta = torch.nn.Parameter(torch.zeros_like(start))
            self.deltas.append((weight, where, start, delta))
        # As transformers does: no decay on biases and LayerNorm. Decay on a delta pulls the
        # entry towards its pretrained value.
        decayed = [p for p in dense.values() if p.ndim > 1] + [d[3] for d in self.deltas]
        others = [p for p in dense.values() if p.ndim == 1]
        self.trained = decayed + others
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": run["weight_decay"]},
             {"params": others, "weight_decay": 0.0}],
            lr=run["learning_rate"], betas=(0.9, 0.999), eps=1e-8)

    def trained_count(self):
        return sum(p.numel() for p in self.trained)

    def step(self, batch, step, total):
        """One update; returns the batch's loss before it, the gradient's norm and the rate."""
        rate = self.run["learning_rate"] * linear_schedule(step, total, self.run["warmup_steps"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.zero_grad()
        loss = loss_of(self.model, batch)
        loss.backward()
        for weight, where, _, delta in self.deltas:
            delta.grad = weight.grad.flatten()[where]
        limit = self.run["max_grad_norm"] or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.trained, limit)
        self.optimizer.step()
        with torch.no_grad():
            for weight, where, start, delta in self.deltas:
                weight.view(-1)[where] = start + delta
        return loss.item(), norm.item(), rate


def f1_score(predicted, truth, cls):
    hits = ((predicted == cls) & (truth == cls)).sum().item()
    named = (predicted == cls).sum().item() + (truth == cls).sum().item()
    return 2 * hits / named if named else 0.0


def matthews(predicted, truth, classes):
    """The multi-class form (R_K), which for two classes is the usual one."""
    n = len(truth)
    p = torch.bincount(predicted, minlength=classes).double()
    t = torch.bincount(truth, minlength=classes).double()
    right = (predicted == truth).sum().item()
    scale = math.sqrt((n * n - (p @ p).item()) * (n * n - (t @ t).item()))
    return (right * n - (p @ t).item()) / scale if scale else 0.0


def average_ranks(values):
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() - 1) / 2)[inverse]


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].item()


@torch.no_grad()
def evaluate_causal(model, rows, batch_size):
    """(metrics, logprobs): of each row the log-probability of every token after its first."""
    model.eval()
    logprobs, loss, hits, count = [], 0.0, 0, 0
    for batch in batches(rows, batch_size):
        table = logits_of(model, batch)[:, :-1].log_softmax(-1)
        ids, labels = batch["input_ids"][:, 1:], batch["labels"][:, 1:]
        chosen = table.gather(2, ids[..., None])[..., 0]
        lengths = batch["attention_mask"].sum(1).tolist()
        logprobs += [row[:n - 1].tolist() for row, n in zip(chosen, lengths)]
        supervised = labels != -100
        loss -= table[supervised].gather(1, labels[supervised][:, None]).sum().item()
        hits += (table[supervised].argmax(1) == labels[supervised]).sum().item()
        count += supervised.sum().item()
    return {"loss": loss / count, "perplexity": math.exp(loss / count),
            "token_accuracy": hits / count}, logprobs


@torch.no_grad()
def evaluate(model, rows, batch_size):
    """(metrics, logits): the loss is the mean over rows."""
    model.eval()
    groups = batches(rows, batch_size)
    logits = torch.cat([logits_of(model, batch) for batch in groups])
    truth = torch.cat([batch["labels"] for batch in groups])
    loss = sum(loss_of(model, batch).item() * share for batch, share in shares(groups))
    if logits.shape[1] == 1:
        guess = logits[:, 0]
        return {"loss": loss, "mse": loss, "pearson": correlation(guess, truth),
                "spearman": correlation(average_ranks(guess), average_ranks(truth))}, logits
    predicted, classes = logits.argmax(1), logits.shape[1]
    present = [1] if classes == 2 else torch.cat([predicted, truth]).unique().tolist()
    return {"loss": loss, "accuracy": (predicted == truth).double().mean().item(),
            "f1": sum(f1_score(predicted, truth, c) for c in present) / len(present),
            "matthews_correlation": matthews(predicted, truth, classes)}, logits
