package dev.graft.eval.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.eval.tasks.TaskRows;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.eval.tasks.TaskTypes;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.peft.methods.selective.BitFit;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TrainingObjective;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComparisonTest {
    private static final LearningRateSearch SEARCH = new LearningRateSearch(List.of(0.5, 1.0), List.of(1L, 2L));

    @TempDir
    private Path folder;

    /** Two kinds of text that differ in one word. */
    private static Rows rows(String name, int from, int count) {
        return Rows.of(
                name,
                IntStream.range(from, from + count)
                        .mapToObj(i -> new Row.Text(
                                (i % 2 == 0 ? "wild wolf " : "sweet cake ") + i,
                                null,
                                new Label.One(i % 2 == 0 ? "beast" : "dish")))
                        .toList());
    }

    static Experiment experiment(int steps) {
        return experiment(steps, Map.of());
    }

    private static Experiment experiment(int steps, Map<String, Rows> elsewhere) {
        Labels labels = Labels.of(rows("train", 0, 4));
        Base base = Base.load(
                Path.of("../parity/fixtures/bases/bert-base"),
                Base.Options.of(Task.SEQ_CLS).withLabels(labels.names()));
        ClassificationEncoder encoder = new ClassificationEncoder(
                base.tokenizer(), labels, base.backbone().vocabSize());
        return new Experiment(
                base,
                base.fingerprint(),
                new TaskSpec(
                        TaskTypes.named().get(0),
                        new TaskRows(
                                RowShape.CLASSIFICATION, Label.Kind.ONE, labels, TrainingObjective.SUPERVISED, false)),
                Examples.encode(rows("train", 0, 16), encoder, 32, Overflow.TRUNCATE),
                Examples.encode(rows("validation", 16, 6), encoder, 32, Overflow.TRUNCATE),
                Examples.encode(rows("test", 22, 8), encoder, 32, Overflow.TRUNCATE),
                elsewhere.entrySet().stream()
                        .collect(Collectors.toMap(
                                Map.Entry::getKey,
                                rows -> Examples.encode(rows.getValue(), encoder, 32, Overflow.TRUNCATE))),
                TrainSettings.DEFAULT.withMaxSteps(steps).withBatchSize(8),
                8,
                "accuracy",
                "rows",
                "test");
    }

    private static final ComparisonEntry FROZEN = new ComparisonEntry.Frozen("frozen-base");
    private static final ComparisonEntry LORA =
            new ComparisonEntry.Trained("lora", base -> new Lora(LoraConfig.DEFAULT), 2e-2);
    private static final ComparisonEntry BITFIT = new ComparisonEntry.Trained("bitfit", base -> BitFit.DEFAULT, 1e-2);

    private final List<String> ran = new ArrayList<>();

    private TrialStore run(Experiment experiment, ComparisonEntry... contenders) {
        TrialStore trialStore = new TrialStore(folder);
        new Comparison(experiment, List.of(contenders), SEARCH, trialStore)
                .run(
                        new Comparison.TrialListener() {
                            @Override
                            public void onTrialEnd(TrialOutcome outcome, int done, int total) {
                                ran.add(outcome.trial().name());
                            }
                        },
                        () -> false);
        return trialStore;
    }

    @Test
    void aPromptThatLeavesNoRoomForTheRowsFailsAloneAndTheOthersGoOn() {
        ComparisonEntry prompt = new ComparisonEntry.Trained(
                "prompt-tuning", base -> new PromptTuning(60, PromptTuning.Init.SAMPLE_VOCAB, null, null), 1e-2);
        TrialStore trialStore = run(experiment(2), prompt, BITFIT);

        assertThat(trialStore.all())
                .filteredOn(outcome -> outcome.trial().method().equals("prompt-tuning"))
                .isNotEmpty()
                .allSatisfy(outcome -> assertThat(outcome.failure()).isNotNull());
        assertThat(trialStore.all())
                .filteredOn(outcome -> outcome.trial().method().equals("bitfit"))
                .hasSize(3)
                .allSatisfy(outcome -> assertThat(outcome.failure()).isNull());
    }

    @Test
    void oneTrainingIsScoredOnRowsOfOtherDataSetsToo() {
        Map<String, Rows> others = Map.of("same", rows("test", 22, 8), "more", rows("more", 30, 12));
        Comparison comparison =
                new Comparison(experiment(4, others), List.of(FROZEN, LORA), SEARCH, new TrialStore(folder));
        comparison.run(new Comparison.TrialListener() {}, () -> false);

        assertThat(comparison.results()).hasSize(2).allSatisfy(result -> {
            assertThat(result.on("same").outcomes())
                    .extracting(TrialOutcome::test)
                    .isEqualTo(
                            result.outcomes().stream().map(TrialOutcome::test).toList());
            assertThat(result.on("more").outcomes().get(0).test().rows()).hasSize(12);
        });
        Comparison without = new Comparison(experiment(4), List.of(FROZEN), SEARCH, new TrialStore(folder));
        assertThat(without.results().get(0).hasScore()).isFalse();
    }

    @Test
    void theDigestIsOfTheRowsElsewhereToo() {
        Splits splits = new Splits(rows("train", 0, 4), null, rows("test", 4, 2), List.of());

        String own = Experiment.digest(splits, List.of());
        String more = Experiment.digest(splits, List.of(rows("more", 6, 2)));
        assertThat(List.of(own, more, Experiment.digest(splits, List.of(rows("more", 8, 2)))))
                .doesNotHaveDuplicates();
    }

    @Test
    void aTiredProcessLeavesTheRestToAnother() {
        TrialStore trialStore = new TrialStore(folder);
        Comparison first = new Comparison(experiment(2), List.of(FROZEN, LORA), SEARCH, trialStore);
        Comparison.TrialListener listener = new Comparison.TrialListener() {
            @Override
            public void onTrialEnd(TrialOutcome outcome, int done, int total) {
                ran.add(outcome.trial().name());
            }
        };

        assertThat(first.run(listener, () -> false, () -> true)).isFalse();
        assertThat(ran).hasSize(1);
        Comparison second = new Comparison(experiment(2), List.of(FROZEN, LORA), SEARCH, new TrialStore(folder));
        assertThat(second.run(listener, () -> false, () -> false)).isTrue();
        assertThat(ran).hasSize(4).doesNotHaveDuplicates();
    }

    @Test
    void everyMethodTriesTheSameNumberOfRatesAndThenOtherSeeds() {
        TrialStore trialStore = run(experiment(6), FROZEN, LORA, BITFIT);

        assertThat(ran).hasSize(7).startsWith("frozen-base_0.0e+00_1", "lora_1.0e-02_1", "lora_2.0e-02_1");
        assertThat(ran.get(3)).matches("lora_[12].0e-02_2");
        assertThat(trialStore.all()).allSatisfy(outcome -> {
            assertThat(outcome.failure()).isNull();
            assertThat(outcome.test().rows()).hasSize(8).containsAnyOf(0.0, 1.0);
            assertThat(outcome.test().metric("accuracy"))
                    .isEqualTo(outcome.test().rows().stream()
                            .mapToDouble(d -> d)
                            .average()
                            .orElseThrow());
        });
        TrialOutcome lora = trialStore.all().stream()
                .filter(outcome -> outcome.trial().method().equals("lora"))
                .findFirst()
                .orElseThrow();
        assertThat(lora.losses()).hasSize(6);
        assertThat(lora.trainable()).isPositive().isLessThan(lora.total());
        assertThat(lora.config().get("type").stringValue()).isEqualTo("lora");
        assertThat(lora.config().get("r").intValue()).isEqualTo(LoraConfig.DEFAULT.r());
    }

    @Test
    void whatIsDoneIsNotRunAgainAndWhatIsLostIs() throws IOException {
        run(experiment(2), FROZEN, LORA);
        ran.clear();
        run(experiment(2), FROZEN, LORA);
        assertThat(ran).isEmpty();

        Files.delete(folder.resolve("trials/lora_1.0e-02_1.json"));
        run(experiment(2), FROZEN, LORA);
        assertThat(ran).containsExactly("lora_1.0e-02_1");
    }

    @Test
    void otherSettingsMakeTheOutcomesStale() {
        run(experiment(2), LORA);
        int before = ran.size();
        run(experiment(3), LORA);

        assertThat(ran).hasSize(2 * before);
    }

    @Test
    void twoTrainingsOfATrialGiveTheSame() {
        TrialStore trialStore = run(experiment(3), LORA);
        List<TrialOutcome> first = trialStore.all();
        folder = folder.resolve("again");
        List<TrialOutcome> second = run(experiment(3), LORA).all();

        assertThat(second).hasSameSizeAs(first);
        for (int i = 0; i < first.size(); i++) {
            assertThat(second.get(i).losses()).isEqualTo(first.get(i).losses());
            assertThat(second.get(i).test()).isEqualTo(first.get(i).test());
        }
    }

    @Test
    void aMethodThatDoesNotFitIsRecordedAndTheOthersGoOn() {
        ComparisonEntry misfit = new ComparisonEntry.Trained(
                "misfit",
                base -> {
                    throw new InputException("no place for it");
                },
                1e-3);
        List<TrialOutcome> all = run(experiment(2), misfit, LORA).all();

        assertThat(all).hasSize(5);
        assertThat(all)
                .filteredOn(outcome -> outcome.trial().method().equals("misfit"))
                .hasSize(2)
                .allSatisfy(outcome -> assertThat(outcome.failure()).isEqualTo("refused: no place for it"));
    }

    @Test
    void processesThatShareALedgerShareTheWork() throws InterruptedException {
        TrialStore other = new TrialStore(folder);
        Trial taken = new Trial("lora", 1e-2, 1);
        TrialStore.TrialLock claim = other.lock(taken);
        assertThat(claim).isNotNull();
        Thread worker = new Thread(() -> run(experiment(2), LORA, BITFIT));
        worker.start();
        while (ran.size() < 4) {
            Thread.sleep(20);
        }
        // Everything but the trial of the other and what waits for it is done; now the other gives up.
        assertThat(ran).doesNotContain(taken.name()).contains("lora_2.0e-02_1");
        claim.close();
        worker.join(20_000);

        assertThat(ran).hasSize(6).contains(taken.name());
    }

    @Test
    void anInterruptionKeepsWhatIsDone() {
        TrialStore trialStore = new TrialStore(folder);
        Comparison comparison = new Comparison(experiment(2), List.of(FROZEN, LORA), SEARCH, trialStore);

        assertThatThrownBy(() -> comparison.run(new Comparison.TrialListener() {}, () -> true))
                .isInstanceOf(CancellationException.class);
        assertThat(trialStore.all()).hasSize(1);
    }

    @Test
    void measuresWhatAMethodCosts() {
        TrialStore trialStore = new TrialStore(folder);
        Comparison comparison = new Comparison(experiment(2), List.of(FROZEN, LORA, BITFIT), SEARCH, trialStore);
        assertThat(comparison.unmeasured()).containsExactly("frozen-base", "lora", "bitfit");

        comparison.measure("frozen-base");
        comparison.measure("lora");

        assertThat(comparison.unmeasured()).containsExactly("bitfit");
        Footprint frozen = Objects.requireNonNull(comparison.results().get(0).footprint());
        Footprint lora = Objects.requireNonNull(comparison.results().get(1).footprint());
        assertThat(frozen.trainable()).isZero();
        assertThat(frozen.memory().base()).isEqualTo(4 * frozen.total());
        assertThat(lora.memory().base()).isEqualTo(frozen.memory().base());
        assertThat(lora.memory().gradients()).isEqualTo(4 * lora.trainable());
        assertThat(lora.memory().optimiser()).isEqualTo(8 * lora.trainable());
        assertThat(lora.adapterBytes()).isGreaterThan(4 * lora.trainable());
        assertThat(lora.step()).isPositive();
        assertThat(lora.frozen().p50())
                .isPositive()
                .isLessThanOrEqualTo(lora.frozen().p95());
        assertThat(lora.merged()).isNotNull();
        assertThat(Objects.requireNonNull(lora.modularity()).all()).isTrue();
        assertThat(Footprint.of(Fields.of("again", lora.toJson()))).isEqualTo(lora);
    }

    @Test
    void aPromptDoesNotMergeAndIsAModuleAllTheSame() {
        ComparisonEntry prompt = new ComparisonEntry.Trained("prompt-tuning", base -> PromptTuning.DEFAULT, 1e-2);
        Comparison comparison = new Comparison(experiment(2), List.of(prompt), SEARCH, new TrialStore(folder));
        comparison.measure("prompt-tuning");

        Footprint footprint = Objects.requireNonNull(comparison.results().get(0).footprint());
        assertThat(footprint.merged()).isNull();
        assertThat(Objects.requireNonNull(footprint.modularity()).all()).isTrue();
    }
}
