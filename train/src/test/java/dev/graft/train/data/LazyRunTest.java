package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import dev.graft.train.Resume;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows that are read and encoded each time they are needed, as those of sets larger than memory are. */
class LazyRunTest {
    private static final int STEPS = 11;

    @TempDir
    private Path folder;

    private Path shards() throws IOException {
        Random random = new Random(5);
        for (int shard = 0; shard < 3; shard++) {
            try (OutputStream out =
                    new GZIPOutputStream(Files.newOutputStream(folder.resolve("rows-" + shard + ".jsonl.gz")))) {
                for (int row = 0; row < 7; row++) {
                    String ids = Arrays.toString(
                            random.ints(3 + random.nextInt(12), 3, 60).toArray());
                    out.write(("{\"input_ids\": " + ids + ", \"labels\": " + ids + "}\n")
                            .getBytes(StandardCharsets.UTF_8));
                }
            }
        }
        return folder.resolve("rows-*.jsonl.gz");
    }

    private Map<String, ByteBuffer> run(Rows rows, long kept, @Nullable Path out, int interruptAfter) {
        Base base = Base.load(Path.of("../parity/fixtures/bases/llama-gqa"));
        Adapter adapter = Adapter.create(
                base, new Lora(LoraConfig.DEFAULT.withR(4).withAlpha(8).withDropout(0.2)), 3);
        // A limit that splits some rows, whose pieces are found again too.
        Examples examples =
                Examples.encode(rows, new CausalEncoder(null, null, LossOn.COMPLETION, 64), 9, Overflow.SPLIT, kept);
        TrainSettings settings =
                TrainSettings.DEFAULT.withMaxSteps(STEPS).withBatchSize(3).withLearningRate(1e-2);
        AtomicInteger asked = new AtomicInteger();
        new Trainer(settings, adapter, examples, null, out, List.of())
                .run(Resume.AUTO, () -> asked.incrementAndGet() == interruptAfter);
        Map<String, ByteBuffer> values = new LinkedHashMap<>();
        adapter.trainable().forEach((name, value) -> values.put(name, Tensors.bytes(value)));
        return values;
    }

    @Test
    void aRunGoesOnAtTheVeryRowWhereItWasInterrupted() throws IOException {
        try (Splits splits = Splits.open(shards(), DataOptions.DETECT)) {
            Map<String, ByteBuffer> whole = run(splits.train(), 0, null, -1);
            Map<String, ByteBuffer> kept = run(splits.train(), Long.MAX_VALUE, null, -1);
            Path out = folder.resolve("out");
            run(splits.train(), 0, out, 4);
            Map<String, ByteBuffer> resumed = run(splits.train(), 0, out, -1);
            whole.forEach((name, bytes) -> {
                assertThat(kept.get(name)).as("kept in memory: " + name).isEqualTo(bytes);
                assertThat(resumed.get(name)).as("resumed: " + name).isEqualTo(bytes);
            });
        }
    }
}
