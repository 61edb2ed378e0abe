package dev.graft.cli.bench;

import dev.graft.cli.model.JsonOption;
import dev.graft.run.bench.PeftComparison;
import dev.graft.run.bench.Scenario;
import dev.graft.run.bench.WorkloadTask;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "compare",
        description = "Train with Graft and with Hugging Face PEFT in turns and print the ratios.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "SmolLM2-135M learns to continue, MiniLM to classify; each run is a process of its own, one at a time."
                    + " Nothing",
            "else should run meanwhile. It takes some twenty minutes, and a few with --quick.",
            "",
            "Examples:",
            "  graft bench compare --quick",
            "  graft bench compare --python target/peer/bin/python --write",
            "  graft bench compare --only classify --steps 80",
            "  graft bench compare --method lora,dora,ia3,prompt-tuning,prefix-tuning --only causal"
        })
public final class BenchCompareCommand implements Runnable {

    @Mixin
    private PeftOptions peer = new PeftOptions();

    @Option(
            names = "--method",
            split = ",",
            paramLabel = "NAME,…",
            description = {
                "Methods to train: lora, dora, ia3, prompt-tuning, prefix-tuning (default: lora). The peer's script",
                "has no others, and it has prompts and prefixes for the base that continues alone."
            })
    private List<String> methods = List.of("lora");

    @Option(names = "--only", paramLabel = "TASK", description = "causal or classify alone (default: both).")
    private @Nullable WorkloadTask only;

    @Option(names = "--threads", paramLabel = "N", description = "Threads for both (default: all cores).")
    private @Nullable Integer threads;

    @Option(names = "--rounds", paramLabel = "N", description = "How often each side trains (default: 3).")
    private @Nullable Integer rounds;

    @Option(names = "--steps", paramLabel = "N", description = "Steps to measure in each run (default: 12).")
    private @Nullable Integer steps;

    @Option(names = "--quick", description = "One round of three steps: to see that it runs, not to quote.")
    private boolean quick;

    @Option(names = "--write", description = "Replace the figures in PERFORMANCE.md.")
    private boolean write;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        if (quick && write) {
            throw new ParameterException(
                    spec.commandLine(), "--quick gives no figures to quote, so it doesn't go with --write");
        }
        atLeastOne("--threads", threads);
        atLeastOne("--rounds", rounds);
        atLeastOne("--steps", steps);
        List<String> names = new ArrayList<>();
        for (String method : methods) {
            String name = Scenario.peerName(method);
            if (name == null) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--method is " + method + ", expected some of " + String.join(", ", Scenario.METHODS));
            }
            names.add(name);
        }
        List<Scenario> scenarios = names.stream()
                .flatMap(method -> Scenario.of(method).stream())
                .filter(scenario -> only == null || scenario.task() == only)
                .toList();
        if (scenarios.isEmpty()) {
            throw new ParameterException(
                    spec.commandLine(), "the peer has no " + String.join(", ", methods) + " for classifiers");
        }
        int used = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
        PeftComparison.Plan plan = quick ? PeftComparison.Plan.quick(used) : PeftComparison.Plan.full(used);
        List<String> words = spec.root().commandLine().getParseResult().originalArgs();
        BenchCompareRun run = new BenchCompareRun(
                peer,
                plan.with(rounds, steps),
                scenarios,
                spec.root().version()[0].replaceFirst("^graft ", ""),
                "./graft " + String.join(" ", words),
                spec.commandLine().getErr());
        spec.commandLine().getOut().print(run.report(write, json.json()));
    }

    private void atLeastOne(String option, @Nullable Integer value) {
        if (value != null && value < 1) {
            throw new ParameterException(spec.commandLine(), option + " is " + value + ", expected at least 1");
        }
    }
}
