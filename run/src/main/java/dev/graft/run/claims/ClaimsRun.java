package dev.graft.run.claims;

import dev.graft.eval.claims.Claim;
import dev.graft.eval.claims.ClaimsPage;
import dev.graft.eval.claims.Finding;
import dev.graft.eval.claims.Investigation;
import dev.graft.eval.claims.LayerSweep;
import dev.graft.eval.claims.ScoreTable;
import dev.graft.eval.claims.Study;
import dev.graft.eval.claims.StudyResults;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.ComparisonEntry;
import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.compare.TrialStore;
import dev.graft.eval.report.Html;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.run.compare.ExperimentSetup;
import dev.graft.run.compare.TrialProgress;
import dev.graft.run.config.CompareConfig;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.RunConfig;
import dev.graft.run.progress.RunListener;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A run of {@code graft claims}: tests claims of a survey by experiments.
 *
 * @param overrides options in the form {@code key=value}
 * @param quick true for short studies
 * @param visionModel the base of image studies; null for none
 * @param version the version of Graft
 */
public record ClaimsRun(
        List<String> overrides,
        List<Claim> claims,
        List<Investigation> investigations,
        boolean quick,
        @Nullable String visionModel,
        String version,
        RunListener listener) {
    /** The settings that all studies share. */
    private static final List<String> SHARED = List.of(
            "model=minilm",
            "max_seq_length=64",
            "learning_rate=2e-3",
            "batch_size=16",
            "warmup_ratio=0.1",
            "output_dir=runs/claims");

    private static final List<String> QUICK =
            List.of("rates=[0.3,1]", "seeds=2", "data.max_train_rows=800", "data.max_eval_rows=300");
    private static final List<String> FULL = List.of("data.max_train_rows=2000", "data.max_eval_rows=1000");

    /**
     * The findings of all studies.
     *
     * @param tables one for each investigation
     * @param json the content of {@code claims.json}
     * @param page the file of the report
     */
    public record Result(List<Finding> findings, List<ScoreTable> tables, String json, Path page) {}

    /**
     * Runs the missing trials and writes the report.
     *
     * @throws CancellationException if the listener stops it
     */
    public Result run() {
        Set<Study> studies = new LinkedHashSet<>();
        claims.forEach(claim -> studies.addAll(claim.studies()));
        investigations.forEach(each -> studies.addAll(each.studies()));
        Map<String, List<MethodResult>> results = new LinkedHashMap<>();
        for (Study study : studies) {
            boolean pictures = study.name().equals("vision");
            if (pictures && visionModel == null) {
                listener.onNotice(study.name() + ": left out, give --vision-model");
                continue;
            }
            Map<String, String> elsewhere = elsewhere(study);
            listener.onNotice(study.name() + ": " + study.data() + (study.twin() ? " (twin)" : "")
                    + (elsewhere.isEmpty() ? "" : ", scored on " + String.join(", ", elsewhere.values()) + " too")
                    + (study.shots() == 0 ? "" : ", " + study.shots() + " rows of each class"));
            List<MethodResult> own = run(study, elsewhere, pictures);
            results.put(study.name(), own);
            elsewhere
                    .keySet()
                    .forEach(name -> results.put(
                            name, own.stream().map(result -> result.on(name)).toList()));
        }
        return report(new StudyResults(results), List.copyOf(studies));
    }

    private List<MethodResult> run(Study study, Map<String, String> elsewhere, boolean pictures) {
        CompareConfig config = config(study, pictures);
        ExperimentSetup setup = ExperimentSetup.of(config, elsewhere, version, listener);
        Comparison comparison = new Comparison(
                setup.experiment(),
                contenders(study, setup),
                setup.search(config),
                new TrialStore(folder().resolve(study.name())));
        comparison.run(new TrialProgress(listener), listener::isStopRequested);
        return comparison.results();
    }

    /** A person's own test rows stand in place of those of all data sets. */
    private Map<String, String> elsewhere(Study study) {
        Map<String, String> sets = new LinkedHashMap<>(study.transferSets());
        overrides.stream()
                .filter(option -> key(option).equals("data.test"))
                .map(option -> option.substring(option.indexOf('=') + 1))
                .forEach(own -> sets.replaceAll((name, set) -> own));
        return sets;
    }

    /** Those that the recipe names; in the sweep over layers LoRA in each place, beside the frozen base and full fine-tuning. */
    private static List<ComparisonEntry> contenders(Study study, ExperimentSetup setup) {
        if (!Investigation.LAYERS.studies().contains(study)) {
            return setup.contenders();
        }
        List<ComparisonEntry> contenders = new ArrayList<>(setup.contenders());
        double usual = setup.experiment().settings().optimization().learningRate();
        contenders.addAll(LayerSweep.of(setup.experiment().base(), usual, usual));
        return contenders;
    }

    private CompareConfig config(Study study, boolean pictures) {
        List<String> options = new ArrayList<>(quick ? QUICK : FULL);
        if (study.twin()) {
            options.add("data.suite=" + study.data());
            options.add("data.train=twin");
        } else {
            options.add("data.train=" + study.data());
        }
        if (study.shots() > 0) {
            options.add("data.shots=" + study.shots());
        }
        if (pictures) {
            options.add("data.valid_fraction=0.1");
        }
        options.add("max_steps=" + study.steps());
        options.add("methods=[" + String.join(",", study.methods()) + "]");
        if (pictures) {
            options.add("model=" + visionModel);
        }
        return config(options);
    }

    /**
     * Returns the config of a study. The user's settings override those of the study, which override the shared ones.
     */
    private CompareConfig config(List<String> study) {
        Map<String, String> options = new LinkedHashMap<>();
        for (List<String> layer : List.of(SHARED, study, overrides)) {
            layer.forEach(option -> options.put(key(option), option));
        }
        study.stream().filter(option -> key(option).equals("model")).forEach(option -> options.put("model", option));
        return ConfigReader.comparison(null, List.copyOf(options.values()), listener::onNotice);
    }

    private static String key(String option) {
        return option.substring(0, option.indexOf('='));
    }

    /** The run that only what all studies share decides. */
    private RunConfig shared() {
        return config(List.of("data.train=wordnet")).run().apply("lora");
    }

    private Path folder() {
        return Path.of(shared().output().outputDir());
    }

    private Result report(StudyResults results, List<Study> studies) {
        List<Finding> findings =
                claims.stream().map(claim -> claim.judge(results)).toList();
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        ArrayNode list = report.putArray("findings");
        findings.forEach(finding -> list.add(finding.toJson()));
        List<ScoreTable> grids =
                investigations.stream().map(each -> each.table(results)).toList();
        if (!grids.isEmpty()) {
            ObjectNode tables = report.putObject("investigations");
            for (int i = 0; i < grids.size(); i++) {
                tables.set(investigations.get(i).id(), grids.get(i).toJson());
            }
        }
        String model = shared().base().model();
        String command = "./graft claims" + (quick ? " --quick" : "")
                + (claims.isEmpty() || claims.size() == Claim.values().length
                        ? ""
                        : " --claim "
                                + String.join(
                                        ",", claims.stream().map(Claim::id).toList()))
                + (investigations.isEmpty()
                        ? ""
                        : " --investigate "
                                + String.join(
                                        ",",
                                        investigations.stream()
                                                .map(Investigation::id)
                                                .toList()))
                + (overrides.isEmpty() ? "" : " " + String.join(" ", overrides));
        ClaimsPage page = new ClaimsPage(model, findings, grids, results, studies, command);
        String json = Json.pretty(report);
        AtomicWrite.text(folder().resolve("claims.json"), json + "\n");
        Path file = folder().resolve("report.html");
        AtomicWrite.text(file, Html.render(page.report()));
        return new Result(findings, grids, json, file);
    }
}
