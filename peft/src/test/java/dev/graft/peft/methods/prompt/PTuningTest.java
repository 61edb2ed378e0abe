package dev.graft.peft.methods.prompt;

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
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.prompt.PTuning.Encoder;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PTuningTest extends MethodContract {
    private static final int PSEUDO = 63;
    private static final PTuning TEMPLATE = new PTuning(3, Encoder.MLP, 12, 2, 0, PSEUDO);

    @Override
    protected List<Case> cases() {
        long lstm = 3 * 32 + 8 * 6 * (32 + 6 + 2) + 8 * 6 * (3 * 6 + 2) + 12 * 13 + 32 * 13;
        return List.of(
                new Case(Bases.BERT, mlp(12), 3 * 32 + 12 * 33 + 12 * 13 + 32 * 13, false),
                new Case(Bases.LLAMA, new PTuning(3, Encoder.LSTM, 6, 2, 0, null), lstm, false),
                new Case(Bases.TIED, mlp(null), 3 * 32 + 3 * 32 * 33, false));
    }

    private static PTuning mlp(Integer hidden) {
        return new PTuning(3, Encoder.MLP, hidden, 2, 0, null);
    }

    @Test
    void isPlainAfterLoading(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter.create(base, mlp(12), 1).save(folder.resolve("adapter"));

        assertThat(Adapter.load(base, folder.resolve("adapter")).trainable().keySet())
                .containsExactly("prompt_embeddings");
    }

    @Test
    void dropsBetweenTheLayersOfTheLstm() {
        Base base = Bases.load(Bases.LLAMA);

        assertThat(effectOfDropout(base, new PTuning(3, Encoder.LSTM, 6, 2, 0.5, null)))
                .isGreaterThan(1e-3);
        assertThat(effectOfDropout(base, new PTuning(3, Encoder.LSTM, 6, 1, 0.5, null)))
                .isLessThan(1e-5);
    }

    /** The rows of P stand where the pseudo tokens are, in their order, and nothing else changes. */
    @Test
    void putsItsRowsInPlaceOfThePseudoTokens(@TempDir Path folder) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter.create(base, TEMPLATE, 1).save(folder.resolve("adapter"));
        Adapter adapter = Adapter.load(base, folder.resolve("adapter"));
        Tensor table = base.parameters().get("model.embed_tokens.weight");
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .get("template_embeddings")
                    .copy_(table.index_select(0, Tensors.of(new long[] {7, 8, 9}, 3)));
        }
        long[][] template = {{PSEUDO, 5, PSEUDO, 6, PSEUDO}, {4, 5, PSEUDO, PSEUDO, PSEUDO}};
        long[][] words = {{7, 5, 8, 6, 9}, {4, 5, 7, 8, 9}};
        ForwardPass pass = ForwardPass.inference(Selection.of(adapter).hooks());

        try (NoGrad noGrad = new NoGrad()) {
            assertThat(base.logits(Inputs.of(template), pass)
                            .equal(base.logits(Inputs.of(words), ForwardPass.inference(Hooks.NONE))))
                    .isTrue();
        }
    }

    @Test
    void leavesLaterTokensOfATemplateAsTheyAre() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, TEMPLATE, 1);
        long[][] template = {{PSEUDO, 5, PSEUDO, 6, PSEUDO, 11}};
        Tensor whole = base.logits(
                Inputs.of(template), ForwardPass.inference(Selection.of(adapter).hooks()));
        try (KvCache cache = new KvCache(6)) {
            Hooks hooks = Selection.of(adapter).hooks();
            base.logits(Inputs.of(new long[][] {{PSEUDO, 5, PSEUDO, 6, PSEUDO}}), ForwardPass.cached(hooks, cache));
            Tensor last = base.logits(Inputs.of(new long[][] {{11}}), ForwardPass.cached(hooks, cache));

            assertThat(Tensors.item(
                            last.select(1, 0).sub(whole.select(1, 5)).abs().amax()))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void refusesATextWithAnotherNumberOfPseudoTokens() {
        Base base = Bases.load(Bases.LLAMA);
        Hooks hooks = Selection.of(Adapter.create(base, TEMPLATE, 1)).hooks();

        assertThatThrownBy(() ->
                        base.logits(Inputs.of(new long[][] {{PSEUDO, 5, PSEUDO}}), ForwardPass.inference(hooks)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the pseudo token 63 2 times, expected 3");
    }

    @Test
    void refusesToMergeATemplateAndAPseudoTokenThatIsNone() {
        Base base = Bases.load(Bases.LLAMA);

        assertThatThrownBy(() -> Merge.merge(Adapter.create(base, TEMPLATE, 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("p-tuning can't be merged");
        assertThatThrownBy(() -> Adapter.create(base, new PTuning(3, Encoder.MLP, 12, 2, 0, 999), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pseudo_token_id is 999");
    }

    @Test
    void refusesWhatNoNetworkHas() {
        assertThatThrownBy(() -> mlp(0)).hasMessageContaining("encoder_hidden_size is 0");
        assertThatThrownBy(() -> new PTuning(3, Encoder.LSTM, 6, 0, 0, null))
                .hasMessageContaining("encoder_num_layers");
        assertThatThrownBy(() -> new PTuning(3, Encoder.LSTM, 6, 2, 1, null)).hasMessageContaining("encoder_dropout");
    }
}
