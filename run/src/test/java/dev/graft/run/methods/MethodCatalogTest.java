package dev.graft.run.methods;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Keeps the catalogue equal to what the methods do and say; -Dgraft.docs=write writes it. */
class MethodCatalogTest {
    private static final Path FILE = Path.of("src/main/resources/dev/graft/run/methods/methods.json");

    private static String catalogue() {
        return Methods.all().stream()
                .map(type -> quoted(type.name()) + ": " + entry(new MethodProbe(type)))
                .collect(Collectors.joining(",\n", "{\n", "\n}\n"));
    }

    private static String entry(MethodProbe probe) {
        return "{\n  \"family\": " + quoted(probe.family())
                + ",\n  \"effects\": " + inLine(probe.effects())
                + ",\n  \"adapted_kinds\": " + inLine(probe.adaptedKinds())
                + ",\n  \"documentation\": "
                + inLines(probe.documentation()
                        .text()
                        .lines()
                        .map(MethodCatalogTest::quoted)
                        .toList())
                + ",\n  \"options\": "
                + inLines(
                        probe.options().stream().map(MethodCatalogTest::option).toList()) + "\n}";
    }

    private static String option(MethodOption option) {
        StringBuilder line = new StringBuilder("{\"name\": " + quoted(option.name()));
        line.append(", \"type\": ").append(quoted(option.type()));
        if (option.fromBase()) {
            line.append(", \"default_from_base\": true");
        } else {
            line.append(", \"default\": ").append(Json.compact(option.byDefault()));
        }
        JsonNode peft = option.peft();
        if (peft != null) {
            line.append(", \"peft_default\": ").append(Json.compact(peft));
        }
        if (!option.meaning().isEmpty()) {
            line.append(", \"meaning\": ").append(quoted(option.meaning()));
        }
        return line.append("}").toString();
    }

    private static String inLine(Collection<String> words) {
        return words.stream().map(MethodCatalogTest::quoted).collect(Collectors.joining(", ", "[", "]"));
    }

    private static String inLines(List<String> values) {
        return values.isEmpty() ? "[]" : "[\n    " + String.join(",\n    ", values) + "\n  ]";
    }

    private static String quoted(String text) {
        return Json.quoted(text, false);
    }

    @Test
    void theCatalogueIsWhatTheMethodsDoAndSay() throws IOException {
        String found = catalogue();
        if ("write".equals(System.getProperty("graft.docs"))) {
            Files.createDirectories(FILE.getParent());
            Files.writeString(FILE, found);
        }
        assertThat(FILE)
                .as("methods.json is older than the methods; "
                        + "`mvn -o install -pl run -Dtest=MethodCatalogTest -Dgraft.docs=write` writes it anew")
                .hasContent(found);
    }

    @Test
    void aMethodOfAnotherJarHasTheOptionsThatItWrites() {
        MethodEntry entry = MethodCatalog.describe(new Doubling.Kind());

        assertThat(entry.builtIn()).isFalse();
        assertThat(entry.documentation()).contains("another jar");
        assertThat(entry.options())
                .extracting(option -> option.name() + ": " + option.type() + ", " + option.shownDefault())
                .containsExactly(
                        "factor: number, 2.0", "start: only where it is given, not set", "width: integer, by the base");
        assertThat(entry.options().get(1).meaning()).isEqualTo("the layer it starts at");
    }

    /** A method as a user may register it. */
    private record Doubling(double factor) implements Method {
        @Override
        public Type type() {
            return new Kind();
        }

        @Override
        public void graft(Grafter grafter) {}

        @Override
        public void write(ObjectNode config, Base base) {
            config.put("width", base.backbone().hiddenSize());
            config.put("factor", factor);
        }

        private static final class Kind implements Type {
            @Override
            public String name() {
                return "doubling";
            }

            @Override
            public String summary() {
                return "doubles";
            }

            @Override
            public Capabilities capabilities() {
                return new Capabilities(true, false, true, true);
            }

            @Override
            public Method defaults() {
                return new Doubling(2);
            }

            @Override
            public String peftType() {
                return "DOUBLING";
            }

            @Override
            public Map<String, String> optional() {
                return Map.of("start", "the layer it starts at");
            }

            @Override
            public Method read(Fields config, Base base) {
                return new Doubling(config.number("factor", 2));
            }
        }
    }
}
