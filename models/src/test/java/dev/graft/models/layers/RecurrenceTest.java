package dev.graft.models.layers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Fixtures;
import dev.graft.models.cache.KvCache;
import dev.graft.models.cache.KvCacheTest;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a model keeps in place of its keys and values gives what a whole pass gives. */
class RecurrenceTest {
    private static final double SAME = 2e-5;
    private static final int[] TEXT =
            IntStream.range(0, 40).map(i -> 3 + (i * 17 + i / 7) % 60).toArray();

    private static Inputs inputs(KvCache cache, int[]... rows) {
        Tensor ids = Tensors.of(Arrays.stream(rows)
                .map(row -> Arrays.stream(row).asLongStream().toArray())
                .toArray(long[][]::new));
        Tensor mask = Tensors.ones(ScalarType.Long, ids.size(0), ids.size(1));
        return new Inputs(ids, mask, null, cache.positions(mask));
    }

    private static int[] text(int from, int to) {
        return Arrays.copyOfRange(TEXT, from, to);
    }

    /** The logits behind the last position of each row. */
    private static Tensor read(Base base, KvCache cache, int[]... rows) {
        Tensor logits = base.logits(inputs(cache, rows), ForwardPass.cached(Hooks.NONE, cache));
        return logits.select(1, logits.size(1) - 1);
    }

    private static Tensor whole(Base base, int[] text) {
        long[][] ids = {Arrays.stream(text).asLongStream().toArray()};
        Tensor logits = base.logits(Inputs.of(ids), ForwardPass.inference(Hooks.NONE));
        return logits.select(1, logits.size(1) - 1);
    }

