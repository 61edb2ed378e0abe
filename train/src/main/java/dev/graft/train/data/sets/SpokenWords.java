package dev.graft.train.data.sets;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;

/** Recordings of Asterisk whose words their names tell: numbers, ordinals, letters, the phonetic alphabet, days and months. */
final class SpokenWords {
    private static final List<String> NUMBERS = List.of(
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen");
    private static final List<String> TENS =
            List.of("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety");
    private static final List<String> ORDINALS = List.of(
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
            "thirteenth",
            "fourteenth",
            "fifteenth",
            "sixteenth",
            "seventeenth",
            "eighteenth",
            "nineteenth");
    private static final List<String> DAYS =
            List.of("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday");
    private static final List<String> MONTHS = List.of(
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December");
    private static final List<String> PHONETIC = List.of(
            "alpha",
            "bravo",
            "charlie",
            "delta",
            "echo",
            "foxtrot",
            "golf",
            "hotel",
            "india",
            "juliet",
            "kilo",
            "lima",
            "mike",
            "november",
            "oscar",
            "papa",
            "quebec",
            "romeo",
            "sierra",
            "tango",
            "uniform",
            "victor",
            "whiskey",
            "x-ray",
            "yankee",
            "zulu");
    private static final List<String> WORDS = List.of(
            "digits/hundred",
            "digits/thousand",
            "digits/million",
            "digits/billion",
            "digits/minus",
            "digits/dollars",
            "digits/today",
            "digits/tomorrow",
            "digits/yesterday",
            "digits/star",
            "letters/dash",
            "letters/dot",
            "letters/plus",
            "letters/slash",
            "letters/space",
            "letters/equals",
            "letters/asterisk",
            "activated",
            "added",
            "calling",
            "cancelled",
            "disabled",
            "enabled",
            "extension",
            "goodbye",
            "hello",
            "hours",
            "location",
            "lowercase",
            "minute",
            "minutes",
            "number",
            "removed",
            "second",
            "seconds",
            "time",
            "transfer",
            "uppercase");

    private SpokenWords() {}

    static void write(Path from, Path folder) throws IOException {
        Path sounds = from.resolve("usr/share/asterisk/sounds/en_US_f_Allison");
        Path clips = Files.createDirectories(folder.resolve("clips"));
        Map<String, StringBuilder> parts = new LinkedHashMap<>();
        int number = 0;
        for (Map.Entry<String, String> word : words().entrySet()) {
            Path sound = sounds.resolve(word.getKey() + ".wav");
            String name = word.getKey().replace('/', '-') + ".wav";
            Files.copy(sound, clips.resolve(name));
            String part =
                    List.of("test", "train", "train", "validation", "train").get(number++ % 5);
            parts.computeIfAbsent(part, any -> new StringBuilder())
                    .append(Json.compact(JsonNodeFactory.instance
                            .objectNode()
                            .put("audio", "clips/" + name)
                            .put("text", word.getValue())))
                    .append('\n');
        }
        parts.forEach((part, lines) -> AtomicWrite.text(folder.resolve(part + ".jsonl"), lines.toString()));
    }

    /** Returns the spoken words, by the name of the recording. */
    static Map<String, String> words() {
        Map<String, String> words = new LinkedHashMap<>();
        for (int i = 0; i < NUMBERS.size(); i++) {
            words.put("digits/" + i, NUMBERS.get(i));
        }
        for (int i = 0; i < TENS.size(); i++) {
            words.put("digits/" + 10 * (i + 2), TENS.get(i));
        }
        for (int i = 0; i < ORDINALS.size(); i++) {
            words.put("digits/h-" + (i + 1), ORDINALS.get(i));
        }
        for (int i = 0; i < DAYS.size(); i++) {
            words.put("digits/day-" + i, DAYS.get(i));
        }
        for (int i = 0; i < MONTHS.size(); i++) {
            words.put("digits/mon-" + i, MONTHS.get(i));
        }
        List<String> names = new ArrayList<>(PHONETIC);
        for (int i = 0; i < names.size(); i++) {
            words.put("phonetic/" + (char) ('a' + i) + "_p", names.get(i));
            words.put("letters/" + (char) ('a' + i), String.valueOf((char) ('A' + i)));
        }
        WORDS.forEach(word -> words.put(word, word.substring(word.indexOf('/') + 1)));
        return words;
    }
}
