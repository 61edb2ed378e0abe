package dev.graft.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "completion",
        description = "Print a script that completes graft's commands and options in bash or zsh.",
        mixinStandardHelpOptions = true,
        footer = {"", "  source <(graft completion bash)", "  source <(graft completion zsh)"})
final class CompletionCommand implements Runnable {

    /** One script serves both: for zsh it turns on that shell's support for bash's completions. */
    enum Shell {
        bash,
        zsh
    }

    @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}")
    @SuppressWarnings({"NullAway.Init", "UnusedVariable"}) // bash and zsh read one script
    private Shell shell;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().getOut().print(AutoComplete.bash("graft", spec.root().commandLine()));
    }
}
