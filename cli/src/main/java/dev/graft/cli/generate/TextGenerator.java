package dev.graft.cli.generate;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Interruption;
import dev.graft.formats.Json;
import dev.graft.models.cache.KvCache;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.GeneratedText;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.UnitFormat;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A loaded model that writes text to an output. */
final class TextGenerator {
    private final LoadedModel loaded;
    private final Generator generator;
    private final Hooks hooks;
    private final GenerateOptions options;
    private final PrintWriter out;
    private final PrintWriter err;

    /**
     * A finished text.
     *
     * @param nanos the duration in nanoseconds, the prompt included
     */
    record Output(GeneratedText generated, long nanos) {
        double tokensPerSecond() {
            return generated.ids().length * 1e9 / nanos;
        }

        ObjectNode json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("text", generated.text());
            ArrayNode ids = json.putArray("ids");
            Arrays.stream(generated.ids()).forEach(ids::add);
            json.put("finish_reason", generated.reason().name().toLowerCase(Locale.ROOT));
            json.put("seconds", nanos / 1e9);
            json.put("tokens_per_second", tokensPerSecond());
            return json;
        }
    }

    private TextGenerator(LoadedModel loaded, GenerateOptions options, PrintWriter out, PrintWriter err) {
        this.loaded = loaded;
        this.generator = new Generator(loaded.base());
        this.hooks = loaded.selection().hooks();
        this.options = options;
        this.out = out;
        this.err = err;
    }

    static TextGenerator of(
            String model,
            List<String> adapters,
            ComputeOptions compute,
            PackOption pack,
            SamplingOptions sampling,
            PrintWriter out,
            PrintWriter err) {
        LoadedModel loaded = LoadedModel.of(model, adapters, HeadSettings.DEFAULT, compute, new ConsoleListener(err));
        pack.apply(loaded.base());
        return new TextGenerator(loaded, sampling.options(), out, err);
    }

    LoadedModel loaded() {
        return loaded;
    }

    int maxNewTokens() {
        return options.maxNewTokens();
    }

    /**
     * Generates text after token ids.
     *
     * @param streams true to print the text while it is generated
     * @param cache the keys and values of the text so far
     * @return the text; null if the process was interrupted
     */
    @Nullable
    Output write(int[] ids, boolean streams, KvCache cache) {
        TextListener listener = (row, piece) -> {
            if (Interruption.requested()) {
                throw new CancellationException();
            }
            if (streams) {
                out.print(piece);
                out.flush();
            }
        };
        long start = System.nanoTime();
        try {
            GeneratedText generated = generator.generate(ids, options, hooks, listener, cache);
            return new Output(generated, System.nanoTime() - start);
        } catch (CancellationException askedToEnd) {
            return null;
        }
    }

    /** Continues a prompt and prints the text. */
    void complete(String prompt, boolean streams, boolean asJson) {
        String read = prompt.equals("-") ? standardInput() : prompt;
        int[] ids =
                loaded.base().tokenizer().encode(read, EncodeOptions.DEFAULT).ids();
        Output text;
        try (KvCache cache = new KvCache(0)) {
            text = write(ids, streams, cache);
        }
        if (text == null) {
            return;
        }
        if (asJson) {
            ObjectNode json = text.json();
            json.put("prompt", read);
            json.put("prompt_tokens", ids.length);
            out.println(Json.pretty(json));
        } else {
            out.println(streams ? "" : text.generated().text());
        }
        out.flush();
        err.println(summary(text));
    }

    private static String standardInput() {
        try {
            return new String(System.in.readAllBytes(), StandardCharsets.UTF_8).stripTrailing();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read standard input: " + e.getMessage(), e);
        }
    }

    static String summary(Output text) {
        String end = switch (text.generated().reason()) {
            case END_TOKEN -> "the model ended the text";
            case STOP_STRING -> "a --stop text appeared";
            case LENGTH -> "cut at the length allowed";
        };
        return text.generated().ids().length + " tokens, " + UnitFormat.count(text.tokensPerSecond()) + " tokens/s, "
                + end;
    }
}
