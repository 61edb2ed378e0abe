package dev.graft.parity;

import dev.graft.formats.quantized.Codebook;
import dev.graft.formats.quantized.Int8Rows;
import dev.graft.formats.quantized.NestedScales;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** Four- and eight-bit codes, their scales, and the values that they stand for. */
final class QuantisationParity {
    private static final Tolerance EXACT = new Tolerance(0, 0);
    private static final Tolerance FLOAT = new Tolerance(1e-6, 1e-7);

    private QuantisationParity() {}

    /** The tables of levels. */
    static void levels(CaseCheck check, JsonNode stored) {
        check.values("nf4", doubles(Codebook.NF4.levels()), doubles(stored.path("nf4")), FLOAT);
        check.values("fp4", doubles(Codebook.FP4.levels()), doubles(stored.path("fp4")), FLOAT);
        check.values("dynamic_8bit", doubles(Codebook.DYNAMIC.levels()), doubles(stored.path("dynamic_8bit")), EXACT);
    }

    /** NF4 and FP4 with scales in fp32 and in eight bits. */
    static void fourBit(CaseCheck check, JsonNode stored) {
        Codebook codebook = stored.path("type").asString().equals("nf4") ? Codebook.NF4 : Codebook.FP4;
        int block = stored.path("block").intValue();
        Codebook.Blocks blocks = codebook.quantize(floats(stored.path("input")), block);
        blockwise(check, codebook, blocks, block, stored);
        codes(check, "packed", codebook.pack(blocks.codes()), stored.path("packed"));

        JsonNode twice = stored.path("double");
        NestedScales scales = NestedScales.of(blocks.absmax(), NestedScales.BLOCK);
        check.number("offset", scales.offset(), twice.path("offset").doubleValue(), FLOAT);
        codes(check, "absmax_codes", scales.codes(), twice.path("absmax_codes"));
        check.values("absmax_of_absmax", doubles(scales.absmax()), doubles(twice.path("absmax_of_absmax")), FLOAT);
        float[] restored = scales.dequantize();
        check.values("absmax_restored", doubles(restored), doubles(twice.path("absmax_restored")), FLOAT);
        float[] values = codebook.dequantize(blocks.codes(), restored, block);
        check.values("dequantised twice", doubles(values), doubles(twice.path("dequantised")), FLOAT);
    }

    /** The eight-bit dynamic type in blocks. */
    static void eightBit(CaseCheck check, JsonNode stored) {
        int block = stored.path("block").intValue();
        Codebook.Blocks blocks = Codebook.DYNAMIC.quantize(floats(stored.path("input")), block);
        blockwise(check, Codebook.DYNAMIC, blocks, block, stored);
    }

    private static void blockwise(
            CaseCheck check, Codebook codebook, Codebook.Blocks blocks, int block, JsonNode stored) {
        codes(check, "codes", blocks.codes(), stored.path("codes"));
        check.values("absmax", doubles(blocks.absmax()), doubles(stored.path("absmax")), EXACT);
        float[] values = codebook.dequantize(blocks.codes(), blocks.absmax(), block);
        check.values("dequantised", doubles(values), doubles(stored.path("dequantised")), FLOAT);
    }

    /** Rows of eight bits. */
    static void rows(CaseCheck check, JsonNode stored) {
        int columns = stored.path("shape").get(1).intValue();
        Int8Rows rows = Int8Rows.quantize(floats(stored.path("input")), columns);
        int[] expected =
                stored.path("codes").valueStream().mapToInt(JsonNode::intValue).toArray();
        check.same("the number of codes", rows.codes().length, expected.length);
        for (int i = 0; i < expected.length; i++) {
            check.same("code " + i, (int) rows.codes()[i], expected[i]);
        }
        check.values("row_absmax", doubles(rows.absmax()), doubles(stored.path("row_absmax")), EXACT);
        check.values("dequantised", doubles(rows.dequantize()), doubles(stored.path("dequantised")), FLOAT);
    }

    private static void codes(CaseCheck check, String what, byte[] got, JsonNode expected) {
        check.same("the number of " + what, got.length, expected.size());
        for (int i = 0; i < got.length; i++) {
            check.same(what + " " + i, got[i] & 0xff, expected.get(i).intValue());
        }
    }

    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) array.get(i).doubleValue();
        }
        return values;
    }

    private static double[] doubles(float[] values) {
        return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
    }

    private static double[] doubles(JsonNode array) {
        return doubles(floats(array));
    }
}
