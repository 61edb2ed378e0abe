package dev.graft.peft.methods.selective;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class FullFineTuningTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.BERT,
                        FullFineTuning.DEFAULT,
                        Bases.load(Bases.BERT).parameterCount() - (3 * 32 + 3),
                        true),
                new Case(
                        Bases.BIASED,
                        FullFineTuning.DEFAULT,
                        Bases.load(Bases.BIASED).parameterCount(),
                        true),
                new Case(
                        Bases.TIED,
                        FullFineTuning.DEFAULT,
                        Bases.load(Bases.TIED).parameterCount(),
                        true));
    }

    @Test
    void trainsEveryParameterUnderItsOwnName() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), FullFineTuning.DEFAULT, 1);

        assertThat(adapter.trainable().keySet())
                .containsExactlyInAnyOrderElementsOf(adapter.base().parameters().keySet());
    }

    @Test
    void embeddingsCanStayFrozenAndAHeadThatIsOneWithThem() {
        assertThat(Adapter.create(Bases.load(Bases.TIED), new FullFineTuning(false), 1)
                        .trainable()
                        .keySet())
                .hasSizeGreaterThan(10)
                .noneMatch(name -> name.contains("embed") || name.contains("lm_head"));
    }
}
