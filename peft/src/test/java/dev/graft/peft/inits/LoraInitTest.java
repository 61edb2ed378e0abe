package dev.graft.peft.inits;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Bases;
import dev.graft.peft.CalibrationBatches;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The starts that look at data equal PEFT's ({@code parity/python/lora_starts_goldens.py}); all of them do what they promise. */
class LoraInitTest {
    private static final TargetModules TARGETS = TargetModules.names("q_proj", "v_proj", "down_proj");

    private static Base base() {
        return Bases.load(Bases.LLAMA);
    }

    /** One row of 48 tokens, each of them learned. */
    private static final class Rows implements CalibrationBatches {
        private final Inputs in;

        Rows() {
            long[][] ids = new long[1][48];
            for (int i = 0; i < 48; i++) {
                ids[0][i] = 3 + (i * 17L + i * i * 5L) % 58;
            }
            in = Inputs.of(ids);
        }

        @Override
        public void forward(boolean labelled, Function<Tensor, Hooks> hooks) {
            CalibrationBatches.of(base(), List.of(in)).forward(labelled, hooks);
        }

        @Override
        public int backward(Hooks hooks) {
            ForwardPass pass = ForwardPass.training(hooks);
            Tensor logits = base().logits(in, pass);
            Tensor predicted = logits.narrow(1, 0, 47).reshape(-1, logits.size(2));
            torch.cross_entropy_loss(predicted, in.ids().narrow(1, 1, 47).reshape(-1))
                    .backward();
            pass.backward();
            return 1;
        }
    }

    private static LoraConfig config(int r, LoraInit init) {
        return LoraConfig.DEFAULT.withR(r).withAlpha(6).withTargets(TARGETS).withInit(init);
    }

    private static Adapter create(LoraConfig config) {
        return Adapter.create(base(), new AdapterConfig(new Lora(config), List.of(), null, null, null), new Rows(), 1);
    }

    private static Tensor positive(Tensor matrix, long dim) {
        Tensor largest = matrix.gather(dim, matrix.abs().argmax(new org.bytedeco.pytorch.LongOptional(dim), true));
        return matrix.mul(largest.sign());
    }

    /** Compares A and B, or their directions only where a factor between them is free. */
    private static void compare(String name, int r, LoraInit init, boolean directions) {
        Adapter adapter = create(config(r, init));
        try (NoGrad noGrad = new NoGrad();
                Safetensors goldens = Safetensors.open(Bases.FIXTURES.resolve("starts/llama-gqa.safetensors"))) {
            List<String> stored = goldens.names().stream()
                    .filter(key -> key.startsWith(name + ".") && key.endsWith(".A"))
                    .toList();
            assertThat(stored)
                    .hasSize(name.equals("eva-whiten") ? 2 : adapter.sites().size());
            for (String key : stored) {
                String module = key.substring(name.length() + 1, key.length() - 2);
                Tensor a = positive(adapter.value(module + ".lora_A.weight"), 1);
                Tensor b = positive(adapter.value(module + ".lora_B.weight"), 0);
                Tensor expectedA = stored(goldens, key);
                Tensor expectedB = stored(goldens, key.substring(0, key.length() - 1) + "B");
                if (directions) {
                    close(key, a.div(a.norm()), expectedA.div(expectedA.norm()));
                    close(key, b.mul(a.norm()), expectedB.mul(expectedA.norm()));
                } else {
                    close(key, a, expectedA);
                    close(key, b, expectedB);
                }
            }
        }
    }

    private static Tensor stored(Safetensors goldens, String key) {
        return Tensors.of(
                goldens.bytes(key), torch.ScalarType.Float, goldens.info(key).shape());
    }

    private static void close(String key, Tensor found, Tensor expected) {
        assertThat(Tensors.shape(found)).as(key).isEqualTo(Tensors.shape(expected));
        double largest = Tensors.item(expected.abs().amax());
        assertThat(Tensors.item(found.sub(expected).abs().amax())).as(key).isLessThan(1e-4 + 2e-3 * largest);
    }

    @Test
    void evaIsThePrincipalComponentsOfTheInputs() {
        compare("eva", 4, new Eva(1, 0.99, true, -100, false, true), false);
        // PEFT whitens by what it saw twice.
        compare("eva-whiten", 4, new Eva(1, 0.99, true, -100, true, true), true);
    }

    @Test
    void evaMovesRanksToWhereTheyExplainMostAndKeepsTheScaling() {
        compare("eva-ranks", 4, Eva.DEFAULT, false);
        LoraConfig config = ((Lora) create(config(4, Eva.DEFAULT)).method()).config();

        assertThat(config.rankPattern()).isNotEmpty();
        config.rankPattern()
                .keySet()
                .forEach(module -> assertThat(config.scaling(module)).isEqualTo(1.5));
        LoraConfig fixed = config(4, new Eva(2, 0.99, true, -100, false, false));
        assertThat(((Lora) create(fixed).method()).config().alphaPattern()).isEmpty();
    }

    @Test
    void cordaIsTheWeightSeenThroughItsInputs() {
        compare("corda-ipm", 4, Corda.DEFAULT, true);
        compare("corda-kpm", 4, new Corda(false), true);
    }

    @Test
    void loraGaSpansTheGradient() {
        compare("lora_ga", 3, LoraGa.DEFAULT, false);
        compare("lora_ga-ArBr-weight_svd", 3, new LoraGa(LoraGa.Direction.ArBr, LoraGa.Scale.weight_svd, 16), false);
        compare("lora_ga-A2rBr-gd_scale", 3, new LoraGa(LoraGa.Direction.A2rBr, LoraGa.Scale.gd_scale, 16), false);
    }

