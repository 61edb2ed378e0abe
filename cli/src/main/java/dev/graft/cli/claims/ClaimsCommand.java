package dev.graft.cli.claims;

import dev.graft.cli.model.JsonOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Table;
import dev.graft.cli.terminal.Version;
import dev.graft.eval.claims.Claim;
import dev.graft.eval.claims.Finding;
import dev.graft.eval.claims.Investigation;
import dev.graft.eval.claims.ScoreTable;
import dev.graft.formats.InputException;
import dev.graft.run.claims.ClaimsRun;
import dev.graft.run.config.ConfigReader;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "claims",
        description =
                "Try whether what the survey claims of methods holds on a base, with real rows where there are some.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Each claim rests on small comparisons, whose trials are kept: interrupted or killed, the same command"
                    + " goes on.",
            "--quick takes fewer rows, two learning rates and two seeds: half an hour on two cores.",
            "",
            "Examples:",
            "  graft claims --quick",
            "  graft claims --quick --claim a,b",
            "  graft claims --quick --investigate shots,layers",
            "  graft claims model=bge-small-en seeds=5 output_dir=runs/claims-bge",
            "  graft claims --claim c --vision-model hf:OWNER/VIT"
        })
public final class ClaimsCommand implements Callable<Integer> {
    private static final int INTERRUPTED = 130;

    @Parameters(
            arity = "0..*",
            paramLabel = "KEY=VALUE",
            description = "Options of the comparisons, such as model=bge-small-en, seeds=5 or output_dir=runs/mine.")
    private List<String> overrides = List.of();

    @Option(
            names = {"-c", "--claim"},
            split = ",",
            paramLabel = "a..g",
            description = "Claims to try (default: all).")
    private List<String> claims = List.of();

    @Option(
            names = "--investigate",
            split = ",",
            paramLabel = "NAME",
            description = {
                "Tables without a claim, in place of claims that aren't named: transfer (between domains), shots (1 to"
                        + " 64 rows of each",
                "class), shift (what another domain costs), layers (LoRA in one place at a time), calibration."
            })
    private List<String> investigations = List.of();

    @Option(names = "--quick", description = "Fewer rows, rates and seeds.")
    private boolean quick;

    @Option(
            names = "--vision-model",
            paramLabel = "MODEL",
            description = "A base for pictures; without one claim c isn't tried.")
    private @Nullable String visionModel;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        for (String word : overrides) {
            if (!ConfigReader.isOverride(word)) {
                throw new InputException(word + ": expected key=value");
            }
        }
        List<Claim> wanted = claims.isEmpty() && investigations.isEmpty()
                ? Arrays.asList(Claim.values())
                : claims.stream().map(Claim::named).toList();
        PrintWriter err = spec.commandLine().getErr();
        ClaimsRun.Result result;
        try {
            result = new ClaimsRun(
                            overrides,
                            wanted,
                            investigations.stream().map(Investigation::named).toList(),
                            quick,
                            visionModel,
                            Version.current(),
                            new ConsoleListener(err))
                    .run();
        } catch (CancellationException interrupted) {
            err.println("Interrupted; the same command goes on from here");
            return INTERRUPTED;
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json.json()) {
            out.println(result.json());
        } else {
            show(result, out);
        }
        err.println("report   " + result.page());
        return 0;
    }

    private static void show(ClaimsRun.Result result, PrintWriter out) {
        Table table = new Table("claim", "", "points (95 %)", "asked", "verdict");
        for (Finding finding : result.findings()) {
            table.row(
                    finding.claim(),
                    finding.statement(),
                    "",
                    "",
                    finding.verdict().words());
            finding.evidence()
                    .forEach(evidence -> table.row(
                            "",
                            "  " + evidence.what(),
                            evidence.effect().text(),
                            evidence.condition(),
                            evidence.verdict().words()));
        }
        if (!result.findings().isEmpty()) {
            out.print("\n" + table);
        }
        for (ScoreTable grid : result.tables()) {
            Table figures = new Table(grid.head().toArray(String[]::new));
            grid.rows().forEach(row -> figures.row(row.toArray(String[]::new)));
            out.print("\n" + grid.title() + "\n" + figures);
        }
    }
}
