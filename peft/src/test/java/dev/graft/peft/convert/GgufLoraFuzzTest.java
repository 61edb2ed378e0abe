package dev.graft.peft.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.DType;
import dev.graft.formats.Gguf;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.GgufNames;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.TargetModules;
import dev.graft.peft.WeightUpdate;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Any LoRA, written as a GGUF adapter and read again, changes each matrix as it did. Seeds lie in the resources beside this class;
 * {@code JAZZER_FUZZ=1} and one method selected by {@code -Dtest} searches for new inputs.
 */
class GgufLoraFuzzTest {
    private static final List<String> MODULES =
            List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");

    /** A type with the distance between 1 and the next number. */
    private record Numbers(DType type, double step) {}

    private static final List<Numbers> NUMBERS =
            List.of(new Numbers(DType.F32, 0x1p-23), new Numbers(DType.F16, 0x1p-10), new Numbers(DType.BF16, 0x1p-7));

    @FuzzTest(maxDuration = "2m")
    void lora(FuzzedDataProvider data) throws Exception {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = adapter(base, data);
        Numbers numbers = data.pickValue(NUMBERS);
        Path file = Files.createTempFile("graft-fuzz", ".gguf");
        try {
            GgufLora.write(adapter, file, numbers.type);
            check(adapter, file, numbers);
        } finally {
            Files.deleteIfExists(file);
            adapter.close();
        }
    }

    private static Adapter adapter(Base base, FuzzedDataProvider data) {
        String[] targets = data.pickValues(MODULES, data.consumeInt(1, MODULES.size())).stream()
                .distinct()
                .toArray(String[]::new);
        Map<String, Integer> ranks = new HashMap<>();
        Map<String, Double> alphas = new HashMap<>();
        for (String module : targets) {
            if (data.consumeBoolean()) {
                ranks.put(module, data.consumeInt(1, 12));
            }
            if (data.consumeBoolean()) {
                alphas.put(module, data.consumeRegularDouble(-50, 50));
            }
        }
        LoraConfig config = LoraConfig.DEFAULT
                .withR(data.consumeInt(1, 12))
                .withAlpha(data.consumeRegularDouble(-50, 50))
                .withTargets(TargetModules.names(targets))
                .withRankPattern(ranks)
                .withAlphaPattern(alphas);
        Adapter adapter = Adapter.create(base, new Lora(config), data.consumeLong());
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            adapter.parameters().forEach((name, parameter) -> {
                if (name.contains("lora_B")) {
                    Tensor value = parameter.value();
                    float[] values = new float[(int) value.numel()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = i % 7 == 0 ? data.consumeRegularFloat(-10, 10) : (float) Math.sin(i);
                    }
                    value.copy_(Tensors.of(values, Tensors.shape(value)));
                }
            });
        }
        return adapter;
    }

    private static void check(Adapter adapter, Path file, Numbers numbers) {
        GgufNames names = GgufNames.of(adapter.base().config());
        try (Gguf read = Gguf.open(file);
                NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            assertThat(read.fields().string("general.type")).isEqualTo("adapter");
            List<Site> sites = WeightUpdate.sites(adapter);
            assertThat(read.names()).hasSize(2 * sites.size());
            for (Site site : sites) {
                WeightUpdate update = WeightUpdate.of(adapter, site);
                if (update == null || !(site instanceof Linear linear)) {
                    throw new AssertionError(site.name() + " has no update");
                }
                String weight = site.name() + ".weight";
                double[] expected = Tensors.doubles(names.ordered(weight, update.weight()));
                float[] a = read.dequantize(names.name(weight) + ".lora_a");
                float[] b = read.dequantize(names.name(weight) + ".lora_b");
                int rank = (int) (a.length / linear.in());
                assertThat(read.fields().number("adapter.lora.alpha"))
                        .as("the scale is 1")
                        .isEqualTo(rank);
                compare(expected, a, b, rank, numbers.step);
            }
        }
    }

    private static void compare(double[] expected, float[] a, float[] b, int rank, double step) {
        int in = a.length / rank;
        for (int i = 0; i < expected.length; i++) {
            double sum = 0;
            double size = 0;
            for (int k = 0; k < rank; k++) {
                double product = (double) b[i / in * rank + k] * a[k * in + i % in];
                sum += product;
                size += Math.abs(product);
            }
            assertThat(sum).isCloseTo(expected[i], within(2 * step * size + 1e-6));
        }
    }

    /** What isn't low-rank updates alone has no place in such a file. */
    @FuzzTest(maxDuration = "2m")
    void otherModules(FuzzedDataProvider data) throws Exception {
        Path file = Files.createTempDirectory("graft-fuzz").resolve("adapter.gguf");
        LoraConfig config = LoraConfig.DEFAULT.withTargets(TargetModules.names(data.consumeRemainingAsString()));
        try (Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new Lora(config), 1)) {
            GgufLora.write(adapter, file, DType.F32);
            check(adapter, file, NUMBERS.get(0));
        } catch (InputException refused) {
            assertThat(refused.getMessage()).isNotBlank();
            assertThat(file).doesNotExist();
        } finally {
            Files.deleteIfExists(file);
            Files.deleteIfExists(file.getParent());
        }
    }
}
