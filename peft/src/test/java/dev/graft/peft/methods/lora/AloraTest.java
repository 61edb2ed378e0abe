package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class AloraTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    @Override
    protected List<Case> cases() {
        // Two of the rows of the batch have these tokens.
        List<Integer> invocation = List.of(41, 35);
        return List.of(
                new Case(Bases.LLAMA, new Alora(FOUR, invocation), 4 * 2 * (2 * 64 + 2 * 48 + 3 * 96), true),
                new Case(
                        Bases.TIED,
                        new Alora(FOUR.withTargets(TargetModules.names("q_proj")), invocation),
                        4 * 2 * 64,
                        true));
    }

    private static Tensor logits(Adapter adapter, long... ids) {
        return logits(adapter.base(), Selection.of(adapter).hooks(), ids);
    }

    /** Without a gradient graph, as answers are made: norms are of the same loops whatever acts. */
    private static Tensor logits(Base base, Hooks hooks, long... ids) {
        try (NoGrad noGrad = new NoGrad()) {
            return base.logits(Inputs.of(new long[][] {ids}), ForwardPass.inference(hooks));
        }
    }

    private static Adapter adapter() {
        Base base = Bases.load(Bases.LLAMA);
        return Adapter.create(base, new Alora(FOUR.withInit(LoraInits.of("false")), List.of(7, 8)), 1);
    }

    @Test
    void actsFromTheLastOccurrenceOn() {
        Adapter adapter = adapter();
        long[] ids = {3, 7, 8, 4, 7, 8, 5};
        Tensor plain = logits(adapter.base(), Hooks.NONE, ids);
        Tensor moved = logits(adapter, ids).sub(plain).abs();

        assertThat(Tensors.item(moved.narrow(1, 0, 4).amax())).isZero();
        for (int position = 4; position < ids.length; position++) {
            assertThat(Tensors.item(moved.select(1, position).amax())).isGreaterThan(1e-3);
        }
    }

    @Test
    void leavesRowsWithoutTheTokensAlone() {
        Adapter adapter = adapter();
        Tensor plain = logits(adapter.base(), Hooks.NONE, 7, 9, 8);

        assertThat(logits(adapter, 7, 9, 8).equal(plain)).isTrue();
    }

    @Test
    void findsTheTokensBehindACacheAndAcrossItsEnd() {
        Adapter adapter = adapter();
        Hooks hooks = Selection.of(adapter).hooks();
        Tensor whole = logits(adapter, 3, 7, 8, 4);
        try (KvCache cache = new KvCache(4)) {
            adapter.base().logits(Inputs.of(new long[][] {{3, 7}}), ForwardPass.cached(hooks, cache));
            Tensor third = adapter.base().logits(Inputs.of(new long[][] {{8}}), ForwardPass.cached(hooks, cache));
            Tensor fourth = adapter.base().logits(Inputs.of(new long[][] {{4}}), ForwardPass.cached(hooks, cache));

            // The token 7 was computed before it was known to be the first of the two.
            assertThat(Bases.difference(third, whole.narrow(1, 2, 1), Tensors.ones(whole.scalar_type(), 1, 1)))
                    .isGreaterThan(0);
            assertThat(fourth.isfinite().all().item_bool()).isTrue();
        }
        try (KvCache cache = new KvCache(4)) {
            adapter.base().logits(Inputs.of(new long[][] {{3, 7, 8}}), ForwardPass.cached(hooks, cache));
            Tensor fourth = adapter.base().logits(Inputs.of(new long[][] {{4}}), ForwardPass.cached(hooks, cache));

            assertThat(Bases.difference(fourth, whole.narrow(1, 3, 1), Tensors.ones(whole.scalar_type(), 1, 1)))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void refusesWhatItCannotDo() {
        Base base = Bases.load(Bases.LLAMA);
        assertThatThrownBy(() -> new Alora(FOUR, List.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("alora_invocation_tokens is missing");
        assertThatThrownBy(() -> Adapter.create(base, new Alora(FOUR, List.of(1000)), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("1000 is outside the 64 tokens");
        assertThatThrownBy(() -> Adapter.create(base, new Alora(FOUR.withInit(LoraInits.of("pissa")), List.of(1)), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pissa");
        Alora embedding = new Alora(FOUR.withTargets(TargetModules.names("embed_tokens")), List.of(1));
        assertThatThrownBy(() -> Adapter.create(base, embedding, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("alora acts on linear layers only");
    }
}
