package dev.graft.cli.logits;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.model.ModelOption;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.logits.LogitsRun;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "logits",
        description = "Write what a model gives for token ids, with or without an adapter, to a safetensors file.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The ids are a JSON object: {\"input_ids\": [[…], …], \"attention_mask\": [[…], …], \"token_type_ids\":"
                    + " [[…], …]};",
            "all rows have one length, the mask (1 for tokens, 0 for padding) and the segments may be left out. The"
                    + " file",
            "has the tensor logits [batch, seq, out] or [batch, out]; start_logits and end_logits [batch, seq] too for",
            "question answering; last_hidden_state [batch, seq, hidden] in place of logits for a model without a head.",
            "Prompts of an adapter come first in seq. What stands at padded positions means nothing.",
            "",
            "Examples:",
            "  graft logits --model smollm2 --input-ids ids.json --out logits.safetensors",
            "  graft logits --model minilm --adapter runs/reviews/adapter --input-ids ids.json --out f.safetensors"
                    + " --hidden"
        })
public final class LogitsCommand implements Runnable {

    @Mixin
    private ModelOption model = new ModelOption();

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.FP32);

    @Option(names = "--input-ids", required = true, paramLabel = "FILE", description = "The token ids, as JSON.")
    @SuppressWarnings("NullAway.Init")
    private Path inputIds;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "The safetensors file to write.")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(
            names = "--hidden",
            description = {
                "Write hidden_states.K too: 0 are the embeddings, K what layer K gives; the last one is after the",
                "final norm."
            })
    private boolean hidden;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        LogitsRun run = new LogitsRun(
                model.model(),
                adapter.adapters(),
                head,
                compute,
                new ConsoleListener(spec.commandLine().getErr()));
        spec.commandLine().getOut().println(run.write(inputIds, hidden, out).shown(json.json()));
    }
}
