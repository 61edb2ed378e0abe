package dev.graft.train.data;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.audio.LogMel;
import dev.graft.models.audio.Waveform;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.SpecialTokens;
import dev.graft.models.tokenizers.Tokenizer;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Encodes recordings with their transcripts for a speech model such as Whisper. Encoding reads a recording once, so that a damaged file is
 * found before training; each batch computes the log-mel spectrogram again. The decoder prompt is learnt too, except its first token.
 *
 * @param start the decoder prompt that precedes every transcript, with its language and task tokens
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by contract
public record SpeechEncoder(LogMel logMel, Tokenizer tokenizer, int[] start) implements RowEncoder {
    private static final EncodeOptions PLAIN = EncodeOptions.DEFAULT.withAddSpecialTokens(false);

    @Override
    public Example encode(int index, Row row, String place, int maxLength) {
        if (!(row instanceof Row.Speech speech)) {
            throw RowEncoder.unsupported(row, place, "fine-tuning a model of speech", RowShape.SPEECH);
        }
        double seconds = seconds(speech, place);
        if (seconds > logMel.seconds()) {
            throw new InputException(String.format(
                    Locale.ROOT,
                    "%s: %s takes %.1f s, but the model hears %d s at once: cut the recording and its text",
                    place,
                    speech.audio(),
                    seconds,
                    logMel.seconds()));
        }
        int[] text = tokenizer.encode(speech.text(), PLAIN).ids();
        int end = tokenizer.specialTokens().require(SpecialTokens.TokenRole.EOS).id();
        int[] whole = Stream.of(start, text, new int[] {end})
                .flatMapToInt(Arrays::stream)
                .toArray();
        int[] ids = whole.length > maxLength ? Arrays.copyOf(whole, maxLength) : whole;
        int[] labels = ids.clone();
        labels[0] = Target.NONE;
        Image heard = new Image(1, logMel.bands(), logMel.frames(), () -> logMel.of(Waveform.read(speech.audio())));
        return new Example(index, new int[0], null, new Target.Tokens(labels), ids, heard);
    }

    private static double seconds(Row.Speech speech, String place) {
        try {
            return Waveform.read(speech.audio()).seconds();
        } catch (InputException damaged) {
            throw new FormatException(place, String.valueOf(damaged.getMessage()), damaged);
        }
    }
}
