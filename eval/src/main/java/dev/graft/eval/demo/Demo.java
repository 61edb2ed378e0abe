package dev.graft.eval.demo;

import dev.graft.eval.cost.Machine;
import dev.graft.eval.cost.ProcessMemory;
import dev.graft.eval.demo.DemoResult.Merged;
import dev.graft.eval.demo.DemoResult.Reloaded;
import dev.graft.eval.predict.LinearProbe;
import dev.graft.eval.predict.TextClassifier;
import dev.graft.eval.predict.TextClassifier.Classification;
import dev.graft.eval.report.Html;
import dev.graft.eval.run.ServingMetadata;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Numerics;
import dev.graft.train.Resume;
import dev.graft.train.TrainResult;
import dev.graft.train.TrainSettings;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.LearningRate;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainSettingsEvaluatingBuilder;
import dev.graft.train.Trainer;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;
import dev.graft.train.data.ClassificationEncoder;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.WordNet;
import dev.graft.train.optim.AdamW;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * A demonstration: trains a linear probe and LoRA on definitions of nouns, and compares them on held-out rows. It then saves the adapter,
 * loads it in a new process, merges it and classifies some questions. It writes {@code adapter}, {@code merged}, {@code report.json} and
 * {@code report.html} into its folder.
 *
 * <pre>{@code
 * DemoResult result = new Demo(DemoSettings.of(Path.of("runs/demo"), 42), new Hub(), new DemoListener() {}).run();
 * result.lora().accuracy();
 * }</pre>
 */
public record Demo(DemoSettings settings, Hub hub, DemoListener watcher) {
    private static final int MOST_TOKENS = 128;
    private static final int MERGE_ROWS = 300;

    /** The rows, encoded. */
    private record Data(Labels labels, Base base, Examples train, Examples test, List<String> testTexts) {
        int[] testClasses() {
            return LinearProbe.classes(test);
        }
    }

    /** LoRA after its training, and what was seen on the way. */
    private record Trained(
            Adapter adapter, float[][] logits, DemoScore score, List<Double> steps, List<Double> epochs) {}

