package dev.graft.run.compare;

import dev.graft.eval.compare.ComparisonEntry;
import dev.graft.eval.compare.Experiment;
import dev.graft.eval.compare.LearningRateSearch;
import dev.graft.eval.predict.LinearProbe;
import dev.graft.eval.tasks.TaskSpec;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.run.ConfiguredBase;
import dev.graft.run.DataFiles;
import dev.graft.run.InitialAdapter;
import dev.graft.run.RowLength;
import dev.graft.run.RunTask;
import dev.graft.run.TeacherModel;
import dev.graft.run.TrainSettingsFactory;
import dev.graft.run.config.CompareConfig;
import dev.graft.run.config.RunConfig;
import dev.graft.run.methods.MethodFactory;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** The experiment and the candidates of a recipe. */
public record ExperimentSetup(Experiment experiment, List<ComparisonEntry> contenders) {
    /** The name of the frozen base's entry. */
    public static final String FROZEN = "frozen-base";

    private static final String FULL = "full-fine-tuning";

    /**
     * Reads the recipe's data and loads its base.
     *
     * @param elsewhere further data sets or files whose test rows are scored, by the names of their results
     * @throws InputException if the data or the base can't be used in a comparison
     */
    public static ExperimentSetup of(
            CompareConfig config, Map<String, String> elsewhere, String version, RunListener listener) {
        List<String> methods = config.methods();
        if (methods != null) {
            methods.forEach(MethodFactory::named);
        }
        RunConfig run = config.run().apply(FULL);
        if (run.data().taskField() != null) {
            throw new InputException("data.task_field is " + run.data().taskField()
                    + ", but methods are compared on rows of one task; leave it out");
        }
        TeacherModel.refuse(run, "methods are compared on the labels alone");
        InitialAdapter.refuse(run, "methods are compared from their own beginnings");
        DataFiles data = DataFiles.of(run.data(), run.goal());
        Splits splits = data.open();
        ConfiguredBase named = new ConfiguredBase(run.base(), listener);
        ConfiguredBase.Files files = named.fetch();
        Dataset trained = (Dataset) splits.train();
        TaskSpec taskSpec = new RunTask(run).of(trained, files.checkpoint());
        Map<String, Rows> others = new LinkedHashMap<>();
        elsewhere.forEach((name, set) -> others.put(name, data.testRows(set, trained)));
        splits = withValidation(run, splits);
        LoadedModel loaded = named.load(taskSpec, files);
        RowEncoder encoder =
                taskSpec.encoder(loaded.base(), () -> loaded.chat(listener::onNotice), run.encodingOptions());
        int length = RowLength.max(run.goal(), loaded.base(), 0);
        Overflow overflow = taskSpec.overflow(run.goal().overflow());
        Examples train = Examples.encode(splits.train(), encoder, length, overflow);
        Examples validation = Examples.encode(rows("validation", splits.validation()), encoder, length, overflow);
        Map<String, Examples> encoded = new LinkedHashMap<>();
        others.forEach((name, rows) -> encoded.put(name, Examples.encode(rows, encoder, length, overflow)));
        TrainSettings usual = new TrainSettingsFactory(run, taskSpec, true).of(train.size());
        TrainSettings settings = usual.withOptimization(
                usual.optimization().withHeadRate(run.optimisation().headLearningRate()));
        Integer evalBatch = run.schedule().evalBatchSize();
        String metric = run.evaluation().metric();
        Experiment experiment = new Experiment(
                taskSpec.kind() == Label.Kind.ONE ? LinearProbe.best(loaded.base(), train, validation) : loaded.base(),
                loaded.base().fingerprint(),
                taskSpec,
                train,
                validation,
                Examples.encode(rows("test", splits.test()), encoder, length, overflow),
                encoded,
                settings,
                evalBatch == null ? settings.batching().size() : evalBatch,
                metric != null ? metric : usualMetric(taskSpec.kind()),
                Experiment.digest(splits, others.values()),
                version);
        experiment.greaterIsBetter();
        return new ExperimentSetup(experiment, contenders(config, experiment));
    }

    /** Returns the learning rates and seeds that a comparison tries. */
    public LearningRateSearch search(CompareConfig config) {
        long first = config.run().apply(FULL).base().seed();
        return new LearningRateSearch(
                config.own().rates(),
                LongStream.range(first, first + config.own().seeds()).boxed().toList());
    }

    private static String usualMetric(Label.@Nullable Kind kind) {
        return kind == Label.Kind.ONE ? "accuracy" : kind == Label.Kind.EACH ? "tag_accuracy" : "loss";
    }

    private static Splits withValidation(RunConfig run, Splits splits) {
        double share = run.data().validFraction();
        return DataFiles.limited(run.data(), share > 0 ? splits.withValidation(share) : splits);
    }

    private static Rows rows(String which, @Nullable Rows rows) {
        if (rows == null) {
            throw new InputException(
                    "there are no " + which + " rows: a comparison chooses learning rates on validation"
                            + " rows and scores on test rows; give data.test, and data.valid or data.valid_fraction");
        }
        return rows;
    }

    private static List<ComparisonEntry> contenders(CompareConfig config, Experiment experiment) {
        boolean causal = experiment.taskSpec().task() == Task.CAUSAL_LM;
        List<ComparisonEntry> contenders = new ArrayList<>();
        contenders.add(new ComparisonEntry.Frozen(FROZEN));
        List<String> names = new ArrayList<>();
        List<String> given = config.methods();
        if (given == null) {
            for (Method.Type type : Methods.all()) {
                if (causal ? type.capabilities().decoder() : type.capabilities().encoder()) {
                    names.add(type.name());
                }
            }
        } else {
            names.addAll(given);
        }
        if (!names.contains(FULL)) {
            names.add(0, FULL);
        }
        double usual = experiment.settings().optimization().learningRate()
                / MethodFactory.named(FULL).rateFactor();
        for (String name : names) {
            RunConfig run = config.run().apply(name);
            contenders.add(new ComparisonEntry.Trained(
                    name,
                    base -> MethodFactory.of(
                            name, run.methodOptions(), run.base().compat(), base),
                    rate(run, usual) * MethodFactory.named(name).rateFactor(),
                    rate(run, usual)));
        }
        return contenders;
    }

    /** A rate that the recipe gives is LoRA's. */
    private static double rate(RunConfig run, double usual) {
        Double given = run.optimisation().learningRate();
        return given == null ? usual : given;
    }
}
