package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class AdapterHubPromptTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new AdapterHubPrompt(3, null, false), 3 * 32, false),
                new Case(Bases.BERT, new AdapterHubPrompt(1, null, false), 32, false),
                new Case(Bases.BERT, new AdapterHubPrompt(2, null, true), 2 * 32, false));
    }

    @Test
    void refusesCausalModels() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), AdapterHubPrompt.DEFAULT, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("use prompt-tuning");
        assertThatThrownBy(() -> new AdapterHubPrompt(0, null, false)).hasMessageContaining("prompt_length is 0");
    }

    /** A model whose layers know no order gives the same rows, elsewhere: the first one is the text's own. */
    @Test
    void behindTheFirstPositionTheTextKeepsIt() {
        Base base = Bases.headless();
        Tensor before = hidden(Adapter.create(base, new AdapterHubPrompt(2, null, false), 1));
        Tensor inside = hidden(Adapter.create(base, new AdapterHubPrompt(2, null, true), 1));

        assertThat(Bases.difference(
                        inside,
                        Ops.cat(1, before.narrow(1, 2, 1), before.narrow(1, 0, 2), before.narrow(1, 3, 6)),
                        torch.ones_like(inside.select(2, 0))))
                .isLessThan(1e-5);
    }

    /** As AdapterHub's pooler, which reads the first position, be it padding. */
    @Test
    void theHeadReadsTheFirstPositionOfTextsPaddedOnTheLeftToo() {
        Base base = Bases.load(Bases.BERT);
        Adapter adapter = Adapter.create(base, new AdapterHubPrompt(2, null, true), 1);
        ForwardPass pass = ForwardPass.inference(Selection.of(adapter).hooks());
        HiddenStates hidden = base.forward(Bases.batch(), pass);
        Tensor first = hidden.last().narrow(1, 0, 1);
        HiddenStates alone =
                new HiddenStates(first, torch.ones_like(hidden.mask().narrow(1, 0, 1)), 0, List.of());

        assertThat(Tensors.longs(hidden.mask().select(1, 0))).contains(0L);
        assertThat(Tensors.floats(base.logits(hidden, pass)))
                .containsExactly(Tensors.floats(base.logits(alone, pass)), within(1e-5f));
    }

    private static Tensor hidden(Adapter adapter) {
        return adapter.base()
                .forward(
                        Bases.batch(),
                        ForwardPass.inference(Selection.of(adapter).hooks()))
                .last();
    }

    @Test
    void refusesToComeInsideForHeadsOfEachToken() {
        Base tagger = Base.load("tagger", Bases.FIXTURES.resolve("bases/bert-tokcls"), Base.Options.DEFAULT);

        assertThatThrownBy(() -> Adapter.create(tagger, new AdapterHubPrompt(2, null, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("reads more than the first position");
    }
}
