package dev.graft.models.chat.internal;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/** The chat templates in a model folder. */
public final class TemplateFiles {

    private TemplateFiles() {}

    /** Templates by name; empty if the folder has none. */
    public static Map<String, String> find(Path folder) {
        Map<String, String> templates = new LinkedHashMap<>();
        Path single = folder.resolve("chat_template.jinja");
        if (Files.isRegularFile(single)) {
            templates.put("default", text(single));
        }
        Path others = folder.resolve("additional_chat_templates");
        if (Files.isDirectory(others)) {
            try (Stream<Path> files = Files.list(others)) {
                for (Path file : files.filter(file -> file.toString().endsWith(".jinja"))
                        .sorted()
                        .toList()) {
                    templates.put(file.getFileName().toString().replaceFirst("\\.jinja$", ""), text(file));
                }
            } catch (IOException e) {
                throw new FileAccessException("cannot list " + others, e);
            }
        }
        for (String name : List.of("tokenizer_config.json", "chat_template.json")) {
            Path file = folder.resolve(name);
            if (templates.isEmpty() && Files.isRegularFile(file)) {
                templates.putAll(read(file.toString(), Json.read(file).path("chat_template")));
            }
        }
        return templates;
    }

    /** A text, or a list (or object) of texts with names; empty if there is none. */
    public static Map<String, String> read(String source, JsonNode template) {
        Map<String, String> templates = new LinkedHashMap<>();
        if (template.isString()) {
            templates.put("default", template.stringValue());
        } else if (template.isArray()) {
            for (JsonNode named : template) {
                put(source, templates, named.path("name").asString(""), named.path("template"));
            }
        } else if (template.isObject()) {
            template.properties().forEach(named -> put(source, templates, named.getKey(), named.getValue()));
        } else if (!template.isNull() && !template.isMissingNode()) {
            throw new FormatException(
                    source, "chat_template is " + template + ", expected a text or a list of named texts", null);
        }
        return templates;
    }

    private static void put(String source, Map<String, String> templates, String name, JsonNode template) {
        if (name.isEmpty() || !template.isString()) {
            throw new FormatException(
                    source, "chat_template has an entry without a \"name\" and a \"template\" that are texts", null);
        }
        templates.put(name, template.stringValue());
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new FormatException(file.toString(), "is not UTF-8", e);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
    }
}
