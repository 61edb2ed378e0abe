package dev.graft.parity;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Each stored value that is changed by 0.01 makes its case fail: nothing in a case is left uncompared. */
@Tag("slow")
class DamageTest {
    @TempDir
    private Path root;

    private int trees;

    @TestFactory
    Stream<DynamicTest> aChangedTensorIsFound() {
        return Stream.of(
                tensor("bases/llama-gqa", "logits"),
                tensor("bases/llama-gqa", "logits_with_position_ids_from_mask"),
                tensor("bases/llama-gqa", "hidden_states.1"),
                tensor("bases/llama-gqa", "loss"),
                tensor("bases/llama-gqa", "generate.first_logits"),
                tensor("bases/llama-gqa", "generate.last_logits"),
                tensor("bases/llama-gqa", "generate.sequences"),
                tensor("bases/bert-base", "pooler_output"),
                tensor("bases/bert-qa", "end_logits"),
                tensor("adapters/llama-gqa/lora", "logits"),
                tensor("adapters/llama-gqa/lora", "loss"),
                tensor("adapters/llama-gqa/lora", "grad."),
                tensor("adapters/llama-gqa/lora", "merged_weight."),
                tensor("adapters/llama-gqa/lora", "generate.sequences"),
                tensor("adapters/bert-seqcls/dora", "grad."),
                tensor("layers/linear/dora", "output"),
                tensor("layers/linear/dora", "output_base"),
                tensor("layers/linear/dora", "input_gradient"),
                tensor("layers/linear/dora", "merged."),
                tensor("layers/linear/dora", "grad."),
                tensor("layers/linear/dora", "base.layer.weight"),
                tensor("composition/llama-gqa/lora", "mixed.logits"),
                tensor("composition/llama-gqa/lora", "active_unmerged.logits"),
                tensor("composition/llama-gqa/weighted-cat", "exact_delta."),
                tensor("composition/llama-gqa/weighted-cat", "logits_of_exact_sum"),
                tensor("training/llama-gqa/lora-adamw", "final.logits_on_batch_0"),
                tensor("training/llama-gqa/lora-adamw", "final.loss_on_batch_0"));
    }

    @TestFactory
    Stream<DynamicTest> aChangedFileOfAnAdapterIsFound() {
        return Stream.of(
                file("adapters/llama-gqa/lora", "adapter_model.safetensors"),
                file("training/llama-gqa/lora-sgd", "final/adapter_model.safetensors"),
                file("training/llama-gqa/lora-sgd", "initial/adapter_model.safetensors"),
                file("composition/llama-gqa/lora", "b/adapter_model.safetensors"));
    }

    @TestFactory
    Stream<DynamicTest> aChangedNumberOfAManifestIsFound() {
        return Stream.of(
                manifest("adapters/llama-gqa/lora", json -> add(json, "trainable_parameters", 1)),
                manifest("adapters/llama-gqa/lora", json -> add(json, "all_parameters", 1)),
                manifest(
                        "adapters/llama-gqa/lora",
                        json -> add(json.path("layers").iterator().next(), "scaling", 0.01)),
                manifest(
                        "training/llama-gqa/lora-clip-cosine",
                        json -> add(json.path("log").get(3), "loss", 0.01)),
                manifest(
                        "training/llama-gqa/lora-clip-cosine",
                        json -> add(json.path("log").get(3), "grad_norm_before_clipping", 0.01)),
                manifest(
                        "training/llama-gqa/lora-clip-cosine",
                        json -> ((ArrayNode) json.path("log").get(3).path("lr")).set(0, json.numberNode(0.01))));
    }

