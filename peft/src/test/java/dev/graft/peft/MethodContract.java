package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every method must do, on an encoder, on a decoder with grouped queries and on one with a tied head. A method's test states its
 * variants and how many numbers each trains; {@link RegistryTest} fails for a method without one.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class MethodContract {
    private static final double CLOSE = 2e-5;

    /**
     * A method on a base.
     *
     * @param trained how many numbers it trains, without the head
     * @param identity whether a new adapter changes nothing
     */
    public record Case(String base, Method method, long trained, boolean identity) {
        @Override
        public String toString() {
            return base + " " + method;
        }
    }

    /** The variants to test; the first one starts as the method does by default. */
    protected abstract List<Case> cases();

    /** Whether the gradient of a parameter is the derivative of the output, rather than one the method defines. */
    protected boolean isDerivative(String key) {
        return true;
    }

    /** Whether the same values mean nearly the same on a rounded base: not where they are relative to a decomposition of its weights. */
    protected boolean meansTheSameOnARoundedBase() {
        return true;
    }

    List<Case> variants() {
        return cases();
    }

    Stream<Case> oneForEachBase() {
        Map<String, Case> first = new java.util.LinkedHashMap<>();
        cases().forEach(c -> first.putIfAbsent(c.base, c));
        return first.values().stream();
    }

    private static Adapter fresh(Case c, Numerics numerics, long seed) {
        return withTask(Adapter.create(Bases.load(c.base, numerics), c.method, seed));
    }

    /** An adapter for several tasks acts for one of them. */
    private static Adapter withTask(Adapter adapter) {
        return adapter.tasks() > 1 ? adapter.task(1) : adapter;
    }

    /** An adapter as training may leave it: every trained value moved. */
    private static Adapter trained(Case c, Numerics numerics, long seed) {
        Adapter adapter = fresh(c, numerics, seed);
        move(adapter, seed);
        return adapter;
    }

    private static Adapter trained(Case c, long seed) {
        return trained(c, Numerics.FP32, seed);
    }

    private static void move(Adapter adapter, long seed) {
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Ops.to(
                            Rng.of(seed, "moved " + key).normal(0, 0.2, Tensors.shape(value)), value.scalar_type())));
        }
    }

    /** The outputs for the batch at the text's positions. */
    private static Tensor logits(Base base, Hooks hooks) {
        return logits(base, ForwardPass.inference(hooks), Bases.batch());
    }

    private static Tensor logits(Base base, ForwardPass pass, Inputs in) {
        HiddenStates hidden = base.forward(in, pass);
        Tensor logits = base.logits(hidden, pass);
        return logits.dim() == 3 ? logits.narrow(1, hidden.prompt(), in.width()) : logits;
    }

    private static Tensor logits(Base base, Selection selection) {
        return logits(base, selection.hooks());
    }

    private static double difference(Tensor a, Tensor b) {
        return Bases.difference(a, b, Bases.batch().mask());
    }

    @ParameterizedTest
    @MethodSource("variants")
    void startsAsDeclared(Case c) {
        Adapter adapter = fresh(c, Numerics.FP32, 1);
        double moved = difference(logits(adapter.base(), Selection.of(adapter)), logits(adapter.base(), Hooks.NONE));

        if (c.identity) {
            assertThat(moved).isLessThan(CLOSE);
        } else {
            assertThat(moved).isGreaterThan(1e-3);
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void trainsAsManyNumbersAsItsFormulaSays(Case c) {
        Adapter adapter = fresh(c, Numerics.FP32, 1);
        long head = adapter.trainable().entrySet().stream()
                .filter(entry -> entry.getKey().startsWith("classifier."))
                .mapToLong(entry -> entry.getValue().numel())
                .sum();

        assertThat(adapter.trainableCount() - head).isEqualTo(c.trained);
        assertThat(head).isEqualTo(c.base.equals(Bases.BERT) ? 3 * 32 + 3 : 0);
        assertThat(adapter.trainableLine()).startsWith(String.format("trainable params: %,d |", c.trained + head));
    }

    @ParameterizedTest
    @MethodSource("variants")
    void isReproducibleFromItsSeed(Case c) {
        Adapter one = fresh(c, Numerics.FP32, 5);
        Adapter same = fresh(c, Numerics.FP32, 5);

        one.parameters()
                .forEach((key, parameter) -> assertThat(Tensors.bytes(parameter.value()))
                        .as(key)
                        .isEqualTo(Tensors.bytes(same.parameters().get(key).value())));
    }

    @ParameterizedTest
    @MethodSource("variants")
    void hasTheGradientOfItsFunction(Case c) {
        Adapter adapter = trained(c, Numerics.FP64, 2);
        assumeTrains(adapter);
        Tensor direction = Ops.to(
                Rng.of(3, "direction").normal(0, 1, Tensors.shape(logits(adapter.base(), Selection.of(adapter)))),
                Numerics.FP64.small());
        backward(adapter, direction);

        adapter.trainable().forEach((key, parameter) -> {
            Tensor gradient = parameter.grad();
            if (!isDerivative(key)) {
                assertThat(gradient.defined()).as(key).isTrue();
                return;
            }
            Tensor along = Ops.to(Rng.of(4, key).normal(0, 1, Tensors.shape(parameter)), Numerics.FP64.small());
            along.div_(along.norm());
            double numeric = (shifted(adapter, parameter, along, 1e-5, direction)
                            - shifted(adapter, parameter, along, -1e-5, direction))
                    / 2e-5;
            double analytic =
                    gradient.defined() ? Tensors.item(gradient.mul(along).sum()) : 0;
            assertThat(analytic)
                    .as(key)
                    .isCloseTo(numeric, org.assertj.core.data.Offset.offset(1e-6 * (1 + Math.abs(numeric))));
        });
        assertThat(adapter.trainable().values().stream()
                        .anyMatch(parameter -> parameter.grad().defined()
                                && Tensors.item(parameter.grad().abs().amax()) > 1e-6))
                .isTrue();
    }

    /** A method that chooses among trained adapters may have nothing to train itself. */
    private static void assumeTrains(Adapter adapter) {
        Assumptions.assumeFalse(adapter.trainable().isEmpty());
    }

    /** A training pass; the variants have no dropout. */
    private static void backward(Adapter adapter, Tensor direction) {
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        value(logits(adapter.base(), pass, Bases.batch()), direction).backward();
        pass.backward();
    }

    private static Tensor value(Adapter adapter, Tensor direction) {
        return value(logits(adapter.base(), Selection.of(adapter)), direction);
    }

    private static Tensor value(Tensor logits, Tensor direction) {
        Tensor weighted = logits.mul(direction);
        return logits.dim() == 3
                ? weighted.mul(Bases.batch().mask().unsqueeze(-1)).sum()
                : weighted.sum();
    }

    /** Returns the value with a parameter moved {@code by} so much along a direction of its shape, of length 1. */
    private static double shifted(Adapter adapter, Tensor parameter, Tensor along, double by, Tensor direction) {
        try (NoGrad noGrad = new NoGrad()) {
            Tensor before = parameter.clone();
            parameter.add_(along, new Scalar(by));
            double value = Tensors.item(value(adapter, direction));
            parameter.copy_(before);
            return value;
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void trainsItsParametersAndLeavesEverythingElse(Case c) {
        Adapter adapter = fresh(c, Numerics.FP32, 6);
        assumeTrains(adapter);
        Base base = adapter.base();
        String before = base.checksum();
        Tensor plain = logits(base, Hooks.NONE);
        Map<String, java.nio.ByteBuffer> frozen = new java.util.HashMap<>();
        adapter.parameters().forEach((key, parameter) -> {
            if (!parameter.trainable()) {
                frozen.put(key, Tensors.bytes(parameter.value()));
            }
        });
        Tensor direction = Rng.of(3, "direction").normal(0, 1, Tensors.shape(plain));
        double first = Tensors.item(value(adapter, direction));
        descend(adapter, direction, 1e-3);

        assertThat(Tensors.item(value(adapter, direction))).isLessThan(first);
        base.parameters().forEach((name, parameter) -> {
            assertThat(parameter.requires_grad()).as(name).isFalse();
            assertThat(parameter.grad().defined()).as(name).isFalse();
        });
        frozen.forEach((key, bytes) -> {
            Parameter parameter = adapter.parameters().get(key);
            assertThat(parameter.value().grad().defined()).as(key).isFalse();
            assertThat(Tensors.bytes(parameter.value())).as(key).isEqualTo(bytes);
        });
        assertThat(base.checksum()).isEqualTo(before);
        assertThat(logits(base, Hooks.NONE).equal(plain)).isTrue();
        assertThat(logits(base, Selection.BASE).equal(plain)).isTrue();
    }

    private static void descend(Adapter adapter, Tensor direction, double rate) {
        for (int step = 0; step < 3; step++) {
            backward(adapter, direction);
            try (NoGrad noGrad = new NoGrad()) {
                adapter.trainable().values().forEach(parameter -> {
                    if (parameter.grad().defined()) {
                        parameter.sub_(parameter.grad(), new Scalar(rate));
                        parameter.mutable_grad().zero_();
                    }
                });
            }
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void trainsOnWhenItWasLoaded(Case c, @TempDir Path folder) {
        Adapter adapter = trained(c, 9);
        assumeTrains(adapter);
        adapter.save(folder.resolve("one"));
        Adapter loaded = withTask(Adapter.load(adapter.base(), folder.resolve("one")));
        Tensor direction =
                Rng.of(3, "direction").normal(0, 1, Tensors.shape(logits(adapter.base(), Selection.of(loaded))));
        double first = Tensors.item(value(loaded, direction));
        descend(loaded, direction, 1e-4);

        assertThat(Tensors.item(value(loaded, direction))).isLessThan(first);
        // Prompts that a network made are saved without it, some starts as the ranks that they come to, LoRA-FA as
        // LoRA.
        boolean same = loaded.method().type() == adapter.method().type();
        if (same && loaded.parameters().keySet().equals(adapter.parameters().keySet())) {
            assertThat(loaded.trainable().keySet())
                    .isEqualTo(adapter.trainable().keySet());
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void isTheSameAfterSavingAndLoading(Case c, @TempDir Path folder) throws Exception {
        Adapter adapter = trained(c, 7);
        adapter.save(folder.resolve("one"));
        Adapter loaded = withTask(Adapter.load(adapter.base(), folder.resolve("one")));
        loaded.save(folder.resolve("two"));

        assertThat(loaded.method().type())
                .isEqualTo(adapter.method().savedMethod(adapter).type());
        assertThat(difference(
                        logits(adapter.base(), Selection.of(loaded)), logits(adapter.base(), Selection.of(adapter))))
                .isLessThan(CLOSE);
        List<Path> files = files(folder.resolve("one"));
        for (Path file : files) {
            assertThat(folder.resolve("two").resolve(file))
                    .hasSameBinaryContentAs(folder.resolve("one").resolve(file));
        }
        assertThat(files(folder.resolve("two"))).containsExactlyInAnyOrderElementsOf(files);
    }

    @ParameterizedTest
    @MethodSource("variants")
    void isTheSameWhenItIsFrozen(Case c) {
        Adapter adapter = trained(c, 8);
        Tensor before = logits(adapter.base(), Selection.of(adapter));
        adapter.freeze();
        Tensor frozen = logits(adapter.base(), Selection.of(adapter));

        assertThat(difference(frozen, before)).isLessThan(CLOSE);
        assertThat(logits(adapter.base(), Selection.of(adapter)).equal(frozen)).isTrue();
    }

    private static List<Path> files(Path folder) throws Exception {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).map(folder::relativize).toList();
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void mergesToWhatItComputesOrSaysThatItCannot(Case c) {
        Adapter adapter = trained(c, 8);
        Base base = adapter.base();
        Tensor plain = logits(base, Hooks.NONE);

        if (!c.method.type().capabilities().mergeable()) {
            assertThatThrownBy(() -> Merge.merge(adapter))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(c.method.type().name() + " can't be merged");
            return;
        }
        Base merged = Merge.merge(adapter);

        assertThat(difference(logits(merged, Hooks.NONE), logits(base, Selection.of(adapter))))
                .isLessThan(CLOSE);
        assertThat(difference(logits(merged, Hooks.NONE), plain)).isGreaterThan(1e-3);
        assertThat(logits(base, Hooks.NONE).equal(plain)).isTrue();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void stacksInTheOrderInWhichItMerges(Case c) {
        Adapter a = trained(c, 9);
        Adapter b = trained(c, 10);
        Adapter lora = lora(a.base());
        for (Selection stack : List.of(
                Selection.all(Selection.of(a), Selection.of(b)),
                Selection.all(Selection.of(lora), Selection.of(a)),
                Selection.all(Selection.of(a), Selection.of(lora)))) {
            Tensor stacked = logits(a.base(), stack);

            assertThat(stacked.isfinite().all().item_bool()).isTrue();
            assertThat(difference(stacked, logits(a.base(), Selection.of(a)))).isGreaterThan(1e-3);
            if (c.method.type().capabilities().mergeable()) {
                assertThat(difference(logits(Merge.merge(a.base(), stack), Hooks.NONE), stacked))
                        .isLessThan(CLOSE * 3);
            } else {
                assertThatThrownBy(() -> Merge.merge(a.base(), stack)).isInstanceOf(InputException.class);
            }
        }
    }

    private static Adapter lora(Base base) {
        Adapter lora = Adapter.create(base, new Lora(LoraConfig.DEFAULT.withR(2).withAlpha(4)), 11);
        move(lora, 11);
        return lora;
    }

    @ParameterizedTest
    @MethodSource("variants")
    void givesEachRowOfAMixedBatchWhatItGetsAlone(Case c) {
        Adapter a = trained(c, 12);
        Adapter b = trained(c, 13);
        Base base = a.base();
        Adapter other = Adapter.create(base, Ia3.DEFAULT, 14);
        move(other, 14);
        List<Selection> rows = List.of(
                Selection.of(a),
                Selection.BASE,
                Selection.of(b),
                Selection.all(Selection.of(a), Selection.of(lora(base))),
                Selection.of(other));
        Tensor mixed = logits(base, Selection.rows(rows));

        for (int row = 0; row < rows.size(); row++) {
            Tensor alone = logits(base, rows.get(row)).narrow(0, row, 1);
            Tensor mask = Bases.batch().mask().narrow(0, row, 1);
            assertThat(Bases.difference(mixed.narrow(0, row, 1), alone, mask))
                    .as("row %d", row)
                    .isLessThan(CLOSE);
        }
    }

    @ParameterizedTest
    @MethodSource("oneForEachBase")
    void isCloseOnABaseInBf16(Case c) {
        Assumptions.assumeTrue(meansTheSameOnARoundedBase());
        Adapter exact = trained(c, Numerics.FP32, 15);
        Adapter coarse = trained(c, Numerics.BF16, 15);
        Tensor expected = logits(exact.base(), Selection.of(exact));
        Tensor found = logits(coarse.base(), Selection.of(coarse));

        coarse.trainable()
                .values()
                .forEach(value -> assertThat(value.scalar_type().value).isEqualTo(Numerics.FP32.small().value));
        assertThat(difference(found, expected))
                .isLessThan(0.1 * Tensors.item(expected.abs().amax()));
    }

    @ParameterizedTest
    @MethodSource("oneForEachBase")
    void actsPartOfTheWayOrSaysThatItCannot(Case c) {
        Adapter adapter = trained(c, 16);
        Base base = adapter.base();
        if (adapter.hasPrompt()) {
            assertThatThrownBy(() -> Selection.of(adapter, 0.5))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(c.method.type().name())
                    .hasMessageContaining("strength 0.5");
            return;
        }
        Tensor half = logits(base, Selection.of(adapter, 0.5));

        assertThat(difference(logits(base, Selection.of(adapter, 0)), logits(base, Hooks.NONE)))
                .isLessThan(CLOSE);
        assertThat(difference(half, logits(base, Hooks.NONE))).isGreaterThan(1e-4);
        assertThat(difference(half, logits(base, Selection.of(adapter)))).isGreaterThan(1e-4);
        if (c.method.type().capabilities().mergeable()) {
            assertThat(difference(logits(Merge.merge(base, Selection.of(adapter, 0.5)), Hooks.NONE), half))
                    .isLessThan(CLOSE);
        }
    }

    /** The largest difference between an adapter's outputs in training and in inference. */
    protected static double effectOfDropout(Base base, Method method) {
        Adapter adapter = Adapter.create(base, method, 1);
        move(adapter, 1);
        Hooks hooks = Selection.of(adapter).hooks();
        return difference(logits(base, ForwardPass.training(hooks), Bases.batch()), logits(base, hooks));
    }

    @ParameterizedTest
    @MethodSource("oneForEachBase")
    void servesManyThreadsAtOnce(Case c) {
        List<Selection> selections = new ArrayList<>(List.of(Selection.BASE));
        for (int seed = 0; seed < 3; seed++) {
            selections.add(Selection.of(trained(c, 20 + seed)));
        }
        Base base = Bases.load(c.base);
        List<Tensor> alone =
                selections.stream().map(selection -> logits(base, selection)).toList();

        Stream.iterate(0, i -> i + 1).limit(12).parallel().forEach(i -> {
            int which = i % selections.size();
            assertThat(logits(base, selections.get(which)).equal(alone.get(which)))
                    .isTrue();
        });
    }
}
