package dev.graft.eval.predict;

import dev.graft.models.Base;
import dev.graft.models.audio.LogMel;
import dev.graft.models.audio.Waveform;
import dev.graft.models.forward.Inputs;
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
 * Transcribes recordings with a speech model such as Whisper.
 *
 * <pre>{@code
 * Transcriber transcriber = new Transcriber(base, Hooks.NONE, GenerateOptions.DEFAULT, null);
 * String text = transcriber.transcribe(Waveform.read(Path.of("memo.wav")));
 * }</pre>
 */
public final class Transcriber {
    private final LogMel logMel;
    private final Generator generator;
    private final Hooks hooks;
    private final GenerateOptions options;

    /**
     * Creates a transcriber.
     *
     * @param base a speech model
     * @param language a language such as {@code en}, or null; see {@link Generator#Generator(Base, dev.graft.models.tokenizers.Tokenizer,
     *     String)}
     * @throws dev.graft.formats.InputException if the base isn't a speech model
     */
    public Transcriber(Base base, Hooks hooks, GenerateOptions options, @Nullable String language) {
        this.logMel = base.logMel();
        this.generator = new Generator(base, base.tokenizer(), language);
        this.hooks = hooks;
        this.options = options;
    }

    /** Returns the text of a recording of any length and sample rate. A long recording is transcribed in chunks. */
    public String transcribe(Waveform waveform) {
        List<String> texts = new ArrayList<>();
        for (Waveform chunk : waveform.chunks(logMel.seconds())) {
            try (Scope scope = new Scope()) {
                Inputs inputs = Inputs.images(Tensors.of(logMel.of(chunk), 1, 1, logMel.bands(), logMel.frames()));
                String text = generator
                        .generate(inputs, options, hooks, TextListener.SILENT)
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
