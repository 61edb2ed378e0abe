package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.hub.ModelFiles;
import dev.graft.models.images.ImageProcessor;
import dev.graft.models.images.ResamplingFilter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The backbone of a DINOv2 in an ONNX graph under its Hugging Face names. Its initialisers are named
 * {@code backbone.…}. Matrices are stored as {@code [in, out]}. The constant folding of the exporter split the learned
 * positions into those of the class token and of the grid. The rest of the graph, behind the backbone, is ignored.
 */
final class OnnxDinov2 implements ConvertedTensors {
    private static final String PREFIX = "backbone.";
    private static final String CLASS_TOKEN = "embeddings.cls_token";
    private static final String PATCHES = "embeddings.patch_embeddings.projection.weight";
    private static final String POSITIONS = "embeddings.position_embeddings";

    /** The size and scale of images from the publication of DINOv2, which a graph does not contain. */
    private static final ImageProcessor IMAGES = new ImageProcessor(
            new ImageProcessor.Size(0, 0, 256),
            ResamplingFilter.BICUBIC,
            new ImageProcessor.Size(224, 224, 0),
            1 / 255.0,
            List.of(0.485, 0.456, 0.406),
            List.of(0.229, 0.224, 0.225));

    private final Onnx file;
    /** The initialisers of each tensor, one after another. */
    private final Map<String, List<OnnxMatrix>> stored = new LinkedHashMap<>();

    private OnnxDinov2(Onnx file) {
        this.file = file;
        OnnxLinears linears = new OnnxLinears(file, name -> name.contains("backbone"));
        for (String initialiser : file.names()) {
            String weight = linears.weight(initialiser);
            String name = weight == null ? initialiser : weight;
            if (name.startsWith(PREFIX)) {
                stored.put(
                        name.substring(PREFIX.length()),
                        List.of(new OnnxMatrix(file, initialiser, weight != null, false)));
            }
        }
        long[] token = shape(CLASS_TOKEN, 3);
        stored.put(POSITIONS, List.of(positions(token[2], true, 1), positions(token[2], false, 2)));
    }

    /** Returns whether a graph has a backbone of this shape. */
    static boolean isOne(ModelFiles.Onnx files) {
        try (Onnx file = Onnx.open(files.model())) {
            return file.names().contains(PREFIX + CLASS_TOKEN)
                    && file.names().contains(PREFIX + "encoder.layer.0.layer_scale1.lambda1");
        }
    }

    @Override
    public ImageProcessor imageProcessor() {
        return IMAGES;
    }

    static PretrainedCheckpoint open(ModelFiles.Onnx files) {
        Path path = files.model();
        Onnx file = Onnx.open(path);
        try {
            OnnxDinov2 tensors = new OnnxDinov2(file);
            return new PretrainedCheckpoint(
                    PretrainedCheckpoint.fields(path, tensors.config()),
                    tensors,
                    path.resolveSibling("tokenizer.json"));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /**
     * Returns the folded positions: {@code [1, 1, hidden]} of the class token, or {@code [1, side · side, hidden]} of
     * the grid.
     */
    private OnnxMatrix positions(long hidden, boolean ofToken, int least) {
        List<String> found = file.names().stream()
                .filter(name -> !name.startsWith(PREFIX) && file.info(name).rank() == 3)
                .filter(name -> {
                    long[] shape = file.info(name).shape();
                    return shape[0] == 1 && shape[2] == hidden && (ofToken ? shape[1] == 1 : shape[1] >= least);
                })
                .toList();
        if (found.size() != 1) {
            throw new FormatException(
                    path(),
                    "has " + found.size() + " initialisers that may be the positions of "
                            + (ofToken ? "the class token" : "the patches") + ", expected one: " + found);
        }
        return new OnnxMatrix(file, found.get(0), false, false);
    }

    private long[] shape(String name, int rank) {
        if (!stored.containsKey(name) || info(name).rank() != rank) {
            throw new FormatException(path(), "has no backbone." + name + " of " + rank + " dimensions");
        }
        return info(name).shape();
    }

    private ObjectNode config() {
        long hidden = shape(CLASS_TOKEN, 3)[2];
        long[] patches = shape(PATCHES, 4);
        long places = shape(POSITIONS, 3)[1] - 1;
        long side = Math.round(Math.sqrt(places));
        if (hidden < 1 || side < 1 || side * side != places || patches[2] != patches[3]) {
            throw new FormatException(
                    path(), "has " + places + " positions of patches of width " + hidden + ", expected a square");
        }
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("model_type", "dinov2");
        config.putArray("architectures").add("Dinov2Model");
        config.put("hidden_size", hidden);
        config.put("num_hidden_layers", layers());
        config.put("num_attention_heads", heads(hidden));
        long wide = shape("encoder.layer.0.mlp.fc1.weight", 2)[0];
        if (wide % hidden != 0) {
            throw new FormatException(path(), "has feed-forward blocks of " + wide + ", no multiple of " + hidden);
        }
        config.put("mlp_ratio", wide / hidden);
        config.put("num_channels", patches[1]);
        config.put("patch_size", patches[2]);
        config.put("image_size", side * patches[2]);
        return config;
    }

    private int layers() {
        int layers = 0;
        while (stored.containsKey("encoder.layer." + layers + ".norm1.weight")) {
            layers++;
        }
        return layers;
    }

    /**
     * Returns the number of heads. The first layer splits its queries into heads by a shape of constants, one of which
     * is this number.
     */
    private long heads(long hidden) {
        String module = "/backbone/encoder/layer.0/attention/attention/";
        for (Onnx.Node node : file.nodes()) {
            if (node.opType().equals("Concat") && node.name().startsWith(module)) {
                List<Long> sizes = new ArrayList<>();
                for (String input : node.inputs()) {
                    Long size = constant(input);
                    if (size != null) {
                        sizes.add(size);
                    }
                }
                if (sizes.size() == 2 && sizes.get(0) > 0 && sizes.get(0) * sizes.get(1) == hidden) {
                    return sizes.get(0);
                }
            }
        }
        throw new FormatException(path(), "doesn't say how many heads the attention layers have");
    }

    private @Nullable Long constant(String output) {
        TensorData value = file.constant(output);
        return value == null
                        || value.info().dtype() != DType.I64
                        || value.info().elements() != 1
                ? null
                : value.bytes().order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        List<OnnxMatrix> parts = find(name);
        TensorInfo first = parts.get(0).info(name);
        if (first.dtype() != DType.F32) {
            throw new FormatException(path(), "initialiser " + first + ": expected F32");
        }
        if (parts.size() == 1) {
            return first;
        }
        long[] shape = first.shape();
        shape[1] = parts.stream().mapToLong(part -> part.info(name).shape()[1]).sum();
        return new TensorInfo(name, DType.F32, shape);
    }

    @Override
    public ByteBuffer bytes(String name) {
        List<OnnxMatrix> parts = find(name);
        if (parts.size() == 1) {
            return parts.get(0).bytes(name);
        }
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(info(name).bytes()));
        read(name, bytes);
        return bytes.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        find(name).forEach(part -> part.read(name, into));
    }

    private List<OnnxMatrix> find(String name) {
        List<OnnxMatrix> parts = stored.get(name);
        if (parts == null) {
            throw new FormatException(path(), "has no tensor that is " + name + " in a DINOv2");
        }
        return parts;
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
