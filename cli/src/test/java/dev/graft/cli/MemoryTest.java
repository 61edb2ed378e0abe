package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What real runs take of memory, each in a process with the settings of the launcher. */
@Tag("slow")
@EnabledOnOs(OS.LINUX)
class MemoryTest {
    private static final Pattern SETTINGS = Pattern.compile("malloc=(\\S+)\\s+heap='([^']*)'");
    private static final Pattern KEPT = Pattern.compile(
            "ONEDNN_PRIMITIVE_CACHE_CAPACITY:-\\$\\(\\((\\d+) \\* cores\\)\\)}\" LRU_CACHE_CAPACITY=\"\\$\\{LRU_CACHE_CAPACITY:-(\\d+)}");
    private static final Pattern ARENAS = Pattern.compile("arenas=\\$\\(\\((\\d+) \\* cores\\)\\)");
    private static final int CORES = 2;
    private static final Pattern ADVICE =
            Pattern.compile("It fits with (.*?) \\(about|; (quantization=\\w+) takes less");
    private static final Pattern ESTIMATE = Pattern.compile("estimate: about ([\\d,]+) MiB");
    private static final long LIMIT = 700;

    @TempDir
    private Path folder;

    private record Outcome(int code, String text) {}

    @BeforeEach
    void rows() throws IOException {
        String[] words = "the ship sailed over a wide sea and its crew sang of gold storms whales".split(" ");
        StringBuilder texts = new StringBuilder();
        StringBuilder labelled = new StringBuilder();
        for (int row = 0; row < 32; row++) {
            StringBuilder text = new StringBuilder();
            // Of many lengths: oneDNN keeps code for each.
            for (int i = 0; i < 30 + 12 * row; i++) {
                text.append(words[(row * 7 + i * i) % words.length]).append(' ');
            }
            texts.append("{\"text\": \"").append(text).append("\"}\n");
            labelled.append("{\"text\": \"%s\", \"label\": \"%s\"}\n".formatted(text, row % 2 == 0 ? "a" : "b"));
        }
        Files.writeString(folder.resolve("texts.jsonl"), texts);
        Files.writeString(folder.resolve("labelled.jsonl"), labelled);
    }