    @TestFactory
    Stream<DynamicTest> aChangedValueOfAJsonFileIsFound() {
        return Stream.of(
                json(
                        "matching/llama/0",
                        "matching/llama.json",
                        json -> add(
                                json.path("cases")
                                        .get(0)
                                        .path("matched")
                                        .iterator()
                                        .next(),
                                "r",
                                1)),
                json(
                        "matching/llama/0",
                        "matching/llama.json",
                        json -> ((ObjectNode) json.path("cases").get(0).path("matched")).putObject("model.norm")),
                json(
                        "configs/defaults/LORA",
                        "configs/defaults.json",
                        json -> add(json.path("types").path("LORA").path("defaults"), "r", 1)),
                json(
                        "tokens/wordpiece/single",
                        "tokens/wordpiece/cases.json",
                        json -> ((ArrayNode) json.path("single").get(0).path("ids")).set(1, json.numberNode(7))),
                json(
                        "maths/schedules/cases/0",
                        "maths/schedules.json",
                        json -> ((ArrayNode) json.path("cases").get(0).path("lr_used_at_step"))
                                .set(1, json.numberNode(0.01))),
                json(
                        "maths/losses/label_smoothing/1",
                        "maths/losses.json",
                        json -> add(json.path("label_smoothing").get(1), "loss", 0.01)),
                json(
                        "maths/classification/cases/0",
                        "maths/classification.json",
                        json -> add(json.path("cases").get(0), "matthews", 0.01)));
    }

    @TestFactory
    Stream<DynamicTest> anAcceptedMalformedAdapterIsFound() {
        return Stream.of("wrong-rank", "no-alpha", "nan")
                .map(name -> DynamicTest.dynamicTest(name, () -> {
                    FixtureTree tree = FixtureTree.of(
                            root.resolve("t" + trees++),
                            "bases/llama-gqa",
                            "adapters/llama-gqa/lora",
                            "malformed/good",
                            "malformed/" + name);
                    Path folder = tree.root().resolve("malformed");
                    for (String file : new String[] {AdapterFiles.CONFIG, AdapterFiles.TENSORS}) {
                        Files.copy(
                                folder.resolve("good").resolve(file),
                                folder.resolve(name).resolve(file),
                                StandardCopyOption.REPLACE_EXISTING);
                    }
                    assertFailed(tree.run("malformed/" + name));
                    assertThat(tree.run("malformed/good").status()).isEqualTo(CaseResult.Status.PASSED);
                }));
    }

    private DynamicTest tensor(String id, String name) {
        return test(id, name, tree -> tree.damage(id + "/reference.safetensors", name));
    }

    private DynamicTest file(String id, String file) {
        return test(id, file, tree -> tree.damage(id + "/" + file, ""));
    }

    private DynamicTest manifest(String id, Consumer<ObjectNode> change) {
        return test(id, "manifest.json", tree -> tree.edit(id + "/manifest.json", change));
    }

    private DynamicTest json(String id, String file, Consumer<ObjectNode> change) {
        return DynamicTest.dynamicTest(id, () -> {
            String tokenizer = file.startsWith("tokens/") ? file.substring(0, file.lastIndexOf('/')) : file;
            FixtureTree tree = FixtureTree.of(root.resolve("t" + trees++), "bases/llama-gqa", tokenizer);
            assertThat(tree.run(id).status()).isEqualTo(CaseResult.Status.PASSED);
            assertFailed(tree.edit(file, change).run(id));
        });
    }

    private interface Change {
        FixtureTree of(FixtureTree tree) throws IOException;
    }

    private DynamicTest test(String id, String what, Change change) {
        return DynamicTest.dynamicTest(id + " " + what, () -> {
            String base = id.startsWith("layers/") ? id : "bases/" + id.split("/")[1];
            FixtureTree tree = base.equals(id)
                    ? FixtureTree.of(root.resolve("t" + trees++), id)
                    : FixtureTree.of(root.resolve("t" + trees++), base, id);
            assertFailed(change.of(tree).run(id));
        });
    }

    private static void assertFailed(CaseResult result) {
        assertThat(result.status()).as(result.message()).isEqualTo(CaseResult.Status.FAILED);
        assertThat(result.message()).isNotBlank();
    }

    private static void add(JsonNode object, String name, double change) {
        JsonNode value = object.path(name);
        ((ObjectNode) object)
                .set(
                        name,
                        value.isIntegralNumber()
                                ? ((ObjectNode) object).numberNode(value.longValue() + (long) change)
                                : ((ObjectNode) object).numberNode(value.doubleValue() + change));
    }
}
