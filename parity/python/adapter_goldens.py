"""LoRA on tiny models of base_goldens.py, as PEFT applies and trains it.

    pip install transformers==5.24.0 peft==0.21.2 torch safetensors==0.8.0
    python adapter_goldens.py ../fixtures [NAME...]

adapters/NAME/lora has an adapter with values other than those that training starts from: outputs, loss, gradients, a merged weight, greedy
generation; adapters/NAME/lora-parameters the same of an adapter of a mixture's router and experts. training/NAME/lora has the adapter before
and after 20 steps of AdamW on five batches, four of them padded on the right, and the loss and the gradient's norm of every step.
"""

import json
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from base_goldens import PICTURES, STEPS, VOCAB, WIDTH, answer, continues, greedy, read, reads, visible
from safetensors import safe_open
from safetensors.torch import load_file, save_file

CASES = {
    "gemma": ["adapters"], "gemma2": ["adapters", "training"], "mt5": ["adapters"], "umt5": ["adapters"],
    "deberta-seqcls": ["adapters", "training"], "t5-seqcls": ["adapters", "training"], "t5-tokcls": ["adapters"], "t5-qa": ["adapters"],
    "llama4": ["adapters", "parameters", "training"], "llama4-pictures": ["parameters"],
    "rwkv": ["adapters", "training"], "nemotron-h": ["adapters", "training"],
}
# For umT5 and Llama 4 PEFT has no defaults; of Nemotron-H they are those of attention alone.
TARGETS = {
    "umt5": ["q", "v"], "llama4": ["q_proj", "v_proj", "down_proj"], "nemotron-h": ["in_proj", "q_proj", "o_proj", "up_proj"],
}
PARAMETERS = ["experts.gate_up_proj", "experts.down_proj", "router.weight"]
TASKS = {"ForConditionalGeneration": "SEQ_2_SEQ_LM", "ForSequenceClassification": "SEQ_CLS",
         "ForTokenClassification": "TOKEN_CLS", "ForQuestionAnswering": "QUESTION_ANS"}
OUTPUTS, LABELS = ["logits", "start_logits", "end_logits"], ["labels", "start_positions", "end_positions"]
ADAPTED = (peft.tuners.lora.Linear, peft.tuners.lora.layer.ParamWrapper)
PICTURES_OF = tuple("base_model.model." + part for part in PICTURES)
ADAMW = {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}
BATCHES, ROWS, TRAINED_STEPS, AMPLITUDE = 5, 4, 20, 0.1


def load(folder, name, **fields):
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, architecture).from_pretrained(folder, attn_implementation="eager").eval()
    task = "CAUSAL_LM" if continues(model) else next(task for suffix, task in TASKS.items() if architecture.endswith(suffix))
    model.config.use_cache = False  # a recurrent state is written in place, through which no gradient goes
    torch.manual_seed(sum(map(ord, name)) + 1)
    adapted = peft.get_peft_model(model, peft.LoraConfig(
        r=4, lora_alpha=6, task_type=task, **{"target_modules": TARGETS.get(name), **fields}))
    adapted.peft_config["default"].base_model_name_or_path = "bases/" + name
    return adapted.eval(), task


def adapted_weights(model):
    """The base's parameters that an adapter changes, by their names."""
    for module, layer in model.named_modules():
        if isinstance(layer, ADAPTED):
            name = module.removeprefix("base_model.model.").replace(".base_layer", "")
            yield f"{name}.{getattr(layer, 'parameter_name', 'weight')}"


def trained(model):
    return {key: value for key, value in model.named_parameters() if value.requires_grad}


def save(model, folder):
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    for field in ("target_modules", "modules_to_save"):
        config[field] = None if config[field] is None else sorted(config[field])
    path.write_text(json.dumps(config, indent=2) + "\n")


def tensors(folder):
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        return [
            {"name": key, "shape": list(file.get_slice(key).get_shape()), "dtype": file.get_slice(key).get_dtype()}
            for key in sorted(file.keys())
        ]


def described(model, name, task, case):
    layers = {
        module.removeprefix("base_model.model."): {"kind": type(layer.get_base_layer()).__name__, "r": 4, "scaling": 1.5}
        for module, layer in model.named_modules() if isinstance(layer, ADAPTED)
    }
    return {
        "all_parameters": sum(value.numel() for key, value in model.named_parameters() if not key.startswith(PICTURES_OF)),
        "base": "bases/" + name, "case": case, "layers": layers,
        "peft_type": "LORA", "task_type": task, "trainable_parameters": model.get_nb_trainable_parameters()[0],
        "versions": {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
    }


def write(folder, stored, manifest):
    save_file({key: value.detach().contiguous() for key, value in stored.items()}, folder / "reference.safetensors")
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=0) + "\n")


def parameters(base, folder, name):
    adapter(base, folder, name, target_modules=[], target_parameters=PARAMETERS)


