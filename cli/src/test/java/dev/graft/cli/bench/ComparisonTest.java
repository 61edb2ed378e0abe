package dev.graft.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.cli.bench.BenchTrainCommand.Goal;
import dev.graft.cli.bench.Outcome.Side;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.tensor.Numerics;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** Both sides on small bases; needs a Python with peft, which the variable GRAFT_PYTHON names. */
@Tag("slow")
class ComparisonTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");

    @TempDir
    private Path folder;

    private static Peer peer() {
        try {
            return Peer.find(null, System.getenv(), Path.of("../benchmarks/peer"));
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
        Scenario causal = new Scenario("tiny", longLlama().toString(), Goal.CAUSAL, "lora", 4, Numerics.FP32);
        List<Outcome> outcomes = new Comparison(
                        Program.graft(), peer(), new Comparison.Plan(1, 3, 1, 1), new PrintWriter(new StringWriter()))
                .run(List.of(causal));
        Outcome outcome = outcomes.get(0);
        assertThat(outcome.lossesAgree()).isTrue();
        assertThat(outcome.of(Side.GRAFT).get(0).printed().get("tokens"))
                .isEqualTo(outcome.of(Side.TUNED).get(0).printed().get("tokens"));
        assertThat(outcome.of(Side.GRAFT).get(0).printed().get("trainable"))
                .isEqualTo(outcome.of(Side.TUNED).get(0).printed().get("trainable"));
        assertThat(outcome.of(Side.DEFAULT).get(0).printed().get("recipe").stringValue())
                .isEqualTo("default");
    }
}
