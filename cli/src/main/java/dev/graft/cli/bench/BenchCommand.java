package dev.graft.cli.bench;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
        name = "bench",
        description =
                "Measure how fast training, loading, prediction and serving are, alone or beside Hugging Face PEFT.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            BenchTrainCommand.class,
            BenchLatencyCommand.class,
            BenchCompareCommand.class,
            BenchLoadCommand.class,
            BenchServeCommand.class
        },
        footer = {
            "",
            "Examples:",
            "  graft bench train --model smollm2 --data causal.jsonl --task causal --json",
            "  graft bench latency --model minilm",
            "  graft bench compare --quick",
            "  graft bench load --model smollm2",
            "  graft bench serve --model smollm2"
        })
public final class BenchCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "which measurement: train, latency, compare, load or serve?");
    }
}
