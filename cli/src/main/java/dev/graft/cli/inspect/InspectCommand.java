package dev.graft.cli.inspect;

import dev.graft.cli.model.AdapterOption;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.JsonOption;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.config.RunConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "inspect",
        description =
                "Show the modules of a model, what a method would train on it, or what is in an adapter's folder.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Examples:",
            "  graft inspect smollm2",
            "  graft inspect smollm2 --method lora --rank 8 --targets q_proj,v_proj",
            "  graft inspect smollm2 --method lora --targets attention --layers -8",
            "  graft inspect smollm2 --method prefix-tuning -o num_virtual_tokens=20",
            "  graft inspect minilm --tokens \"How are words cut?\"",
            "  echo '[{\"role\": \"user\", \"content\": \"Hi\"}]' | graft inspect smollm2 --template -",
            "  graft inspect --adapter runs/reviews/adapter"
        })
public final class InspectCommand implements Runnable {

    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            description = "A folder or file, a short name of `graft pull --list`, hf:…, maven:… or pypi:….")
    private @Nullable String model;

    @Mixin
    private AdapterOption adapter = new AdapterOption();

    @Mixin
    private HeadOptions head = new HeadOptions();

    @Mixin
    private ComputeOptions compute = new ComputeOptions(NumericsChoice.AUTO);

    @Option(
            names = "--method",
            paramLabel = "NAME",
            description = "Show what this method would train; `graft methods` lists them.")
    private @Nullable String method;

    @Option(
            names = "--targets",
            paramLabel = "NAMES",
            description = {
                "Modules for the method: all-linear; names, their ends, or what they are for (query, key, value,",
                "output, gate, up, down, attention, mlp) with commas between; or a regular expression for the whole",
                "name."
            })
    private @Nullable String targets;

    @Option(
            names = "--layers",
            paramLabel = "RANGE",
            description = "Layers for the method: 2-5, 2- (to the last) or -3 (the last three).")
    private @Nullable String layers;

    @Option(
            names = "--compat",
            paramLabel = "WHOSE",
            description = "Whose defaults the method's options have: graft or peft (default: graft).")
    private RunConfig.Compat compat = RunConfig.Compat.GRAFT;

    @Option(names = "--rank", paramLabel = "R", description = "Rank for the method, and for the overview of targets.")
    private @Nullable Integer rank;

    @Option(names = "-o", paramLabel = "NAME=VALUE", description = "Another option of the method.")
    private Map<String, String> options = new LinkedHashMap<>();

    @Option(names = "--tokens", paramLabel = "TEXT", description = "Show how the tokenizer cuts this text, and stop.")
    private @Nullable String tokens;

    @Option(
            names = "--template",
            arity = "0..1",
            fallbackValue = "",
            paramLabel = "FILE",
            description = {
                "Show the chat of this JSON file (an array of messages or {\"messages\": […]}; - for standard",
                "input), or without FILE one of two turns, as the model's template writes it, and stop."
            })
    private @Nullable String template;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        if (model == null && (adapter.adapters().isEmpty() || tokens != null || template != null || method != null)) {
            throw new ParameterException(spec.commandLine(), "name a MODEL, or an adapter by --adapter");
        }
        if (method == null && (targets != null || layers != null || !options.isEmpty())) {
            throw new ParameterException(spec.commandLine(), "--targets, --layers and -o belong to a --method");
        }
        Inspection inspection = new Inspection(
                model, adapter.adapters(), head, compute, spec.commandLine().getErr());
        if (tokens != null) {
            show(inspection.tokens(tokens));
        } else if (template != null) {
            show(inspection.template(template));
        } else if (method != null) {
            show(inspection.plan(method, compat, methodOptions()));
        } else {
            show(adapter.adapters().isEmpty() ? inspection.model(rank) : inspection.adapters());
        }
    }

    private Map<String, String> methodOptions() {
        Map<String, String> all = new LinkedHashMap<>(options);
        if (targets != null) {
            boolean names = targets.matches("[\\w.-]+(,[\\w.-]+)*") && !targets.equals("all-linear");
            all.put("target_modules", names ? "[" + targets + "]" : "\"" + targets + "\"");
        }
        if (layers != null) {
            all.put("layers", "\"" + layers + "\"");
        }
        if (rank != null) {
            all.put("r", rank.toString());
        }
        return all;
    }

    private void show(View view) {
        if (json.json()) {
            spec.commandLine().getOut().println(view.json());
        } else {
            spec.commandLine().getOut().print(view.text());
        }
    }
}
