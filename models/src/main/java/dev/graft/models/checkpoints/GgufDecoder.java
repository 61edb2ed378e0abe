package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.GgmlType;
import dev.graft.formats.Gguf;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.matrices.GgmlMatrix;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A GGUF file of a decoder under its Hugging Face names. Quantised tensors are decoded on reading.
 *
 * <p>llama.cpp rotates pairs of neighbouring rows where Hugging Face rotates the two halves of a head. So its converter reorders the rows
 * of the query and key projections ({@code LlamaModel.permute} of {@code convert_hf_to_gguf.py}). This class restores their order.
 */
final class GgufDecoder implements QuantizedTensors, ConvertedTensors {
    private static final Pattern BLOCK = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");
    private static final Map<String, String> OTHER_NAMES = Map.of(
            GgufNames.EMBEDDINGS,
            "model.embed_tokens.weight",
            "output_norm.weight",
            "model.norm.weight",
            GgufNames.HEAD,
            "lm_head.weight");

    /**
     * The place of a tensor.
     *
     * @param heads the number of heads whose rows were reordered, 0 if they are in place
     * @param plusOne whether the file adds 1 to the values
     */
    private record Stored(String name, int heads, boolean plusOne) {}

    private final Gguf file;
    private final Map<String, Stored> stored = new LinkedHashMap<>();

    private GgufDecoder(Gguf file, GgufFamily family, Fields config) {
        this.file = file;
        int heads = config.integer("num_attention_heads");
        int keyHeads = config.integer("num_key_value_heads");
        boolean tied = config.bool("tie_word_embeddings");
        for (String name : file.names()) {
            Matcher block = BLOCK.matcher(name);
            if (OTHER_NAMES.containsKey(name)) {
                if (!tied || !name.equals(GgufNames.HEAD)) {
                    put(family, OTHER_NAMES.get(name), name, 0);
                }
            } else if (block.matches() && family.blocks().containsKey(block.group(2))) {
                String part = block.group(2);
                int reordered = part.equals("attn_q") ? heads : part.equals("attn_k") ? keyHeads : 0;
                put(
                        family,
                        "model.layers." + block.group(1) + "." + family.blocks().get(part) + "." + block.group(3),
                        name,
                        family.permuted() ? reordered : 0);
            } else if (!name.equals(GgufNames.ROPE_FACTORS)) {
                throw new FormatException(
                        file.path(),
                        "tensor " + name + " has no place in a " + family.architecture()
                                + " model; this variant is not supported");
            }
        }
    }

    private void put(GgufFamily family, String name, String place, int heads) {
        boolean norm = name.endsWith("norm.weight");
        if (norm && family.plusOne() && file.info(place).dtype() != DType.F32) {
            throw new FormatException(file.path(), file.info(place) + ": the weights of a norm are expected as F32");
        }
        stored.put(name, new Stored(place, heads, norm && family.plusOne()));
    }

    static PretrainedCheckpoint open(Path path) {
        Gguf file = Gguf.open(path);
        try {
            String architecture = file.fields().string("general.architecture");
            GgufFamily family = GgufFamily.of(architecture)
                    .orElseThrow(() -> new FormatException(
                            path,
                            "general.architecture is \"" + architecture + "\", of GGUF files only "
                                    + GgufFamily.ALL.stream()
                                            .map(known -> "\"" + known.architecture() + "\"")
                                            .collect(Collectors.joining(", "))
                                    + " are supported"));
            Fields config = PretrainedCheckpoint.fields(path, new GgufDecoderConfig(file, family).read());
            return new PretrainedCheckpoint(config, new GgufDecoder(file, family, config), path);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = file.info(find(name).name);
        return new TensorInfo(name, info.dtype(), info.shape());
    }

    @Override
    public ByteBuffer bytes(String name) {
        Stored tensor = find(name);
        if (tensor.heads == 0 && !tensor.plusOne) {
            return file.bytes(tensor.name);
        }
        ByteBuffer ordered =
                ByteBuffer.allocateDirect(Math.toIntExact(info(name).bytes()));
        read(name, ordered);
        return ordered.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        Stored tensor = find(name);
        TensorInfo info = file.info(tensor.name);
        if (tensor.plusOne) {
            ByteBuffer target = into.slice().order(ByteOrder.LITTLE_ENDIAN);
            for (float weight : file.dequantize(tensor.name)) {
                target.putFloat(weight - 1);
            }
            into.position(into.position() + Math.toIntExact(info.bytes()));
            return;
        } else if (tensor.heads == 0) {
            file.read(tensor.name, into);
            return;
        }
        inOrder(tensor, file.bytes(tensor.name), into);
    }

    @Override
    public @Nullable QuantizedMatrix quantized(String name, ScalarType type) {
        Stored tensor = find(name);
        GgmlType kind = file.type(tensor.name);
        long[] shape = file.info(tensor.name).shape();
        if (shape.length != 2 || !kind.isDecodable()) {
            return null;
        }
        ByteBuffer raw = file.raw(tensor.name);
        ByteBuffer ordered = raw;
        if (tensor.heads > 0) {
            ordered = ByteBuffer.allocate(raw.remaining());
            inOrder(tensor, raw, ordered);
            ordered.flip();
        }
        long bytes = ordered.remaining();
        return new GgmlMatrix(kind, shape[0], shape[1], type, Tensors.of(ordered, ScalarType.Byte, bytes));
    }

    /** Copies rows to their places in Hugging Face. */
    private void inOrder(Stored tensor, ByteBuffer permuted, ByteBuffer into) {
        TensorInfo info = file.info(tensor.name);
        int rows = info.rank() == 0 ? 0 : Math.toIntExact(info.shape()[0]);
        if (rows == 0 || rows % (2L * tensor.heads) != 0) {
            throw new FormatException(
                    path(), info + ": its rows can't be split into " + tensor.heads + " heads of even size");
        }
        int half = rows / tensor.heads / 2;
        int size = permuted.remaining() / rows;
        for (int row = 0; row < rows; row++) {
            int head = row / (2 * half);
            int part = row / half % 2;
            int pair = row % half;
            into.put(permuted.slice((head * 2 * half + 2 * pair + part) * size, size));
        }
    }

    private Stored find(String name) {
        Stored tensor = stored.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no tensor that is " + name);
        }
        return tensor;
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
