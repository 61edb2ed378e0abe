package dev.graft.models.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Prefix;
import dev.graft.models.sites.SoftPrompt;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A pass over a cache gives what a whole pass gives. */
public class KvCacheTest {
    static final double SAME = 2e-5;
    static final Base BASE = Base.load(Fixtures.folder("llama-gqa"));
    static final long[][] IDS = {{5, 9, 12, 33, 7, 21, 40, 3, 17}, {0, 0, 0, 8, 30, 11, 62, 19, 2}};
    static final long[][] MASK = {{1, 1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 1, 1, 1, 1}};

    /** Three keys and values before row 0, one before row 1. */
    static final class WithPrefix implements Hooks {
        private final int[] rows;

        WithPrefix(int... rows) {
            this.rows = rows;
        }

        @Override
        public Hooks selectRows(int... kept) {
            return new WithPrefix(
                    java.util.Arrays.stream(kept).map(row -> rows[row]).toArray());
        }

        @Override
        public Prefix prefix(Attention site, long batch, PassView pass) {
            long[] shape = {batch, site.heads(), 3, site.headDim()};
            long[][] mask = {{1, 1, 1}, {0, 0, 1}};
            return new Prefix(
                    () -> org.bytedeco.pytorch.global.torch.stack(Tensors.vector(List.of(
                            Rng.of(1, site.name() + " keys").normal(0, 1, shape),
                            Rng.of(1, site.name() + " values").normal(0, 1, shape)))),
                    Tensors.of(java.util.Arrays.stream(rows)
                            .mapToObj(row -> mask[row])
                            .toArray(long[][]::new)),
                    Tensors.of(
                            java.util.Arrays.stream(rows)
                                    .mapToLong(row -> row == 0 ? 3 : 1)
                                    .toArray(),
                            rows.length));
        }

        @Override
        public String toString() {
            return "prefix";
        }
    }

    /** Two rows before row 0, one before row 1. */
    public static final class WithPrompt implements Hooks {
        @Override
        public SoftPrompt prompt(Embedding site, long batch, PassView pass) {
            return new SoftPrompt(Rng.of(1, "prompt").normal(0, 0.5, batch, 2, site.hidden()), Tensors.of(new long[][] {
                {1, 1}, {0, 1}
            }));
        }

        @Override
        public String toString() {
            return "prompt";
        }
    }

    static Stream<Hooks> hooks() {
        return Stream.of(Hooks.NONE, new WithPrefix(0, 1), new WithPrompt());
    }

    static Inputs columns(int from, int to, KvCache cache) {
        Tensor mask = Tensors.of(MASK).narrow(1, from, to - from);
        return new Inputs(Tensors.of(IDS).narrow(1, from, to - from), mask, null, cache.positions(mask));
    }

    static Tensor whole(Hooks hooks, int width) {
        Inputs in = Inputs.of(
                        Tensors.of(IDS).narrow(1, 0, width), Tensors.of(MASK).narrow(1, 0, width))
                .withPositionsFromMask();
        return BASE.logits(in, ForwardPass.inference(hooks));
    }

    static Tensor last(Tensor logits) {
        return logits.select(1, logits.size(1) - 1);
    }

    @ParameterizedTest
    @MethodSource("hooks")
    void everyDecodedStepEqualsTheWholePass(Hooks hooks) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(9)) {
            Tensor logits = BASE.logits(columns(0, 5, cache), ForwardPass.cached(hooks, cache));
            assertThat(Fixtures.difference(last(logits), last(whole(hooks, 5)))).isLessThan(SAME);
            for (int width = 6; width <= 9; width++) {
                Tensor step = BASE.logits(columns(width - 1, width, cache), ForwardPass.cached(hooks, cache));
                assertThat(Fixtures.difference(last(step), last(whole(hooks, width))))
                        .as("%s, %d tokens", hooks, width)
                        .isLessThan(SAME);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("hooks")
    void promptInPartsEqualsThePromptAtOnce(Hooks hooks) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (List<Integer> cuts : List.of(List.of(0, 4, 9), List.of(0, 2, 3, 9), List.of(0, 1, 8, 9))) {
                try (KvCache cache = new KvCache(9)) {
                    Tensor logits = null;
                    for (int i = 1; i < cuts.size(); i++) {
                        logits = BASE.logits(
                                columns(cuts.get(i - 1), cuts.get(i), cache), ForwardPass.cached(hooks, cache));
                    }
                    assertThat(Fixtures.difference(last(logits), last(whole(hooks, 9))))
                            .as("%s in parts %s", hooks, cuts)
                            .isLessThan(SAME);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("hooks")
    void rowsThatStayGoOnAsBefore(Hooks hooks) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(9)) {
            BASE.logits(columns(0, 8, cache), ForwardPass.cached(hooks, cache));
            cache.select(1);
            Tensor mask = Tensors.of(new long[][] {{1}});
            Inputs in = new Inputs(Tensors.of(new long[][] {{IDS[1][8]}}), mask, null, cache.positions(mask));
            Tensor step = BASE.logits(in, ForwardPass.cached(hooks.selectRows(1), cache));

            assertThat(Fixtures.difference(last(step), last(whole(hooks, 9)).narrow(0, 1, 1)))
                    .isLessThan(SAME);
        }
    }

    @Test
    void withoutPositionsTheyGoOnFromWhatIsCached() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(9)) {
            Hooks hooks = new WithPrefix(0, 1);
            Tensor ids = Tensors.of(IDS);
            Tensor mask = Tensors.of(MASK);
            BASE.logits(Inputs.of(ids.narrow(1, 0, 8), mask.narrow(1, 0, 8)), ForwardPass.cached(hooks, cache));
            Tensor step =
                    BASE.logits(Inputs.of(ids.narrow(1, 8, 1), mask.narrow(1, 8, 1)), ForwardPass.cached(hooks, cache));
            Tensor whole = BASE.logits(Inputs.of(ids, mask), ForwardPass.inference(hooks));

            assertThat(Fixtures.difference(last(step), last(whole))).isLessThan(SAME);
        }
    }

    @Test
    void prefixAndPromptDoChangeTheAnswer() {
        try (Scope scope = new Scope()) {
            Tensor plain = last(whole(Hooks.NONE, 9));
            assertThat(Fixtures.difference(plain, last(whole(new WithPrefix(0, 1), 9))))
                    .isGreaterThan(0.01);
            assertThat(Fixtures.difference(plain, last(whole(new WithPrompt(), 9))))
                    .isGreaterThan(0.01);
        }
    }

    @Test
    void fullCacheSaysHowManyPositionsAreNeeded() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(5)) {
            BASE.logits(columns(0, 5, cache), ForwardPass.cached(Hooks.NONE, cache));

            assertThatThrownBy(() -> BASE.logits(columns(5, 6, cache), ForwardPass.cached(Hooks.NONE, cache)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("the cache holds 5 positions, 6 are needed");
        }
    }

    @Test
    void positionsAreCountedFromTheMasks() {
        try (Scope scope = new Scope();
                KvCache cache = new KvCache(9)) {
            Tensor mask = Tensors.of(MASK).narrow(1, 0, 6);
            assertThat(Tensors.longs(cache.positions(mask))).containsExactly(0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 1, 2);
            cache.begin(0, 0, null, null);
            cache.advance(mask);
            Tensor more = Ops.cat(0, Tensors.of(new long[][] {{1, 1}}), Tensors.of(new long[][] {{0, 1}}));
            assertThat(Tensors.longs(cache.positions(more))).containsExactly(6, 7, 2, 3);
        }
    }
}