    @Test
    void miloraIsTheSmallestSingularValues() {
        Adapter adapter = create(config(4, LoraInits.of("milora")));
        Linear site = base().site(Linear.class, "model.layers.1.mlp.down_proj");
        double[] values = Tensors.doubles(Svd.of(site.weight()).s());
        try (NoGrad noGrad = new NoGrad()) {
            Tensor part = adapter.value(site.name() + ".lora_B.weight")
                    .matmul(adapter.value(site.name() + ".lora_A.weight"))
                    .mul(new Scalar(1.5));
            double[] found = Tensors.doubles(Svd.of(part).s());

            for (int i = 0; i < 4; i++) {
                assertThat(found[i])
                        .isCloseTo(values[values.length - 4 + i], org.assertj.core.data.Offset.offset(1e-5));
            }
        }
    }

    @Test
    void subspaceIterationsComeNearToThePrincipalSingularValues() {
        Linear site = base().site(Linear.class, "model.layers.1.mlp.down_proj");
        Svd exact = Svd.of(site.weight());
        double few = distance(exact, site, 1);
        double many = distance(exact, site, 30);

        assertThat(many).isLessThan(1e-2).isLessThan(few);
    }

    private static double distance(Svd exact, Linear site, int iterations) {
        Svd found = Svd.first(site.weight(), 6, iterations, dev.graft.tensor.Rng.of(1, "svd"));
        return Tensors.item(found.s().sub(exact.s().narrow(0, 0, 6)).abs().amax());
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), ForwardPass.inference(hooks));
    }

    private static void train(Adapter adapter) {
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) ->
                            value.add_(dev.graft.tensor.Rng.of(7, key).normal(0, 0.1, Tensors.shape(value))));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "true",
                "gaussian",
                "orthogonal",
                "mica",
                "pissa",
                "pissa_niter_3",
                "olora",
                "milora",
                "eva",
                "corda",
                "lora_ga"
            })
    void everyStartLeavesTheModelAsItIsAndSurvivesSaving(String name, @TempDir Path folder) {
        LoraInit init = LoraInits.of(name);
        Adapter adapter = create(config(4, init));
        Tensor mask = Bases.batch().mask();

        assertThat(Bases.difference(logits(base(), Selection.of(adapter).hooks()), logits(base(), Hooks.NONE), mask))
                .isLessThan(5e-5);
        train(adapter);
        Tensor trained = logits(base(), Selection.of(adapter).hooks());
        assertThat(Bases.difference(trained, logits(base(), Hooks.NONE), mask)).isGreaterThan(1e-2);
        assertThat(Bases.difference(
                        logits(base(), Selection.of(adapter.replica()).hooks()), trained, mask))
                .isLessThan(1e-6);
        assertThat(Bases.difference(logits(Merge.merge(adapter), Hooks.NONE), trained, mask))
                .isLessThan(5e-5);
        adapter.save(folder.resolve("a"));
        Adapter loaded = Adapter.load(base(), folder.resolve("a"));
        assertThat(Bases.difference(logits(base(), Selection.of(loaded).hooks()), trained, mask))
                .isLessThan(5e-5);
        JsonNode json = Json.read(folder.resolve("a/adapter_config.json"));
        boolean plain = init.offset() == LoraInit.Offset.OF_DATA;
        assertThat(json.get("r").intValue()).isEqualTo(plain ? 8 : 4);
        assertThat(json.get("init_lora_weights").asString()).isEqualTo(plain ? "true" : name);
    }

    @Test
    void ranksAndAlphasByModuleAndRsloraKeepTheirScalingWhenTheRankDoubles(@TempDir Path folder) {
        LoraConfig config = new LoraConfig(
                4,
                6,
                0,
                true,
                TARGETS,
                java.util.Map.of("q_proj", 3),
                java.util.Map.of("v_proj", 5.0),
                dev.graft.peft.Bias.NONE,
                false,
                LoraInits.of("milora"),
                java.util.Map.of(),
                null,
                false,
                false,
                null);
        Adapter adapter = Adapter.create(base(), new Dora(config), 1);
        train(adapter);
        adapter.save(folder.resolve("a"));
        Adapter loaded = Adapter.load(base(), folder.resolve("a"));

        assertThat(Bases.difference(
                        logits(base(), Selection.of(loaded).hooks()),
                        logits(base(), Selection.of(adapter).hooks()),
                        Bases.batch().mask()))
                .isLessThan(5e-5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"eva", "corda", "lora_ga"})
    void startsThatLookAtDataSayThatTheyNeedIt(String name) {
        assertThatThrownBy(() -> Adapter.create(base(), new Lora(config(4, LoraInits.of(name))), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("calibration batches");
    }

    @Test
    void refusesWhatAStartCannotDo() {
        assertThatThrownBy(() -> create(config(3, LoraInits.of("orthogonal"))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("even rank");
        assertThatThrownBy(() -> create(config(17, LoraInits.of("milora"))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("v_proj [16, 32] has 16");
        assertThatThrownBy(() -> create(config(9, LoraInits.of("lora_ga"))))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("takes 18 singular vectors at rank 9");
        CalibrationBatches unlabelled = CalibrationBatches.of(base(), List.of(Bases.batch()));
        AdapterConfig loraGa = new AdapterConfig(new Lora(config(4, LoraGa.DEFAULT)), List.of(), null, null, null);
        assertThatThrownBy(() -> Adapter.create(base(), loraGa, unlabelled, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no labels");
    }
}
