package dev.graft.cli.generate;

import dev.graft.cli.terminal.Interruption;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.cache.KvCache;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.run.progress.UnitFormat;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A conversation, one line of input a turn. */
final class ChatSession implements AutoCloseable {
    /** Room that the oldest turns must leave for an answer. */
    private static final int LEAST_ANSWER = 64;

    private final TextGenerator generator;
    private final Chat chat;
    private final boolean interactive;
    private final boolean verbose;
    private final boolean json;
    private final PrintWriter out;
    private final PrintWriter err;
    private final KvCache cache = new KvCache(0);
    private final List<Message> turns = new ArrayList<>();
    private @Nullable String system;
    private int failures;
    private long tokens;
    private long nanos;

    /** @param interactive true if input and output are a terminal */
    ChatSession(
            TextGenerator generator,
            @Nullable String system,
            boolean interactive,
            boolean verbose,
            boolean json,
            PrintWriter out,
            PrintWriter err) {
        this.generator = generator;
        this.chat = generator.loaded().chat();
        this.system = system;
        this.interactive = interactive;
        this.verbose = verbose;
        this.json = json;
        this.out = out;
        this.err = err;
    }

    /** Answers each line of the input. Returns the exit code, 2 if a line of a pipe could not be answered. */
    int run(InputStream in) {
        if (interactive) {
            err.println("/reset forgets, /system TEXT sets the scene, /exit ends");
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        for (String line = next(lines); line != null && !Interruption.requested(); line = next(lines)) {
            String text = line.strip();
            if (text.equals("/exit") || text.equals("/quit")) {
                break;
            } else if (text.startsWith("/")) {
                command(text);
            } else if (!text.isEmpty()) {
                answer(text);
            }
        }
        if (verbose && tokens > 0) {
            err.println(tokens + " tokens in " + turns(nanos));
        }
        return failures > 0 && !interactive ? 2 : 0;
    }

    private String turns(long time) {
        return String.format(Locale.ROOT, "%.1f s, ", time / 1e9) + UnitFormat.count(tokens * 1e9 / time) + " tokens/s";
    }

    private @Nullable String next(BufferedReader lines) {
        if (interactive) {
            out.print("> ");
            out.flush();
        }
        try {
            return lines.readLine();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read standard input: " + e.getMessage(), e);
        }
    }

    private void command(String text) {
        String name = text.split("\\s", 2)[0];
        switch (name) {
            case "/reset" -> turns.clear();
            case "/system" -> {
                turns.clear();
                String rest = text.substring(name.length()).strip();
                system = rest.isEmpty() ? null : rest;
            }
            default -> {
                err.println(name + " is no command; there are /reset, /system TEXT and /exit");
                failures++;
            }
        }
    }

    private void answer(String text) {
        turns.add(Message.user(text));
        TextGenerator.Output answer;
        try {
            answer = generator.write(prompt(), !json, cache);
        } catch (InputException refused) {
            err.println(refused.getMessage());
            turns.remove(turns.size() - 1);
            failures++;
            return;
        }
        if (answer == null) {
            return;
        }
        turns.add(Message.assistant(answer.generated().text()));
        out.println(json ? Json.compact(answer.json()) : "");
        out.flush();
        tokens += answer.generated().ids().length;
        nanos += answer.nanos();
        if (verbose) {
            err.println(TextGenerator.summary(answer));
        }
    }

    /** The conversation as token ids; the oldest turns go where it would leave no room for an answer. */
    private int[] prompt() {
        int most = generator.loaded().base().backbone().maxPositions();
        int room = Math.min(Math.min(LEAST_ANSWER, generator.maxNewTokens()), most / 2);
        int[] ids = chat.prompt(messages()).ids();
        int dropped = 0;
        while (ids.length + room > most && turns.size() > 2) {
            turns.subList(0, 2).clear();
            dropped++;
            ids = chat.prompt(messages()).ids();
        }
        if (dropped > 0) {
            err.println("the model can read " + most + " tokens; the oldest "
                    + (dropped == 1 ? "turn is" : dropped + " turns are") + " forgotten");
        }
        return ids;
    }

    @Override
    public void close() {
        cache.close();
    }

    private List<Message> messages() {
        List<Message> messages = new ArrayList<>();
        if (system != null) {
            messages.add(Message.system(system));
        }
        messages.addAll(turns);
        return messages;
    }
}
