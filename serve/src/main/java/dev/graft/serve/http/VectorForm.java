package dev.graft.serve.http;

import dev.graft.formats.Fields;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The form in which a request for embeddings wants its vectors ({@code encoding_format} and {@code dimensions} of OpenAI's API).
 *
 * @param size how many numbers a vector keeps, from its first; 0 for all. What is kept is scaled to length 1, as Matryoshka embeddings
 *     (Kusupati et al. 2022) are used
 */
record VectorForm(boolean base64, int size) {
    static final VectorForm WHOLE = new VectorForm(false, 0);

    /** Reads the form of a request to a model whose vectors have {@code all} numbers. */
    static VectorForm read(Fields fields, int all) {
        String encoding = fields.choice("encoding_format", "float", "float", "base64");
        Integer size = fields.integerOrNull("dimensions");
        if (size != null && (size < 1 || size > all)) {
            throw fields.error("dimensions", "is " + size + ", must be between 1 and " + all);
        }
        return new VectorForm(encoding.equals("base64"), size == null || size == all ? 0 : size);
    }

    /** Writes a vector as an entry of an answer's {@code data}. */
    void write(float[] whole, ObjectNode entry) {
        float[] vector = size == 0 ? whole : cut(whole);
        entry.put("object", "embedding");
        if (base64) {
            ByteBuffer bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(vector);
            entry.put("embedding", Base64.getEncoder().encodeToString(bytes.array()));
            return;
        }
        ArrayNode list = entry.putArray("embedding");
        for (float value : vector) {
            list.add(value);
        }
    }

    private float[] cut(float[] whole) {
        float[] vector = Arrays.copyOf(whole, size);
        double square = 0;
        for (float value : vector) {
            square += value * (double) value;
        }
        double length = Math.max(Math.sqrt(square), 1e-12);
        for (int i = 0; i < size; i++) {
            vector[i] = (float) (vector[i] / length);
        }
        return vector;
    }
}
