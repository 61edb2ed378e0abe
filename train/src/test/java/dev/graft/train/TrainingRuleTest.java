package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.bottleneck.Fusion;
import dev.graft.peft.methods.bottleneck.FusionSettings;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.hybrid.AdapterDrop;
import dev.graft.peft.methods.hybrid.Union;
import dev.graft.peft.methods.lora.AdaLora;
import dev.graft.peft.methods.lora.DyLora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.LoraFa;
import dev.graft.peft.methods.lora.LoraPlus;
import dev.graft.peft.methods.lora.Sora;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.peft.methods.selective.ChildTuning;
import dev.graft.peft.methods.selective.GradualUnfreezing;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.data.Examples;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** What the trainer does for a method's rule. */
class TrainingRuleTest {
    private static final Base LLAMA = Tiny.llama();
    private static final Examples ROWS = Tiny.counting(12, 1);
    private static final LoraConfig LORA =
            LoraConfig.DEFAULT.withR(2).withAlpha(4).withTargets(TargetModules.names("q_proj"));
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT
            .withLearningRate(1e-2)
            .withBatching(TrainSettings.DEFAULT.batching().withSize(4).withOrder(ExampleOrder.SHUFFLED))
            .withSaving(new Saving(Every.steps(1), 0))
            .withMaxSteps(6);

    /** LoRA with a rule that a test gives. */
    private record Ruled(BiFunction<Method.Instance, TrainingRule.Run, TrainingRule> rule) implements Method {
        @Override
        public Type type() {
            return new Lora(LORA).type();
        }

        @Override
        public void graft(Grafter g) {
            new Lora(LORA).graft(g);
        }

        @Override
        public void write(ObjectNode json, Base base) {
            new Lora(LORA).write(json, base);
        }