    /**
     * Runs the demonstration.
     *
     * @throws InputException if the model or the data can't be used
     * @throws CancellationException if the listener interrupts it
     */
    public DemoResult run() {
        Path modelFiles = hub.fetch(settings.model());
        Path nouns = WordNet.find(hub.fetch(settings.data()));
        long start = System.nanoTime();
        Data data = read(modelFiles, nouns);
        DemoScore probe = probe(data);
        Trained lora = lora(data);
        Path folder = settings.folder().resolve("adapter");
        lora.adapter.save(folder);
        new ServingMetadata(null, Label.Kind.ONE, data.labels.names(), false, null).write(folder);
        long bytes = bytes(folder);
        watcher.onMessage(String.format(
                Locale.ROOT, "Saved %s, %.1f MB, which Hugging Face PEFT loads too", folder, bytes / 1e6));
        Reloaded reloaded = reload(data, lora, folder);
        Merged merged = merge(data, lora, folder, modelFiles);
        Map<String, Classification> answers = answers(data, lora);
        String line = lora.adapter.trainableLine();
        DemoResult result = new DemoResult(
                settings,
                data.labels.names(),
                data.train.size(),
                data.test.size(),
                probe,
                lora.score,
                lora.steps,
                lora.epochs,
                line,
                Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)),
                bytes,
                reloaded,
                merged,
                answers,
                seconds(start),
                ProcessMemory.peakResident().value(),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
                Machine.read());
        AtomicWrite.text(settings.folder().resolve("report.json"), Json.pretty(result.toJson()) + "\n");
        AtomicWrite.text(settings.folder().resolve("report.html"), Html.render(DemoPage.of(result)));
        return result;
    }

    private Data read(Path modelFiles, Path nouns) {
        Splits splits = WordNet.read(nouns).split(settings.trainRows(), settings.testRows());
        Labels labels = Labels.of(splits.train());
        Base base = base(modelFiles, labels.names(), settings.numerics());
        ClassificationEncoder encoder = new ClassificationEncoder(
                base.tokenizer(), labels, base.backbone().vocabSize());
        Rows test = splits.test();
        if (test == null) {
            throw new InputException(nouns + " has too few definitions to test on");
        }
        int most = Math.min(MOST_TOKENS, base.backbone().maxPositions());
        Data data = new Data(
                labels,
                base,
                Examples.encode(splits.train(), encoder, most, Overflow.TRUNCATE),
                Examples.encode(test, encoder, most, Overflow.TRUNCATE),
                IntStream.range(0, test.size())
                        .mapToObj(row -> ((Row.Text) test.get(row)).text())
                        .toList());
        watcher.onMessage(String.format(
                Locale.ROOT,
                "%s, frozen, %.1f million parameters; %,d definitions of %d kinds of noun to train on, %,d to test",
                settings.model(),
                base.parameterCount() / 1e6,
                data.train.size(),
                labels.size(),
                data.test.size()));
        return data;
    }

    private Base base(Path files, List<String> labels, Numerics numerics) {
        return Base.load(
                settings.model(),
                files,
                Base.Options.of(Task.SEQ_CLS)
                        .withLabels(labels)
                        .withNumerics(numerics)
                        .withSeed(settings.seed()));
    }

    private DemoScore probe(Data data) {
        long start = System.nanoTime();
        Tensor train = features(data, data.train);
        LinearProbe probe = LinearProbe.train(
                train, LinearProbe.classes(data.train), data.labels.size(), LinearProbe.LEARNING_RATE);
        double seconds = seconds(start);
        DemoScore score =
                DemoScore.of(probe.logits(features(data, data.test)), data.testClasses(), data.labels.size(), seconds);
        report("Linear probe", score);
        return score;
    }

    private Tensor features(Data data, Examples examples) {
        long[] done = {0};
        return LinearProbe.features(data.base, examples, rows -> {
            done[0] += rows;
            watcher.onProgress("rows through the frozen base", done[0], examples.size());
            if (watcher.isInterrupted()) {
                throw new CancellationException("interrupted during the linear probe");
            }
        });
    }

    private Trained lora(Data data) {
        Adapter adapter = Adapter.create(data.base, new Lora(LoraConfig.DEFAULT), settings.seed());
        watcher.onMessage(adapter.trainableLine());
        TextClassifier classifier = new TextClassifier(data.base, Selection.of(adapter));
        int[] classes = data.testClasses();
        List<Double> steps = new ArrayList<>();
        List<Double> epochs = new ArrayList<>();
        List<float[][]> last = new ArrayList<>();
        long[] evaluating = {0};
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onStep(Stepped stepped) {
                steps.add(stepped.loss());
                watcher.onStep(stepped);
            }

            @Override
            public void onEvaluate(Evaluated evaluated) {
                evaluating[0] += evaluated.duration().toNanos();
            }
        };
        Trainer trainer = new Trainer(
                trainSettings(),
                adapter,
                data.train,
                hooks -> {
                    float[][] logits = classifier.logits(data.testTexts);
                    last.clear();
                    last.add(logits);
                    double accuracy =
                            DemoScore.of(logits, classes, data.labels.size(), 0).accuracy();
                    epochs.add(accuracy);
                    return Map.of("accuracy", accuracy);
                },
                null,
                List.of(listener));
        TrainResult result = trainer.run(Resume.NEVER, watcher::isInterrupted);
        if (result.reason() == EndReason.INTERRUPTED) {
            throw new CancellationException("interrupted at step " + result.steps() + " of LoRA");
        }
        double seconds = (result.elapsed().toNanos() - evaluating[0]) / 1e9;
        DemoScore score = DemoScore.of(last.get(0), classes, data.labels.size(), seconds);
        report("LoRA", score);
        return new Trained(adapter, last.get(0), score, steps, epochs);
    }

    private TrainSettings trainSettings() {
        return TrainSettings.DEFAULT
                .withOptimization(new Optimization(
                        AdamW.Settings.DEFAULT,
                        settings.learningRate(),
                        new LearningRate("linear", Map.of(), 0, 0.06),
                        1,
                        0))
                .withBatchSize(32)
                .withEvaluating(TrainSettingsEvaluatingBuilder.builder()
                        .every(Every.EPOCH)
                        .metric("accuracy")
                        .greaterIsBetter(true)
                        .build())
                .withSaving(new Saving(Every.NEVER, 0))
                .withEpochs(settings.epochs())
                .withSeed(settings.seed());
    }

    private Reloaded reload(Data data, Trained lora, Path folder) {
        watcher.onMessage("Loading it in a fresh process");
        float[][] logits =
                FreshProcess.logits(settings.model(), data.base, folder, data.testTexts, watcher::isInterrupted);
        int different = (int) IntStream.range(0, logits.length)
                .filter(row -> DemoScore.predicted(logits[row]) != DemoScore.predicted(lora.logits[row]))
                .count();
        Reloaded reloaded = new Reloaded(logits.length, different, maxDiff(logits, lora.logits));
        watcher.onMessage(String.format(
                Locale.ROOT,
                "  %,d of %,d test rows get the same kind there; logits differ by at most %.1e",
                reloaded.rows() - different,
                reloaded.rows(),
                reloaded.maxDiff()));
        return reloaded;
    }

    /** Merges in fp32: a weight that is merged in bf16 is rounded to 8 bits, the same weight beside its adapter is not. */
    private Merged merge(Data data, Trained lora, Path folder, Path modelFiles) {
        boolean exact = data.base.numerics().equals(Numerics.FP32);
        Base base = exact ? data.base : base(modelFiles, data.labels.names(), Numerics.FP32);
        Adapter adapter = exact ? lora.adapter : Adapter.load(base, folder);
        Base merged = Merge.merge(adapter);
        merged.save(settings.folder().resolve("merged"));
        // Rows are ordered by kind, so the first ones would be of few kinds.
        int every = Math.max(1, data.testTexts.size() / MERGE_ROWS);
        List<String> texts = IntStream.range(0, data.testTexts.size())
                .filter(row -> row % every == 0)
                .mapToObj(data.testTexts::get)
                .toList();
        double maxDiff = maxDiff(
                new TextClassifier(base, Selection.of(adapter)).logits(texts),
                new TextClassifier(merged, Selection.BASE).logits(texts));
        watcher.onMessage(String.format(
                Locale.ROOT,
                "Merged into %s; on %,d rows its logits differ from the adapted model's by at most %.1e (fp32)",
                settings.folder().resolve("merged"),
                texts.size(),
                maxDiff));
        return new Merged(texts.size(), maxDiff);
    }

    private Map<String, Classification> answers(Data data, Trained lora) {
        TextClassifier classifier = new TextClassifier(data.base, Selection.of(lora.adapter));
        Map<String, Classification> answers = new LinkedHashMap<>();
        for (String question : settings.questions()) {
            answers.put(question, classifier.classify(question));
        }
        return answers;
    }

    private void report(String what, DemoScore score) {
        watcher.onMessage(String.format(
                Locale.ROOT,
                "%s: accuracy %.3f, macro-F1 %.3f on unseen rows, trained in %.1f s",
                what,
                score.accuracy(),
                score.macroF1(),
                score.seconds()));
    }

    private static double maxDiff(float[][] a, float[][] b) {
        double most = 0;
        for (int row = 0; row < a.length; row++) {
            for (int i = 0; i < a[row].length; i++) {
                // NaN stays NaN, so that it fails the check.
                most = Math.max(most, Math.abs((double) a[row][i] - b[row][i]));
            }
        }
        return most;
    }

    private static double seconds(long start) {
        return (System.nanoTime() - start) / 1e9;
    }

    private static long bytes(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + folder, e);
        }
    }
}
