package dev.graft.parity;

import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Runs every case of a tree of reference fixtures: PEFT's, or AdapterHub's.
 *
 * <pre>{@code
 * ParityReport report = Parity.run(Path.of("fixtures/hf"), result -> System.out.println(result.id()));
 * System.out.println(report.table());
 * }</pre>
 */
public final class Parity {
    private static final List<CaseGroup> GROUPS = List.of(
            new TokensParity(),
            new BasesParity(),
            new AdaptersParity(),
            new LayersParity(),
            new CompositionParity(),
            new TrainingParity(),
            new ModuleMatchingParity(),
            new ConfigsParity(),
            new MathsParity(),
            new MalformedParity());

    private static final List<CaseGroup> ADAPTER_HUB = List.of(
            new BasesParity(),
            new AdapterHubAdaptersParity(),
            new AdapterHubCompositionParity(),
            new AdapterHubTrainingParity("training"),
            new AdapterHubTrainingParity("formula"));

    private Parity() {}

    /**
     * Runs the cases of every group that the tree has, or those of one group if the folder is a group of a tree, in fp32 unless a case says otherwise, and tells the listener of each as it ends.
     *
     * @throws InputException if there is no case in the folder
     */
    public static ParityReport run(Path tree, Consumer<CaseResult> listener) {
        if (!Files.isDirectory(tree)) {
            throw new InputException(tree + ": there is no such folder");
        }
        Path folder = tree.toAbsolutePath().normalize();
        Path parent = folder.getParent();
        return parent != null && isGroup(folder)
                ? run(parent, group -> folder.endsWith(group.name()), listener)
                : run(tree, group -> true, listener);
    }

    /** Returns whether the folder is one kind of case out of a tree. */
    private static boolean isGroup(Path folder) {
        return Stream.concat(GROUPS.stream(), ADAPTER_HUB.stream()).anyMatch(group -> folder.endsWith(group.name()))
                && Files.isDirectory(folder.resolveSibling("bases"))
                && !Files.isDirectory(folder.resolve("bases"));
    }

    private static ParityReport run(Path tree, Predicate<CaseGroup> wanted, Consumer<CaseResult> listener) {
        CaseRunner runner = new CaseRunner(listener);
        List<CaseGroup> groups = (AdapterHubBase.isTree(tree) ? ADAPTER_HUB : GROUPS)
                .stream().filter(wanted).toList();
        for (CaseGroup group : groups) {
            group.run(tree, runner);
        }
        if (runner.results().isEmpty()) {
            throw new InputException(tree + ": has no cases: expected folders such as "
                    + String.join(", ", groups.stream().map(CaseGroup::name).toList()));
        }
        return new ParityReport(runner.results());
    }
}
