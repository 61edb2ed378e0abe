"""Golden outputs of HyperFormer and MAD-G adapters on a tiny BERT, worked out in PyTorch by the formulas of the papers.

    python hypernetwork_goldens.py ../fixtures/adapterhub/bases/bert ../fixtures/hypernetworks

Each folder gets adapter_config.json, adapter.safetensors and reference.safetensors: input_ids, attention_mask and, for every task or
language i, last_hidden_state.i. Everything is drawn from one seed. Needs torch, transformers and safetensors.
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file

HIDDEN, LAYERS, M = 32, 2, 4


def cut(theta, normed):
    sizes = [HIDDEN * M, M, HIDDEN * M, HIDDEN] + ([HIDDEN, HIDDEN] if normed else [])
    parts = torch.split(theta, sizes)
    return parts[0].view(M, HIDDEN), parts[1], parts[2].view(HIDDEN, M), *parts[3:]


def hyperformer_adapter(t, task, layer, place, h):
    z = torch.cat([t["tasks"][task], t["layers"][layer], t["places"][place]])
    c = t["2.weight"] @ torch.relu(t["0.weight"] @ z + t["0.bias"]) + t["2.bias"]
    c = F.layer_norm(c, c.shape, t["norm.weight"], t["norm.bias"])
    down, d, up, u, gamma, beta = cut(t["generator.weight"] @ c + t["generator.bias"], True)
    a = F.gelu(h @ down.T + d) @ up.T + u
    return F.layer_norm(a, (HIDDEN,), gamma, beta)


def madg_adapter(t, language, layer, z):
    c = torch.cat([t["projection"] @ t["languages"][language], t["layers"][layer]])
    down, d, up, u = cut(t["generator.weight"] @ c, False)
    return torch.relu(z @ down.T + d) @ up.T + u


def forward(model, ids, mask, block):
    """BERT with something else behind the blocks: block(layer, place, residual, output, norm) is what is added to the residual."""
    x = model.embeddings(input_ids=ids)
    hidden = (1.0 - mask[:, None, None, :].float()) * -1e30
    for i, layer in enumerate(model.encoder.layer):
        own = layer.attention.self
        heads, size = own.num_attention_heads, own.attention_head_size
        split = lambda y: y.view(*y.shape[:2], heads, size).transpose(1, 2)
        q, k, v = split(own.query(x)), split(own.key(x)), split(own.value(x))
        p = (q @ k.transpose(2, 3) / size**0.5 + hidden).softmax(-1)
        attended = (p @ v).transpose(1, 2).reshape(x.shape)
        out = layer.attention.output
        h = out.dense(attended)
        x = out.LayerNorm(x + block(i, 0, x, h, out.LayerNorm))
        h = layer.output.dense(F.gelu(layer.intermediate.dense(x)))
        x = layer.output.LayerNorm(x + block(i, 1, x, h, layer.output.LayerNorm))
    return x


def write(folder, config, tensors, reference):
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"config": config, "hidden_size": HIDDEN, "model_type": "bert", "name": "task"}
    (folder / "adapter_config.json").write_text(json.dumps(whole, indent=1))
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "adapter.safetensors")
    save_file({k: v.contiguous() for k, v in reference.items()}, folder / "reference.safetensors")


def main(base, out):
    torch.manual_seed(20251125)
    model = transformers.BertModel.from_pretrained(base, dtype=torch.float32).eval()
    ids = torch.randint(1, 96, (3, 8))
    mask = torch.ones(3, 8, dtype=torch.long)
    mask[1, 5:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    tasks, e, inside, code = 3, 5, 7, 6
    numbers = 2 * HIDDEN * M + M + 3 * HIDDEN
    t = {
        "tasks": torch.randn(tasks, e),
        "layers": torch.randn(LAYERS, e),
        "places": torch.randn(2, e),
        "0.weight": torch.randn(inside, 3 * e) / 3,
        "0.bias": torch.randn(inside) / 3,
        "2.weight": torch.randn(code, inside) / 3,
        "2.bias": torch.randn(code) / 3,
        "norm.weight": 1 + torch.randn(code) / 5,
        "norm.bias": torch.randn(code) / 5,
        "generator.weight": torch.randn(numbers, code) / 5,
        "generator.bias": torch.randn(numbers) / 5,
    }
    config = {
        "architecture": "hyperformer", "tasks": tasks, "task_embeddings": [], "embedding_size": e, "inside_size": inside,
        "code_size": code, "reduction_factor": HIDDEN // M, "non_linearity": "gelu",
    }
    with torch.no_grad():
        states = {
            f"last_hidden_state.{k}": forward(
                model, ids, mask, lambda i, place, x, h, norm: h + hyperformer_adapter(t, k, i, place, h))
            for k in range(tasks)
        }
        write(out / "hyperformer", config, {f"hyperformer.task.{n}": v for n, v in t.items()}, inputs | states)

        languages, n, e, l = 3, 9, 4, 3
        numbers = 2 * HIDDEN * M + M + HIDDEN
        vectors = [[float(b) for b in torch.randint(0, 2, (n,))] for _ in range(languages)]
        t = {
            "languages": torch.tensor(vectors),
            "projection": torch.randn(e, n) / 3,
            "layers": torch.randn(LAYERS, l),
            "generator.weight": torch.randn(numbers, e + l) / 5,
        }
        config = {
            "architecture": "madg", "languages": vectors, "embedding_size": e, "layer_embedding_size": l,
            "reduction_factor": HIDDEN // M, "non_linearity": "relu",
        }
        states = {
            f"last_hidden_state.{k}": forward(
                model, ids, mask,
                lambda i, place, x, h, norm: h if place == 0 else h + madg_adapter(t, k, i, norm(x + h)))
            for k in range(languages)
        }
        write(out / "mad-g", config, {f"madg.task.{n}": v for n, v in t.items()}, inputs | states)
        plain = forward(model, ids, mask, lambda i, place, x, h, norm: h)
        theirs = model(input_ids=ids, attention_mask=mask).last_hidden_state
        assert ((plain - theirs) * mask[..., None]).abs().max() < 1e-5


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
