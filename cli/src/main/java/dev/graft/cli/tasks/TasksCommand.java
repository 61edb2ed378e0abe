package dev.graft.cli.tasks;

import dev.graft.cli.model.JsonOption;
import dev.graft.eval.tasks.TaskType;
import dev.graft.eval.tasks.TaskTypes;
import java.io.PrintWriter;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "tasks",
        description = "List the tasks that a model can learn, or show the rows and options of one of them.",
        mixinStandardHelpOptions = true,
        footer = {"", "Examples:", "  graft tasks", "  graft tasks dpo", "  graft tasks --json"})
public final class TasksCommand implements Runnable {

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "A task: its rows, options and defaults.")
    private @Nullable String name;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        List<TaskType> tasks = name == null ? TaskTypes.named() : List.of(TaskPages.named(name));
        PrintWriter out = spec.commandLine().getOut();
        if (json.json()) {
            out.println(TaskPages.json(tasks));
        } else {
            out.print(name == null ? TaskPages.table(tasks) : TaskPages.page(tasks.get(0)));
        }
    }
}
