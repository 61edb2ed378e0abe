package dev.graft.cli.train;

import dev.graft.cli.terminal.Table;
import dev.graft.run.config.Recipes;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "recipes",
        description = "List the recipes that can be run by name, show one, or copy one to change it.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Examples:",
            "  graft recipes",
            "  graft recipes minilm-classify",
            "  graft recipes copy minilm-classify"
        })
public final class RecipesCommand implements Runnable {

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "A recipe: its text.")
    private @Nullable String name;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    @Override
    public void run() {
        Recipes recipes = Recipes.ofProject();
        if (name != null) {
            out().print(recipes.text(name));
            return;
        }
        Table table = new Table("recipe", "what it does");
        recipes.names().forEach(recipe -> table.row(recipe, recipes.title(recipe)));
        out().print(table
                + "\n`graft recipes NAME` shows one, `graft recipes copy NAME` copies it and its data here.\n");
    }

    @Command(
            description =
                    "Copy a recipe and its data to recipes/ of this folder, where it is found before Graft's own.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example:", "  graft recipes copy minilm-classify && graft train minilm-classify epochs=2"})
    void copy(
            @Parameters(paramLabel = "NAME", description = "A recipe.") String recipe,
            @Option(
                            names = "--to",
                            paramLabel = "DIR",
                            defaultValue = ".",
                            description = "Folder that gets recipes/ (default: this one).")
                    Path folder) {
        Recipes.ofProject().copy(recipe, folder.normalize()).forEach(file -> out().println("wrote " + file));
    }
}
