package dev.graft.eval.metrics.spans;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A scheme by which tags mark spans. {@link #LENIENT} is the rule of the CoNLL script, which finds a span in every run of tags of one
 * type; the others, as seqeval's strict mode, count a span only if its tags follow the scheme.
 */
public enum TagScheme {
    LENIENT("BIESO") {
        @Override
        boolean starts(Tag previous, Tag tag) {
            return switch (tag.prefix()) {
                case 'B', 'S' -> true;
                case 'E', 'I' -> "ESO".indexOf(previous.prefix()) >= 0 || differs(previous, tag);
                default -> false;
            };
        }

        @Override
        boolean continues(Tag previous, Tag tag) {
            return !ends(previous, tag);
        }

        @Override
        boolean ends(Tag previous, Tag tag) {
            return switch (previous.prefix()) {
                case 'E', 'S' -> true;
                case 'B', 'I' -> "BSO".indexOf(tag.prefix()) >= 0 || differs(previous, tag);
                default -> false;
            };
        }
    },
    /** A span is B I ... I. */
    IOB2("BIO") {
        @Override
        boolean starts(Tag previous, Tag tag) {
            return tag.prefix() == 'B';
        }

        @Override
        boolean continues(Tag previous, Tag tag) {
            return tag.prefix() == 'I' && "BI".indexOf(previous.prefix()) >= 0 && !differs(previous, tag);
        }

        @Override
        boolean ends(Tag previous, Tag tag) {
            return "BI".indexOf(previous.prefix()) >= 0 && !continues(previous, tag);
        }
    },
    /** A span is I ... I E. */
    IOE2("IEO") {
        @Override
        boolean starts(Tag previous, Tag tag) {
            return tag.prefix() != 'O' && (previous.prefix() != 'I' || differs(previous, tag));
        }

        @Override
        boolean continues(Tag previous, Tag tag) {
            return tag.prefix() != 'O' && previous.prefix() == 'I' && !differs(previous, tag);
        }

        @Override
        boolean ends(Tag previous, Tag tag) {
            return previous.prefix() == 'E';
        }
    },
    /** B I ... I E, or S for a span of one. */
    IOBES("BIESO") {
        @Override
        boolean starts(Tag previous, Tag tag) {
            return tag.prefix() == 'B' || tag.prefix() == 'S';
        }

        @Override
        boolean continues(Tag previous, Tag tag) {
            return followsWithin(previous, tag, 'E');
        }

        @Override
        boolean ends(Tag previous, Tag tag) {
            return previous.prefix() == 'E' || previous.prefix() == 'S';
        }
    },
    /** B I ... I L, or U for a span of one. */
    BILOU("BILUO") {
        @Override
        boolean starts(Tag previous, Tag tag) {
            return tag.prefix() == 'B' || tag.prefix() == 'U';
        }

        @Override
        boolean continues(Tag previous, Tag tag) {
            return followsWithin(previous, tag, 'L');
        }

        @Override
        boolean ends(Tag previous, Tag tag) {
            return previous.prefix() == 'L' || previous.prefix() == 'U';
        }
    };

    /** Detects the scheme of some tags, the most lenient one that fits; null if they mark no spans. */
    public static @Nullable TagScheme of(Collection<String> tags) {
        boolean marked = tags.stream().allMatch(tag -> tag.equals("O") || tag.matches("[BIESLU]-.+"))
                && tags.stream().anyMatch(tag -> !tag.equals("O"));
        if (!marked) {
            return null;
        }
        return tags.stream().anyMatch(tag -> tag.matches("[LU]-.+")) ? BILOU : LENIENT;
    }

    private static final Tag OUTSIDE = new Tag('O', "");

    private final String prefixes;

    TagScheme(String prefixes) {
        this.prefixes = prefixes;
    }

    record Tag(char prefix, String type) {}

    abstract boolean starts(Tag previous, Tag tag);

    abstract boolean continues(Tag previous, Tag tag);

    /** Returns whether a span is complete that ends with {@code previous} before {@code tag}. */
    abstract boolean ends(Tag previous, Tag tag);

    private static boolean differs(Tag previous, Tag tag) {
        return !previous.type().equals(tag.type());
    }

    private static boolean followsWithin(Tag previous, Tag tag, char last) {
        return (tag.prefix() == 'I' || tag.prefix() == last)
                && (previous.prefix() == 'B' || previous.prefix() == 'I')
                && !differs(previous, tag);
    }

    /**
     * Returns the spans that tags mark, in order.
     *
     * @throws IllegalArgumentException if a tag has a prefix that the scheme doesn't have
     */
    public List<Span> spans(List<String> tags) {
        List<Span> spans = new ArrayList<>();
        Tag previous = OUTSIDE;
        for (int i = 0; i < tags.size(); ) {
            Tag tag = parse(tags.get(i));
            int end = i + 1;
            if (starts(previous, tag)) {
                Tag last = tag;
                Tag next = at(tags, end);
                while (end < tags.size() && continues(last, next)) {
                    last = next;
                    next = at(tags, ++end);
                }
                if (ends(last, next)) {
                    spans.add(new Span(tag.type(), i, end));
                }
                previous = last;
            } else {
                previous = tag;
            }
            i = end;
        }
        return spans;
    }

    private Tag at(List<String> tags, int i) {
        return i < tags.size() ? parse(tags.get(i)) : OUTSIDE;
    }

    private Tag parse(String tag) {
        if (tag.isEmpty() || prefixes.indexOf(tag.charAt(0)) < 0) {
            throw new IllegalArgumentException("the tag \"" + tag + "\" isn't one of "
                    + (this == LENIENT ? "B-, I-, E-, S- and O" : name() + ", whose prefixes are " + prefixes));
        }
        String type = tag.startsWith("-", 1) ? tag.substring(2) : tag.substring(1);
        return new Tag(tag.charAt(0), type.isEmpty() ? "_" : type);
    }
}
