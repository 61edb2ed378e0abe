package dev.graft.train.data.sets;

import dev.graft.formats.Fields;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.HashSplits.GroupedRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Mails of Spam Assassin's public corpus: the subject and the first of the body; other headers would reveal the answer.
 */
final class Mails {
    private static final Pattern SUBJECT = Pattern.compile("(?im)^Subject:[ \t]*(.*)$");
    private static final int LONGEST = 2000;

    private Mails() {}

    static Splits read(Path from) throws IOException {
        List<GroupedRow> rows = new ArrayList<>();
        List<Path> folders;
        try (Stream<Path> list = Files.list(from.resolve("package/data"))) {
            folders = list.filter(Files::isDirectory).sorted().toList();
        }
        for (Path folder : folders) {
            String label = folder.getFileName().toString().startsWith("spam") ? "spam" : "ham";
            try (Stream<Path> files = Files.list(folder)) {
                for (Path file : files.filter(each -> each.toString().endsWith(".json"))
                        .sorted()
                        .toList()) {
                    String text = text(Fields.read(file).string("text"));
                    if (!text.isBlank()) {
                        // Replies have the same subject but for "Re:".
                        String thread = text.lines().findFirst().orElse("").replaceAll("(?i)^(re: *|\\[.*?] *)+", "");
                        rows.add(new GroupedRow(thread, new Row.Text(text, null, new Label.One(label))));
                    }
                }
            }
        }
        return HashSplits.split("spam", rows);
    }

    private static String text(String mail) {
        int blank = mail.replace("\r\n", "\n").indexOf("\n\n");
        String plain = mail.replace("\r\n", "\n");
        String head = blank < 0 ? plain : plain.substring(0, blank);
        String body = blank < 0 ? "" : plain.substring(blank);
        Matcher subject = SUBJECT.matcher(head);
        String text = (subject.find() ? subject.group(1) : "") + "\n"
                + body.replaceAll("(?s)<(style|script).*?</\\1>", " ")
                        .replaceAll("<[^>]{1,500}>", " ")
                        .replaceAll("[ \t]+", " ")
                        .replaceAll("\n\\s*\n+", "\n")
                        .strip();
        return text.length() <= LONGEST
                ? text
                : text.substring(0, Character.isHighSurrogate(text.charAt(LONGEST - 1)) ? LONGEST - 1 : LONGEST);
    }
}