        @Override
        public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
            return rule.apply(adapter, run);
        }
    }

    private static Adapter adapter(BiFunction<Method.Instance, TrainingRule.Run, TrainingRule> rule) {
        return Adapter.create(LLAMA, new Ruled(rule), 7);
    }

    private static List<Stepped> train(Adapter adapter, Path folder, int steps) {
        List<Stepped> emitted = new ArrayList<>();
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onStep(Stepped event) {
                emitted.add(event);
            }
        };
        new Trainer(SETTINGS, adapter, ROWS, null, folder, List.of(listener))
                .run(Resume.AUTO, () -> emitted.size() == steps);
        return emitted;
    }

    @Test
    void isToldOfTheRunAndCalledInOrder() {
        List<String> calls = new ArrayList<>();
        train(
                adapter((adapter, run) -> {
                    calls.add("run of " + run.steps() + ", " + run.stepsPerEpoch() + " an epoch");
                    return new TrainingRule() {
                        @Override
                        public void begin(Gradients gradients) {
                            gradients.forEachBatch(() -> calls.add("look"));
                        }

                        @Override
                        public void beforeStep(long step) {
                            calls.add("before " + step);
                        }

                        @Override
                        public void beforeUpdate(long step) {
                            calls.add("update " + step);
                        }

                        @Override
                        public void afterUpdate(long step, double rate) {
                            calls.add("after " + step);
                        }
                    };
                }),
                null,
                2);

        assertThat(calls)
                .containsExactly(
                        "run of 6, 3 an epoch",
                        "look",
                        "look",
                        "look",
                        "before 0",
                        "update 0",
                        "after 0",
                        "before 1",
                        "update 1",
                        "after 1");
    }

    /** With a penalty of half the squared norm the gradient of each value grows by the value. */
    @Test
    void itsPenaltyIsPartOfTheLossAndOfTheGradient() {
        Tensor[] gradient = new Tensor[2];
        List<List<Stepped>> emitted = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            boolean with = i == 1;
            int run = i;
            emitted.add(train(
                    adapter((adapter, of) -> new TrainingRule() {
                        private final Tensor a =
                                adapter.trainable().values().iterator().next();

                        @Override
                        public Tensor penalty() {
                            return with
                                    ? a.mul(a).sum().mul(new Scalar(0.5))
                                    : a.sum().mul(new Scalar(0.0));
                        }

                        @Override
                        public void beforeUpdate(long step) {
                            try (Scope scope = new Scope()) {
                                gradient[run] = scope.release(
                                        with ? a.grad().sub(a) : a.grad().clone());
                            }
                        }
                    }),
                    null,
                    1));
        }

        assertThat(emitted.get(1).get(0).loss())
                .isGreaterThan(emitted.get(0).get(0).loss() + 0.01);
        assertThat(Tensors.item(gradient[0].sub(gradient[1]).abs().amax())).isCloseTo(0, offset(1e-5));
    }

    @Test
    void aHeadLearnsAtARateOfItsOwn() {
        Base classifier = Tiny.classifier("large", "small");
        Adapter before = Adapter.create(classifier, Ia3.DEFAULT, 7);
        Adapter after = Adapter.create(classifier, Ia3.DEFAULT, 7);
        TrainSettings settings = SETTINGS.withOptimization(
                        SETTINGS.optimization().withHeadRate(1e-3))
                .withMaxSteps(1);
        new Trainer(settings, after, Tiny.labelled(8, 1), null, null, List.of()).run();

        before.trainable().forEach((name, start) -> {
            // Adam's first step moves every value by its learning rate.
            double expected = name.startsWith("classifier.") ? 1e-3 : 1e-2;
            assertThat(moved(after.trainable().get(name), start)).as(name).isCloseTo(expected, offset(expected / 100));
        });
    }

    @Test
    void whatRestsInAStepIsNoError() {
        AdapterDrop drop = new AdapterDrop(Pfeiffer.DEFAULT, 1, true);
        Adapter before = Adapter.create(LLAMA, drop, 7);
        Adapter after = Adapter.create(LLAMA, drop, 7);
        train(after, null, 2);

        before.trainable()
                .forEach((name, start) -> assertThat(moved(after.trainable().get(name), start) > 0)
                        .as(name)
                        .isEqualTo(!name.contains("layers.0.")));
    }

    @Test
    void aParameterLearnsAtItsRateAndFromItsStep() {
        BiFunction<Method.Instance, TrainingRule.Run, TrainingRule> rule = (adapter, run) -> new TrainingRule() {
            @Override
            public Rate rate(String parameter) {
                return parameter.contains("layers.0") ? new Rate(0.5, 2) : Rate.DEFAULT;
            }
        };
        Adapter before = adapter(rule);
        Adapter two = adapter(rule);
        train(two, null, 2);
        Adapter three = adapter(rule);
        train(three, null, 3);

        before.trainable().forEach((name, start) -> {
            double moved = moved(two.trainable().get(name), start);
            if (name.contains("layers.0")) {
                assertThat(moved).as(name).isZero();
                // Adam's first step moves every value by its learning rate, here half of what is left of 1e-2; A waits
                // for B.
                double expected = name.contains("lora_B") ? 0.5e-2 * 4 / 6 : 0;
                assertThat(moved(three.trainable().get(name), start)).as(name).isCloseTo(expected, offset(1e-4));
            } else {
                assertThat(moved).as(name).isGreaterThan(5e-3);
            }
        });
    }

    private static double moved(Tensor now, Tensor before) {
        return Tensors.item(now.detach().sub(before.detach()).abs().amax());
    }

    /** A rule that adds what it has seen of the gradients to what it does: only with its state can a run go on. */
    @Test
    void aResumedRunEndsWithTheSameBits(@TempDir Path folder) {
        BiFunction<Method.Instance, TrainingRule.Run, TrainingRule> rule = (adapter, run) -> {
            Tensor a = adapter.trainable().values().iterator().next();
            Tensor seen = a.detach().clone();
            seen.zero_();
            seen.retainReference();
            return new TrainingRule() {
                @Override
                public Rate rate(String parameter) {
                    return parameter.contains("layers.0") ? new Rate(0.5, 2) : Rate.DEFAULT;
                }

                @Override
                public void afterUpdate(long step, double rate) {
                    try (NoGrad noGrad = new NoGrad();
                            Scope scope = new Scope()) {
                        seen.mul_(new Scalar(0.5)).add_(a.grad());
                        a.add_(seen);
                    }
                }

                @Override
                public Map<String, Tensor> state() {
                    return Map.of("seen", seen);
                }
            };
        };
        Adapter whole = adapter(rule);
        List<Stepped> uninterrupted = train(whole, folder.resolve("whole"), 100);
        train(adapter(rule), folder.resolve("parts"), 1);
        train(adapter(rule), folder.resolve("parts"), 3);
        Adapter parts = adapter(rule);
        List<Stepped> last = train(parts, folder.resolve("parts"), 100);

        assertThat(last).hasSize(2);
        assertThat(last.get(1).loss()).isEqualTo(uninterrupted.get(5).loss());
        assertThat(Tiny.hashes(parts)).isEqualTo(Tiny.hashes(whole));
    }

    /** What a rule keeps in the adapter beside its parameters goes back to the best step with them. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aFusionEndsAtTheTemperatureOfItsBestStep(boolean joint, @TempDir Path folder) {
        FusionSettings cooling = new FusionSettings(true, true, true, false, true, true, false, false, true, 0.0);
        Fusion fusion = new Fusion(cooling, Fusion.DEFAULT.children());
        Adapter adapter = Adapter.create(LLAMA, joint ? new Union(List.of(fusion, Ia3.DEFAULT)) : fusion, 7);
        Iterator<Double> losses = List.of(3.0, 1.0, 2.0).iterator();
        TrainSettings settings =
                SETTINGS.withEvaluating(TrainSettings.DEFAULT.evaluating().withEvery(Every.steps(2)));
        new Trainer(settings, adapter, ROWS, hooks -> Map.of("loss", losses.next()), folder, List.of()).run();
        assertThat(Tensors.item(Fusion.temperature(Adapter.load(LLAMA, folder.resolve("adapter")))))
                .as("that of the fourth step")
                .isCloseTo(50 - 3 * 0.05, offset(1e-4));
    }

    static Stream<Method> methods() {
        AdaLora adaLora = new AdaLora(LORA, 4, 2, 1, 2, 1, 0.85, 0.85, 0.5, null, null);
        return Stream.of(
                adaLora,
                new Sora(LORA, 0.9),
                new DyLora(LORA, 1, false),
                new LoraPlus(LORA, 4, 1e-6),
                new LoraFa(LORA, LoraFa.Projection.FP32),
                new GradualUnfreezing(2, null),
                new ChildTuning(ChildTuning.Variant.TASK_FREE, 0.5),
                new ChildTuning(ChildTuning.Variant.TASK_DRIVEN, 0.2));
    }

    @ParameterizedTest
    @MethodSource("methods")
    void everyMethodGoesOnFromACheckpointAsIfNothingHadHappened(Method method, @TempDir Path folder) {
        Adapter whole = Adapter.create(LLAMA, method, 7);
        List<Stepped> uninterrupted = train(whole, folder.resolve("whole"), 100);
        train(Adapter.create(LLAMA, method, 7), folder.resolve("parts"), 2);
        train(Adapter.create(LLAMA, method, 7), folder.resolve("parts"), 2);
        Adapter parts = Adapter.create(LLAMA, method, 7);
        List<Stepped> last = train(parts, folder.resolve("parts"), 100);

        assertThat(last).hasSize(2);
        assertThat(last.get(1).loss()).isEqualTo(uninterrupted.get(5).loss());
        assertThat(Tiny.hashes(parts)).isEqualTo(Tiny.hashes(whole));
        assertThat(Adapter.load(LLAMA, folder.resolve("whole/adapter")).method().type())
                .isEqualTo(method.savedMethod(whole).type());
    }

    /** What isn't part of the child network stays as in the base to the last bit. */
    @Test
    void theChildNetworkAloneIsTrained() {
        Adapter adapter = Adapter.create(LLAMA, new ChildTuning(ChildTuning.Variant.TASK_DRIVEN, 0.2), 7);
        train(adapter, null, 100);
        long moved = 0;
        for (Map.Entry<String, Tensor> parameter : adapter.trainable().entrySet()) {
            if (!parameter.getKey().startsWith("lm_head.")) {
                float[] before = Tensors.floats(LLAMA.parameters().get(parameter.getKey()));
                float[] after = Tensors.floats(parameter.getValue());
                for (int i = 0; i < before.length; i++) {
                    moved += before[i] == after[i] ? 0 : 1;
                }
            }
        }
        long all = adapter.trainableCount()
                - LLAMA.parameters().get("lm_head.weight").numel();
        assertThat((double) moved / all).isBetween(0.15, 0.2);
    }
}
