package dev.graft.cli.bench;

import dev.graft.cli.config.ConfigReader;
import dev.graft.cli.config.RunConfig;
import dev.graft.cli.methods.ChosenMethod;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Method;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The method that is timed: with the settings that the peer's script gives it, and what was asked for.
 *
 * @param targets modules, or null for the method's own
 * @param rank or null for the method's own
 */
record BenchMethod(
        String name, @Nullable String targets, @Nullable Integer rank) {

    /** @throws InputException if there is no such method or it doesn't take what was asked for */
    Method on(Base base, Consumer<String> notices) {
        String method = method();
        return ChosenMethod.of(
                method,
                ConfigReader.methodOptions(method, RunConfig.Compat.GRAFT, options(), notices),
                RunConfig.Compat.GRAFT,
                base);
    }

    /** @throws InputException if there is no such method */
    void requireKnown() {
        ChosenMethod.named(method());
    }

    private String method() {
        return switch (name) {
            case "prompt", "prefix" -> name + "-tuning";
            default -> name;
        };
    }

    private Map<String, String> options() {
        Map<String, String> options = new LinkedHashMap<>();
        if (name.equals("prompt")) {
            options.put("num_virtual_tokens", "20");
            options.put("prompt_tuning_init", "RANDOM");
        } else if (name.equals("prefix")) {
            options.put("num_virtual_tokens", "20");
            options.put("prefix_projection", "false");
        }
        if (targets != null) {
            boolean names = targets.matches("[\\w.]+(,[\\w.]+)*");
            options.put("target_modules", names ? "[" + targets + "]" : "\"" + targets + "\"");
        }
        if (rank != null) {
            options.put("r", rank.toString());
        }
        return options;
    }
}
