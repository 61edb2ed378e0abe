package dev.graft.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The committed tree: what the reference library computed, against what Graft computes. */
class ParityTest {
    private static final List<CaseResult> HEARD = new ArrayList<>();
    private static ParityReport report;

    @BeforeAll
    static void runTheCommittedTree() {
        report = Parity.run(FixtureTree.COMMITTED, HEARD::add);
    }

    @Test
    void nothingDiffersFromTheReference() {
        assertThat(report.failed()).isEmpty();
        assertThat(report.passed()).hasSizeGreaterThan(590);
    }

    @Test
    void everyGroupHasCasesThatPass() {
        assertThat(report.passed().stream().map(CaseResult::group).distinct())
                .containsExactlyInAnyOrder(
                        "tokens",
                        "bases",
                        "adapters",
                        "layers",
                        "composition",
                        "training",
                        "matching",
                        "configs",
                        "maths",
                        "malformed");
        assertThat(report.passed().stream().map(CaseResult::id))
                .contains(
                        "bases/llama3-rope",
                        "adapters/bert-seqcls/lora",
                        "adapters/llama-gqa/lora-alora",
                        "adapters/llama-gqa/lora-bd",
                        "adapters/llama-gqa/lora-kasa",
                        "adapters/llama-gqa/lora-monteclora",
                        "adapters/llama-gqa/lora-pissa",
                        "adapters/llama-gqa/lora-replication",
                        "adapters/llama-gqa/lora-velora",
                        "adapters/llama-gqa/dora-embedding",
                        "adapters/llama-gqa/ia3",
                        "adapters/llama-gqa/prefix-tuning",
                        "adapters/llama-mha/lora-embedding",
                        "layers/conv2d/oft",
                        "layers/embedding/dora",
                        "composition/bert-seqcls/lora-heads",
                        "composition/llama-gqa/weighted-cat",
                        "training/llama-gqa/lora-accumulation",
                        "training/llama-gqa/prefix-projection-adamw");
    }

    @Test
    void whatGraftLacksIsNotCoveredAndSaysWhy(@TempDir Path root) throws IOException {
        FixtureTree tree = FixtureTree.of(root, "layers/linear/dora", "layers/linear/lora");
        tree.edit("layers/linear/dora/adapter_config.json", config -> config.put("peft_type", "NONESUCH"));
        tree.edit("layers/linear/lora/adapter_config.json", config -> config.put("megatron_config", "here"));
        CaseResult unknown = tree.run("layers/linear/dora");
        CaseResult refused = tree.run("layers/linear/lora");

        assertThat(unknown.status()).isEqualTo(CaseResult.Status.NOT_COVERED);
        assertThat(unknown.message()).contains("peft_type").contains("NONESUCH");
        assertThat(refused.status()).isEqualTo(CaseResult.Status.NOT_COVERED);
        assertThat(refused.message()).contains("megatron_config");
        assertThat(report.notCovered())
                .allSatisfy(result -> assertThat(result.message()).isNotBlank());
    }

    @Test
    void errorsOfCasesThatPassAreWithinTheirTolerance() {
        assertThat(report.passed())
                .allSatisfy(result -> assertThat(result.maxError()).isLessThanOrEqualTo(result.tolerance()));
        assertThat(report.passed().stream()
                        .filter(result -> result.maxError() > 0)
                        .count())
                .isGreaterThan(100);
    }

    @Test
    void theListenerHearsEveryCaseInOrder() {
        assertThat(HEARD).isEqualTo(report.cases());
        assertThat(report.cases().stream().map(CaseResult::id)).doesNotHaveDuplicates();
    }

    @Test
    void theReportIsOneLineOfJson() {
        String line = report.toJson();
        assertThat(line).doesNotContain("\n");
        JsonNode json = Json.parse("report", line);
        assertThat(json.path("passed").intValue()).isEqualTo(report.passed().size());
        assertThat(json.path("failed")).isEmpty();
        assertThat(json.path("not_covered")).hasSize(report.notCovered().size());
        assertThat(json.path("cases")).hasSize(report.cases().size());
        JsonNode first = json.path("cases").get(0);
        assertThat(first.path("id").stringValue())
                .isEqualTo(report.cases().get(0).id());
        assertThat(first.path("status").stringValue()).isEqualTo("passed");
        assertThat(first.path("max_error").isNumber()).isTrue();
        assertThat(first.path("tolerance").isNumber()).isTrue();
    }

    @Test
    void theTableCountsGroups() {
        assertThat(report.table().lines().map(line -> line.replaceAll(" +", " ")))
                .contains("malformed 36 0 0 " + worst("malformed"))
                .anyMatch(line -> line.startsWith("all " + report.passed().size() + " 0 "));
    }

    private static String worst(String group) {
        double worst = report.passed().stream()
                .filter(result -> result.group().equals(group))
                .mapToDouble(CaseResult::maxError)
                .max()
                .orElseThrow();
        return String.format(java.util.Locale.ROOT, "%.1e", worst);
    }

    @Test
    void aFolderWithoutCasesIsRefused(@TempDir Path empty) {
        assertThatThrownBy(() -> Parity.run(empty, result -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no cases")
                .hasMessageContaining("adapters");
        assertThatThrownBy(() -> Parity.run(empty.resolve("nowhere"), result -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no such folder");
    }

    @Test
    void aStoredValueThatIsChangedFailsItsCase(@TempDir Path root) throws IOException {
        FixtureTree tree = FixtureTree.of(root, "bases/llama-gqa", "adapters/llama-gqa/lora", "layers/linear/dora");
        assertThat(Parity.run(root, result -> {}).passed()).hasSize(3);
        tree.damage("bases/llama-gqa/reference.safetensors", "hidden_states.1");
        tree.damage("adapters/llama-gqa/lora/reference.safetensors", "grad.");
        tree.damage("layers/linear/dora/adapter_model.safetensors", "");
        List<CaseResult> failed = Parity.run(root, result -> {}).failed();
        assertThat(failed.stream().map(CaseResult::id))
                .containsExactlyInAnyOrder("bases/llama-gqa", "adapters/llama-gqa/lora", "layers/linear/dora");
        assertThat(failed).allSatisfy(result -> {
            assertThat(result.maxError()).isBetween(1e-3, 1.0);
            assertThat(result.message()).contains("allowed difference");
        });
    }

    @Test
    void aBrokenCaseFailsAndTheNextOneRuns(@TempDir Path root) throws IOException {
        FixtureTree tree = FixtureTree.of(root, "bases/llama-gqa", "bases/llama-mha");
        Files.writeString(root.resolve("bases/llama-gqa/manifest.json"), "{");
        assertThat(tree.run("bases/llama-gqa").status()).isEqualTo(CaseResult.Status.FAILED);
        assertThat(tree.run("bases/llama-mha").status()).isEqualTo(CaseResult.Status.PASSED);
    }
}