    private static Base base(String name) {
        return Base.load(Fixtures.folder(name));
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "rwkv-halved", "nemotron-h", "nemotron-h-bias"})
    void aPassBehindOthersIsTheWholePass(String name) {
        Base base = base(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(40)) {
            for (List<Integer> cut :
                    List.of(List.of(0, 18), List.of(18, 19), List.of(19, 20), List.of(20, 37), List.of(37, 38))) {
                Tensor logits = read(base, cache, text(cut.get(0), cut.get(1)));
                assertThat(Fixtures.difference(logits, whole(base, text(0, cut.get(1)))))
                        .as("up to %d", cut.get(1))
                        .isLessThan(SAME);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void rowsThatStayGoOnAsBefore(String name) {
        Base base = base(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(40)) {
            read(base, cache, text(0, 5), text(5, 10), text(10, 15));
            cache.select(2, 0);
            Tensor logits = read(base, cache, text(15, 16), text(5, 6));

            Tensor alone = Ops.cat(0, whole(base, text(10, 16)), whole(base, text(0, 6)));
            assertThat(Fixtures.difference(logits, alone)).isLessThan(SAME);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void theLastPassCanBeTakenBackAndNoneBefore(String name) {
        Base base = base(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(40)) {
            read(base, cache, text(0, 5));
            read(base, cache, text(5, 9));
            read(base, cache, text(30, 31));
            cache.truncate(9);
            assertThat(cache.length()).isEqualTo(9);
            assertThat(Fixtures.difference(read(base, cache, text(9, 10)), whole(base, text(0, 10))))
                    .isLessThan(SAME);
            assertThatThrownBy(() -> cache.truncate(5))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("it can't be cut to 5");
        }
    }

    /** As a server keeps chunks of prompts. */
    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void whatOneTextReadAnotherGoesOnFrom(String name) {
        Base base = base(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(40);
                KvCache other = new KvCache(40)) {
            read(base, cache, text(0, 5));
            KvCache first = cache.slice(0, 5);
            read(base, cache, text(5, 10));
            KvCache second = cache.slice(5, 5);
            assertThatThrownBy(() -> cache.slice(0, 5))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("what it kept of the first 5 is gone");
            assertThat(second.bytes()).isPositive().isEqualTo(first.bytes());

            other.appendSlice(first);
            other.appendSlice(second);
            assertThat(Fixtures.difference(read(base, other, text(10, 12)), whole(base, text(0, 12))))
                    .isLessThan(SAME);
            first.close();
            second.close();
            assertThat(second.bytes()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void aBeginningIsKeptWholeOrNotAtAll(String name) {
        Base base = base(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(40)) {
            read(base, cache, text(0, 8));
            assertThat(cache.keepBeginning(text(0, 12))).isEqualTo(8);
            assertThat(Fixtures.difference(read(base, cache, text(8, 12)), whole(base, text(0, 12))))
                    .isLessThan(SAME);
            assertThat(cache.keepBeginning(text(0, 12))).isZero();
            assertThat(Fixtures.difference(read(base, cache, text(0, 12)), whole(base, text(0, 12))))
                    .isLessThan(SAME);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void textsOfDifferentLengthsTakeAStepTogether(String name) {
        Base base = base(name);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache one = new KvCache(40);
                KvCache other = new KvCache(40)) {
            read(base, one, text(0, 4));
            read(base, other, text(4, 13));
            for (int step = 0; step < 2; step++) {
                ForwardPass pass = ForwardPass.ragged(
                        Hooks.NONE,
                        Arrays.asList(
                                ForwardPass.cached(Hooks.NONE, one), null, ForwardPass.cached(Hooks.NONE, other)));
                Tensor ids = Tensors.of(new long[][] {{TEXT[4 + step]}, {9}, {TEXT[13 + step]}});
                Tensor logits = base.logits(Inputs.of(ids, Tensors.ones(ScalarType.Long, 3, 1)), pass)
                        .squeeze(1);

                assertThat(Fixtures.difference(logits.narrow(0, 0, 1), whole(base, text(0, 5 + step))))
                        .isLessThan(SAME);
                assertThat(Fixtures.difference(logits.narrow(0, 2, 1), whole(base, text(4, 14 + step))))
                        .isLessThan(SAME);
            }
            assertThat(one.length()).isEqualTo(6);
            assertThat(other.length()).isEqualTo(11);
        }
    }

    /** Padding stands before a prompt's rows, between them and the text, and behind it. */
    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void paddingBesideAPromptLeavesNoTrace(String name) {
        Base base = base(name);
        Hooks prompt = new KvCacheTest.WithPrompt();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                KvCache cache = new KvCache(40)) {
            Tensor ids = Tensors.of(new long[][] {{0, 0, 5, 9, 12, 33, 0}, {0, 0, 7, 21, 40, 3, 0}});
            Tensor mask = Tensors.of(new long[][] {{0, 0, 1, 1, 1, 1, 0}, {0, 0, 1, 1, 1, 1, 0}});
            Tensor padded = base.logits(Inputs.of(ids, mask), ForwardPass.inference(prompt));
            Inputs in = Inputs.of(ids.narrow(1, 2, 4), mask.narrow(1, 2, 4));
            Tensor alone = base.logits(in, ForwardPass.inference(prompt));
            assertThat(Fixtures.difference(padded.narrow(1, 4, 4), alone.narrow(1, 2, 4)))
                    .isLessThan(SAME);

            base.logits(Inputs.of(ids, mask), ForwardPass.cached(prompt, cache));
            Tensor more = Tensors.of(new long[][] {{8}, {30}});
            Tensor step = base.logits(
                    Inputs.of(more, Tensors.ones(ScalarType.Long, 2, 1)), ForwardPass.cached(prompt, cache));
            Tensor whole = base.logits(
                    Inputs.of(Ops.cat(1, ids.narrow(1, 2, 4), more), Tensors.ones(ScalarType.Long, 2, 5)),
                    ForwardPass.inference(prompt));
            assertThat(Fixtures.difference(step, whole.narrow(1, 6, 1))).isLessThan(SAME);
            assertThat(Fixtures.difference(alone.narrow(1, 2, 4), base.logits(in, ForwardPass.inference(Hooks.NONE))))
                    .isGreaterThan(0.01);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwkv", "nemotron-h"})
    void severalTextsInARowAreRefused(String name) {
        Base base = base(name);
        try (Scope scope = new Scope()) {
            Inputs packed = new Inputs(
                    Tensors.of(new long[][] {{5, 9, 12, 33}}),
                    Tensors.ones(ScalarType.Long, 1, 4),
                    null,
                    Tensors.of(new long[][] {{0, 1, 0, 1}}),
                    null,
                    null,
                    Tensors.of(new long[][] {{0, 0, 1, 1}}));

            assertThat(base.supportsPacking(Hooks.NONE)).isFalse();
            assertThatThrownBy(() -> base.forward(packed, ForwardPass.inference(Hooks.NONE)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("leave packing out");
        }
    }
}
