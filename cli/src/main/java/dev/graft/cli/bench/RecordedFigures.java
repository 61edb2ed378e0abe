package dev.graft.cli.bench;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The part of a page between two marks, which a comparison replaces. */
record RecordedFigures(Path page) {
    static final String START = "<!-- written by graft bench compare -->\n";
    static final String END = "<!-- up to here -->\n";

    /** @throws InputException if the page or the marks aren't there */
    void check() {
        read();
    }

    void replace(String figures) {
        String text = read();
        int start = text.indexOf(START) + START.length();
        AtomicWrite.text(
                page, text.substring(0, start) + "\n" + figures + "\n" + text.substring(text.indexOf(END, start)));
    }

    private String read() {
        if (!Files.isRegularFile(page)) {
            throw new InputException("there is no " + page + " to write to; run this in Graft's folder");
        }
        try {
            String text = Files.readString(page);
            int start = text.indexOf(START);
            if (start < 0 || text.indexOf(END, start) < 0) {
                throw new InputException(page + " lacks the lines " + START.strip() + " and " + END.strip()
                        + " between which figures are written");
            }
            return text;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + page + ": " + e.getMessage(), e);
        }
    }
}
