package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.Example;
import dev.graft.train.data.Examples;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.PreferenceEncoder;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TrainingObjective;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Losses, rewards and gradients are those of TRL's formulas, as parity/python/preference_goldens.py has them from autograd. */
class PreferenceLossTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final Path GOLDENS = FIXTURES.resolve("preferences");
    private static final JsonNode GOLDEN = Json.read(GOLDENS.resolve("preferences.json"));
    private static final Base LLAMA = Base.load(FIXTURES.resolve("bases/llama-gqa"), options(Task.CAUSAL_LM));

    @TempDir
    private Path folder;

    private static Base.Options options(Task task) {
        return Base.Options.of(task).withNumerics(Numerics.FP32);
    }

    private static TrainingObjective goal(String name) {
        return switch (name) {
            case "dpo" -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.SIGMOID, 0.3, 0);
            case "dpo-smoothed" -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.SIGMOID, 0.3, 0.1);
            case "dpo-hinge" -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.HINGE, 0.5, 0);
            case "dpo-ipo" -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.IPO, 0.2, 0);
            case "orpo" -> new TrainingObjective.Orpo(0.25);
            case "simpo" -> new TrainingObjective.Simpo(2, 0.8);
            case "cpo" -> new TrainingObjective.Cpo(0.3, 0, 1);
            case "cpo-smoothed" -> new TrainingObjective.Cpo(0.5, 0.2, 0.25);
            case "kto" -> new TrainingObjective.Kto(0.4, 1.5, 0.7);
            case "reward" -> new TrainingObjective.Reward(0);
            default -> new TrainingObjective.Reward(0.05);
        };
    }

    private static int[] ints(JsonNode list) {
        return IntStream.range(0, list.size()).map(i -> list.get(i).intValue()).toArray();
    }

    private static Row answer(String kind, int row) {
        int[] prompt = ints(GOLDEN.path("prompts").get(row));
        int[] answer = ints(GOLDEN.path(kind).get(row));
        int[] ids = IntStream.concat(IntStream.of(prompt), IntStream.of(answer)).toArray();
        int[] labels = ids.clone();
        Arrays.fill(labels, 0, prompt.length, -100);
        return new Row.Tokens(ids, labels);
    }

    private static Examples examples(TrainingObjective objective, int... rows) {
        List<Row> made = new ArrayList<>();
        for (int row : rows) {
            made.add(
                    objective instanceof TrainingObjective.Kto
                            ? new Row.Judged(
                                    answer("chosen", row),
                                    GOLDEN.path("good").get(row).booleanValue())
                            : new Row.Preference(answer("chosen", row), answer("rejected", row)));
        }
        CausalEncoder answers = new CausalEncoder(null, null, LossOn.COMPLETION, 64);
        return Examples.encode(Rows.of("rows", made), new PreferenceEncoder(answers, objective), 64, Overflow.ERROR);
    }

    private Adapter adapter(String name) throws IOException {
        Path lora = FIXTURES.resolve("adapters/llama-gqa/lora");
        if (!name.startsWith("reward")) {
            return Adapter.load(LLAMA, lora);
        }
        Base base =
                Base.load(GOLDENS.resolve("reward-model"), options(Task.SEQ_CLS).withLabels(List.of("LABEL_0")));
        String config = Files.readString(lora.resolve("adapter_config.json"));
        Files.writeString(folder.resolve("adapter_config.json"), config.replace("\"CAUSAL_LM\"", "null"));
        Files.copy(lora.resolve("adapter_model.safetensors"), folder.resolve("adapter_model.safetensors"));
        return Adapter.load(base, folder);
    }

    private static float[] golden(Safetensors file, String name) {
        ByteBuffer bytes = file.bytes(name).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    private static float[] gradient(Tensor parameter) {
        try (Scope scope = new Scope()) {
            return Tensors.floats(parameter.grad());
        }
    }

    private static void train(Adapter adapter) {
        adapter.trainable().values().forEach(parameter -> parameter.set_requires_grad(true));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "dpo",
                "dpo-smoothed",
                "dpo-hinge",
                "dpo-ipo",
                "orpo",
                "simpo",
                "cpo",
                "cpo-smoothed",
                "kto",
                "reward",
                "reward-centred"
            })
    void lossRewardsAndGradientsAreThoseOfTheFormula(String name) throws IOException {
        JsonNode expected = GOLDEN.path("cases").path(name);
        Adapter adapter = adapter(name);
        train(adapter);
        TrainingObjective goal = goal(name);
        Hooks hooks = Selection.of(adapter).hooks();
        LossFunction lossFunction = Losses.of(adapter.base(), goal, 0);
        Batch batch = lossFunction.prepare(hooks, examples(goal, 0, 1, 2).batch(new int[] {0, 1, 2}, 0));
        assertThat(lossFunction.terms(hooks, batch)).isEqualTo(3);

        List<Double> first = new ArrayList<>();
        List<Double> second = new ArrayList<>();
        Loss predicted = lossFunction.predict(hooks, batch, prediction -> {
            if (prediction instanceof Prediction.PreferencePair pair) {
                first.add(pair.chosen());
                second.add(pair.rejected());
            } else {
                first.add(((Prediction.Judged) prediction).reward());
            }
        });
        assertThat(predicted.mean()).isCloseTo(expected.path("loss").doubleValue(), offset(1e-5));
        for (int i = 0; i < first.size(); i++) {
            assertThat(first.get(i)).isCloseTo(expected.path("first").get(i).doubleValue(), offset(1e-5));
        }
        for (int i = 0; i < second.size(); i++) {
            assertThat(second.get(i)).isCloseTo(expected.path("second").get(i).doubleValue(), offset(1e-5));
        }

        // In parts, as several threads have them.
        Loss trained = Loss.NONE;
        for (Batch part : batch.parts(2)) {
            trained = trained.plus(lossFunction.backward(hooks, part, 3));
        }
        assertThat(trained.mean()).isCloseTo(expected.path("loss").doubleValue(), offset(1e-5));
        assertThat(trained.metrics()).containsKeys("reward_chosen", "reward_rejected");
        try (Safetensors gradients = Safetensors.open(GOLDENS.resolve("gradients.safetensors"))) {
            for (Map.Entry<String, Tensor> parameter : adapter.trainable().entrySet()) {
                String key = name + ":base_model.model." + parameter.getKey();
                assertThat(gradients.names()).contains(key);
                assertThat(gradient(parameter.getValue()))
                        .as(key)
                        .containsExactly(golden(gradients, key), offset(2e-5f));
            }
        }
    }

    @Test
    void theFiguresOfPairsAreMeansOverThem() {
        TrainingObjective goal = goal("dpo");
        Adapter adapter = Adapter.load(LLAMA, FIXTURES.resolve("adapters/llama-gqa/lora"));
        Hooks hooks = Selection.of(adapter).hooks();
        LossFunction lossFunction = Losses.of(LLAMA, goal, 0);
        Loss loss = lossFunction.evaluate(hooks, examples(goal, 0, 1, 2).batch(new int[] {0, 1, 2}, 0));
        double chosen = loss.metrics().get("reward_chosen").mean();
        double rejected = loss.metrics().get("reward_rejected").mean();
        assertThat(loss.metrics().get("reward_margin").mean()).isCloseTo(chosen - rejected, offset(1e-9));
        assertThat(loss.metrics().get("reward_accuracy").mean() * 3).isBetween(0.0, 3.0);
        Loss base = lossFunction.evaluate(Hooks.NONE, examples(goal, 0, 1, 2).batch(new int[] {0, 1, 2}, 0));
        assertThat(base.mean())
                .as("without its adapter a model is its own reference")
                .isCloseTo(Math.log(2), offset(1e-5));
    }

    @Test
    void aRowAloneHasNoOtherAnswersToCompareWith() {
        TrainingObjective goal = goal("kto");
        LossFunction lossFunction = Losses.of(LLAMA, goal, 0);
        Batch batch = lossFunction.prepare(Hooks.NONE, examples(goal, 0).batch(new int[] {0}, 0));
        assertThat(batch.batchStatistic()).isZero();
    }

    @Test
    void answersThatDonTFitAndSettingsWithoutAMeaningAreRefused() {
        CausalEncoder answers = new CausalEncoder(null, null, LossOn.COMPLETION, 64);
        Row pair = new Row.Preference(answer("chosen", 0), answer("rejected", 0));
        assertThatThrownBy(() -> new PreferenceEncoder(answers, goal("kto")).encode(0, pair, "a:1", 64))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a:1: the rows are preferences, but KTO needs rows such as");
        assertThatThrownBy(() -> new PreferenceEncoder(answers, goal("dpo")).encode(0, answer("chosen", 0), "a:1", 64))
                .hasMessageContaining("but learning preferences needs rows such as");
        assertThatThrownBy(() -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.SIGMOID, 0, 0))
                .hasMessageContaining("preference.beta is 0.0");
        assertThatThrownBy(() -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.IPO, 0.1, 0.1))
                .hasMessageContaining("only the sigmoid loss");
        assertThatThrownBy(() -> new TrainingObjective.Dpo(TrainingObjective.DpoLossType.SIGMOID, 0.1, 0.5))
                .hasMessageContaining("expected 0 to 0.5");
    }

    @Test
    void aPairThatIsCutKeepsSomethingOfBothAnswersOrIsLeftOut() {
        CausalEncoder answers = new CausalEncoder(null, null, LossOn.COMPLETION, 64);
        Rows rows = Rows.of(
                "rows",
                List.of(
                        new Row.Preference(answer("chosen", 0), answer("rejected", 0)),
                        new Row.Preference(answer("chosen", 1), answer("rejected", 1))));
        Examples examples = Examples.encode(rows, new PreferenceEncoder(answers, goal("dpo")), 5, Overflow.TRUNCATE);
        assertThat(examples.size()).as("the second pair has a prompt of five").isEqualTo(1);
        Example kept = examples.get(0);
        assertThat(kept.longest()).isEqualTo(5);
        assertThat(kept.others()).singleElement().extracting(Example::length).isEqualTo(5);
        assertThat(examples.summary().emptied()).isEqualTo(1);
        Batch batch = examples.batch(new int[] {0}, 0);
        assertThat(batch.units()).isEqualTo(1);
        assertThat(batch.rows()).isEqualTo(2);
        assertThat(batch.parts(4)).hasSize(1);
    }
}
