package dev.graft.serve.json;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.serve.LogitsProcessor;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A trie of a vocabulary by the bytes of its tokens, for JSON-constrained decoding. Tokens with a common prefix are tested together.
 *
 * <pre>{@code
 * JsonTokens tokens = JsonTokens.of(base.tokenizer(), base.endTokens());
 * LogitsProcessor json = tokens.constrain(Schema.ANY);
 * }</pre>
 */
public final class JsonTokens {
    private static final int MAX_CACHED = 256;

    private final byte[] @Nullable [] bytes;
    private final Set<Integer> ends;
    // The tree: a node's first child and its next sibling, and the tokens that end there as a list.
    private int[] child = new int[1024];
    private int[] sibling = new int[1024];
    private byte[] label = new byte[1024];
    private int[] token = new int[1024];
    private final int[] sameBytes;
    private int nodes = 1;

    private final Map<JsonState, BitSet> allowedByState = lruMap();
    private final Map<Schema, Schema> schemas = lruMap();

    private JsonTokens(byte[] @Nullable [] bytes, Set<Integer> ends) {
        this.bytes = bytes;
        this.ends = Set.copyOf(ends);
        this.sameBytes = new int[bytes.length];
        token[0] = -1;
        for (int id = 0; id < bytes.length; id++) {
            byte[] own = bytes[id];
            if (own != null && own.length > 0) {
                int node = node(own);
                sameBytes[id] = token[node];
                token[node] = id;
            }
        }
    }

    /** A map of what was asked for last. */
    private static <K, V> Map<K, V> lruMap() {
        return new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > MAX_CACHED;
            }
        };
    }

    /**
     * Creates the trie of a tokenizer.
     *
     * @param ends the tokens that end a text
     * @throws InputException if a character of JSON's grammar is no token
     */
    public static JsonTokens of(Tokenizer tokenizer, Set<Integer> ends) {
        if (ends.isEmpty()) {
            throw new InputException(
                    tokenizer.source() + " names no token that ends a text, so no JSON text would end");
        }
        JsonTokens tokens = new JsonTokens(new TokenBytes(tokenizer).all(), ends);
        for (char c : "{}[]\":,\\ -+.0123456789abcdefghijklmnopqrstuvwxyzE".toCharArray()) {
            if (tokens.find(0, (byte) c) == 0) {
                throw new InputException(
                        tokenizer.source() + " has no token that begins with " + c + ", so it can't write JSON");
            }
        }
        return tokens;
    }

    private int node(byte[] path) {
        int node = 0;
        for (byte b : path) {
            int next = find(node, b);
            node = next == 0 ? add(node, b) : next;
        }
        return node;
    }

    private int find(int node, byte b) {
        int next = child[node];
        while (next != 0 && label[next] != b) {
            next = sibling[next];
        }
        return next;
    }

    private int add(int parent, byte b) {
        if (nodes == child.length) {
            child = Arrays.copyOf(child, 2 * nodes);
            sibling = Arrays.copyOf(sibling, 2 * nodes);
            label = Arrays.copyOf(label, 2 * nodes);
            token = Arrays.copyOf(token, 2 * nodes);
        }
        label[nodes] = b;
        token[nodes] = -1;
        sibling[nodes] = child[parent];
        child[parent] = nodes;
        return nodes++;
    }

    /**
     * Creates a processor that constrains one text to a JSON object, from its first token on.
     *
     * @param schema the schema of the object, {@link Schema#ANY} for any
     * @throws InputException if the vocabulary can't write it
     */
    public LogitsProcessor constrain(Schema schema) {
        if (schema instanceof Schema.AnyValue) {
            return from(JsonPrefix.BEGIN);
        }
        requireBytes(schema);
        return from(begin(schema));
    }

    /** Creates a processor that constrains one text to one of several JSON objects, from its first token on. */
    public LogitsProcessor constrainToOneOf(List<Schema> schemas) {
        schemas.forEach(this::requireBytes);
        return from(JsonAlternatives.of(schemas.stream().map(this::begin).toList()));
    }

    /** Returns the state before an object of a schema. Texts with equal schemas share their states. */
    SchemaPrefix begin(Schema schema) {
        synchronized (schemas) {
            return SchemaPrefix.begin(schemas.computeIfAbsent(schema, first -> first));
        }
    }

    private void requireBytes(Schema schema) {
        if (schema instanceof Schema.EnumValue one) {
            one.literals().forEach(this::requireBytes);
        } else if (schema instanceof Schema.ArrayValue array) {
            requireBytes(array.items());
        } else if (schema instanceof Schema.AnyOf anyOf) {
            anyOf.options().forEach(this::requireBytes);
        } else if (schema instanceof Schema.ObjectValue object) {
            for (Schema.Property property : object.properties()) {
                requireBytes(property.key());
                requireBytes(property.schema());
            }
        }
    }

    private void requireBytes(String written) {
        for (int i = 0; i < written.length(); i++) {
            int node = find(0, (byte) written.charAt(i));
            if (node == 0 || token[node] < 0) {
                throw new InputException("the model has no token for a character of " + written + " in the schema");
            }
        }
    }

    private LogitsProcessor from(JsonState begin) {
        return new LogitsProcessor() {
            private @Nullable JsonState state = begin;

            @Override
            public void process(float[] logits) {
                JsonState now = state;
                if (now == null) {
                    throw new IllegalStateException("a token was taken that JSON doesn't go on with");
                }
                BitSet may = allowed(now);
                for (int id = may.nextClearBit(0); id < logits.length; id = may.nextClearBit(id + 1)) {
                    logits[id] = Float.NEGATIVE_INFINITY;
                }
            }

            @Override
            public void onToken(int id) {
                byte[] more = id < bytes.length ? bytes[id] : null;
                if (more != null && !ends.contains(id)) {
                    for (byte b : more) {
                        state = state == null ? null : state.advance(b & 0xff);
                    }
                }
            }
        };
    }

    /** The tokens that may follow; all that end a text where it is whole. */
    synchronized BitSet allowed(JsonState state) {
        BitSet found = allowedByState.get(state);
        if (found == null) {
            found = new BitSet(bytes.length);
            if (state.isComplete()) {
                ends.forEach(found::set);
            } else {
                collect(0, state, found);
                ends.forEach(found::clear);
            }
            allowedByState.put(state, found);
        }
        return found;
    }

    private void collect(int node, JsonState state, BitSet into) {
        for (int next = child[node]; next != 0; next = sibling[next]) {
            JsonState then = state.advance(label[next] & 0xff);
            if (then != null) {
                for (int id = token[next]; id >= 0; id = sameBytes[id]) {
                    into.set(id);
                }
                collect(next, then, into);
            }
        }
    }
}
