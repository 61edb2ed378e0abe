package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.GgmlType;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Examples;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every kind of GGUF block that stays quantised in memory: read, trained on, answered with. */
class GgufTrainingTest {
    private static final int WIDTH = 256;
    private static final int VOCABULARY = 64;
    private static final String[] MATRICES = {
        "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"
    };

    @TempDir
    private Path folder;

    private record Stored(GgmlType type, long[] shape, byte[] bytes) {}

    @ParameterizedTest
    @EnumSource(
            value = GgmlType.class,
            names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"})
    void blocksAreTrainedOnAndAnsweredWith(GgmlType type) throws IOException {
        write(folder.resolve("model.gguf"), type);
        Base.Options options = Base.Options.DEFAULT.withNumerics(Numerics.FP32);
        Base base = Base.load(folder, options.withQuantization(Quantization.KEEP));
        assertThat(base.quantized().values())
                .hasSize(MATRICES.length)
                .extracting(QuantizedMatrix::kind)
                .containsOnly(type.name().toLowerCase(Locale.ROOT));

        Adapter adapter = Tiny.lora(base, 0, 1);
        Examples examples = Tiny.counting(16, 3);
        TrainSettings settings =
                TrainSettings.DEFAULT.withLearningRate(1e-2).withBatchSize(8).withMaxSteps(12);
        double before = loss(base, examples, Hooks.NONE);
        Path run = folder.resolve("run");
        new Trainer(settings, adapter, examples, null, run, List.of()).run();
        double after = loss(base, examples, Selection.of(adapter).hooks());
        assertThat(after).as("learnt").isLessThan(0.9 * before);

        Adapter loaded = Adapter.load(base, run.resolve("adapter"));
        assertThat(logits(base, loaded)).containsExactly(logits(base, adapter));
        Base whole = Base.load(folder, options.withQuantization(Quantization.NONE));
        float[] expected = logits(whole, Adapter.load(whole, run.resolve("adapter")));
        float[] actual = logits(base, loaded);
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).as("value " + i).isCloseTo(expected[i], offset(2e-3f));
        }
    }

    private static double loss(Base base, Examples examples, Hooks hooks) {
        return Evaluation.loss(new Predictor(base, examples, 8)).evaluate(hooks).get("loss");
    }

    private static float[] logits(Base base, Adapter adapter) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Inputs inputs = base.backbone().dummyInputs(new long[][] {{3, 4, 5, 6, 7, 8}});
            return Tensors.floats(base.logits(
                    inputs, ForwardPass.inference(Selection.of(adapter).hooks())));
        }
    }

    /** A model of one layer whose matrices are random blocks, as llama.cpp lays it out. */
    private static void write(Path file, GgmlType type) throws IOException {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("general.architecture", "llama");
        fields.put("llama.block_count", 1);
        fields.put("llama.context_length", 64);
        fields.put("llama.embedding_length", WIDTH);
        fields.put("llama.feed_forward_length", WIDTH);
        fields.put("llama.attention.head_count", 4);
        fields.put("llama.attention.head_count_kv", 4);
        fields.put("llama.attention.layer_norm_rms_epsilon", 1e-6f);
        fields.put("llama.rope.freq_base", 10000f);
        fields.put("llama.rope.dimension_count", WIDTH / 4);
        fields.put("tokenizer.ggml.bos_token_id", 1);
        fields.put("tokenizer.ggml.eos_token_id", 2);
        Random random = new Random(9);
        Map<String, Stored> tensors = new LinkedHashMap<>();
        tensors.put("token_embd.weight", floats(random, VOCABULARY, WIDTH));
        tensors.put("output.weight", floats(random, VOCABULARY, WIDTH));
        for (String norm : new String[] {"output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"}) {
            tensors.put(norm + ".weight", floats(null, WIDTH));
        }
        for (String name : MATRICES) {
            tensors.put("blk.0." + name + ".weight", blocks(type, random));
        }
        Bytes out = new Bytes();
        out.writeBytes("GGUF".getBytes(StandardCharsets.UTF_8));
        out.integer(3).whole(tensors.size()).whole(fields.size());
        fields.forEach((key, value) -> {
            out.text(key);
            if (value instanceof Integer number) {
                out.integer(4).integer(number);
            } else if (value instanceof Float number) {
                out.integer(6).integer(Float.floatToRawIntBits(number));
            } else {
                out.integer(8).text((String) value);
            }
        });
        long offset = 0;
        for (Map.Entry<String, Stored> entry : tensors.entrySet()) {
            Stored tensor = entry.getValue();
            out.text(entry.getKey()).integer(tensor.shape.length);
            for (int i = tensor.shape.length - 1; i >= 0; i--) {
                out.whole(tensor.shape[i]);
            }
            out.integer(tensor.type.id()).whole(offset);
            offset += (tensor.bytes.length + 31L) / 32 * 32;
        }
        out.align();
        tensors.values().forEach(tensor -> {
            out.writeBytes(tensor.bytes);
            out.align();
        });
        Files.write(file, out.toByteArray());
    }

    private static Stored floats(Random random, long... shape) {
        int count = Math.toIntExact(Arrays.stream(shape).reduce(1, (a, b) -> a * b));
        ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            bytes.putFloat(random == null ? 1 : 0.1f * (float) random.nextGaussian());
        }
        return new Stored(GgmlType.F32, shape, bytes.array());
    }

    /** Random codes under scales of about a thousandth. */
    private static Stored blocks(GgmlType type, Random random) {
        byte[] bytes = new byte[WIDTH * WIDTH / type.blockElements() * type.blockBytes()];
        random.nextBytes(bytes);
        int[] scales = switch (type) {
            case Q4_0, Q5_0, Q8_0 -> new int[] {0};
            case Q2_K -> new int[] {80, 82};
            case Q3_K -> new int[] {108};
            case Q6_K -> new int[] {208};
            default -> new int[] {0, 2};
        };
        for (int block = 0; block < bytes.length; block += type.blockBytes()) {
            for (int scale : scales) {
                bytes[block + scale] = (byte) random.nextInt(256);
                bytes[block + scale + 1] = type.name().endsWith("_K") ? (byte) 0x08 : 0x14; // fp16: about 1e-4, 1e-3
            }
        }
        return new Stored(type, new long[] {WIDTH, WIDTH}, bytes);
    }

    private static final class Bytes extends ByteArrayOutputStream {
        Bytes integer(int value) {
            writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(value)
                    .array());
            return this;
        }

        Bytes whole(long value) {
            writeBytes(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(value)
                    .array());
            return this;
        }

        Bytes text(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            whole(bytes.length).writeBytes(bytes);
            return this;
        }

        void align() {
            writeBytes(new byte[(32 - size() % 32) % 32]);
        }
    }
}
