package dev.graft.models.generate;

import java.util.List;

/** A growing text that ends at a stop string. A possible beginning of a stop string is held back. */
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder text = new StringBuilder();
    private int given;
    private boolean stopped;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /** Appends text; returns new text that is certainly before any stop string. */
    String add(String piece) {
        if (stopped) {
            return "";
        }
        int searched = text.length();
        text.append(piece);
        int end = -1;
        for (String stop : stops) {
            int at = text.indexOf(stop, Math.max(given, searched - stop.length() + 1));
            if (at >= 0 && (end < 0 || at < end)) {
                end = at;
            }
        }
        if (end >= 0) {
            stopped = true;
            text.setLength(end);
            return give(end);
        }
        return give(text.length() - held());
    }

    /** Returns the number of last characters that begin a stop string. */
    private int held() {
        int most = 0;
        for (String stop : stops) {
            int longest = Math.min(stop.length() - 1, text.length() - given);
            for (int length = longest; length > most; length--) {
                if (stop.startsWith(text.substring(text.length() - length))) {
                    most = length;
                }
            }
        }
        return most;
    }

    /** Returns the text not returned so far, for a text that ends without a stop string. */
    String finish() {
        return give(text.length());
    }

    private String give(int end) {
        String piece = text.substring(given, end);
        given = end;
        return piece;
    }

    boolean stopped() {
        return stopped;
    }

    String text() {
        return text.substring(0, given);
    }
}
