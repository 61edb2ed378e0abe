package dev.graft.cli.claims;

import dev.graft.cli.Interruption;
import dev.graft.cli.Version;
import dev.graft.cli.compare.TrialLines;
import dev.graft.cli.compare.Workbench;
import dev.graft.cli.config.CompareConfig;
import dev.graft.cli.config.ConfigReader;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.claims.Claim;
import dev.graft.eval.claims.ClaimsPage;
import dev.graft.eval.claims.Finding;
import dev.graft.eval.claims.Grid;
import dev.graft.eval.claims.Investigation;
import dev.graft.eval.claims.LayerSweep;
import dev.graft.eval.claims.Results;
import dev.graft.eval.claims.Study;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Contender;
import dev.graft.eval.compare.Ledger;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.report.Html;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.io.PrintWriter;
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
 * A run of {@code graft claims}.
 *
 * @param visionModel the base of studies of pictures; null for none
 */
record ClaimsRun(
        List<String> overrides,
        List<Claim> claims,
        List<Investigation> investigations,
        boolean quick,
        @Nullable String visionModel,
        boolean json,
        PrintWriter out,
        PrintWriter err) {
    /** What all studies share. */
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

    int run() {
        Set<Study> studies = new LinkedHashSet<>();
        claims.forEach(claim -> studies.addAll(claim.studies()));
        investigations.forEach(each -> studies.addAll(each.studies()));
        Map<String, List<Standing>> standings = new LinkedHashMap<>();
        try {
            for (Study study : studies) {
                boolean pictures = study.name().equals("vision");
                if (pictures && visionModel == null) {
                    err.println(study.name() + ": left out, give --vision-model");
                    continue;
                }
                Map<String, String> elsewhere = elsewhere(study);
                err.println(study.name() + ": " + study.data() + (study.twin() ? " (twin)" : "")
                        + (elsewhere.isEmpty() ? "" : ", scored on " + String.join(", ", elsewhere.values()) + " too")
                        + (study.shots() == 0 ? "" : ", " + study.shots() + " rows of each class"));
                List<Standing> own = run(study, elsewhere, pictures);
                standings.put(study.name(), own);
                elsewhere
                        .keySet()
                        .forEach(name -> standings.put(
                                name,
                                own.stream().map(standing -> standing.on(name)).toList()));
            }
        } catch (CancellationException interrupted) {
            err.println("Interrupted; the same command goes on from here");
            return 130;
        }
        show(new Results(standings), List.copyOf(studies));
        return 0;
    }

    private List<Standing> run(Study study, Map<String, String> elsewhere, boolean pictures) {
        CompareConfig config = config(study, pictures);
        Workbench bench = Workbench.of(config, elsewhere, Version.current(), err);
        Comparison comparison = new Comparison(
                bench.experiment(),
                contenders(study, bench),
                bench.search(config),
                new Ledger(folder().resolve(study.name())));
        comparison.run(new TrialLines(err), Interruption::requested);
        return comparison.standings();
    }

    /** A person's own test rows stand in place of those of all data sets. */
    private Map<String, String> elsewhere(Study study) {
        Map<String, String> sets = new LinkedHashMap<>(study.elsewhere());
        overrides.stream()
                .filter(option -> key(option).equals("data.test"))
                .map(option -> option.substring(option.indexOf('=') + 1))
                .forEach(own -> sets.replaceAll((name, set) -> own));
        return sets;
    }

    /** Those that the recipe names; in the sweep over layers LoRA in each place, beside the frozen base and full fine-tuning. */
    private static List<Contender> contenders(Study study, Workbench bench) {
        if (!Investigation.LAYERS.studies().contains(study)) {
            return bench.contenders();
        }
        List<Contender> contenders = new ArrayList<>(bench.contenders());
        double usual = bench.experiment().settings().optimization().learningRate();
        contenders.addAll(LayerSweep.of(bench.experiment().base(), usual, usual));
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

    /** What a person says stands above what a study says, and that above what all share. */
    private CompareConfig config(List<String> study) {
        Map<String, String> options = new LinkedHashMap<>();
        for (List<String> layer : List.of(SHARED, study, overrides)) {
            layer.forEach(option -> options.put(key(option), option));
        }
        study.stream().filter(option -> key(option).equals("model")).forEach(option -> options.put("model", option));
        return ConfigReader.comparison(null, List.copyOf(options.values()), err::println);
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

    private void show(Results results, List<Study> studies) {
        List<Finding> findings =
                claims.stream().map(claim -> claim.judge(results)).toList();
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        ArrayNode list = report.putArray("findings");
        findings.forEach(finding -> list.add(finding.toJson()));
        List<Grid> grids =
                investigations.stream().map(each -> each.grid(results)).toList();
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
        AtomicWrite.text(folder().resolve("claims.json"), Json.pretty(report) + "\n");
        AtomicWrite.text(folder().resolve("report.html"), Html.render(page.report()));
        if (json) {
            out.println(Json.pretty(report));
        } else {
            Table table = new Table("claim", "", "points (95 %)", "asked", "verdict");
            for (Finding finding : findings) {
                table.row(
                        finding.claim().id(),
                        finding.claim().statement(),
                        "",
                        "",
                        finding.verdict().words());
                finding.parts()
                        .forEach(part -> table.row(
                                "",
                                "  " + part.what(),
                                part.effect().shown(),
                                part.condition(),
                                part.verdict().words()));
            }
            if (!findings.isEmpty()) {
                out.print("\n" + table);
            }
            for (Grid grid : grids) {
                Table figures = new Table(grid.head().toArray(String[]::new));
                grid.rows().forEach(row -> figures.row(row.toArray(String[]::new)));
                out.print("\n" + grid.title() + "\n" + figures);
            }
        }
        err.println("report   " + folder().resolve("report.html"));
    }
}
