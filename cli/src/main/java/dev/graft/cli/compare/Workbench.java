package dev.graft.cli.compare;

import dev.graft.cli.config.CompareConfig;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.methods.ChosenMethod;
import dev.graft.cli.model.Loading;
import dev.graft.cli.train.ChosenTeacher;
import dev.graft.cli.train.DataFiles;
import dev.graft.cli.train.InitialAdapter;
import dev.graft.cli.train.Prepared;
import dev.graft.cli.train.RunTask;
import dev.graft.cli.train.Settings;
import dev.graft.eval.compare.Contender;
import dev.graft.eval.compare.Experiment;
import dev.graft.eval.compare.Search;
import dev.graft.eval.predict.LinearProbe;
import dev.graft.eval.run.RunData;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.train.TrainSettings;
import dev.graft.train.data.Dataset;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.RowEncoder;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** What a recipe means: the experiment, and who takes part. */
public record Workbench(Experiment experiment, List<Contender> contenders) {
    /** The row of the base as it is. */
    static final String FROZEN = "frozen-base";

    private static final String FULL = "full-fine-tuning";

    /**
     * Reads the recipe's data and loads its base.
     *
     * @param elsewhere data sets, or files, whose test rows are scored beside the recipe's, by names for what comes of them
     */
    public static Workbench of(CompareConfig config, Map<String, String> elsewhere, String version, PrintWriter err) {
        List<String> methods = config.methods();
        if (methods != null) {
            methods.forEach(ChosenMethod::named);
        }
        RunConfig run = config.run().apply(FULL);
        if (run.data().taskField() != null) {
            throw new InputException("data.task_field is " + run.data().taskField()
                    + ", but methods are compared on rows of one task; leave it out");
        }
        ChosenTeacher.refuse(run, "methods are compared on the labels alone");
        InitialAdapter.refuse(run, "methods are compared from their own beginnings");
        DataFiles data = DataFiles.of(run.data(), run.goal());
        Splits splits = data.open();
        Prepared.Files files = Prepared.fetch(run.base(), err);
        Dataset trained = (Dataset) splits.train();
        RunData task = new RunTask(run).of(trained, files.checkpoint());
        Map<String, Rows> others = new LinkedHashMap<>();
        elsewhere.forEach((name, set) -> others.put(name, data.testRows(set, trained)));
        splits = withValidation(run, splits);
        Loading loading = Prepared.load(run.base(), task, files, err);
        RowEncoder encoder = task.encoder(
                loading.base(), () -> Prepared.chat(loading, new ArrayList<>(), err), Prepared.reading(run));
        int length = Prepared.length(run, loading.base(), 0);
        Overflow overflow = Prepared.overflow(run, task);
        Examples train = Examples.encode(splits.train(), encoder, length, overflow);
        Examples validation = Examples.encode(rows("validation", splits.validation()), encoder, length, overflow);
        Map<String, Examples> encoded = new LinkedHashMap<>();
        others.forEach((name, rows) -> encoded.put(name, Examples.encode(rows, encoder, length, overflow)));
        TrainSettings usual = new Settings(run, task, true).of(train.size());
        TrainSettings settings =
                usual.with(usual.optimization().withHeadRate(run.optimisation().headLearningRate()));
        Integer evalBatch = run.schedule().evalBatchSize();
        String metric = run.evaluation().metric();
        Experiment experiment = new Experiment(
                task.kind() == Label.Kind.ONE ? LinearProbe.best(loading.base(), train, validation) : loading.base(),
                loading.base().fingerprint(),
                task,
                train,
                validation,
                Examples.encode(rows("test", splits.test()), encoder, length, overflow),
                encoded,
                settings,
                evalBatch == null ? settings.batching().size() : evalBatch,
                metric != null ? metric : usualMetric(task.kind()),
                Experiment.digest(splits, others.values()),
                version);
        experiment.greaterIsBetter();
        return new Workbench(experiment, contenders(config, experiment));
    }

    /** The rates and seeds that a comparison tries. */
    public Search search(CompareConfig config) {
        long first = config.run().apply(FULL).base().seed();
        return new Search(
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

    private static List<Contender> contenders(CompareConfig config, Experiment experiment) {
        boolean causal = experiment.task().task() == Task.CAUSAL_LM;
        List<Contender> contenders = new ArrayList<>();
        contenders.add(new Contender.Frozen(FROZEN));
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
                / ChosenMethod.named(FULL).rateFactor();
        for (String name : names) {
            RunConfig run = config.run().apply(name);
            contenders.add(new Contender.Trained(
                    name,
                    base -> ChosenMethod.of(
                            name, run.methodOptions(), run.base().compat(), base),
                    rate(run, usual) * ChosenMethod.named(name).rateFactor(),
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
