package dev.graft.cli;

import dev.graft.formats.Json;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import picocli.CommandLine.Help.Ansi;
import tools.jackson.databind.JsonNode;

/** A run of the command line inside the test's process. */
record Cli(int code, String out, String err) {
    static final Path FIXTURES = Path.of("../parity/fixtures");

    static Cli run(Object... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] words = new String[arguments.length];
        for (int i = 0; i < words.length; i++) {
            words[i] = arguments[i].toString();
        }
        int code = Graft.run(new PrintWriter(out), new PrintWriter(err), Ansi.OFF, words);
        return new Cli(code, out.toString(), err.toString());
    }

    /** Runs with that standard input. */
    static Cli runWith(String input, Object... arguments) {
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        try {
            return run(arguments);
        } finally {
            System.setIn(before);
        }
    }

    static Path base(String name) {
        return FIXTURES.resolve("bases").resolve(name);
    }

    static Path adapter(String name) {
        return FIXTURES.resolve("adapters").resolve(name);
    }

    /** All of standard output as JSON. */
    JsonNode json() {
        return Json.parse("standard output", out);
    }
}
