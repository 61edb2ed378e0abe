package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.eval.weights.AdapterSoup;
import dev.graft.eval.weights.LoraHub;
import dev.graft.formats.InputException;
import dev.graft.hub.Hub;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.MaskSampler;
import dev.graft.peft.methods.mixture.ArrowConfig;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.merge.ArrowMergeRun;
import dev.graft.run.merge.CombinationWeights;
import dev.graft.run.merge.MergeAdaptersRun;
import dev.graft.run.model.AdapterHeader;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "merge-adapters",
        description = "Combine several adapters of one base into one and write it as an ordinary LoRA.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "What is combined are the updates of the weights, B A, and never A and B apart.",
            "  linear, cat, svd           the weighted sum",
            "  ties                       trim to the density, elect a sign for each entry, average what agrees",
            "  dare_linear, dare_ties     drop at random and rescale, then sum, or go on as ties",
            "  della, della_linear        the same, dropping small entries more often",
            "  magnitude_prune            sum what ties trims to",
            "  breadcrumbs, breadcrumbs_ties   drop outliers and small entries",
            "  average                    the parameters themselves: for bottleneck adapters, prefixes and prompts",
            "  arrow                      no sum: at each layer each token takes the adapters whose updates it moves"
                    + " most",
            "With _svd behind the name (and svd) the result has the largest rank of the adapters, or --rank, and the"
                    + " error",
            "is printed; else it has the rank that it needs, which is a full one after pruning. A classifier's head"
                    + " becomes",
            "the mean of the heads.",
            "",
            "Examples:",
            "  graft merge-adapters runs/a/adapter runs/b/adapter --weights 0.5,0.5 -o both",
            "  graft merge-adapters a b c --combination ties_svd --density 0.2 -o merged",
            "  graft merge-adapters a b --combination dare_linear_svd --density 0.5 --seed 7 --rank 32 -o merged",
            "  graft merge-adapters a b c --combination arrow --top-k 2 -o router",
            "  graft merge-adapters a b c --choose lorahub --data five.jsonl -o fresh",
            "  graft merge-adapters a b c --choose soup --data five.jsonl --adapter-data a.jsonl,b.jsonl,c.jsonl -o"
                    + " soup"
        })
public final class MergeAdaptersCommand implements Runnable {
    private static final String ARROW = "arrow";

    @Parameters(
            arity = "1..*",
            paramLabel = "ADAPTER",
            description = "Folders with adapter_config.json, or hf:OWNER/NAME.")
    @SuppressWarnings("NullAway.Init")
    private List<String> adapters;

    @Option(
            names = {"-m", "--model"},
            paramLabel = "MODEL",
            description = "Their base (default: what the adapters say).")
    private @Nullable String model;

    @Option(
            names = "--weights",
            split = ",",
            paramLabel = "W",
            description = {
                "A weight for each adapter, which may be negative (default: their mean; for ties, della and the like,",
                "which average what agrees, 1 for each)."
            })
    private @Nullable List<Double> weights;

    @Option(
            names = "--combination",
            paramLabel = "NAME",
            description = "How updates become one; see below (default: ${DEFAULT-VALUE}).")
    private String combination = "linear";

    @Option(
            names = "--density",
            paramLabel = "P",
            description = "The share of an update's entries that is kept (default: ${DEFAULT-VALUE}).")
    private double density = CombinationSettings.DENSITY;

    @Option(
            names = "--epsilon",
            paramLabel = "E",
            description = "How far della's probabilities go from the density (default: ${DEFAULT-VALUE}).")
    private double epsilon = CombinationSettings.EPSILON;

    @Option(
            names = "--gamma",
            paramLabel = "G",
            description = "The share of the largest entries that breadcrumbs drop (default: ${DEFAULT-VALUE}).")
    private double gamma = CombinationSettings.GAMMA;

