package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
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

class AdapterBatchTest {
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
                    Tensor a = grafter.parameter(site, "a", Initializer.normal(0.3), 2, linear.in());
                    Tensor b = grafter.parameter(site, "b", Initializer.normal(0.3), linear.out(), 2);
                    boolean second = site.name().contains("layers.1.");
                    grafter.add(site, new Effect.Delta() {
                        @Override
                        public Tensor apply(Tensor x, PassView pass) {
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
                BASE.logits(Bases.batch(), ForwardPass.inference(one)),
                BASE.logits(Bases.batch(), ForwardPass.inference(other)),
                Bases.batch().mask());
    }

    /** Whatever was in the slot before: what is put there again acts, and until then nothing does. */
    @Test
    void anAdapterWhoseCopyFailsIsNotInItsSlot() {
        AtomicBoolean broken = new AtomicBoolean();
        Selection breaking = Selection.of(Adapter.create(BASE, new Breaking(broken), 3));
        Selection lora = adapter(BASE, "lora");
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(5)) {
            for (int row = 0; row < 5; row++) {
                adapterBatch.assign(row, lora);
            }
            broken.set(true);
            for (int row = 0; row < 5; row++) {
                int failing = row;
                assertThatThrownBy(() -> adapterBatch.assign(failing, breaking)).hasMessageContaining("don't fit");
                assertThat(adapterBatch.at(row)).isSameAs(Selection.BASE);
            }
            assertThat(difference(adapterBatch.hooks(), Hooks.NONE)).isZero();

            broken.set(false);
            for (int row = 0; row < 5; row++) {
                adapterBatch.assign(row, breaking);
            }
            assertThat(difference(adapterBatch.hooks(), breaking.hooks())).isLessThan(1e-4);
            assertThat(difference(adapterBatch.hooks(), Hooks.NONE)).isGreaterThan(1e-2);
        }
    }

    /** A pass may have some rows of the slots; what is more than low-rank updates is not among them. */
    @Test
    void neighboursHaveTheirOwnUpdates() {
        Selection lora = adapter(BASE, "lora");
        Selection dora = adapter(BASE, "dora");
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(8)) {
            assertThat(adapterBatch.assignLowRank(1, lora)).isTrue();
            assertThat(adapterBatch.assignLowRank(2, Selection.BASE)).isTrue();
            assertThat(adapterBatch.assignLowRank(3, lora)).isTrue();
            assertThat(adapterBatch.assignLowRank(4, dora)).isFalse();
            assertThat(adapterBatch.at(4)).isSameAs(Selection.BASE);

            Selection each = Selection.rows(lora, Selection.BASE, lora, Selection.BASE, Selection.BASE);
            assertThat(difference(adapterBatch.hooks(1, 5), each.hooks())).isLessThan(1e-4);
            assertThat(difference(adapterBatch.hooks(1, 5), Hooks.NONE)).isGreaterThan(1e-3);
            assertThat(adapterBatch.hooks(4, 4)).isSameAs(Hooks.NONE);
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
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(rows.length)) {
            for (int row = 0; row < rows.length; row++) {
                assertThat(adapterBatch.assignLowRank(row, rows[row])).isTrue();
            }
            Tensor expected = base.logits(
                    batch, ForwardPass.inference(Selection.rows(rows).hooks()));
            Tensor frozen = base.logits(batch, ForwardPass.inference(Hooks.NONE));
            Tensor actual = base.logits(batch, ForwardPass.inference(adapterBatch.hooks()));
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
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(count)) {
            for (int round = 0; round < 12; round++) {
                try (AdapterBatch fresh = new AdapterBatch(count)) {
                    for (int row = 0; row < count; row++) {
                        if (random.nextInt(3) == 0) {
                            adapterBatch.clear(row);
                        }
                        Selection selection = adapters.get(random.nextInt(round < 6 ? 3 : adapters.size()));
                        assertThat(adapterBatch.assignLowRank(row, selection)).isTrue();
                        assertThat(adapterBatch.at(row)).isSameAs(selection);
                        if (row == round % count) {
                            assertThat(fresh.assignLowRank(row, selection)).isTrue();
                        }
                    }
                    Tensor actual = base.logits(batch, ForwardPass.inference(adapterBatch.hooks()));
                    Tensor expected = base.logits(batch, ForwardPass.inference(fresh.hooks()));
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
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(5)) {
            for (String name : List.of("lora-all-linear", "lora", "lora-patterns", "lora", "lora-all-linear")) {
                Selection adapter = adapter(base, name);
                try (AdapterBatch fresh = new AdapterBatch(5)) {
                    for (int row = 0; row < 5; row++) {
                        assertThat(adapterBatch.assignLowRank(row, adapter)).isTrue();
                        assertThat(fresh.assignLowRank(row, adapter)).isTrue();
                    }
                    Tensor expected = base.logits(Bases.batch(), ForwardPass.inference(fresh.hooks()));
                    assertThat(base.logits(Bases.batch(), ForwardPass.inference(adapterBatch.hooks()))
                                    .equal(expected))
                            .as(name)
                            .isTrue();
                    assertThat(expected.equal(base.logits(Bases.batch(), ForwardPass.inference(Hooks.NONE))))
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
        try (NoGrad noGrad = new NoGrad();
                AdapterBatch adapterBatch = new AdapterBatch(3)) {
            adapterBatch.assign(0, lora);
            adapterBatch.assign(2, lora);
            Tensor x = Rng.of(1, "x").normal(0, 1, 1, 10, site.in());
            Tensor all = adapterBatch.hooks(lengths).linear(site, x, ForwardPass.inference(Hooks.NONE));
            Tensor adapted = lora.hooks().linear(site, x, ForwardPass.inference(Hooks.NONE));
            Tensor frozen = site.apply(x, ForwardPass.inference(Hooks.NONE));
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
