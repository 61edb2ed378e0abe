package dev.graft.cli.methods;

import dev.graft.cli.model.JsonOption;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "methods",
        description = "List the fine-tuning methods, or show what one of them does and takes.",
        mixinStandardHelpOptions = true,
        footer = {"", "Examples:", "  graft methods", "  graft methods lora", "  graft methods --json"})
public final class MethodsCommand implements Runnable {

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "A method: its options and their defaults.")
    private @Nullable String name;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        if (json.json()) {
            out.println(name == null ? MethodPages.tableJson() : MethodPages.pageJson(name));
        } else {
            out.print(name == null ? MethodPages.table() : MethodPages.page(name));
        }
    }
}
