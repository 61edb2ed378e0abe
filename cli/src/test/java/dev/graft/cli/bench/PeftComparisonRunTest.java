package dev.graft.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.run.bench.PeftComparison;
import dev.graft.run.bench.PeftRunner;
import dev.graft.run.bench.Scenario;
import dev.graft.run.bench.ScenarioResult;
import dev.graft.run.bench.ScenarioResult.Side;
import dev.graft.run.bench.WorkloadTask;
import dev.graft.run.progress.RunListener;
import dev.graft.tensor.Numerics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** Both sides on small bases; needs a Python with peft, which the variable GRAFT_PYTHON names. */
@Tag("slow")
class PeftComparisonRunTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");

    @TempDir
    private Path folder;

    private static PeftRunner peer() {
        try {
            return PeftRunner.find(null, System.getenv(), Path.of("../benchmarks/peer"));
        } catch (InputException e) {
            assumeTrue(false, e.getMessage());
            throw e;
        }
    }

    /** Takes rows of 512 tokens: its positions are computed, not stored. */
    private Path longLlama() throws IOException {
        Path small = BASES.resolve("llama-mha");
        Files.copy(small.resolve("model.safetensors"), folder.resolve("model.safetensors"));
        ObjectNode config = (ObjectNode) Json.read(small.resolve("config.json"));
        AtomicWrite.text(folder.resolve("config.json"), Json.pretty(config.put("max_position_embeddings", 512)));
        return folder;
    }

    @Test
    void bothSidesTrainOnTheSameBatchesFromTheSameLoss() throws IOException {
        Scenario causal = new Scenario("tiny", longLlama().toString(), WorkloadTask.CAUSAL, "lora", 4, Numerics.FP32);
        List<ScenarioResult> outcomes = new PeftComparison(
                        GraftProcess.program(), peer(), new PeftComparison.Plan(1, 3, 1, 1), RunListener.SILENT)
                .run(List.of(causal));
        ScenarioResult scenarioResult = outcomes.get(0);
        assertThat(scenarioResult.lossesAgree()).isTrue();
        assertThat(scenarioResult.of(Side.GRAFT).get(0).result().get("tokens"))
                .isEqualTo(scenarioResult.of(Side.TUNED).get(0).result().get("tokens"));
        assertThat(scenarioResult.of(Side.GRAFT).get(0).result().get("trainable"))
                .isEqualTo(scenarioResult.of(Side.TUNED).get(0).result().get("trainable"));
        assertThat(scenarioResult.of(Side.DEFAULT).get(0).result().get("recipe").stringValue())
                .isEqualTo("default");
    }
}
