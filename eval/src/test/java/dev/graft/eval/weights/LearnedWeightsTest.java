package dev.graft.eval.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinedAdapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.train.Predictor;
import dev.graft.train.TrainSettings;
import dev.graft.train.Trainer;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class LearnedWeightsTest {
    private static final Base BASE = Base.load(Path.of("../parity/fixtures/bases/llama-gqa"));

    /** Texts that count on by a number from tokens in a range. */
    private static Examples counting(int by, int from, int to, int rows, long seed) {
        Random random = new Random(seed);
        List<Row> made = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            int[] ids = new int[6];
            ids[0] = from + random.nextInt(to - from);
            for (int k = 1; k < ids.length; k++) {
                ids[k] = from + Math.floorMod(ids[k - 1] + by - from, to - from);
            }
            int[] labels = ids.clone();
            labels[0] = -100;
            made.add(new Row.Tokens(ids, labels));
        }
        return Examples.encode(
                Rows.of("rows", made), new CausalEncoder(null, null, LossOn.COMPLETION, 64), 16, Overflow.ERROR);
    }

    private static Adapter trained(Examples rows) {
        Adapter adapter =
                Adapter.create(BASE, new Lora(LoraConfig.DEFAULT.withR(4).withAlpha(8)), 1);
        TrainSettings settings =
                TrainSettings.DEFAULT.withLearningRate(1e-2).withBatchSize(16).withEpochs(6);
        new Trainer(settings, adapter, rows, null, null, List.of()).run();
        return adapter;
    }

    private static double loss(Examples rows, Hooks hooks) {
        return new Predictor(BASE, rows, 8).predict(hooks, prediction -> {}).mean();
    }

    @Test
    void lorahubFindsWeightsThatLowerTheLossOfFewRows() {
        List<Adapter> adapters = List.of(
                trained(counting(-1, 5, 25, 64, 1)),
                trained(counting(1, 5, 25, 64, 2)),
                trained(counting(7, 30, 60, 64, 3)));
        Examples few = counting(1, 5, 25, 5, 4);
        Examples fresh = counting(1, 5, 25, 40, 5);

        LoraHub.LearnedWeights learned = LoraHub.DEFAULT.choose(adapters, few, 8);

        assertThat(learned.baseLoss()).isCloseTo(loss(few, Hooks.NONE), Offset.offset(1e-6));
        assertThat(learned.loss()).isLessThan(0.5 * learned.baseLoss());
        assertThat(learned.weights().get(1)).isGreaterThan(learned.weights().get(0));
        assertThat(learned.weights())
                .allSatisfy(weight -> assertThat(Math.abs(weight)).isLessThanOrEqualTo(1.5));
        // What is written acts as what was weighed, on other rows of the task too.
        Adapter sum = CombinedAdapter.of(
                        adapters, learned.weights(), Combination.LINEAR, CombinationSettings.DEFAULT, null)
                .adapter();
        assertThat(loss(few, Selection.of(sum).hooks())).isCloseTo(learned.loss(), Offset.offset(1e-4));
        assertThat(loss(fresh, Selection.of(sum).hooks())).isLessThan(0.6 * loss(fresh, Hooks.NONE));
        // The mean, which knows nothing of the rows, is worse.
        Adapter mean = CombinedAdapter.of(
                        adapters,
                        List.of(1 / 3.0, 1 / 3.0, 1 / 3.0),
                        Combination.LINEAR,
                        CombinationSettings.DEFAULT,
                        null)
                .adapter();
        assertThat(learned.loss()).isLessThan(loss(few, Selection.of(mean).hooks()));
        assertThat(LoraHub.DEFAULT.choose(adapters, few, 8)).isEqualTo(learned);
    }

    @Test
    void aSoupIsOfTheAdaptersWhoseTextsAreMostAlike() {
        List<Examples> texts =
                List.of(counting(1, 5, 20, 40, 1), counting(1, 24, 39, 40, 2), counting(1, 28, 44, 40, 3));
        Examples fresh = counting(1, 25, 41, 10, 4);

        AdapterSoup.SoupWeights chosen = new AdapterSoup(2).choose(BASE, fresh, texts, 8);

        assertThat(chosen.weights()).containsExactly(0.0, 0.5, 0.5);
        assertThat(chosen.similarities().get(0))
                .isLessThan(chosen.similarities().get(1));
        List<Adapter> adapters = texts.stream().map(LearnedWeightsTest::trained).toList();
        Adapter soup = CombinedAdapter.of(
                        adapters.subList(1, 3),
                        List.of(0.5, 0.5),
                        Combination.LINEAR,
                        CombinationSettings.DEFAULT,
                        null)
                .adapter();
        Adapter left = CombinedAdapter.of(
                        adapters.subList(0, 2),
                        List.of(0.5, 0.5),
                        Combination.LINEAR,
                        CombinationSettings.DEFAULT,
                        null)
                .adapter();
        assertThat(loss(fresh, Selection.of(soup).hooks()))
                .isLessThan(loss(fresh, Hooks.NONE))
                .isLessThan(loss(fresh, Selection.of(left).hooks()));
    }

    @Test
    void findsTheLeastOfABowl() {
        EvolutionStrategy.Point found = new EvolutionStrategy(400, 1.5, 0.5, 1)
                .minimum(3, at -> Math.pow(at[0] - 1, 2) + Math.pow(at[1] + 0.5, 2) + Math.pow(at[2] - 3, 2));

        assertThat(found.at()[0]).isCloseTo(1, Offset.offset(0.02));
        assertThat(found.at()[1]).isCloseTo(-0.5, Offset.offset(0.02));
        assertThat(found.at()[2]).isCloseTo(1.5, Offset.offset(1e-6));
    }

    @Test
    void refusesWhatItCannotWeigh() {
        Examples few = counting(1, 5, 25, 5, 4);
        Adapter prompt = Adapter.create(BASE, PromptTuning.DEFAULT, 1);
        assertThatThrownBy(() -> LoraHub.DEFAULT.choose(List.of(prompt), few, 8))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prompt-tuning");
        assertThatThrownBy(() -> new AdapterSoup(3).choose(BASE, few, List.of(few), 8))
                .hasMessageContaining("there are 1");
    }
}
