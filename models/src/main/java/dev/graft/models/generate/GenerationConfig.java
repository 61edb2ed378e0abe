package dev.graft.models.generate;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The start of a model's texts and the tokens that it never generates, from generation_config.json and config.json.
 *
 * @param decoderStartTokens the first tokens of an encoder-decoder's answer: {@code decoder_start_token_id}, then the forced ones (BART's
 *     {@code forced_bos_token_id}; Whisper's language, task and no-timestamps tokens); empty for one-sided models
 * @param suppressTokens {@code suppress_tokens}, and Whisper's timestamps if it starts without them
 * @param beginSuppressTokens {@code begin_suppress_tokens}
 */
@SuppressWarnings("ArrayRecordComponent") // made here and handed over whole
public record GenerationConfig(int[] decoderStartTokens, BitSet suppressTokens, BitSet beginSuppressTokens) {
    /** Reads the configuration of a model, in the language that its files name. */
    public static GenerationConfig of(Base base) {
        return of(base, null);
    }

    /**
     * Reads the configuration of a model.
     *
     * @param language the language of speech, such as {@code en}, for a multilingual model; null for the one that its files name
     */
    public static GenerationConfig of(Base base, @Nullable String language) {
        if (base.task() != Task.SEQ_2_SEQ_LM) {
            return new GenerationConfig(new int[0], new BitSet(), new BitSet());
        }
        Settings settings = new Settings(base);
        List<Integer> start = new ArrayList<>(List.of(base.decoderStartToken()));
        start.addAll(settings.forced(language));
        BitSet never = settings.ids("suppress_tokens");
        Integer timeless = settings.integer("no_timestamps_token_id");
        int last = start.get(start.size() - 1);
        if (timeless != null && last == timeless
                || base.architecture().modelType().equals("whisper") && start.size() > 1) {
            never.set(last + 1, Math.max(last + 1, base.backbone().vocabSize()));
        }
        return new GenerationConfig(
                start.stream().mapToInt(Integer::intValue).toArray(), never, settings.ids("begin_suppress_tokens"));
    }

    /** Fields of generation_config.json or, where they aren't there, of config.json. */
    private record Settings(Base base, List<Fields> files) {
        Settings(Base base) {
            this(base, base.generationConfigs());
        }

        private @Nullable Fields with(String field) {
            for (Fields file : files) {
                JsonNode value = file.has(field) ? file.node(field) : null;
                if (value != null && !value.isNull()) {
                    return file;
                }
            }
            return null;
        }

        @Nullable
        Integer integer(String field) {
            Fields file = with(field);
            return file == null ? null : file.integerOrNull(field);
        }

        BitSet ids(String field) {
            BitSet ids = new BitSet();
            Fields file = with(field);
            if (file != null) {
                for (JsonNode id : file.list(field)) {
                    // Older files have -1 for what the tokenizer lacks.
                    if (id.intValue() >= 0) {
                        ids.set(id.intValue());
                    }
                }
            }
            return ids;
        }

        /** The forced tokens after the first one. */
        List<Integer> forced(@Nullable String language) {
            TreeMap<Integer, @Nullable Integer> places = new TreeMap<>();
            Fields file = with("forced_decoder_ids");
            if (file != null) {
                for (JsonNode pair : file.list("forced_decoder_ids")) {
                    if (!pair.isArray() || pair.size() != 2) {
                        throw file.invalid("forced_decoder_ids", "pairs of a place and a token");
                    }
                    JsonNode id = pair.get(1);
                    places.put(pair.get(0).intValue(), id.isNull() ? null : id.intValue());
                }
            }
            speech(places, language);
            List<Integer> ids = new ArrayList<>();
            for (int place = 1; places.containsKey(place); place++) {
                Integer id = places.get(place);
                if (id == null) {
                    throw new InputException(base.name() + " understands several languages: name one, such as en");
                }
                ids.add(id);
            }
            Integer bos = integer("forced_bos_token_id");
            if (bos != null) {
                ids.add(bos);
            }
            return ids;
        }

        /** Newer files of a model of several languages name its tokens in place of the places that they are forced at. */
        private void speech(TreeMap<Integer, @Nullable Integer> places, @Nullable String language) {
            Fields languages = with("lang_to_id");
            if (languages == null && language != null) {
                throw new InputException(
                        "the language is " + language + ", but " + base.name() + " doesn't choose between languages");
            }
            if (languages != null) {
                if (language != null) {
                    places.put(1, languages.object("lang_to_id").integer("<|" + language + "|>"));
                } else {
                    places.putIfAbsent(1, null);
                }
                Fields tasks = with("task_to_id");
                if (tasks != null && places.get(2) == null) {
                    places.put(2, tasks.object("task_to_id").integer("transcribe"));
                }
            }
            Integer timeless = integer("no_timestamps_token_id");
            if (timeless != null && !places.containsValue(timeless)) {
                places.put(places.size() + 1, timeless);
            }
        }
    }
}
