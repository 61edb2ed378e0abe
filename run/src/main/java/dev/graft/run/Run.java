package dev.graft.run;

import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.MemorySize;
import dev.graft.run.config.RunConfig;
import dev.graft.run.progress.RunListener;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A training run that a recipe describes, as {@code graft train} starts it.
 *
 * <pre>{@code
 * RunResult result = Run.of(Path.of("recipe.yaml")).with("epochs", "1").train();
 * }</pre>
 *
 * @param recipe a YAML file; null to use {@code overrides} only
 * @param overrides options in the form {@code key=value}, which take precedence over the recipe
 * @param listener receives notices, progress and training events
 */
@RecordBuilder
public record Run(@Nullable Path recipe, List<String> overrides, RunListener listener) implements RunBuilder.With {

    public Run {
        overrides = List.copyOf(overrides);
    }

    /** Returns the run of a recipe. */
    public static Run of(Path recipe) {
        return new Run(recipe, List.of(), RunListener.SILENT);
    }

    /** Returns a copy with another value for an option, by its name in a recipe such as {@code lora.r}. */
    public Run with(String key, String value) {
        List<String> more = new ArrayList<>(overrides);
        more.add(key + "=" + value);
        return withOverrides(more);
    }

    /**
     * Returns the config of the recipe and the overrides.
     *
     * @throws dev.graft.formats.InputException about the first unknown option or wrong value
     */
    public RunConfig config() {
        return ConfigReader.read(recipe, overrides, Map.of(), listener::onNotice);
    }

    /**
     * Trains, evaluates and writes the adapter, the report and the resolved recipe into the run's {@code output_dir}.
     *
     * @throws dev.graft.formats.InputException if the rows, the base or the settings can't be used
     * @throws CancellationException if the listener stops the run before or after the training steps
     */
    public RunResult train() {
        RunConfig config = config();
        RunFolder.of(config).check();
        Stream<String> words = Stream.of("train");
        if (recipe != null) {
            words = Stream.concat(words, Stream.of(recipe.toString()));
        }
        String command = command(Stream.concat(words, overrides.stream()).toList());
        try (PreparedRun prepared = new RunPreparation(config, listener).prepare()) {
            return train(prepared, command, listener);
        }
    }

    /**
     * Trains a prepared run.
     *
     * @param command the command to quote in the resolved recipe, see {@link #command}
     */
    public static RunResult train(PreparedRun prepared, String command, RunListener listener) {
        MemorySize limit = prepared.config().economy().memoryLimit();
        if (limit != null) {
            new MemoryLimit(limit.bytes()).check(prepared);
        }
        return new TrainRun(prepared, command, listener).run();
    }

    /** Joins the words of a command, quoted for a shell. */
    public static String command(List<String> words) {
        return Stream.concat(Stream.of("graft"), words.stream().map(Run::quoted))
                .collect(Collectors.joining(" "));
    }

    private static String quoted(String word) {
        return word.matches("[\\w./:=+,@%^-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