    private Outcome train(Map<String, String> settings, String... more) throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of("train"));
        settings.forEach((name, value) -> words.add(name + "=" + value));
        words.add("output_dir=" + folder.resolve("run"));
        words.addAll(List.of(more));
        String script = Files.readString(Path.of("../graft"));
        Matcher launcher = SETTINGS.matcher(script);
        assertThat(launcher.find()).isTrue();
        Matcher kept = KEPT.matcher(script);
        assertThat(kept.find()).isTrue();
        Matcher arenas = ARENAS.matcher(script);
        assertThat(arenas.find()).isTrue();
        boolean limited = settings.containsKey("memory_limit");
        if (!limited) {
            assertThat(launcher.find()).isTrue();
        }
        List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java"));
        command.addAll(List.of(launcher.group(2).split(" ")));
        command.addAll(
                List.of("-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"), Graft.class.getName()));
        command.addAll(words);
        Path log = folder.resolve("log");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment()
                .putAll(Map.of(
                        "GLIBC_TUNABLES",
                        "glibc.malloc.arena_max=" + (limited ? CORES * Integer.parseInt(arenas.group(1)) : CORES)
                                + ":glibc.malloc." + launcher.group(1),
                        "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
                        String.valueOf(CORES * Integer.parseInt(kept.group(1))),
                        "LRU_CACHE_CAPACITY",
                        kept.group(2)));
        int code = builder.start().waitFor();
        return new Outcome(code, Files.readString(log, StandardCharsets.UTF_8));
    }

    /** The most that the run took, in MiB. */
    private long peak() {
        return Json.read(folder.resolve("run/report.json"))
                        .at("/cost/peak_resident/value")
                        .longValue()
                >> 20;
    }

    @Test
    void whoFollowsTheAdviceOfARefusalStaysWithinTheLimit() throws Exception {
        Map<String, String> settings = new LinkedHashMap<>(Map.of(
                "model", "smollm2",
                "data", folder.resolve("texts.jsonl").toString(),
                "overflow", "truncate",
                "max_seq_length", "256",
                "batch_size", "8",
                "max_steps", "3",
                "memory_limit", LIMIT + "m"));
        Outcome outcome = train(settings);
        assertThat(outcome.code()).as(outcome.text()).isEqualTo(2);
        for (int again = 0; again < 3 && outcome.code() == 2; again++) {
            Matcher advice = ADVICE.matcher(outcome.text());
            assertThat(advice.find()).as(outcome.text()).isTrue();
            String changes = advice.group(1) == null ? advice.group(2) : advice.group(1);
            for (String change : changes.split(" ")) {
                settings.put(change.substring(0, change.indexOf('=')), change.substring(change.indexOf('=') + 1));
            }
            outcome = train(settings);
        }
        assertThat(outcome.code()).as(settings + "\n" + outcome.text()).isZero();
        assertThat(peak()).as(settings.toString()).isLessThanOrEqualTo(LIMIT);
    }

    /** Four rows a step, one after another: what each length leaves must not stand beside the next. */
    @Test
    void aRunOverRowsOfManyLengthsTakesWhatWasEstimated() throws Exception {
        Map<String, String> settings = new LinkedHashMap<>(Map.of(
                "model", "smollm2",
                "data", "../recipes/data/chat-train.jsonl",
                "quantization", "nf4",
                "batch_size", "1",
                "gradient_accumulation_steps", "4",
                "max_steps", "8",
                "memory_limit", LIMIT + "m"));
        Outcome dry = train(settings, "--dry-run");
        Matcher estimate = ESTIMATE.matcher(dry.text());
        assertThat(estimate.find()).as(dry.text()).isTrue();
        Outcome run = train(settings);
        assertThat(run.code()).as(run.text()).isZero();
        assertThat(peak()).isLessThanOrEqualTo(LIMIT);
        assertThat(Long.parseLong(estimate.group(1))).isCloseTo(peak(), Percentage.withPercentage(15));
    }

    /** Settings of a small run within a limit that the whole base is a little too large for. */
    private Map<String, String> withoutRoomForAWholeBase(Map<String, String> more) throws Exception {
        Map<String, String> settings = new LinkedHashMap<>(Map.of(
                "model",
                "smollm2",
                "data",
                folder.resolve("texts.jsonl").toString(),
                "overflow",
                "truncate",
                "max_seq_length",
                "64",
                "batch_size",
                "1",
                "max_steps",
                "2",
                "memory_limit",
                "8g"));
        settings.putAll(more);
        Outcome dry = train(settings, "--dry-run");
        Matcher whole = ESTIMATE.matcher(dry.text());
        assertThat(whole.find()).as(dry.text()).isTrue();
        settings.put("memory_limit", Long.parseLong(whole.group(1).replace(",", "")) - 50 + "m");
        settings.put("quantization", "auto");
        return settings;
    }

    @Test
    void aBaseThatDoesNotFitWholeIsKeptInEightBits() throws Exception {
        Map<String, String> settings = withoutRoomForAWholeBase(Map.of());
        Outcome run = train(settings);
        assertThat(run.code()).as(run.text()).isZero();
        assertThat(run.text()).contains("quantization=auto takes int8");
        assertThat(peak())
                .isLessThanOrEqualTo(Long.parseLong(settings.get("memory_limit").replace("m", "")));
    }

    /** LoftQ of four bits takes a whole base, and one in four bits, but none in eight. */
    @Test
    void aStartForFourBitsTakesThemWhereEightWouldFit() throws Exception {
        Outcome run = train(withoutRoomForAWholeBase(Map.of(
                "model",
                "mpnet",
                "data",
                folder.resolve("labelled.jsonl").toString(),
                "dtype",
                "fp32",
                "lora.init_lora_weights",
                "loftq",
                "lora.target_modules",
                "[q]")));
        assertThat(run.code()).as(run.text()).isZero();
        assertThat(run.text())
                .contains("quantization=auto tries nf4")
                .contains("quantization=auto takes nf4, since int8 was refused: loftq_config asks for 4 bits");
    }

    @ParameterizedTest
    @CsvSource({"smollm2,texts,4,128", "minilm,labelled,8,256"})
    void theEstimateIsWithinFifteenPercentOfWhatIsMeasured(String model, String rows, String batch, String length)
            throws Exception {
        Map<String, String> settings = new LinkedHashMap<>(Map.of(
                "model",
                model,
                "data",
                folder.resolve(rows + ".jsonl").toString(),
                "overflow",
                "truncate",
                "max_seq_length",
                length,
                "batch_size",
                batch,
                "max_steps",
                "4"));
        Outcome dry = train(settings, "--dry-run");
        Matcher estimate = ESTIMATE.matcher(dry.text());
        assertThat(estimate.find()).as(dry.text()).isTrue();
        Outcome run = train(settings);
        assertThat(run.code()).as(run.text()).isZero();
        long estimated = Long.parseLong(estimate.group(1).replace(",", ""));
        assertThat(estimated).isCloseTo(peak(), Percentage.withPercentage(15));
    }
}