    @Option(
            names = "--majority-sign",
            paramLabel = "HOW",
            description = "How ties elects a sign: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private CombinationSettings.Election election = CombinationSettings.Election.TOTAL;

    @Option(names = "--seed", paramLabel = "N", description = "Random seed of what is dropped (default: 0).")
    private long seed;

    @Option(names = "--rank", paramLabel = "R", description = "The most that the rank of an update may be.")
    private @Nullable Integer rank;

    /** Ways to find weights, by their names on the command line. */
    enum Choice {
        lorahub,
        soup
    }

    @Option(
            names = "--choose",
            paramLabel = "HOW",
            description = {
                "Find the weights by few rows, --data: lorahub makes the rows likely, without gradients; soup averages"
                        + " the",
                "adapters whose training texts, --adapter-data, are most like them."
            })
    private @Nullable Choice choose;

    @Option(names = "--data", paramLabel = "FILE", description = "A few rows of what the result is for.")
    private @Nullable Path data;

    @Option(
            names = "--adapter-data",
            split = ",",
            paramLabel = "FILE",
            description = "For each adapter rows that it was trained on.")
    private List<Path> trained = List.of();

    @Option(
            names = "--steps",
            paramLabel = "N",
            description = "How many weights lorahub tries (default: ${DEFAULT-VALUE}).")
    private int steps = LoraHub.DEFAULT.steps();

    @Option(
            names = "--soup-size",
            paramLabel = "K",
            description = "How many adapters are averaged in a soup (default: ${DEFAULT-VALUE}).")
    private int soupSize = 2;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            description = "How many adapters a token takes with arrow (default: 3, or all where there are fewer).")
    private @Nullable Integer topK;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "Temperature of arrow's softmax over the adapters of a token (default: ${DEFAULT-VALUE}).")
    private double temperature = ArrowConfig.DEFAULT.temperature();

    @Option(
            names = "--general",
            paramLabel = "ADAPTER",
            description = {
                "An adapter of general knowledge, whose A and B are taken off those of the others with arrow; given"
                        + " several",
                "times, their mean."
            })
    private List<String> general = List.of();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.FP32);

    @Mixin
    private OutputFolderOptions output = new OutputFolderOptions();

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        if (combination.equals(ARROW)) {
            route();
            return;
        }
        Combination chosen = Combination.named(combination);
        refuseUnused(chosen);
        MergeAdaptersRun run = new MergeAdaptersRun(
                base(),
                adapters,
                choice(chosen),
                chosen,
                new CombinationSettings(density, epsilon, gamma, election, MaskSampler.of(seed)),
                seed,
                head,
                compute,
                new ConsoleListener(spec.commandLine().getErr()));
        spec.commandLine().getOut().println(run.write(output.folder(), rank).shown(json.json()));
    }

    private CombinationWeights choice(Combination chosen) {
        List<Double> given = weights != null ? weights : Collections.nCopies(adapters.size(), usual(chosen));
        if (choose == null) {
            for (String option : List.of("--data", "--adapter-data", "--steps", "--soup-size")) {
                if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                    throw new InputException(option + " belongs to --choose");
                }
            }
            return CombinationWeights.of(given);
        }
        if (weights != null) {
            throw new InputException("--weights gives what --choose " + choose + " would find; leave one of them out");
        }
        if (data == null) {
            throw new InputException("--choose " + choose + " needs --data, a few rows of what the result is for");
        }
        if (!chosen.isSum()) {
            throw new InputException(
                    "--choose finds the weights of a sum, --combination linear, cat, svd or average, not of "
                            + chosen.title());
        }
        return choose == Choice.lorahub
                ? new CombinationWeights(given, LoraHub.DEFAULT.withSteps(steps).withSeed(seed), null, data, List.of())
                : new CombinationWeights(given, null, new AdapterSoup(soupSize), data, trained);
    }

    private void route() {
        for (String option : List.of(
                "--choose", "--weights", "--density", "--epsilon", "--gamma", "--majority-sign", "--seed", "--rank")) {
            refuse(option, false);
        }
        int k = topK != null ? topK : Math.min(ArrowConfig.DEFAULT.topK(), adapters.size());
        ArrowMergeRun run = new ArrowMergeRun(
                base(),
                adapters,
                general,
                new ArrowConfig(k, temperature, null),
                head,
                compute,
                new ConsoleListener(spec.commandLine().getErr()));
        spec.commandLine().getOut().println(run.write(output.folder()).shown(json.json()));
    }

    private String base() {
        Hub hub = new Hub();
        return model != null
                ? model
                : AdapterHeader.base(adapters.stream()
                        .map(adapter -> AdapterHeader.folder(adapter, hub))
                        .toList());
    }

    private double usual(Combination chosen) {
        return chosen.isMean() ? 1 : 1.0 / adapters.size();
    }

    /** An option that the combination doesn't have would change nothing. */
    private void refuseUnused(Combination chosen) {
        refuse("--density", !chosen.isSum());
        refuse("--epsilon", chosen.isRanked());
        refuse("--gamma", chosen.dropsOutliers());
        refuse("--majority-sign", chosen.isMean());
        refuse("--seed", chosen.isRandom() || choose == Choice.lorahub);
        refuse("--rank", chosen != Combination.AVERAGE);
        refuse("--top-k", false);
        refuse("--temperature", false);
        refuse("--general", false);
    }

    private void refuse(String option, boolean has) {
        if (!has && spec.commandLine().getParseResult().hasMatchedOption(option)) {
            throw new InputException(option + " doesn't belong to --combination " + combination);
        }
    }
}
