package dev.graft.run.bench;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Method;
import dev.graft.run.config.ConfigReader;
import dev.graft.run.config.RunConfig;
import dev.graft.run.methods.MethodFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The method to time, with the settings of the script for Hugging Face PEFT and the given ones.
 *
 * @param targets the target modules; null for the method's default
 * @param rank the rank; null for the method's default
 */
public record BenchMethod(
        String name, @Nullable String targets, @Nullable Integer rank) {

    /**
     * Creates the method for a base.
     *
     * @throws InputException if there is no such method, or it has no such option
     */
    public Method on(Base base, Consumer<String> notices) {
        String method = method();
        return MethodFactory.of(
                method,
                ConfigReader.methodOptions(method, RunConfig.Compat.GRAFT, options(), notices),
                RunConfig.Compat.GRAFT,
                base);
    }

    /** @throws InputException if there is no such method */
    void requireKnown() {
        MethodFactory.named(method());
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
