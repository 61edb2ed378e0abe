"""Tiny models of the families that the reference tree lacks, with what transformers computes with them.

    pip install transformers==5.24.0 torch safetensors==0.8.0
    python base_goldens.py ../fixtures/bases [NAME...]

Each folder has config.json and model.safetensors as save_pretrained writes them, and reference.safetensors: inputs (row 0 whole, row 1
padded right, row 2 padded left), hidden states, outputs, a loss, and for decoders greedy generation. Outputs at padding are 0. An
encoder-decoder has decoder_input_ids (row 1 padded right) and the hidden states of both sides. Where a model of transformers reads padding
as tokens, as RWKV does, each row's text is read alone.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

VOCAB, ROWS, WIDTH, STEPS = 64, 3, 10, 8
SIZES = {
    "vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 48, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}
ENCODER = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
GROUPED = {"num_key_value_heads": 2}
EXPERTS = {"num_experts_per_tok": 2, "output_router_logits": True, "router_aux_loss_coef": 0.25}
DEBERTA = {
    **ENCODER, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0,
    "pooler_hidden_size": 16, "pooler_dropout": 0.0, "hidden_act": "gelu",
}
DEBERTA_1 = {**DEBERTA, "type_vocab_size": 2, "position_biased_input": True}
MT5 = {
    "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "dropout_rate": 0.0,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20, "decoder_start_token_id": 0,
}
# Caps that bend the scores and logits of models as small as these.
CAPPED = {**GROUPED, "head_dim": 8, "query_pre_attn_scalar": 4, "sliding_window": 3, "attn_logit_softcapping": 0.5, "final_logit_softcapping": 0.75}
BART = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_ffn_dim": 24, "decoder_ffn_dim": 20, "encoder_attention_heads": 4,
    "decoder_attention_heads": 2, "dropout": 0.0, "decoder_start_token_id": 2,
}
GPT2 = {
    "n_embd": 16, "n_inner": 24, "n_layer": 2, "n_head": 4, "n_positions": 48, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
}
OPT = {"ffn_dim": 24, "pad_token_id": 1, "bos_token_id": 2, "dropout": 0.0}
GPT_NEO = {"num_hidden_layers": 3, "attention_types": [[["global", "local"], 1], [["local"], 1]], "window_size": 3}

STABLELM = {**GROUPED, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}}
# Steps that are cut from below, texts that end within a chunk.
NEMOTRON_H = {
    **GROUPED, "head_dim": 8, "mamba_num_heads": 4, "mamba_head_dim": 6, "n_groups": 2, "ssm_state_size": 5, "conv_kernel": 3, "chunk_size": 4,
    "time_step_min": 0.5,
}
GPTJ = {"n_inner": 24, "num_attention_heads": 2, "rotary_dim": 4}
NEW_FALCON = {"new_decoder_architecture": True, "num_kv_heads": 2, "ffn_hidden_size": 24}

LLAMA4 = {
    **GROUPED, "head_dim": 4, "num_hidden_layers": 4, "intermediate_size": 12, "intermediate_size_mlp": 24, "num_local_experts": 3,
    "num_experts_per_tok": 2, "interleave_moe_layer_step": 2, "no_rope_layer_interval": 2, "attention_chunk_size": 4,
}

# name: class, configuration; positions are counted from pad_token_id + 1 where it is 1
BASES = {
    "roberta-mlm": ("RobertaForMaskedLM", {**ENCODER, "pad_token_id": 1, "type_vocab_size": 1}),
    "bert-choice": ("BertForMultipleChoice", {**ENCODER, "type_vocab_size": 2}),
    "roberta-choice": ("RobertaForMultipleChoice", {**ENCODER, "pad_token_id": 1, "type_vocab_size": 1}),
    "electra-choice": ("ElectraForMultipleChoice", {**ENCODER, "embedding_size": 12, "summary_last_dropout": 0.0}),
    "distilbert-choice": ("DistilBertForMultipleChoice", {
        "dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 4, "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}),
    "mpnet-choice": ("MPNetForMultipleChoice", {**ENCODER, "pad_token_id": 1}),
    "deberta-v2-choice": ("DebertaV2ForMultipleChoice", {**DEBERTA}),
    "modernbert-choice": ("ModernBertForMultipleChoice", {
        "local_attention": 6, "norm_bias": True, "cls_token_id": 1, "sep_token_id": 2}),
    "xlm-roberta-tokcls": ("XLMRobertaForTokenClassification", {**ENCODER, "pad_token_id": 1, "type_vocab_size": 1, "num_labels": 3}),
    "distilbert-qa": ("DistilBertForQuestionAnswering", {
        "dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 4, "dropout": 0.0, "attention_dropout": 0.0, "qa_dropout": 0.0}),
    "distilbert-mlm": ("DistilBertForMaskedLM", {
        "dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 4, "dropout": 0.0, "attention_dropout": 0.0}),
    "electra-seqcls": ("ElectraForSequenceClassification", {**ENCODER, "embedding_size": 12, "num_labels": 3}),
    "electra-mlm": ("ElectraForMaskedLM", {**ENCODER, "embedding_size": 12}),
    "modernbert-seqcls": ("ModernBertForSequenceClassification", {
        "num_hidden_layers": 3, "local_attention": 6, "classifier_pooling": "mean", "num_labels": 3, "norm_bias": True,
        "cls_token_id": 1, "sep_token_id": 2}),
    "mpnet-mlm": ("MPNetForMaskedLM", {**ENCODER, "pad_token_id": 1, "relative_attention_num_buckets": 32}),
    "mpnet-seqcls": ("MPNetForSequenceClassification", {**ENCODER, "pad_token_id": 1, "num_labels": 3}),
    "deberta-v2-seqcls": ("DebertaV2ForSequenceClassification", {**DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu", "num_labels": 3}),
    "deberta-v3-mlm": ("DebertaV2ForMaskedLM", {
        **DEBERTA, "share_att_key": True, "position_buckets": 4, "norm_rel_ebd": "layer_norm", "type_vocab_size": 2}),
    "deberta-mlm": ("DebertaForMaskedLM", {**DEBERTA_1}),
    "deberta-seqcls": ("DebertaForSequenceClassification", {
        **DEBERTA_1, "pos_att_type": ["c2p"], "position_biased_input": False, "max_relative_positions": 4, "num_labels": 3}),
    "layoutlm-mlm": ("LayoutLMForMaskedLM", {**ENCODER, "type_vocab_size": 2, "max_2d_position_embeddings": 8}),
    "layoutlm-tokcls": ("LayoutLMForTokenClassification", {
        **ENCODER, "type_vocab_size": 2, "max_2d_position_embeddings": 8, "num_labels": 3}),
    "layoutlm-seqcls": ("LayoutLMForSequenceClassification", {
        **ENCODER, "type_vocab_size": 2, "max_2d_position_embeddings": 8, "num_labels": 3}),
    "phi3": ("Phi3ForCausalLM", {**GROUPED, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}}),
    "phi3-longrope": ("Phi3ForCausalLM", {
        **GROUPED, "original_max_position_embeddings": 9, "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 1.0, "short_factor": [1.0, 1.5],
            "long_factor": [2.0, 5.5]}}),
    "llama-linear": ("LlamaForCausalLM", {**GROUPED, "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}}),
    # The context that is trained on is shorter than the texts.
    "llama-dynamic": ("LlamaForCausalLM", {
        **GROUPED, "max_position_embeddings": 7, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}}),
    "qwen3-yarn": ("Qwen3ForCausalLM", {
        **GROUPED, "head_dim": 8, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "original_max_position_embeddings": 12, "beta_fast": 1.5,
            "beta_slow": 0.25}}),
    "mistral-yarn": ("MistralForCausalLM", {
        **GROUPED, "head_dim": 8, "sliding_window": None, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "original_max_position_embeddings": 12, "beta_fast": 1.5,
            "beta_slow": 0.25, "mscale": 1.0, "mscale_all_dim": 0.5, "truncate": False}}),
    "smollm3": ("SmolLM3ForCausalLM", {**GROUPED, "num_hidden_layers": 3, "no_rope_layer_interval": 2}),
    "olmo2": ("Olmo2ForCausalLM", {**GROUPED}),
    "olmo3": ("Olmo3ForCausalLM", {
        **GROUPED, "sliding_window": 3, "layer_types": ["sliding_attention", "full_attention"], "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            "full_attention": {"rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "original_max_position_embeddings": 12,
                               "beta_fast": 1.5, "beta_slow": 0.25}}}),
    "exaone4": ("Exaone4ForCausalLM", {**GROUPED, "num_hidden_layers": 3, "sliding_window": 3, "sliding_window_pattern": 2}),
    "exaone4-qa": ("Exaone4ForQuestionAnswering", {**GROUPED, "sliding_window": None, "layer_types": ["full_attention", "full_attention"]}),
    "qwen2-window": ("Qwen2ForCausalLM", {
        **GROUPED, "num_hidden_layers": 3, "use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1}),
    "qwen3-moe": ("Qwen3MoeForCausalLM", {
        **GROUPED, **EXPERTS, "head_dim": 4, "num_hidden_layers": 3, "num_experts": 4, "moe_intermediate_size": 12, "mlp_only_layers": [1]}),
    "mixtral-seqcls": ("MixtralForSequenceClassification", {**GROUPED, "num_local_experts": 3, "num_experts_per_tok": 2, "num_labels": 3}),
    "gemma3-seqcls": ("Gemma3TextForSequenceClassification", {
        **GROUPED, "head_dim": 4, "query_pre_attn_scalar": 8, "sliding_window": 3, "num_labels": 3,
        "layer_types": ["full_attention", "sliding_attention"]}),
    "gemma3-cap": ("Gemma3ForCausalLM", {
        **GROUPED, "head_dim": 4, "query_pre_attn_scalar": 8, "sliding_window": 3, "final_logit_softcapping": 0.75,
        "layer_types": ["sliding_attention", "full_attention"]}),
    "gemma": ("GemmaForCausalLM", {**GROUPED, "head_dim": 8, "hidden_act": "gelu"}),
    "gemma-tokcls": ("GemmaForTokenClassification", {"num_key_value_heads": 1, "head_dim": 8, "num_labels": 3, "classifier_dropout": 0.0}),
    "gemma2": ("Gemma2ForCausalLM", {**CAPPED, "num_hidden_layers": 3}),
    "gemma2-seqcls": ("Gemma2ForSequenceClassification", {
        **CAPPED, "layer_types": ["full_attention", "sliding_attention"], "attention_bias": True, "num_labels": 3}),
    "qwen3-tokcls": ("Qwen3ForTokenClassification", {**GROUPED, "head_dim": 4, "num_labels": 3, "classifier_dropout": 0.0}),
    "llama-qa": ("LlamaForQuestionAnswering", {**GROUPED}),
    "mistral-qa": ("MistralForQuestionAnswering", {**GROUPED, "sliding_window": None}),
    "gpt-neox-qa": ("GPTNeoXForQuestionAnswering", {}),
    "gpt2-qa": ("GPT2ForQuestionAnswering", {**GPT2}),
    "gpt2-seqcls": ("GPT2ForSequenceClassification", {**GPT2, "scale_attn_by_inverse_layer_idx": True, "num_labels": 3}),
    "gpt-bigcode": ("GPTBigCodeForCausalLM", {**GPT2}),
    "gpt-bigcode-seqcls": ("GPTBigCodeForSequenceClassification", {**GPT2, "multi_query": False, "num_labels": 3}),
    "gpt-bigcode-tokcls": ("GPTBigCodeForTokenClassification", {**GPT2, "scale_attn_weights": False, "num_labels": 3}),
    "gpt-neo": ("GPTNeoForCausalLM", {**GPT_NEO}),
    "gpt-neo-seqcls": ("GPTNeoForSequenceClassification", {**GPT_NEO, "num_labels": 3}),
    "bloom": ("BloomForCausalLM", {}),
    # Slopes of heads that aren't a power of two.
    "bloom-tokcls": ("BloomForTokenClassification", {
        "hidden_size": 12, "num_attention_heads": 3, "apply_residual_connection_post_layernorm": True, "num_labels": 3}),
    "bloom-qa": ("BloomForQuestionAnswering", {}),
    "mpt": ("MptForCausalLM", {"max_seq_len": 48, "attn_config": {"clip_qkv": 1.0}}),
    "mpt-seqcls": ("MptForSequenceClassification", {
        "hidden_size": 12, "num_attention_heads": 3, "max_seq_len": 48, "attn_config": {"softmax_scale": 0.3}, "num_labels": 3}),
    "opt": ("OPTForCausalLM", {**OPT}),
    # What the one of 350 million parameters has.
    "opt-behind": ("OPTForCausalLM", {**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 12}),
    "opt-qa": ("OPTForQuestionAnswering", {**OPT, "word_embed_proj_dim": 12}),
    "opt-seqcls": ("OPTForSequenceClassification", {
        **OPT, "enable_bias": False, "_remove_final_layer_norm": True, "num_labels": 3}),
    "gpt-neox": ("GPTNeoXForCausalLM", {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}}),
    "bart": ("BartForConditionalGeneration", {**BART, "scale_embedding": True}),
    "bart-seqcls": ("BartForSequenceClassification", {**BART, "num_labels": 3}),
    "bart-qa": ("BartForQuestionAnswering", {**BART}),
    "mt5": ("MT5ForConditionalGeneration", {**MT5}),
    "umt5": ("UMT5ForConditionalGeneration", {**MT5}),
    "t5-seqcls": ("T5ForSequenceClassification", {**MT5, "num_labels": 3}),
    "t5-tokcls": ("T5ForTokenClassification", {**MT5, "num_labels": 3}),
    "t5-qa": ("T5ForQuestionAnswering", {**MT5}),
    "mt5-seqcls": ("MT5ForSequenceClassification", {**MT5, "num_labels": 3}),
    "mt5-tokcls": ("MT5ForTokenClassification", {**MT5, "num_labels": 3}),
    "mt5-qa": ("MT5ForQuestionAnswering", {**MT5}),
    "umt5-seqcls": ("UMT5ForSequenceClassification", {**MT5, "num_labels": 3}),
    "umt5-tokcls": ("UMT5ForTokenClassification", {**MT5, "num_labels": 3}),
    "umt5-qa": ("UMT5ForQuestionAnswering", {**MT5}),
    "whisper": ("WhisperForConditionalGeneration", {
        **BART, "num_mel_bins": 6, "max_source_positions": 9, "max_target_positions": 20, "decoder_start_token_id": 1,
        "begin_suppress_tokens": [5], "suppress_tokens": [7, 9]}),
    "phi": ("PhiForCausalLM", {"num_attention_heads": 2}),
    "phi-seqcls": ("PhiForSequenceClassification", {
        "num_attention_heads": 2, "num_key_value_heads": 1, "qk_layernorm": True, "num_labels": 3,
        "rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "partial_rotary_factor": 0.75, "factor": 2.5}}),
    "phi-tokcls": ("PhiForTokenClassification", {"num_labels": 3, "classifier_dropout": 0.0}),
    "stablelm": ("StableLmForCausalLM", {"num_attention_heads": 2, "num_key_value_heads": 1, "use_qkv_bias": True}),
    "stablelm-parallel": ("StableLmForCausalLM", {
        **STABLELM, "use_parallel_residual": True, "qk_layernorm": True, "tie_word_embeddings": True}),
    "stablelm-seqcls": ("StableLmForSequenceClassification", {**STABLELM, "num_labels": 3}),
    "stablelm-tokcls": ("StableLmForTokenClassification", {**STABLELM, "num_labels": 3, "classifier_dropout": 0.0}),
    "gptj": ("GPTJForCausalLM", {**GPTJ}),
    "gptj-seqcls": ("GPTJForSequenceClassification", {**GPTJ, "n_inner": None, "num_labels": 3}),
    "gptj-qa": ("GPTJForQuestionAnswering", {**GPTJ, "rotary_dim": 8}),
    "codegen": ("CodeGenForCausalLM", {**GPTJ, "hidden_size": 32, "num_attention_heads": 8}),
    # 7B: all queries share one key head.
    "falcon": ("FalconForCausalLM", {"ffn_hidden_size": 24}),
    "falcon-new": ("FalconForCausalLM", {**NEW_FALCON, "bias": True, "tie_word_embeddings": False}),
    # RW 1B, with as many heads as make slopes that bf16 rounds.
    "falcon-alibi": ("FalconForCausalLM", {
        "hidden_size": 32, "num_attention_heads": 16, "alibi": True, "parallel_attn": False, "multi_query": False, "bias": True}),
    "falcon-alibi-seqcls": ("FalconForSequenceClassification", {
        "hidden_size": 12, "num_attention_heads": 3, "alibi": True, "num_labels": 3}),
    "falcon-serial": ("FalconForCausalLM", {"parallel_attn": False, "multi_query": False, "bias": True}),
    "refined-web": ("FalconForCausalLM", {}),
    "refined-web-large": ("FalconForCausalLM", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon-seqcls": ("FalconForSequenceClassification", {**NEW_FALCON, "num_ln_in_parallel_attn": 1, "num_labels": 3}),
    "falcon-tokcls": ("FalconForTokenClassification", {"ffn_hidden_size": 24, "num_labels": 3, "classifier_dropout": 0.0}),
    "falcon-qa": ("FalconForQuestionAnswering", {"ffn_hidden_size": 24}),
    "llama4": ("Llama4ForCausalLM", {**LLAMA4}),
    # The bare model: what tunes the temperature counts padding on the left, whatever positions are given.
    "llama4-tuned": ("Llama4TextModel", {
        **LLAMA4, "num_hidden_layers": 3, "moe_layers": [0], "no_rope_layers": [1, 0, 0], "use_qk_norm": False, "attention_bias": True,
        "layer_types": ["full_attention", "chunked_attention", "full_attention"], "floor_scale": 3, "attn_scale": 0.4,
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16}}),
    "llama4-pictures": ("Llama4ForConditionalGeneration", {
        "text_config": {**LLAMA4, "num_hidden_layers": 2, "num_experts_per_tok": 1},
        "vision_config": {
            "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vision_output_dim": 8,
            "image_size": 8, "patch_size": 4, "projector_input_dim": 8, "projector_output_dim": 8}}),
    "nemotron-h": ("NemotronHForCausalLM", {
        **NEMOTRON_H, "layers_block_type": ["linear_attention", "mlp", "full_attention", "linear_attention"]}),
    "nemotron-h-bias": ("NemotronHForCausalLM", {
        **NEMOTRON_H, "n_groups": 4, "num_key_value_heads": 4, "use_bias": True, "mlp_bias": True, "use_conv_bias": False, "time_step_min": 0.001,
        "layers_block_type": ["mlp", "linear_attention", "full_attention", "linear_attention", "full_attention"]}),
    "rwkv": ("RwkvForCausalLM", {}),
    "rwkv-halved": ("RwkvForCausalLM", {
        "num_hidden_layers": 3, "attention_hidden_size": 24, "intermediate_size": None, "rescale_every": 1, "layer_norm_epsilon": 0.01,
        "tie_word_embeddings": True, "use_cache": False}),
    "gpt-neox-serial": ("GPTNeoXForCausalLM", {"use_parallel_residual": False, "tie_word_embeddings": True}),
}

# What the text part of a model doesn't have.
PICTURES = ("vision_model.", "multi_modal_projector.")

# Falcon's files from before transformers had the family: other fields, the same modules.
REFINED_WEB = {"refined-web": "RefinedWebModel", "refined-web-large": "RefinedWeb"}
COUNTS = {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "num_kv_heads": "n_head_kv"}
NEWER = ["activation", "ffn_hidden_size", "intermediate_size", "max_position_embeddings", "new_decoder_architecture",
         "num_ln_in_parallel_attn", "rope_parameters"]


def build(name):
    class_name, fields = BASES[name]
    model_class = getattr(transformers, class_name)
    sizes = {**fields, "text_config": {**SIZES, **fields["text_config"]}} if "text_config" in fields else {**SIZES, **fields}
    config = model_class.config_class(**sizes)
    torch.manual_seed(sum(map(ord, name)))
    # Falcon's eager attention adds its linear biases twice, once with the mask.
    kind = "sdpa" if getattr(config, "alibi", False) else "eager"
    model = model_class._from_config(config, attn_implementation=kind).eval().float()
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            scale = 0.2 if value.dim() > 1 else 0.3
            is_norm = value.dim() == 1 and parameter.endswith("weight")
            value.copy_((1.0 if is_norm and "gemma" not in name else 0.0) + scale * torch.randn_like(value))
    return model


def inputs(model):
    ids = torch.randint(3, VOCAB, (ROWS, WIDTH))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    mask[2, :3] = 0
    ids[mask == 0] = model.config.get_text_config().pad_token_id
    given = {"input_ids": ids, "attention_mask": mask}
    if hasattr(model.config, "num_mel_bins"):
        given = {"input_features": torch.randn(ROWS, model.config.num_mel_bins, 2 * model.config.max_source_positions)}
    if type(model).__name__.endswith("ForConditionalGeneration") and model.config.is_encoder_decoder:
        answers = torch.randint(3, VOCAB, (ROWS, WIDTH - 4))
        answers[:, 0] = model.config.decoder_start_token_id
        seen = torch.ones_like(answers)
        seen[1, 4:] = 0
        answers[seen == 0] = model.config.pad_token_id
        given |= {"decoder_input_ids": answers, "decoder_attention_mask": seen}
    elif model.config.is_encoder_decoder:  # a classifier reads at the token that ends the text, of which there is one
        ids[ids == model.config.eos_token_id] = 3
        ids[[0, 1, 2], [9, 6, 9]] = model.config.eos_token_id
    return given


def labels(model, ids, mask):
    name = type(model).__name__
    if name.endswith("Model"):
        return {}
    if name.endswith("ForQuestionAnswering") and name.startswith(("Llama", "Mistral", "GPT", "Falcon", "OPT", "Bloom", "Mpt", "Exaone")):
        return {}  # a loss over all positions would have those of padding, at which causal models compute nothing that counts
    if name.endswith("ForQuestionAnswering"):
        return {"start_positions": torch.tensor([1, 2, 4]), "end_positions": torch.tensor([5, 6, 8])}
    if name.endswith("ForMultipleChoice"):
        return {"labels": torch.tensor([1])}
    if name.endswith("ForSequenceClassification"):
        return {"labels": torch.tensor([0, 2, 1])}
    top = 3 if name.endswith("ForTokenClassification") else VOCAB
    chosen = ids.clone() if continues(model) else torch.randint(0, top, ids.shape)
    chosen[mask == 0] = -100
    if continues(model):
        chosen[:, 1:][mask[:, :-1] == 0] = -100  # what padding would predict
    return {"labels": chosen}


def continues(model):
    """Whether it predicts each next token of the very text that it reads."""
    return type(model).__name__.endswith(("ForCausalLM", "ForConditionalGeneration")) and not model.config.is_encoder_decoder


def reads(model):
    """What computes the answer to a text: the forward of Llama4ForConditionalGeneration itself fails, asking for a field that is missing."""
    return model.language_model if isinstance(model, transformers.Llama4ForConditionalGeneration) else model


def read(model, given, **more):
    """What a model gives for a batch; of texts read one by one where it would read padding, as Nemotron-H does by its biases."""
    if model.config.model_type != "rwkv" and not getattr(model.config, "use_bias", False):
        return model(**given, **more)
    ids, mask = given["input_ids"], given["attention_mask"].bool()
    wanted = more.pop("labels", None)
    each = [model(input_ids=row[seen].unsqueeze(0), output_hidden_states=True) for row, seen in zip(ids, mask)]

    def padded(rows):
        whole = torch.zeros(*ids.shape, rows[0].shape[-1])
        for i, value in enumerate(rows):
            whole[i, mask[i]] = value[0]
        return whole

    logits = padded([row.logits for row in each])
    every = getattr(model.config, "rescale_every", 0)
    last = model.config.num_hidden_layers
    return transformers.modeling_outputs.CausalLMOutput(
        loss=None if wanted is None else model.loss_function(logits=logits, labels=wanted, vocab_size=VOCAB),
        logits=logits,
        # As they are where the stream isn't halved.
        hidden_states=tuple(
            padded([row.hidden_states[i] for row in each]) * (2 ** ((i + 1) // every) if every > 0 and i < last else 1)
            for i in range(last + 1)),
    )


def visible(value, mask):
    if value.dim() < 2 or value.shape[:2] != mask.shape:
        return value
    return value * mask.reshape(mask.shape + (1,) * (value.dim() - 2)).to(value.dtype)


def greedy(model, ids, mask, stored):
    for step in range(STEPS):
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        logits = read(model, {"input_ids": ids, "attention_mask": mask}, position_ids=positions).logits[:, -1]
        if step in (0, STEPS - 1):
            stored["generate.first_logits" if step == 0 else "generate.last_logits"] = logits
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], 1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
    stored["generate.sequences"] = ids


def answer(model, source, stored):
    rows = len(next(iter(source.values())))
    answers = torch.full((rows, 1), model.config.decoder_start_token_id)
    for step in range(STEPS):
        logits = model(**source, decoder_input_ids=answers).logits[:, -1]
        if step in (0, STEPS - 1):
            stored["generate.first_logits" if step == 0 else "generate.last_logits"] = logits
        answers = torch.cat([answers, logits.argmax(-1, keepdim=True)], 1)
    stored["generate.sequences"] = answers


def reference(model):
    given = inputs(model)
    mask = given["decoder_attention_mask" if "decoder_attention_mask" in given else "attention_mask"]
    wanted = labels(model, given["decoder_input_ids" if "decoder_input_ids" in given else "input_ids"], mask)
    choices = type(model).__name__.endswith("ForMultipleChoice")  # the rows are the choices of one question
    shown = {key: value.unsqueeze(0) for key, value in given.items()} if choices else given
    output = read(model, shown, **wanted, output_hidden_states=True)
    if choices:
        output.logits = output.logits.reshape(-1, 1)
    stored = {**given, **wanted}
    if output.get("loss") is not None:
        stored["loss"] = output.loss.reshape(1)
    for field in ("logits", "start_logits", "end_logits", "last_hidden_state"):
        if output.get(field) is not None:
            stored[field] = visible(output[field], mask)
    if output.get("encoder_hidden_states") is not None:
        for i, hidden in enumerate(output.encoder_hidden_states):
            stored[f"encoder.hidden_states.{i}"] = visible(hidden, given["attention_mask"]) if "attention_mask" in given else hidden
        for i, hidden in enumerate(output.decoder_hidden_states):
            stored[f"decoder.hidden_states.{i}"] = visible(hidden, mask)
    else:
        for i, hidden in enumerate(output.hidden_states):
            stored[f"hidden_states.{i}"] = visible(hidden, mask)
    if continues(model):
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        stored["position_ids_from_mask"] = positions
        stored["logits_with_position_ids_from_mask"] = visible(read(model, given, position_ids=positions).logits, mask)
        if not hasattr(model.config, "rope_parameters") or model.config.rope_parameters.get("rope_type") != "dynamic":
            generate(model, given, mask, stored)
    elif "input_features" in given:
        answer(model, {"input_features": given["input_features"]}, stored)
    elif "decoder_input_ids" in given:
        stored["generate.input_ids"] = torch.stack([given["input_ids"][0, :6], given["input_ids"][2, 1:7]])
        stored["generate.attention_mask"] = torch.stack([given["attention_mask"][0, :6], given["attention_mask"][2, 1:7]])
        answer(model, {"input_ids": stored["generate.input_ids"], "attention_mask": stored["generate.attention_mask"]}, stored)
    return {key: value.detach().contiguous() for key, value in stored.items()}


def generate(model, given, mask, stored):
    stored["generate.input_ids"] = torch.stack([given["input_ids"][0, :6], given["input_ids"][2, 1:7]])
    stored["generate.attention_mask"] = torch.stack([mask[0, :6], mask[2, 1:7]])
    greedy(model, stored["generate.input_ids"], stored["generate.attention_mask"], stored)


def make(name, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = build(name)
    model.save_pretrained(folder)
    with torch.no_grad():
        stored = reference(reads(model))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name in REFINED_WEB:
        as_refined_web(folder / "config.json", REFINED_WEB[name])
    save_file(stored, folder / "reference.safetensors")
    write_manifest(model, folder)


def as_refined_web(file, model_type):
    fields = json.loads(file.read_text())
    config = {COUNTS.get(key, key): value for key, value in fields.items() if key not in NEWER}
    config |= {"architectures": ["RWForCausalLM"], "model_type": model_type}
    file.write_text(json.dumps(config, indent=2) + "\n")


def write_manifest(model, folder):
    with safe_open(folder / "model.safetensors", "pt") as file:
        tensors = [
            {"name": key, "shape": list(file.get_slice(key).get_shape()), "dtype": file.get_slice(key).get_dtype()}
            for key in sorted(file.keys())
        ]
    manifest = {
        "architecture": type(model).__name__,
        "compare": "only positions whose attention mask is 1; padded positions are stored as 0",
        "parameters": sum(value.numel() for key, value in model.named_parameters() if not key.startswith(PICTURES)),
        "tensors": tensors,
        "tolerance": {"atol": 1e-05, "rtol": 0.0001},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=0) + "\n")


if __name__ == "__main__":
    for base in sys.argv[2:] or BASES:
        make(base, Path(sys.argv[1]) / base)
        print(base)
