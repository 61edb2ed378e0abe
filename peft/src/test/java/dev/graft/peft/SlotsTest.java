package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.inits.Factors;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Rng;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class SlotsTest {
    private static final Base BASE = Bases.load(Bases.LLAMA);

    /** Updates of all queries, of which those of the second layer may have factors that don't fit. */
    private record Breaking(AtomicBoolean broken) implements Method {
        @Override
        public Type type() {
            return new Lora(LoraConfig.DEFAULT).type();
        }

        @Override
        public void graft(Grafter grafter) {
            for (Site site : grafter.base().sites()) {
                if (site instanceof Linear linear && site.name().endsWith("q_proj")) {
                    Tensor a = grafter.parameter(site, "a", Initial.normal(0.3), 2, linear.in());
                    Tensor b = grafter.parameter(site, "b", Initial.normal(0.3), linear.out(), 2);
                    boolean second = site.name().contains("layers.1.");
                    grafter.add(site, new Effect.Delta() {
                        @Override
                        public Tensor apply(Tensor x, Pass pass) {
                            return x.matmul(a.t()).matmul(b.t());
                        }

                        @Override
                        public Tensor weight() {
                            return b.matmul(a);
                        }

                        @Override
                        public Factors factors() {
                            return second && broken.get() ? new Factors(b, a) : new Factors(a, b);
                        }
                    });
                }
            }
        }

        @Override
        public void write(ObjectNode config, Base base) {
            throw new UnsupportedOperationException("it is never saved");
        }
    }

    private static Selection adapter(Base base, String name) {
        return Selection.of(Adapter.load(base, Bases.FIXTURES.resolve("adapters/llama-gqa/" + name)));
    }

    /** Texts, or their first tokens. */
    private static Inputs batch(boolean single) {
        Inputs texts = Bases.batch();
        return single ? Inputs.of(texts.ids().narrow(1, 0, 1), texts.mask().narrow(1, 0, 1)) : texts;
    }

    private static double difference(Hooks one, Hooks other) {
        return Bases.difference(
                BASE.logits(Bases.batch(), Pass.inference(one)),
                BASE.logits(Bases.batch(), Pass.inference(other)),
                Bases.batch().mask());
    }

    /** Whatever was in the slot before: what is put there again acts, and until then nothing does. */
    @Test
    void anAdapterWhoseCopyFailsIsNotInItsSlot() {
        AtomicBoolean broken = new AtomicBoolean();
        Selection breaking = Selection.of(Adapter.create(BASE, new Breaking(broken), 3));
        Selection lora = adapter(BASE, "lora");
        try (NoGrad off = new NoGrad();
                Slots slots = new Slots(5)) {
            for (int row = 0; row < 5; row++) {
                slots.put(row, lora);
            }
            broken.set(true);
            for (int row = 0; row < 5; row++) {
                int failing = row;
                assertThatThrownBy(() -> slots.put(failing, breaking)).hasMessageContaining("don't fit");
                assertThat(slots.at(row)).isSameAs(Selection.BASE);
            }
            assertThat(difference(slots.hooks(), Hooks.NONE)).isZero();

            broken.set(false);
            for (int row = 0; row < 5; row++) {
                slots.put(row, breaking);
            }
            assertThat(difference(slots.hooks(), breaking.hooks())).isLessThan(1e-4);
            assertThat(difference(slots.hooks(), Hooks.NONE)).isGreaterThan(1e-2);
        }
    }

    /** A pass may have some rows of the slots; what is more than low-rank updates is not among them. */
    @Test
    void neighboursHaveTheirOwnUpdates() {
        Selection lora = adapter(BASE, "lora");
        Selection dora = adapter(BASE, "dora");
        try (NoGrad off = new NoGrad();
                Slots slots = new Slots(8)) {
            assertThat(slots.putUpdates(1, lora)).isTrue();
            assertThat(slots.putUpdates(2, Selection.BASE)).isTrue();
            assertThat(slots.putUpdates(3, lora)).isTrue();
            assertThat(slots.putUpdates(4, dora)).isFalse();
            assertThat(slots.at(4)).isSameAs(Selection.BASE);

            Selection each = Selection.rows(lora, Selection.BASE, lora, Selection.BASE, Selection.BASE);
            assertThat(difference(slots.hooks(1, 5), each.hooks())).isLessThan(1e-4);
            assertThat(difference(slots.hooks(1, 5), Hooks.NONE)).isGreaterThan(1e-3);
            assertThat(slots.hooks(4, 4)).isSameAs(Hooks.NONE);
        }
    }

    /** Layers that are given the same input have their updates from one product; some of them may have none. Of single tokens too. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void siblingsThatWerePutTogetherHaveTheirOwnUpdates(boolean single) {
        Base base = Base.load(Bases.FIXTURES.resolve("bases").resolve(Bases.LLAMA), Base.Options.DEFAULT);
        base.pack();
        Inputs batch = batch(single);
        List<Selection> adapters = Stream.of("lora", "lora-all-linear", "lora-patterns")
                .map(name -> adapter(base, name))
                .toList();
        Selection[] rows = IntStream.range(0, (int) batch.ids().size(0))
                .mapToObj(row -> row == 1 ? Selection.BASE : adapters.get(row % 3))
                .toArray(Selection[]::new);
        try (NoGrad off = new NoGrad();
                Slots slots = new Slots(rows.length)) {
            for (int row = 0; row < rows.length; row++) {
                assertThat(slots.putUpdates(row, rows[row])).isTrue();
            }
            Tensor expected =
                    base.logits(batch, Pass.inference(Selection.rows(rows).hooks()));
            Tensor frozen = base.logits(batch, Pass.inference(Hooks.NONE));
            Tensor actual = base.logits(batch, Pass.inference(slots.hooks()));
            assertThat(Bases.difference(actual, expected, batch.mask())).isLessThan(1e-4);
            assertThat(Bases.difference(actual, frozen, batch.mask())).isGreaterThan(1e-3);
        }
    }

    /** In any order, with fewer rows than adapters that come and go; of single tokens too. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rowsGetWhatTheyGetAloneWhoeverElseHasTheirAdapter(boolean single) {
        Base base = Base.load(Bases.FIXTURES.resolve("bases").resolve(Bases.LLAMA), Base.Options.DEFAULT);
        base.pack();
        Inputs batch = batch(single);
        int count = (int) batch.ids().size(0);
        List<Selection> adapters = new ArrayList<>(List.of(Selection.BASE));
        for (int i = 0; i < 7; i++) {
            String name = List.of("lora", "lora-all-linear", "lora-patterns").get(i % 3);
            adapters.add(adapter(base, name));
        }
        Random random = new Random(4);
        try (NoGrad off = new NoGrad();
                Slots slots = new Slots(count)) {
            for (int round = 0; round < 12; round++) {
                try (Slots fresh = new Slots(count)) {
                    for (int row = 0; row < count; row++) {
                        if (random.nextInt(3) == 0) {
                            slots.leave(row);
                        }
                        Selection selection = adapters.get(random.nextInt(round < 6 ? 3 : adapters.size()));
                        assertThat(slots.putUpdates(row, selection)).isTrue();
                        assertThat(slots.at(row)).isSameAs(selection);
                        if (row == round % count) {
                            assertThat(fresh.putUpdates(row, selection)).isTrue();
                        }
                    }
                    Tensor actual = base.logits(batch, Pass.inference(slots.hooks()));
                    Tensor expected = base.logits(batch, Pass.inference(fresh.hooks()));
                    assertThat(actual.select(0, round % count).equal(expected.select(0, round % count)))
                            .as("round %d", round)
                            .isTrue();
                }
            }
        }
    }

    /** Whatever ranks and layers the one before had. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nothingIsLeftOfTheAdapterThatASlotHadBefore(boolean bf16) {
        Base base = Base.load(
                Bases.FIXTURES.resolve("bases").resolve(Bases.LLAMA),
                Base.Options.DEFAULT.withNumerics(bf16 ? Numerics.BF16 : Numerics.FP32));
        base.pack();
        try (NoGrad off = new NoGrad();
                Slots slots = new Slots(5)) {
            for (String name : List.of("lora-all-linear", "lora", "lora-patterns", "lora", "lora-all-linear")) {
                Selection adapter = adapter(base, name);
                try (Slots fresh = new Slots(5)) {
                    for (int row = 0; row < 5; row++) {
                        assertThat(slots.putUpdates(row, adapter)).isTrue();
                        assertThat(fresh.putUpdates(row, adapter)).isTrue();
                    }
                    Tensor expected = base.logits(Bases.batch(), Pass.inference(fresh.hooks()));
                    assertThat(base.logits(Bases.batch(), Pass.inference(slots.hooks()))
                                    .equal(expected))
                            .as(name)
                            .isTrue();
                    assertThat(expected.equal(base.logits(Bases.batch(), Pass.inference(Hooks.NONE))))
                            .isFalse();
                }
            }
        }
    }

    /** Of any lengths, and padding behind them. */
    @Test
    void textsOfOneRowHaveTheirOwnUpdates() {
        Selection lora = adapter(BASE, "lora");
        int[] lengths = {3, 1, 4};
        Linear site = BASE.sites().stream()
                .filter(Linear.class::isInstance)
                .map(Linear.class::cast)
                .filter(linear -> linear.name().endsWith("q_proj"))
                .findFirst()
                .orElseThrow();
        try (NoGrad off = new NoGrad();
                Slots slots = new Slots(3)) {
            slots.put(0, lora);
            slots.put(2, lora);
            Tensor x = Rng.of(1, "x").normal(0, 1, 1, 10, site.in());
            Tensor all = slots.hooks(lengths).linear(site, x, Pass.inference(Hooks.NONE));
            Tensor adapted = lora.hooks().linear(site, x, Pass.inference(Hooks.NONE));
            Tensor frozen = site.apply(x, Pass.inference(Hooks.NONE));
            int start = 0;
            for (Tensor wanted : List.of(
                    adapted.narrow(1, 0, 3), frozen.narrow(1, 3, 1), adapted.narrow(1, 4, 4), frozen.narrow(1, 8, 2))) {
                Tensor own = all.narrow(1, start, wanted.size(1));
                assertThat(own.sub(wanted).abs().max().item_double()).isLessThan(1e-4);
                start += (int) wanted.size(1);
            }
            assertThat(adapted.sub(frozen).abs().max().item_double()).isGreaterThan(1e-3);
        }
    }
}
