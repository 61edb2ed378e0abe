package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.audio.LogMel;
import dev.graft.models.audio.Sound;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes down what is said.
 *
 * <pre>{@code
 * Transcriber transcriber = new Transcriber(base, Hooks.NONE, GenerateOptions.DEFAULT, null);
 * String text = transcriber.transcribe(Sound.read(Path.of("memo.wav")));
 * }</pre>
 */
public final class Transcriber {
    private final LogMel ears;
    private final Generator generator;
    private final Hooks hooks;
    private final GenerateOptions options;

    /**
     * A transcriber.
     *
     * @param base a model of speech
     * @param language such as {@code en}, or null; see {@link Generator#Generator(Base, dev.graft.models.tokenizers.Tokenizer, String)}
     * @throws dev.graft.formats.InputException if the base doesn't hear
     */
    public Transcriber(Base base, Hooks hooks, GenerateOptions options, @Nullable String language) {
        this.ears = base.logMel();
        this.generator = new Generator(base, base.tokenizer(), language);
        this.hooks = hooks;
        this.options = options;
    }

    /** The text of a recording of any length and rate: that of its pieces, one after another. */
    public String transcribe(Sound sound) {
        List<String> texts = new ArrayList<>();
        for (Sound piece : sound.pieces(ears.seconds())) {
            try (Scope scope = new Scope()) {
                Inputs heard = Inputs.images(Tensors.of(ears.of(piece), 1, 1, ears.bands(), ears.frames()));
                String text = generator
                        .generate(heard, options, hooks, TextListener.SILENT)
                        .get(0)
                        .text()
                        .strip();
                if (!text.isEmpty()) {
                    texts.add(text);
                }
            }
        }
        return String.join(" ", texts);
    }
}
