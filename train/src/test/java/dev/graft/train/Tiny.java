package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;

/** Tiny models, adapters and rows to train. */
final class Tiny {
    static final Path BASES = Path.of("../parity/fixtures/bases");

    private Tiny() {}

    static Base llama() {
        return Base.load(BASES.resolve("llama-gqa"));
    }

    static Base classifier(String... labels) {
        return Base.load(
                BASES.resolve("bert-base"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of(labels)));
    }

    static Adapter lora(Base base, double dropout, long seed) {
        LoraConfig config = LoraConfig.DEFAULT.withR(4).withAlpha(8).withDropout(dropout);
        return Adapter.create(base, new Lora(config), seed);
    }

    /** Sequences of 4 to 19 ids below 64 that count upwards from a random id; the second half is learned. */
    static Examples counting(int rows, long seed) {
        return counting(rows, seed, 0);
    }

    /** Rows of the same lengths that count from elsewhere. */
    static Examples counting(int rows, long seed, int later) {
        Random random = new Random(seed);
        List<Row> made = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            int length = 4 + random.nextInt(16);
            int first = 3 + later + random.nextInt(61);
            int[] ids = new int[length];
            int[] labels = new int[length];
            for (int j = 0; j < length; j++) {
                ids[j] = 3 + (first + j) % 61;
                labels[j] = j < length / 2 ? -100 : ids[j];
            }
            made.add(new Row.Tokens(ids, labels));
        }
        return causal(made);
    }

    static Examples causal(List<Row> rows) {
        return Examples.encode(
                Rows.of("rows", rows), new CausalEncoder(null, null, LossOn.COMPLETION, 64), 64, Overflow.ERROR);
    }

    /** Sequences of small or large ids, and the label that says which. */
    static Examples labelled(int rows, long seed) {
        Random random = new Random(seed);
        List<Row> made = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            boolean large = random.nextBoolean();
            int[] ids = random.ints(3 + random.nextInt(10), large ? 33 : 5, large ? 60 : 33)
                    .toArray();
            made.add(new Row.LabelledTokens(ids, new Label.One(large ? "large" : "small")));
        }
        return classified(made, "large", "small");
    }

    static Examples classified(List<Row> rows, String... labels) {
        return Examples.encode(
                Rows.of("rows", rows),
                new ClassificationEncoder(null, Labels.ofNames(List.of(labels)), 60),
                64,
                Overflow.ERROR);
    }

    /** A hash of each parameter's bytes. */
    static Map<String, String> hashes(Adapter adapter) {
        Map<String, String> hashes = new LinkedHashMap<>();
        adapter.parameters().forEach((name, parameter) -> {
            CRC32 crc = new CRC32();
            crc.update(Tensors.bytes(parameter.value()));
            hashes.put(name, Long.toHexString(crc.getValue()));
        });
        return hashes;
    }

    static Map<String, float[]> values(Adapter adapter) {
        Map<String, float[]> values = new LinkedHashMap<>();
        adapter.parameters().forEach((name, parameter) -> values.put(name, Tensors.floats(parameter.value())));
        return values;
    }
}
