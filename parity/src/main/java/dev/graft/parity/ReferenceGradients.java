package dev.graft.parity;

import dev.graft.peft.Adapter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/** Trained parameters by the names that the reference library has for them in memory. */
final class ReferenceGradients {
    private static final String PREFIX = "grad.";

    private ReferenceGradients() {}

    /**
     * Returns whether the reference's gradients are derivatives. Its backward pass of C3A's convolution gives the input the gradient
     * {@code Σ g[t] w[t + j]} where the derivative is {@code Σ g[t] w[j - t]} (indices modulo the block size); torch's own gradcheck
     * finds it. So all that lies before such a layer has a wrong gradient.
     */
    static boolean areRight(JsonNode manifest) {
        return !manifest.path("peft_type").asString("").equals("C3A");
    }

    /**
     * Returns whether the reference's gradient of a parameter is the derivative. Its backward pass of a LoHa with cores, which it has from LyCORIS,
     * takes for that of a factor of outputs the other product's core and inputs.
     */
    private static boolean isRight(String key, Map<String, Tensor> trained) {
        return !key.matches(".*\\.hada_w[12]_a") || !trained.containsKey(key.replaceFirst("hada_w[12]_a$", "hada_t1"));
    }

    /** Adds a case that isn't covered where the reference's gradients are not derivatives. */
    static void reportIfWrong(Path folder, String id, CaseRunner runner) {
        JsonNode manifest;
        try {
            manifest = CaseGroup.manifest(folder);
        } catch (RuntimeException unreadable) {
            // The case itself has said so.
            return;
        }
        boolean cores = manifest.path("tensors")
                .valueStream()
                .anyMatch(tensor -> tensor.path("name").asString().endsWith(".hada_t1"));
        if (cores || !areRight(manifest)) {
            runner.run(id + "/gradient", check -> {
                throw cores
                        ? new NotCoveredException("the reference's gradients of hada_w1_a and hada_w2_a beside a core"
                                + " are not the derivatives")
                        : wrong(manifest);
            });
        }
    }

    static NotCoveredException wrong(JsonNode manifest) {
        return new NotCoveredException("the reference's input gradient of "
                + manifest.path("peft_type").asString() + " is not the derivative");
    }

    /**
     * A name in memory without what wrapping adds to it: {@code base_model.model.q_proj.lora_A.default.weight} is
     * {@code q_proj.lora_A.weight}, as in a file. What all layers share is named by the first of them in memory, and without it in a file.
     */
    static String plain(String inMemory) {
        String name = inMemory.replaceFirst("^base_model\\.(model\\.)?", "");
        return (name + ".")
                .replace(".modules_to_save.", ".")
                .replace(".default.", ".")
                .replace(".lora_magnitude_vector.weight.", ".lora_magnitude_vector.")
                .replaceAll("\\.$", "")
                .replaceFirst("^.*\\.(vblora_vector_bank|unilora_theta_d|tinylora_v\\.\\d+)$", "$1");
    }

    /** Returns the name in a file, where a prompt's table has another name. */
    static String inFile(String inMemory) {
        String name = plain(inMemory);
        return name.equals("prompt_encoder.embedding.weight") ? "prompt_embeddings" : name;
    }

    /** Trained parameters by their names in memory. */
    static Map<String, Tensor> trained(Adapter adapter) {
        Map<String, Tensor> byName = new LinkedHashMap<>();
        adapter.trainable()
                .forEach((name, value) -> byName.put(
                        name.equals("prompt_embeddings")
                                ? "prompt_encoder.embedding.weight"
                                : name.replace(".default.", "."),
                        value));
        return byName;
    }

    /** Runs backward and compares every stored gradient; each must belong to a trained parameter. */
    static void compare(CaseCheck check, Tensor loss, Adapter adapter, ReferenceTensors stored, Tolerance tolerance) {
        Map<String, Tensor> trained = trained(adapter);
        for (Tensor parameter : trained.values()) {
            parameter.mutable_grad().reset();
        }
        loss.backward();
        for (String name : stored.startingWith(PREFIX)) {
            String key = plain(name.substring(PREFIX.length()));
            Tensor parameter = trained.get(key);
            Tensor expected = stored.get(name);
            if (parameter == null) {
                check.that(
                        false,
                        "nothing is trained under the name " + key + "; there are " + new TreeSet<>(trained.keySet()));
            } else if (!parameter.grad().defined()) {
                check.that(false, key + " has no gradient");
            } else if (isRight(key, trained)) {
                check.tensor(name, parameter.grad(), expected, tolerance);
            }
        }
        for (Tensor parameter : trained.values()) {
            parameter.mutable_grad().reset();
        }
    }
}
