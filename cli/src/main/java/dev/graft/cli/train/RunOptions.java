package dev.graft.cli.train;

import dev.graft.formats.InputException;
import dev.graft.run.config.ConfigKey;
import dev.graft.run.config.ConfigKeys;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.Recipes;
import dev.graft.run.config.RunConfig;
import dev.graft.run.config.ValueType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;

/**
 * The options of a run on a command line: {@code graft train recipes/minilm.yaml epochs=2 --seed 7 --lora.r 8}. Declared options are
 * picocli options with help under their topics. Options of methods and names of other trainers are accepted undeclared.
 */
public final class RunOptions {
    private RunOptions() {}

    /** Adds the options of a run and their help to a command. */
    public static void addTo(CommandSpec command) {
        command.parser().unmatchedOptionsArePositionalParams(true);
        command.addPositional(PositionalParamSpec.builder()
                .paramLabel("WORD")
                .arity("0..*")
                .type(List.class)
                .auxiliaryTypes(String.class)
                .hidden(true)
                .build());
        Map<String, ArgGroupSpec.Builder> topics = new LinkedHashMap<>();
        ConfigKeys.RUN.values().forEach(key -> topic(topics, key).addArg(option(key, key.flag())));
        ConfigKeys.LOW_RANK
                .values()
                .forEach(key -> topic(topics, key)
                        .addArg(option(key, "--lora." + key.flag().substring(2))));
        topics.values().forEach(topic -> command.addArgGroup(topic.build()));
        String name = command.qualifiedName();
        command.usageMessage()
                .sortOptions(false)
                .customSynopsis(name + " [RECIPE] [key=value…] [OPTIONS]")
                .footer(
                        "",
                        "RECIPE is a YAML file, or the name of one in recipes/. Every option is also a key of it and,"
                                + " as key=value,",
                        "an override. Flags win over overrides, those over the recipe, that over the defaults. Options"
                                + " of a method",
                        "are written METHOD.option. `graft config-schema` prints the format of recipes.",
                        "",
                        "Examples:",
                        "  " + name
                                + " --model file:models/minilm --data reviews.jsonl --epochs 2 --output-dir"
                                + " runs/reviews",
                        "  " + name + " recipes/smollm2-chat.yaml lora.r=8 learning_rate=1e-4",
                        "  " + name + " smollm2-chat --dry-run");
    }

    private static ArgGroupSpec.Builder topic(Map<String, ArgGroupSpec.Builder> topics, ConfigKey key) {
        return topics.computeIfAbsent(
                key.topic(),
                topic -> ArgGroupSpec.builder()
                        .heading("%n" + topic + ":%n")
                        .order(topics.size())
                        .exclusive(false)
                        .validate(false)
                        .multiplicity("0..1"));
    }

    private static OptionSpec option(ConfigKey key, String flag) {
        boolean flagOnly = key.type() instanceof ValueType.TrueOrFalse;
        String otherwise = key.declaration().required() ? "required" : "default: " + key.defaultInWords();
        String names =
                key.type().paramLabel().equals("NAME") ? ": " + key.type().expected() : "";
        return OptionSpec.builder(flag)
                .type(flagOnly ? Boolean.class : String.class)
                .arity(flagOnly ? "0..1" : "1")
                .paramLabel(key.type().paramLabel())
                .description((key.declaration().value() + names).replace("%", "%%") + " (" + otherwise + ")")
                .build();
    }

    /**
     * Reads the config of a run from a parsed command line.
     *
     * @param notices receives notices about accepted names of other trainers
     * @throws InputException about the first unknown option or wrong value
     */
    public static RunConfig read(ParseResult parsed, Recipes recipes, Consumer<String> notices) {
        return read(parsed, recipes, notices, Map.of());
    }

    /**
     * Reads the config of a run from a parsed command line, with other values for some options.
     *
     * @param others values by the names of options, which take precedence over the command line
     * @throws InputException about the first unknown option or wrong value
     */
    public static RunConfig read(
            ParseResult parsed, Recipes recipes, Consumer<String> notices, Map<String, String> others) {
        Map<String, String> flags = new LinkedHashMap<>();
        for (OptionSpec option : parsed.matchedOptions()) {
            Object value = option.getValue();
            String name = option.longestName().substring(2);
            if (isRunOption(name) && value != null) {
                flags.put(name, value.toString());
            }
        }
        Words words = new Words(parsed.matchedPositionals().stream()
                .distinct()
                .flatMap(positional -> positional.originalStringValues().stream())
                .toList());
        words.flags.forEach((name, value) -> {
            if (flags.put(name, value) != null) {
                throw new InputException("--" + name + " is given twice");
            }
        });
        others.forEach((name, value) -> flags.put(name.replace('_', '-'), value));
        Path recipe = words.recipe == null ? null : recipes.find(words.recipe);
        return ConfigReader.read(recipe, words.overrides, flags, notices);
    }

    private static boolean isRunOption(String flag) {
        String name = flag.replace('-', '_');
        return ConfigKeys.RUN.containsKey(name)
                || name.startsWith("lora.") && ConfigKeys.LOW_RANK.containsKey(name.substring("lora.".length()));
    }

    /** The words that picocli has no option for. */
    private static final class Words {
        private @Nullable String recipe;
        private final List<String> overrides = new ArrayList<>();
        private final Map<String, String> flags = new LinkedHashMap<>();

        Words(List<String> words) {
            for (int i = 0; i < words.size(); i++) {
                String word = words.get(i);
                if (word.startsWith("--") && word.length() > 2) {
                    int equals = word.indexOf('=');
                    boolean alone = i + 1 == words.size()
                            || words.get(i + 1).startsWith("--")
                            || ConfigReader.isOverride(words.get(i + 1));
                    String name = word.substring(2, equals < 0 ? word.length() : equals);
                    String value = equals >= 0 ? word.substring(equals + 1) : alone ? "true" : words.get(++i);
                    if (flags.put(name, value) != null) {
                        throw new InputException("--" + name + " is given twice");
                    }
                } else if (ConfigReader.isOverride(word)) {
                    overrides.add(word);
                } else if (recipe == null) {
                    recipe = word;
                } else {
                    throw new InputException(word + " stands after the recipe " + recipe
                            + ", expected key=value or an option such as --seed 7");
                }
            }
        }
    }
}
