package dev.graft.parity.sanitized;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads models whose config.json has drawn sizes, with weights that fit, and computes logits with each: every model gives numbers or is refused.
 * Run in a process of its own whose loops check every access.
 */
public final class ConfigFuzz {
    private static final int VOCABULARY = 40;

    private final Random random;
    private final Path folder;

    private ConfigFuzz(Random random, Path folder) {
        this.random = random;
        this.folder = folder;
    }

    /** Takes a seed, a number of seconds and a folder; prints the numbers of models and of refusals. */
    public static void main(String[] args) throws IOException {
        Random random = new Random(Long.parseLong(args[0]));
        long end = System.nanoTime() + Long.parseLong(args[1]) * 1_000_000_000L;
        int models = 0;
        int refused = 0;
        while (System.nanoTime() < end) {
            Path folder = Files.createDirectories(Path.of(args[2], String.valueOf(models++)));
            try {
                new ConfigFuzz(random, folder).run();
            } catch (InputException | TensorException error) {
                refused++;
            }
        }
        System.out.println(models + " models, " + refused + " refused");
    }

    private int size(int most) {
        return 1 + random.nextInt(most);
    }

    private void run() throws IOException {
        int kvHeads = size(3);
        int heads = kvHeads * size(3);
        int headDim = random.nextBoolean() ? 2 * size(20) : size(70);
        int hidden = random.nextInt(4) == 0 ? heads * headDim : size(70);
        int wide = size(90);
        int layers = size(2);
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("model_type", "llama")
                .put("vocab_size", VOCABULARY)
                .put("hidden_size", hidden)
                .put("intermediate_size", wide)
                .put("num_hidden_layers", layers)
                .put("num_attention_heads", heads)
                .put("num_key_value_heads", kvHeads)
                .put("head_dim", headDim)
                .put("max_position_embeddings", 8 + size(60))
                .put("rms_norm_eps", random.nextInt(9) == 0 ? -1.0 : 1e-6)
                .put("tie_word_embeddings", true)
                .put("hidden_act", random.nextBoolean() ? "silu" : "gelu");
        config.putArray("architectures").add("LlamaForCausalLM");
        rope(config);
        AtomicWrite.text(folder.resolve("config.json"), Json.pretty(config));
        List<TensorData> tensors = new ArrayList<>();
        tensors.add(tensor("model.embed_tokens.weight", VOCABULARY, hidden));
        tensors.add(tensor("model.norm.weight", hidden));
        for (int i = 0; i < layers; i++) {
            String layer = "model.layers." + i + ".";
            tensors.add(tensor(layer + "input_layernorm.weight", hidden));
            tensors.add(tensor(layer + "post_attention_layernorm.weight", hidden));
            tensors.add(tensor(layer + "self_attn.q_proj.weight", heads * headDim, hidden));
            tensors.add(tensor(layer + "self_attn.k_proj.weight", kvHeads * headDim, hidden));
            tensors.add(tensor(layer + "self_attn.v_proj.weight", kvHeads * headDim, hidden));
            tensors.add(tensor(layer + "self_attn.o_proj.weight", hidden, heads * headDim));
            tensors.add(tensor(layer + "mlp.gate_proj.weight", wide, hidden));
            tensors.add(tensor(layer + "mlp.up_proj.weight", wide, hidden));
            tensors.add(tensor(layer + "mlp.down_proj.weight", hidden, wide));
        }
        Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        compute(random.nextBoolean() ? Numerics.FP32 : Numerics.BF16);
    }

    private void rope(ObjectNode config) {
        double[] numbers = {1, 10_000, 4, 0.5, 0, -1};
        config.put("rope_theta", numbers[random.nextInt(20) == 0 ? size(6) - 1 : 1]);
        if (random.nextBoolean()) {
            ObjectNode scaling = config.putObject("rope_scaling");
            String type = List.of("linear", "dynamic", "yarn", "llama3").get(random.nextInt(4));
            scaling.put("rope_type", type).put("factor", numbers[random.nextInt(4) == 0 ? size(6) - 1 : 2]);
            if (random.nextBoolean()) {
                scaling.put("partial_rotary_factor", random.nextDouble());
            }
            if (type.equals("llama3")) {
                scaling.put("low_freq_factor", 1).put("high_freq_factor", 4).put("original_max_position_embeddings", 8);
            }
        }
    }

    private void compute(Numerics numerics) {
        try (Scope scope = new Scope();
                InferenceScope inference = new InferenceScope()) {
            Base base = Base.load("drawn", folder, Base.Options.DEFAULT.withNumerics(numerics));
            long[][] ids = new long[size(3)][size(7)];
            List<int[]> prompts = new ArrayList<>();
            for (long[] row : ids) {
                Arrays.setAll(row, i -> random.nextInt(VOCABULARY));
                prompts.add(Arrays.stream(row).mapToInt(Math::toIntExact).toArray());
            }
            for (float logit : Tensors.floats(base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE)))) {
                if (!Float.isFinite(logit)) {
                    throw new AssertionError("logits that are no numbers, of " + folder);
                }
            }
            GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(3);
            new Generator(base, null).generate(prompts, options, Hooks.NONE, TextListener.SILENT);
        }
    }

    private TensorData tensor(String name, int... shape) {
        long[] sizes = new long[shape.length];
        int count = 1;
        for (int i = 0; i < shape.length; i++) {
            sizes[i] = shape[i];
            count *= shape[i];
        }
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian() * 0.3f;
        }
        return TensorData.of(name, values, sizes);
    }
}