def adapter(base, folder, name, **fields):
    model, task = load(base, name, **fields)
    with torch.no_grad():
        for key, value in trained(model).items():
            if "lora_" in key:
                value.copy_(AMPLITUDE * torch.randn_like(value))
    save(model, folder)
    known = load_file(base / "reference.safetensors")
    given = {key: known[key] for key in known if key.endswith(("input_ids", "attention_mask")) and "." not in key}
    mask = given.get("decoder_attention_mask", given["attention_mask"])
    output = read(reads(model.base_model.model), given, **{key: known[key] for key in LABELS if key in known})
    output.loss.backward()
    outputs = [key for key in OUTPUTS if output.get(key) is not None]
    stored = {"loss": output.loss.reshape(1)} | {key: visible(output[key], mask) for key in outputs}
    stored |= {"grad." + key: value.grad for key, value in trained(model).items()}
    with torch.no_grad():
        if task == "CAUSAL_LM":
            greedy(reads(model.base_model.model), known["generate.input_ids"], known["generate.attention_mask"], stored)
        elif task == "SEQ_2_SEQ_LM":
            source = {"input_ids": known["generate.input_ids"], "attention_mask": known["generate.attention_mask"]}
            answer(model, source, stored)
        manifest = described(model, name, task, folder.name)
        first = next(adapted_weights(model))
        stored["merged_weight." + first] = model.merge_and_unload().state_dict()[first]
    write(folder, stored, manifest | {
        "amplitude": AMPLITUDE, "base_dtype": "float32", "inputs": {"from_base": sorted(given), "own": []}, "mergeable": True,
        "outputs": outputs, "steps": STEPS, "tensors": tensors(folder), "tolerance": {"atol": 1e-5, "rtol": 1e-4},
    })


def batches(task, config):
    for i in range(BATCHES):
        ids = torch.randint(3, VOCAB, (ROWS, WIDTH))
        shortest = 4 if i else WIDTH  # the first batch, which is looked at in the end, has no padding
        mask = (torch.arange(WIDTH) < torch.randint(shortest, WIDTH + 1, (ROWS, 1))).long()
        ids[mask == 0] = 0
        if config.is_encoder_decoder:  # a classifier reads at the token that ends the text, of which there is one
            ids[ids == config.eos_token_id] = 3
            ids[range(ROWS), mask.sum(1) - 1] = config.eos_token_id
        labels = torch.randint(0, 3, (ROWS,)) if task == "SEQ_CLS" else ids.masked_fill(mask == 0, -100)
        yield {"input_ids": ids, "attention_mask": mask, "labels": labels}


def training(base, folder, name):
    model, task = load(base, name)
    save(model, folder / "initial")
    rows = list(batches(task, model.config))
    parameters = trained(model)
    optimizer = torch.optim.AdamW(parameters.values(), **ADAMW)
    log = []
    for step in range(TRAINED_STEPS):
        loss = model(**rows[step % BATCHES]).loss
        loss.backward()
        norm = torch.stack([value.grad.norm() for value in parameters.values()]).norm()
        optimizer.step()
        optimizer.zero_grad()
        log.append({
            "step": step, "batch": step % BATCHES, "loss": loss.item(), "grad_norm_before_clipping": norm.item(), "lr": [ADAMW["lr"]]})
    save(model, folder / "final")
    stored = {f"batch.{i}.{key}": value for i, batch in enumerate(rows) for key, value in batch.items()}
    with torch.no_grad():
        output = model(**rows[0])
    stored["final.logits_on_batch_0"] = output.logits
    stored["final.loss_on_batch_0"] = output.loss.reshape(1)
    write(folder, stored, described(model, name, task, folder.name) | {
        "dropout": 0.0, "log": log, "steps": TRAINED_STEPS, "tensors": tensors(folder / "final"),
        "hyper_parameters": ADAMW | {"accumulation": 1, "max_grad_norm": None, "optimizer": "AdamW", "schedule": None},
        "parameter_groups": [{"lr": ADAMW["lr"], "weight_decay": ADAMW["weight_decay"], "names": list(parameters)}],
        "tolerance": {
            "grad_norm": {"atol": 1e-4, "rtol": 1e-3}, "loss": {"atol": 1e-4, "rtol": 1e-4}, "tensors": {"atol": 1e-3, "rtol": 1e-3}},
    })


if __name__ == "__main__":
    root = Path(sys.argv[1])
    for case in sys.argv[2:] or CASES:
        for group in CASES[case]:
            make, target = {
                "adapters": (adapter, root / "adapters" / case / "lora"),
                "parameters": (parameters, root / "adapters" / case / "lora-parameters"),
                "training": (training, root / "training" / case / "lora"),
            }[group]
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            make(root / "bases" / case, target, case)
            print(group, case)
