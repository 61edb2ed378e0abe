package dev.graft.peft.store;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * One version of an adapter, as described by its manifest.
 *
 * @param number counted from 1 for each name
 * @param id SHA-256 of its files
 * @param base the name of its base, or null if unknown
 * @param baseFingerprint SHA-256 of its base's tensors, or null
 * @param method such as {@code LORA}
 * @param task PEFT's task type, or null
 * @param metrics its evaluation results
 * @param bytes the size of its files
 * @param files the SHA-256 of each file as stored
 * @param signature Ed25519 of {@link #statement}, in base 64, or null
 */
public record StoredVersion(
        String name,
        int number,
        String id,
        @Nullable String base,
        @Nullable String baseFingerprint,
        String method,
        @Nullable String task,
        Map<String, Double> metrics,
        long bytes,
        Map<String, String> files,
        Instant added,
        @Nullable String signature) {
    public StoredVersion {
        metrics = Collections.unmodifiableMap(new TreeMap<>(metrics));
        files = Collections.unmodifiableMap(new TreeMap<>(files));
    }

    /** Returns the description of a new version from its files. */
    static StoredVersion of(
            String name,
            int number,
            String id,
            StoredContent content,
            Map<String, Double> metrics,
            Map<String, String> files) {
        Fields config = fields(content, "adapter_config.json");
        Fields record = content.files().containsKey("graft.json") ? fields(content, "graft.json") : null;
        String base = record != null ? record.stringOrNull("base") : null;
        String method = config.stringOrNull("peft_type");
        return new StoredVersion(
                name,
                number,
                id,
                base != null ? base : config.stringOrNull("base_model_name_or_path"),
                record == null ? null : record.stringOrNull("base_fingerprint"),
                method != null ? method : "ADAPTERHUB",
                config.stringOrNull("task_type"),
                metrics,
                content.bytes(),
                files,
                Instant.now().truncatedTo(ChronoUnit.SECONDS),
                null);
    }

    private static Fields fields(StoredContent content, String file) {
        byte[] bytes = content.files().getOrDefault(file, new byte[0]);
        return Fields.of(file, Json.parse(file, bytes));
    }

    StoredVersion signed(String newSignature) {
        return new StoredVersion(
                name, number, id, base, baseFingerprint, method, task, metrics, bytes, files, added, newSignature);
    }

    /** Returns name and number: {@code sql@3}. */
    public String title() {
        return name + "@" + number;
    }

    /**
     * Returns the content that a signature covers: these files are this version of this adapter, for this base, with these results.
     */
    byte[] statement() {
        ObjectNode said = json();
        said.remove("signature");
        // Encrypting anew changes the files in the store, not what they say.
        said.remove("files");
        return Json.compact(said).getBytes(StandardCharsets.UTF_8);
    }

    ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("name", name)
                .put("version", number)
                .put("id", id)
                .put("base", base)
                .put("base_fingerprint", baseFingerprint)
                .put("method", method)
                .put("task", task);
        ObjectNode reached = json.putObject("metrics");
        metrics.forEach(reached::put);
        json.put("bytes", bytes);
        ObjectNode hashes = json.putObject("files");
        files.forEach(hashes::put);
        return json.put("added", added.toString()).put("signature", signature);
    }

    static StoredVersion read(Fields fields) {
        Map<String, Double> metrics = new TreeMap<>();
        Fields reached = fields.object("metrics");
        reached.names().forEach(metric -> metrics.put(metric, reached.number(metric)));
        Map<String, String> files = new TreeMap<>();
        Fields hashes = fields.object("files");
        hashes.names().forEach(file -> files.put(file, hashes.string(file)));
        JsonNode bytes = fields.node("bytes");
        if (bytes == null || !bytes.isIntegralNumber() || bytes.longValue() < 0) {
            throw fields.invalid("bytes", "a number of bytes");
        }
        String id = fields.string("id");
        if (!id.matches("[0-9a-f]{64}")) {
            throw fields.invalid("id", "a SHA-256 in hexadecimal digits");
        }
        Instant added;
        try {
            added = Instant.parse(fields.string("added"));
        } catch (DateTimeParseException noInstant) {
            throw fields.invalid("added", "a time such as 2026-01-31T12:00:00Z");
        }
        return new StoredVersion(
                fields.string("name"),
                fields.integer("version"),
                id,
                fields.stringOrNull("base"),
                fields.stringOrNull("base_fingerprint"),
                fields.string("method"),
                fields.stringOrNull("task"),
                metrics,
                bytes.longValue(),
                files,
                added,
                fields.stringOrNull("signature"));
    }

    static void requireFinite(Map<String, Double> metrics) {
        metrics.forEach((metric, value) -> {
            if (!Double.isFinite(value)) {
                throw new InputException("the metric " + metric + " is " + value + ", expected a finite number");
            }
        });
    }
}
