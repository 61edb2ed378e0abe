package dev.graft.parity;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The committed part of AdapterHub's tree. */
class AdapterHubParityTest {
    private static ParityReport report;

    @BeforeAll
    static void runTheCommittedTree() {
        report = Parity.run(Path.of("../parity/fixtures/adapterhub"), result -> {});
    }

    @Test
    void nothingDiffersFromTheReference() {
        assertThat(report.failed()).isEmpty();
        assertThat(report.notCovered())
                .extracting(CaseResult::id)
                .containsExactly("adapters/bert/prompt_after_bos/left-padding");
        assertThat(report.passed().stream().map(CaseResult::id))
                .contains(
                        "bases/bert",
                        "adapters/bert/unipelt",
                        "adapters/bert/compacter",
                        "adapters/bert/dora",
                        "adapters/bert/mtl_lora",
                        "adapters/bert/head_masked_lm_inv",
                        "adapters/llama/mam",
                        "composition/bert/fuse_dynamic",
                        "composition/bert/parallel_bn",
                        "composition/bert/split_stack",
                        "composition/bert/average_adapter_weights",
                        "composition/bert/average_adapter_lora_svd_cut",
                        "training/compacter",
                        "training/fusion_regulariser_same_step",
                        "formula/houlsby_layernorm");
    }

    @Test
    void errorsAreSmallAndNotAllZero() {
        assertThat(report.passed())
                .allSatisfy(result -> assertThat(result.maxError()).isLessThanOrEqualTo(result.tolerance()))
                .anySatisfy(result -> assertThat(result.maxError()).isGreaterThan(0));
    }
}
