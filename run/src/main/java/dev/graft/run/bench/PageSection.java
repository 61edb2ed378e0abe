package dev.graft.run.bench;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The section of a Markdown page between two marks, which a comparison replaces. */
public record PageSection(Path page) {
    public static final String START = "<!-- written by graft bench compare -->\n";
    public static final String END = "<!-- up to here -->\n";

    /**
     * Checks that the section exists.
     *
     * @throws InputException if the page or its marks are missing
     */
    public void check() {
        read();
    }

    public void replace(String figures) {
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
            throw new FileAccessException("cannot read " + page, e);
        }
    }
}
