package dev.graft.eval.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.demo.DemoResult.Merged;
import dev.graft.eval.demo.DemoResult.Reloaded;
import dev.graft.eval.predict.TextClassifier;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.Numerics;
import dev.graft.train.TrainingEvent.Stepped;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class DemoTest {
    private static final String MODEL = "file:../parity/fixtures/bases/bert-base";

    @TempDir
    private Path folder;

    /** 40 animals and 40 foods in the form of WordNet's file, after the licence. */
    private Path nouns() throws IOException {
        StringBuilder text = new StringBuilder("  1 This software and database is being provided to you\n");
        for (int i = 0; i < 40; i++) {
            text.append(String.format("%08d 05 n 01 beast 0 000 | wild wolf %d of the wood%n", i, i));
            text.append(String.format("%08d 13 n 01 dish 0 000 | a sweet cake and jam %d; \"eat it\"%n", i, i));
        }
        Files.createDirectories(folder.resolve("dict"));
        Files.writeString(folder.resolve("dict/data.noun"), text);
        return folder.resolve("dict");
    }

    private DemoSettings settings(Path data) {
        return new DemoSettings(
                folder.resolve("out"),
                MODEL,
                "file:" + data,
                30,
                10,
                6,
                5e-3,
                Numerics.FP32,
                7,
                List.of("wild wolf of the sea", "sweet jam"));
    }

    @Test
    void trainsSavesLoadsAgainMergesAndAnswers() throws IOException {
        List<String> said = new ArrayList<>();
        List<Long> steps = new ArrayList<>();
        DemoListener listener = new DemoListener() {
            @Override
            public void onMessage(String line) {
                said.add(line);
            }

            @Override
            public void onStep(Stepped step) {
                steps.add(step.step());
            }
        };
        DemoResult result = new Demo(settings(nouns()), new Hub(), listener).run();

        assertThat(result.labels()).containsExactly("animal", "food");
        assertThat(result.trainRows()).isEqualTo(60);
        assertThat(result.testRows()).isEqualTo(20);
        assertThat(result.lora().accuracy()).isEqualTo(1);
        assertThat(result.lora().confusion().counts()).isEqualTo(new long[][] {{10, 0}, {0, 10}});
        assertThat(result.probe().accuracy()).isGreaterThanOrEqualTo(0.9);
        assertThat(result.steps()).hasSize(12).hasSameSizeAs(steps);
        assertThat(result.steps().get(11)).isLessThan(result.steps().get(0));
        assertThat(result.epochs()).hasSize(6).endsWith(1.0);
        assertThat(result.failures()).isEmpty();
        assertThat(result.reloaded()).isEqualTo(new Reloaded(20, 0, 0));
        assertThat(result.merged().maxDiff()).isBetween(0.0, 1e-4);
        assertThat(result.merged().rows()).isEqualTo(20);
        assertThat(result.answers().values())
                .extracting(TextClassifier.Classification::label)
                .containsExactly("animal", "food");
        assertThat(said).anyMatch(line -> line.contains("20 of 20 test rows"));

        Path out = folder.resolve("out");
        JsonNode report = Json.read(out.resolve("report.json"));
        assertThat(report.get("lora").get("accuracy").doubleValue()).isEqualTo(1);
        assertThat(report.get("lora").get("macro_f1").doubleValue()).isEqualTo(1);
        assertThat(report.get("lora").get("seconds").doubleValue()).isPositive();
        assertThat(report.get("probe").get("accuracy").doubleValue())
                .isEqualTo(result.probe().accuracy());
        assertThat(report.get("trainable_percent").doubleValue())
                .isEqualTo(100.0 * trained(result) / all(result), within(1e-4));
        assertThat(report.get("adapter_bytes").longValue())
                .isGreaterThan(Files.size(out.resolve("adapter/adapter_model.safetensors")));
        assertThat(report.get("merged_max_diff").doubleValue())
                .isEqualTo(result.merged().maxDiff());
        assertThat(report.get("peak_rss_mb").doubleValue()).isGreaterThan(50);
        assertThat(Files.readString(out.resolve("report.html")))
                .contains("What kind of thing is it?", "wild wolf of the sea", result.trainableLine());
    }

    private static long trained(DemoResult result) {
        return number(result.trainableLine(), "trainable params: ");
    }

    private static long all(DemoResult result) {
        return number(result.trainableLine(), "all params: ");
    }

    private static long number(String line, String after) {
        String from = line.substring(line.indexOf(after) + after.length());
        return Long.parseLong(from.substring(0, from.indexOf(' ')).replace(",", ""));
    }

    @Test
    void leavesAnAdapterAndAMergedModelThatAnswerAlike() throws IOException {
        DemoResult result = new Demo(settings(nouns()), new Hub(), new DemoListener() {}).run();
        Path out = folder.resolve("out");
        Base base = Base.load(MODEL, Base.Options.of(Task.SEQ_CLS).withLabels(result.labels()));
        TextClassifier adapted = new TextClassifier(base, Selection.of(Adapter.load(base, out.resolve("adapter"))));
        TextClassifier merged = new TextClassifier(Base.load(out.resolve("merged")), Selection.BASE);

        String question = "a wolf in a cake";
        assertThat(merged.base().labels()).containsExactly("animal", "food");
        assertThat(merged.classify(question).label())
                .isEqualTo(adapted.classify(question).label());
        assertThat(merged.classify(question).probability())
                .isEqualTo(adapted.classify(question).probability(), within(1e-4));
        assertThat(Json.read(out.resolve("adapter/graft.json")).get("labels").size())
                .isEqualTo(2);
    }

    @Test
    void endsBetweenTwoStepsWhenInterrupted() throws IOException {
        boolean[] interrupted = {false};
        DemoListener listener = new DemoListener() {
            @Override
            public void onStep(Stepped step) {
                interrupted[0] = step.step() == 3;
            }

            @Override
            public boolean isInterrupted() {
                return interrupted[0];
            }
        };
        Demo demo = new Demo(settings(nouns()), new Hub(), listener);

        assertThatThrownBy(demo::run).isInstanceOf(CancellationException.class).hasMessageContaining("step 3");
        assertThat(folder.resolve("out/report.json")).doesNotExist();
    }

    @Test
    void refusesDataWithoutNouns() throws IOException {
        Path empty = Files.createDirectories(folder.resolve("empty"));

        assertThatThrownBy(() -> new Demo(settings(empty), new Hub(), new DemoListener() {}).run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no data.noun");
    }

    @Test
    void saysWhatDoesNotHold() throws IOException {
        DemoResult good = new Demo(settings(nouns()), new Hub(), new DemoListener() {}).run();

        assertThat(with(good, new Reloaded(20, 3, 0.5), good.merged()).failures())
                .containsExactly("the adapter loaded in a fresh process gives 3 of 20 rows another kind");
        assertThat(with(good, good.reloaded(), new Merged(20, 0.01)).failures())
                .singleElement()
                .asString()
                .contains("0.01, more than 0.001");
        assertThat(with(good, good.reloaded(), new Merged(20, Double.NaN)).failures())
                .hasSize(1);
    }

    private static DemoResult with(DemoResult r, Reloaded reloaded, Merged merged) {
        return new DemoResult(
                r.settings(),
                r.labels(),
                r.trainRows(),
                r.testRows(),
                r.probe(),
                r.lora(),
                r.steps(),
                r.epochs(),
                r.trainableLine(),
                r.trainablePercent(),
                r.adapterBytes(),
                reloaded,
                merged,
                r.answers(),
                r.seconds(),
                r.peakResident(),
                r.load(),
                r.machine());
    }

    @Test
    void saysWhyAFreshProcessFailed() {
        Base base = Base.load(MODEL, Base.Options.of(Task.SEQ_CLS).withLabels(List.of("a", "b")));

        assertThatThrownBy(() -> FreshProcess.logits(MODEL, base, folder.resolve("none"), List.of("text"), () -> false))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("exit code 1")
                .hasMessageContaining("no adapter_config.json");
    }
}
